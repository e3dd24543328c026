"""Fractal noise from a small bank of tileable textures, sampled anywhere at any resolution.

The bank is made once per process; a scene picks its own corner of it by offsets. So noise costs one `cv2.remap`,
and a picture shows the same clouds at 224 pixels as at 1024.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["TILE", "Plane", "gradients", "sample", "texture"]

Plane: TypeAlias = NDArray[np.floating[Any]]
"""(H, W) or something that broadcasts to it, float32."""

TILE = 512
"""Side of a texture of the bank, in texels; one unit of noise coordinates is one tile."""

_SLOPES = {"smooth": 2.5, "cloud": 1.75, "rough": 1.15}
_LEVELS = 6


def _white(key: int) -> NDArray[np.complex128]:
    field = np.random.default_rng([77, key]).standard_normal((TILE, TILE))
    return np.asarray(np.fft.rfft2(field), np.complex128)


def _frequencies() -> NDArray[np.float64]:
    down, across = np.fft.fftfreq(TILE) * TILE, np.fft.rfftfreq(TILE) * TILE
    return np.asarray(np.hypot(down[:, None], across[None, :]), np.float64)


def _unit(field: NDArray[np.float64]) -> Plane:
    return np.asarray((field - field.mean()) / field.std(), np.float32)


def _power_law(kind: str) -> Plane:
    """Noise whose amplitude falls as a power of frequency; the slowest waves are left out so that tiles vary."""
    k = _frequencies()
    gain = np.where(k >= 2.0, np.maximum(k, 1.0) ** -_SLOPES[kind], 0.0)
    return _unit(np.fft.irfft2(_white(list(_SLOPES).index(kind)) * gain, s=(TILE, TILE)))


def _ridged() -> Plane:
    """Sharp crests: each octave is folded at zero, and is strong only where the coarser one is high."""
    k = _frequencies()
    total, weight = np.zeros((TILE, TILE)), np.ones((TILE, TILE))
    for octave in range(7):
        band = np.exp(-((np.log2(np.maximum(k, 0.5)) - octave - 1.3) ** 2) / 0.25)
        wave = np.fft.irfft2(_white(10 + octave) * band, s=(TILE, TILE))
        crest = np.clip(1.0 - np.abs(wave) / (1.6 * wave.std()), 0.0, 1.0) ** 2
        total += crest * weight * 0.5**octave
        weight = np.clip(crest * 1.6, 0.0, 1.0) * weight**0.5
    return _unit(total)


@lru_cache(maxsize=64)
def texture(kind: str, level: int = 0) -> Plane:
    """Give a texture of the bank: ``smooth``, ``cloud``, ``rough`` or ``ridged``.

    Parameters
    ----------
    kind : str
        Which texture.
    level : int
        How often it is halved, 0 to 5; a coarser one avoids aliasing in small pictures.

    Returns
    -------
    float32 (TILE >> level, TILE >> level)
        Mean 0, standard deviation near 1; tiles without a seam.

    Examples
    --------
    >>> texture("cloud", 2).shape
    (128, 128)
    """
    if level > 0:
        finer = texture(kind, level - 1)
        side = finer.shape[0] // 2
        return np.asarray(finer.reshape(side, 2, side, 2).mean(axis=(1, 3), dtype=np.float32))
    return _ridged() if kind == "ridged" else _power_law(kind)


@lru_cache(maxsize=8)
def gradients(kind: str) -> NDArray[np.float32]:
    """Give a texture and its two slopes, for shading.

    Returns
    -------
    float32 (TILE, TILE, 3)
        Height, and its change per tile along x and along y (central differences over four texels).
    """
    height = texture(kind)
    across = (np.roll(height, -2, 1) - np.roll(height, 2, 1)) * (TILE / 4)
    down = (np.roll(height, -2, 0) - np.roll(height, 2, 0)) * (TILE / 4)
    return np.dstack([height, across, down]).astype(np.float32)


def sample(image: NDArray[np.float32], x: Plane, y: Plane) -> NDArray[np.float32]:
    """Look a tileable texture up at positions in tiles, linearly.

    Parameters
    ----------
    image : float32 (S, S) or (S, S, C)
        The texture.
    x, y : float32
        Positions; they broadcast against each other to (H, W).

    Returns
    -------
    float32 (H, W) or (H, W, C)

    Examples
    --------
    >>> at = np.zeros((1, 1), np.float32)
    >>> sample(texture("cloud"), at, at) == sample(texture("cloud"), at + 1, at - 2)
    array([[ True]])
    """
    side = image.shape[0]
    shape = np.broadcast_shapes(x.shape, y.shape)
    # the fraction first: remap keeps positions as 16-bit integers
    map_x = np.ascontiguousarray(np.broadcast_to((x - np.floor(x)) * np.float32(side), shape), np.float32)
    map_y = np.ascontiguousarray(np.broadcast_to((y - np.floor(y)) * np.float32(side), shape), np.float32)
    return np.asarray(
        cv2.remap(image, map_x - 0.5, map_y - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float32
    )


def level_for(tiles: float, size: int) -> int:
    """Give the level at which `tiles` tiles across `size` pixels have about one texel per pixel."""
    return int(np.clip(round(math.log2(max(tiles * TILE / size, 1.0))), 0, _LEVELS - 1))

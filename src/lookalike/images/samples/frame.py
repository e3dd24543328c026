"""One picture in the making: its size, its factors by name, its coordinates and its random streams."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from lookalike.images.samples.noise import Plane, level_for, sample, texture
from lookalike.images.samples.scene import FACTORS, Scene

__all__ = ["Frame", "make_frame"]


@dataclass(frozen=True, slots=True)
class Frame:
    """What every painter of a context gets.

    Attributes
    ----------
    size : int
        Side of the picture that is painted, in pixels.
    seed : int
        Of the scene.
    u, v : float32 (1, size), (size, 1)
        Position of pixel centres in [0, 1], rightwards and downwards. All composition is in these units.
    palette, warmth, light, haze, density, layout, scale, texture, shape : float
        The factors.
    """

    size: int
    seed: int
    u: Plane
    v: Plane
    palette: float
    warmth: float
    light: float
    haze: float
    density: float
    layout: float
    scale: float
    texture: float
    shape: float

    def rng(self, purpose: str) -> np.random.Generator:
        """Give the random stream of one purpose; streams do not disturb each other, nor depend on the size."""
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode())])

    def noise(self, purpose: str, kind: str, x: Plane, y: Plane, tiles: float = 1.0) -> Plane:
        """Sample a texture of the bank at (x, y) tiles, at a corner of it that the seed and the purpose choose.

        `tiles` is about how many tiles the width of the picture spans; it decides how fine a level is used.
        """
        # two hashes, not a random stream: a picture samples noise some forty times, and a stream takes 50 us to make
        dx, dy = (zlib.crc32(f"{axis}{purpose}{self.seed}".encode()) / 2**32 for axis in "xy")
        level = level_for(tiles, self.size)
        return sample(texture(kind, level), x + np.float32(dx), y + np.float32(dy))

    def flat(self, purpose: str, kind: str, tiles: float, stretch: float = 1.0) -> Plane:
        """Noise over the picture: `tiles` tiles across, `stretch` times as many downwards."""
        x, y = self.u * np.float32(tiles), self.v * np.float32(tiles * stretch)
        return self.noise(purpose, kind, x, y, tiles)


def make_frame(scene: Scene, size: int) -> Frame:
    """Lay out the coordinates for a scene at a size.

    Examples
    --------
    >>> make_frame(Scene("ocean", (0.5,) * len(FACTORS), 0), 64).v.shape
    (64, 1)
    """
    at = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    named = dict(zip(FACTORS, scene.factors, strict=True))
    return Frame(size=size, seed=scene.seed, u=at[None, :], v=at[:, None], **named)

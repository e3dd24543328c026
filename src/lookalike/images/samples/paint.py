"""Brushes: colours that blend, soft masks, polygons. Pictures are float32 RGB, (H, W, 3), about 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.images.samples.noise import Plane

__all__ = [
    "Color",
    "Picture",
    "blend",
    "blur",
    "fade",
    "fill",
    "filtered",
    "fixed",
    "mix",
    "polygons",
    "raised",
    "ramp",
    "rgb",
    "spread",
    "step",
    "wash",
    "wheel",
]

Picture: TypeAlias = NDArray[np.floating[Any]]
"""(H, W, 3) float32 RGB."""

Color: TypeAlias = NDArray[np.floating[Any]]
"""(3,) float32 RGB."""

_SHIFT = 4


def rgb(red: float, green: float, blue: float) -> Color:
    """Name a colour.

    Examples
    --------
    >>> rgb(1, 0.5, 0).tolist()
    [1.0, 0.5, 0.0]
    """
    return np.array([red, green, blue], np.float32)


def mix(first: Color, second: Color, share: float) -> Color:
    """Blend two colours; `share` of the second.

    Examples
    --------
    >>> mix(np.zeros(3, np.float32), np.ones(3, np.float32), 0.25).tolist()
    [0.25, 0.25, 0.25]
    """
    return (first + (second - first) * np.float32(share)).astype(np.float32)


def ramp(stops: Sequence[tuple[float, tuple[float, float, float]]], at: float | Plane) -> Color:
    """Interpolate colours along stops of (position, RGB).

    Parameters
    ----------
    stops : sequence of (float, (float, float, float))
        Ascending positions.
    at : float or float32 array
        Where.

    Returns
    -------
    float32 (..., 3)

    Examples
    --------
    >>> ramp([(0.0, (0, 0, 0)), (1.0, (1, 0.5, 0))], 0.5).tolist()
    [0.5, 0.25, 0.0]
    """
    where = [position for position, _ in stops]
    return np.stack([np.interp(at, where, [color[c] for _, color in stops]) for c in range(3)], axis=-1).astype(
        np.float32
    )


def wheel(colors: Sequence[tuple[float, float, float]], turn: float) -> Color:
    """Interpolate around a closed ring of colours; a turn of 0 and of 1 give the first.

    Examples
    --------
    >>> wheel([(0, 0, 0), (1, 1, 1)], 0.75).tolist()
    [0.5, 0.5, 0.5]
    """
    ring = [*colors, colors[0]]
    return ramp([(i / len(colors), color) for i, color in enumerate(ring)], turn % 1.0)


def step(low: float, high: float, at: Plane) -> Plane:
    """Rise smoothly from 0 at `low` to 1 at `high`; falls where `low > high`.

    Examples
    --------
    >>> step(0.0, 2.0, np.array([-1.0, 1.0, 3.0], np.float32)).tolist()
    [0.0, 0.5, 1.0]
    """
    t = np.clip((at - np.float32(low)) * np.float32(1.0 / (high - low)), 0.0, 1.0)
    return np.asarray(t * t * (np.float32(3.0) - np.float32(2.0) * t), np.float32)


def wash(plane: Plane, color: Color) -> Picture:
    """Give a picture of one colour, as strong as `plane` says; many times faster than broadcasting over 3 channels.

    Examples
    --------
    >>> wash(np.full((2, 2), 0.5, np.float32), rgb(1.0, 0.5, 0.0))[0, 0].tolist()
    [0.5, 0.25, 0.0]
    """
    r, g, b = (plane * channel for channel in np.asarray(color, np.float32))
    return np.asarray(cv2.merge((r, g, b)), np.float32)


def spread(plane: Plane) -> Picture:
    """Repeat a plane (H, W) for the three channels."""
    return np.asarray(cv2.merge((plane, plane, plane)), np.float32)


def filtered(image: Picture, color: Color) -> Picture:
    """Look at a picture through coloured glass: multiply every pixel by `color`."""
    return np.asarray(cv2.transform(image, np.diag(np.asarray(color, np.float32))), np.float32)


def raised(image: Picture, color: Color) -> Picture:
    """Add one colour to every pixel."""
    return np.asarray(cv2.add(image, np.array([*color, 0.0], np.float64)), np.float32)


def fade(image: Picture, color: Color, share: Plane) -> Picture:
    """Give `image` moved towards one colour as far as `share` (H, W) says."""
    share = np.asarray(share, np.float32)
    kept = image * spread(np.float32(1.0) - share)
    kept += wash(share, color)
    return np.asarray(kept, np.float32)


def blend(image: Picture, color: Color | Picture, mask: Plane | float) -> None:
    """Paint `color` over `image` in place, as far as `mask` (0 to 1) says."""
    height, width = image.shape[:2]
    share = np.ascontiguousarray(np.broadcast_to(np.asarray(mask, np.float32), (height, width)))
    if np.ndim(color) == 1:
        image[:] = fade(image, np.asarray(color, np.float32), share)
    else:
        image += (color - image) * spread(share)


def blur(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Blur with a Gaussian of `sigma` pixels; wide ones are made small first, which looks the same."""
    if sigma < 0.3:
        return image
    height, width = image.shape[:2]
    factor = int(sigma // 3)
    if factor > 1:
        small_size = (max(width // factor, 4), max(height // factor, 4))
        small = cv2.resize(image, small_size, interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), sigma * small_size[0] / width)
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def fixed(points: NDArray[np.floating], size: int) -> NDArray[np.int32]:
    """Turn points in [0, 1] into the fixed-point pixels that cv2 draws with."""
    return np.round((np.asarray(points) * size - 0.5) * (1 << _SHIFT)).astype(np.int32)


def polygons(size: int, shapes: Sequence[NDArray[np.floating]]) -> Plane:
    """Draw filled polygons, antialiased.

    Parameters
    ----------
    size : int
        Side of the mask, in pixels.
    shapes : sequence of float (P, 2)
        Corners (u, v) in [0, 1].

    Returns
    -------
    float32 (size, size)
        Coverage, 0 to 1.
    """
    mask = np.zeros((size, size), np.uint8)
    for corners in shapes:
        cv2.fillPoly(mask, [fixed(corners, size)], 255, cv2.LINE_AA, _SHIFT)
    return mask.astype(np.float32) * np.float32(1 / 255)


def fill(canvas: NDArray[np.uint8], corners: NDArray[np.floating], color: Color) -> None:
    """Fill a polygon on an 8-bit canvas with a colour of about 0 to 1."""
    r, g, b = (float(c) for c in np.clip(color, 0.0, 1.0) * 255.0)
    cv2.fillPoly(canvas, [fixed(corners, canvas.shape[1])], (r, g, b), cv2.LINE_AA, _SHIFT)

"""Leafy trees seen from afar: crowns of many overlapping tufts, lit on the sun's side."""

from __future__ import annotations

import cv2
import numpy as np

from lookalike.core.types import Pixels
from lookalike.images.samples.frame import Frame
from lookalike.images.samples.noise import Plane
from lookalike.images.samples.paint import Color, Picture, fill, fixed, mix, wheel
from lookalike.images.samples.sky import Sky

__all__ = ["draw_tree", "leaf_tones", "tree_line"]

_LEAVES = [
    (0.36, 0.36, 0.12),
    (0.20, 0.34, 0.12),
    (0.13, 0.30, 0.14),
    (0.14, 0.28, 0.20),
    (0.26, 0.30, 0.14),
    (0.46, 0.27, 0.10),
]


def tree_line(frame: Frame, image: Picture, sky: Sky, crest: Plane) -> None:
    """Plant hedges along the skyline and single trees in front; density says how many, scale how large.

    Parameters
    ----------
    crest : float32 (size,)
        v of the skyline in each column.
    """
    rng = frame.rng("trees")
    canvas = (np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
    side = 1.0 if sky.sun[0] > 0.5 else -1.0
    for k in range(34):
        u, size, near, turn = rng.random(4)
        child = int(rng.integers(2**31))
        grown = float(np.clip((frame.density * 1.3 - turn) * 5.0, 0.0, 1.0))
        far = k < 27
        column = int(np.clip(u, 0.0, 0.999) * frame.size)
        depth = 0.0 if far else 0.02 + 0.09 * near
        tall = ((0.018 + 0.035 * size) if far else (0.07 + 0.16 * size)) * (0.6 + 0.9 * frame.scale) * grown
        if tall > 0.006:
            air = (0.55 if far else 0.16) * (0.25 + 0.75 * frame.haze)
            draw_tree(
                canvas,
                (u, float(crest[column]) + depth + 0.004),
                tall,
                np.random.default_rng(child),
                leaf_tones(frame, sky, air),
                side,
                34 if far else 190,
            )
    image[:] = canvas.astype(np.float32) / 255.0


def leaf_tones(frame: Frame, sky: Sky, air: float) -> tuple[Color, Color]:
    """Give the shaded and the lit colour of the leaves at a distance."""
    leaf = wheel(_LEAVES, frame.palette)
    veil = mix(sky.low, sky.ambient, 0.1)
    dark = mix(np.asarray(leaf * 0.38 * (sky.ambient + 0.04), np.float32), veil, air)
    lit = mix(
        np.asarray(
            leaf * 1.25 * mix(sky.ambient, sky.sun_color, 0.35 * (1 - sky.night)) * (0.35 + 0.65 * sky.ambient),
            np.float32,
        ),
        veil,
        air,
    )
    return dark, lit


def draw_tree(
    canvas: Pixels,
    foot: tuple[float, float],
    tall: float,
    rng: np.random.Generator,
    tones: tuple[Color, Color],
    side: float,
    tufts: int,
) -> None:
    """Draw one tree on an 8-bit canvas: a trunk, then tufts of leaves around a few boughs, the shaded ones first.

    Parameters
    ----------
    foot : tuple of float
        (u, v) where it stands.
    tall : float
        Height, as a share of the picture.
    tones : tuple of Color
        The leaves in shade and in light.
    side : float
        1 where the light comes from the right, -1 from the left.
    tufts : int
        How many.
    """
    size = canvas.shape[0]
    (x, y), (dark, lit) = foot, tones
    half = np.array([0.022, 0.022, 0.011, 0.011]) * tall
    trunk = np.column_stack([x + half * [-1, 1, 1, -1], y - np.array([0.0, 0.0, 0.55, 0.55]) * tall])
    fill(canvas, trunk, np.asarray(dark * 0.8, np.float32))
    boughs = rng.random((7, 2)) * [1.5, 1.25] - [0.75, 0.75]
    boughs[:, 0] *= 1.0 - 0.35 * np.abs(boughs[:, 1])
    own = rng.integers(7, size=tufts)
    angle, radius = rng.random(tufts) * 2 * np.pi, np.sqrt(rng.random(tufts))
    off = np.column_stack([np.cos(angle), np.sin(angle)]) * (radius * 0.42)[:, None]
    at = boughs[own] + off
    bright = 0.42 + side * (0.30 * at[:, 0] + 0.45 * off[:, 0]) - 0.26 * at[:, 1] - 0.55 * off[:, 1]
    bright = np.clip(bright + 0.14 * rng.standard_normal(tufts), 0.0, 1.0)
    r = (0.022 + 0.05 * rng.random(tufts)) * tall * (1.7 if tufts < 50 else 1.0)
    places = fixed(np.column_stack([x + at[:, 0] * 0.30 * tall, y + (at[:, 1] * 0.36 - 0.60) * tall]), size)
    colors = np.clip(dark + (lit - dark) * bright[:, None], 0.0, 1.0) * 255.0
    radii = np.maximum(r * size * 16, 7).astype(int)
    for k in np.argsort(bright):
        spot = (int(places[k, 0]), int(places[k, 1]))
        cv2.circle(canvas, spot, int(radii[k]), colors[k].tolist(), -1, cv2.LINE_AA, 4)

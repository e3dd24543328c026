"""Stands of conifers as dark silhouettes with ragged boughs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lookalike.images.samples.frame import Frame
from lookalike.images.samples.paint import Color, Picture, blend, mix, polygons, rgb
from lookalike.images.samples.sky import Sky

__all__ = ["conifer", "conifer_stand"]


def conifer(x: float, base: float, tall: float, rng: np.random.Generator, boughs: int = 20) -> NDArray[np.float64]:
    """Outline one tree: a spire with `boughs` drooping tiers on each side.

    Returns
    -------
    float64 (P, 2)
        Corners (u, v).

    Examples
    --------
    >>> conifer(0.5, 1.0, 0.4, np.random.default_rng(0)).shape
    (82, 2)
    """
    level = np.linspace(0.0, 0.94, boughs) ** 0.9
    sides = []
    for side in (-1.0, 1.0):
        reach = 0.17 * tall * (0.04 + level) * (0.55 + 0.75 * rng.random(boughs))
        y = base - tall * (1.0 - level)
        droop = tall * (0.03 + 0.035 * rng.random(boughs))
        inner = np.column_stack([x + side * reach * 0.42, y])
        outer = np.column_stack([x + side * reach, y + droop])
        sides.append(np.stack([inner, outer], axis=1).reshape(-1, 2))
    foot = np.array([(x + 0.012 * tall, base), (x - 0.012 * tall, base)])
    return np.vstack([sides[1], foot, sides[0][::-1]])


def conifer_stand(frame: Frame, image: Picture, sky: Sky, base: float, count: int, rows: int) -> None:
    """Plant `rows` rows of up to `count` trees along `base`; density says how many are grown, scale how tall."""
    rng = frame.rng("conifers")
    for row in range(rows):
        shapes = []
        for _ in range(count):
            place, size, turn = rng.random(3)
            child = int(rng.integers(2**31))
            grown = float(np.clip((frame.density * 1.25 - turn * 1.1) * 5.0, 0.0, 1.0))
            edge = 0.55 + 0.9 * abs(place - 0.5) if row else 0.5 + 0.5 * abs(place - 0.5)
            tall = (0.10 + 0.20 * size) * edge * (0.65 + 0.8 * frame.scale) * (1.0 + 0.7 * row) * grown
            if tall > 0.012:
                foot = base - (0.07 if row == 0 else 0.0)
                shapes.append(
                    conifer(place * 1.1 - 0.05, foot + 0.02 * math.sin(9 * place), tall, np.random.default_rng(child))
                )
        tone: Color = mix(rgb(0.05, 0.075, 0.055), sky.low, (0.22 - 0.1 * row) * (0.35 + 0.65 * frame.haze))
        blend(image, np.asarray(tone * (0.35 + 0.65 * sky.ambient), np.float32), polygons(frame.size, shapes))

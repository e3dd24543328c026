"""Edits that move pixels: crop, rotate, perspective, mirror."""

from __future__ import annotations

import math

import cv2
import numpy as np
from PIL import Image, ImageOps

from lookalike.images.edits.registry import register

__all__: list[str] = []

LEAST_SIDE = 8
"""No edit leaves fewer pixels on a side."""

ASPECT = 1.25
"""A crop is at most this much wider or taller than the picture, in proportion."""

FILLS = ((0, 0, 0), (255, 255, 255), (128, 128, 128))
"""With what programs fill corners that a turn lays bare."""


@register("crop", "share of the area that is left", 0.85, 0.6, 0.35)
def crop(picture: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    """Keep a part anywhere in the picture, of somewhat another shape."""
    widest = min(ASPECT, 1 / amount)  # so that neither side grows past the picture
    stretch = math.exp(rng.uniform(-1, 1) * math.log(widest) / 2)
    wide = _side(picture.width * math.sqrt(amount) * stretch, picture.width)
    tall = _side(picture.height * math.sqrt(amount) / stretch, picture.height)
    left, top = (int(rng.integers(room + 1)) for room in (picture.width - wide, picture.height - tall))
    return picture.crop((left, top, left + wide, top + tall))


@register("rotate", "degrees, either way; the canvas grows, and its corners are filled", 3, 8, 20)
def rotate(picture: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    """Turn the picture, somewhat more or less than the amount."""
    degrees = amount * rng.uniform(0.75, 1.25) * rng.choice((-1, 1))
    return picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=_fill(rng))


@register("perspective", "how far corners move, as a share of the sides", 0.05, 0.12, 0.22)
def perspective(picture: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    """Show the picture as photographed from aside: its corners move inward, what is bare is filled."""
    wide, tall = picture.size
    corners = np.array([(0, 0), (wide, 0), (wide, tall), (0, tall)], np.float32)
    inward = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)], np.float32) * (wide, tall)
    moved = corners + inward * rng.uniform(0, amount, (4, 2))
    # One corner moves all the way, so that the amount is what it says.
    first = int(rng.integers(4))
    moved[first] = corners[first] + inward[first] * amount
    across = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    shown = cv2.warpPerspective(
        np.asarray(picture), across, (wide, tall), flags=cv2.INTER_LINEAR, borderValue=_fill(rng)
    )
    return Image.fromarray(np.asarray(shown, np.uint8))


@register("mirror", "left to right, at every strength", 1, 1, 1)
def mirror(picture: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:  # noqa: ARG001 one form
    """Exchange left and right."""
    return ImageOps.mirror(picture)


def _side(length: float, most: int) -> int:
    return min(most, max(min(LEAST_SIDE, most), round(length)))


def _fill(rng: np.random.Generator) -> tuple[int, int, int]:
    return FILLS[int(rng.integers(len(FILLS)))]

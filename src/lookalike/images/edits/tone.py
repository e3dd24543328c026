"""Edits that change values and not places: recolour, grey, blur, JPEG."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

from lookalike.images.edits.registry import register
from lookalike.images.jitter import Colours, brightness, contrast, grey, hue, saturation

__all__: list[str] = []

FULL_HUE = 0.2
"""The share of the colour circle by which an amount of 1 turns the hue."""


@register("recolour", "greatest change of brightness, contrast and saturation; a tenth of it of hue", 0.2, 0.4, 0.7)
def recolour(picture: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    """Change brightness, contrast, saturation and hue, each by half the amount at least, up or down."""
    turns = amount * rng.uniform(0.5, 1, 4) * rng.choice((-1, 1), 4)
    # Half as bright undoes twice as bright: down is the inverse of up, and never reaches black.
    factors = np.where(turns > 0, 1 + turns, 1 / (1 - turns)).tolist()
    pixels = _colours(picture)
    for change, factor in zip((brightness, contrast, saturation), factors[:3], strict=True):
        pixels = change(pixels, factor)
    return _picture(hue(pixels, FULL_HUE / 2 * float(turns[3])))


@register("grey", "share of the colour that is gone; beyond 1, contrast that is added", 0.6, 1.0, 1.5)
def fade(picture: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:  # noqa: ARG001 one form
    """Take the colour out, as a black-and-white filter or a photocopy does."""
    pixels = _colours(picture)
    gone = np.float32(min(amount, 1.0))
    pixels = gone * grey(pixels) + (1 - gone) * pixels
    return _picture(contrast(pixels, amount) if amount > 1 else pixels)


@register("blur", "standard deviation, in hundredths of the shorter side", 0.5, 1.0, 2.0)
def blur(picture: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    """Blur by a Gaussian, somewhat more or less than the amount."""
    sigma = amount * rng.uniform(0.8, 1.2) * min(picture.size) / 100
    return Image.fromarray(np.asarray(cv2.GaussianBlur(np.asarray(picture), (0, 0), max(sigma, 0.1)), np.uint8))


@register("jpeg", "quality", 50, 25, 10)
def jpeg(picture: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:  # noqa: ARG001 one form
    """Save as a JPEG of this quality, and open it again."""
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=int(amount))
    with Image.open(held) as again:
        return again.convert("RGB")


def _colours(picture: Image.Image) -> Colours:
    return np.asarray(picture, np.float32) / np.float32(255)


def _picture(pixels: Colours) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(pixels * 255), 0, 255).astype(np.uint8))

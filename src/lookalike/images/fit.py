"""From a decoded picture to the pixels a network takes, and to the thumbnail a page shows."""

from __future__ import annotations

import io
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from lookalike.core.types import Pixels

__all__ = ["fit", "thumbnail"]

_ROOM = 4
"""A picture may be enlarged to this many times the pixels asked for before the rest is cut off."""


def fit(image: Image.Image, size: tuple[int, int], how: Literal["squash", "crop"]) -> Pixels:
    """Bring a picture to a size.

    Linear interpolation, with a wider kernel where it shrinks so that nothing aliases. Enlarging runs in
    OpenCV, which gives the same values (up to rounding) several times faster; shrinking runs in Pillow.

    Parameters
    ----------
    image : PIL.Image.Image
        Mode RGB.
    size : tuple of int
        Height and width, in pixels.
    how : {"squash", "crop"}
        Stretch to the size, or scale until the picture covers it and cut at the centre.

    Returns
    -------
    uint8 (H, W, 3)
        A new array.

    Examples
    --------
    >>> fit(Image.new("RGB", (40, 30), (9, 9, 9)), (8, 6), "crop").shape
    (8, 6, 3)
    """
    height, width = size
    wide, tall, left, top = width, height, 0, 0
    if how == "crop":
        scale = max(width / image.width, height / image.height)
        wide, tall = max(width, round(image.width * scale)), max(height, round(image.height * scale))
        left, top = (wide - width) // 2, (tall - height) // 2
    enlarged = wide >= image.width and tall >= image.height
    if enlarged and wide * tall <= _ROOM * width * height:
        pixels = np.asarray(image)
        if (wide, tall) == image.size:
            return pixels[top : top + height, left : left + width].copy()
        out = cv2.resize(pixels, (wide, tall), interpolation=cv2.INTER_LINEAR)
        return np.ascontiguousarray(out[top : top + height, left : left + width], dtype=np.uint8)
    across, down = image.width / wide, image.height / tall
    box = (left * across, top * down, (left + width) * across, (top + height) * down)
    fitted = image.resize((width, height), Image.Resampling.BILINEAR, _inside(box, image), reducing_gap=3.0)
    return np.array(fitted)


def thumbnail(image: Image.Image, side: int = 256, quality: int = 85) -> bytes:
    """Return a small JPEG of a picture.

    Parameters
    ----------
    image : PIL.Image.Image
        Mode RGB.
    side : int
        The longer side is at most this, in pixels; a smaller picture keeps its size.
    quality : int
        Of the JPEG, 1 to 95.

    Returns
    -------
    bytes
        A JPEG file.

    Examples
    --------
    >>> small = Image.open(io.BytesIO(thumbnail(Image.new("RGB", (400, 100)), side=64)))
    >>> small.size
    (64, 16)
    """
    longer = max(image.size)
    if longer > side:
        size = max(1, round(image.width * side / longer)), max(1, round(image.height * side / longer))
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)
    out = io.BytesIO()
    # The info of the picture may hold a profile or EXIF: a thumbnail is plain sRGB, upright.
    image.save(out, "JPEG", quality=quality, icc_profile=None, exif=b"")
    return out.getvalue()


def _inside(box: tuple[float, float, float, float], image: Image.Image) -> tuple[float, float, float, float]:
    """Keep rounding from pushing a box over the edge."""
    return box[0], box[1], min(box[2], image.width), min(box[3], image.height)

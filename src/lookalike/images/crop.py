"""A part of a picture: a box in shares of its width and height."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

from PIL import Image

from lookalike.core.errors import InputError
from lookalike.images.decode import ImageSource, decode

__all__ = ["Box", "crop", "decode_part"]

SMALLEST = 0.01
"""Of width and height; less is a slip of the hand."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where a part of a picture is.

    Attributes
    ----------
    left, top, right, bottom : float
        Shares of the width and the height of the upright picture, in [0, 1].

    Raises
    ------
    InputError
        It is not inside the picture, or has less than `SMALLEST` of its width or height.

    Examples
    --------
    >>> Box.of("0.25, 0, 0.75, 0.5").width
    0.5
    >>> Box(0.5, 0.5, 0.4, 1)
    Traceback (most recent call last):
    lookalike.core.errors.InputError: a box is left,top,right,bottom in shares of the picture...
    """

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        """Check."""
        inside = all(0 <= edge <= 1 for edge in astuple(self))  # false for what is no number, too
        if not inside or self.width < SMALLEST or self.height < SMALLEST:
            raise InputError(f"{_WANTED}: not {','.join(f'{edge:g}' for edge in astuple(self))}")

    @classmethod
    def of(cls, text: str) -> Box:
        """Read a box from four numbers with commas between them."""
        try:
            left, top, right, bottom = (float(part) for part in text.split(","))
        except ValueError as error:
            raise InputError(f"{_WANTED}: not '{text[:80]}'") from error
        return cls(left, top, right, bottom)

    @property
    def width(self) -> float:
        """Share of the picture's width."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Share of the picture's height."""
        return self.bottom - self.top


_WANTED = "a box is left,top,right,bottom in shares of the picture, such as 0.2,0,0.8,0.5"


def crop(image: Image.Image, box: Box) -> Image.Image:
    """Cut a part out of a picture: all pixels that the box touches.

    Examples
    --------
    >>> crop(Image.new("RGB", (100, 50)), Box(0.25, 0, 0.75, 0.5)).size
    (50, 25)
    """
    edges = (
        min(math.floor(box.left * image.width), image.width - 1),
        min(math.floor(box.top * image.height), image.height - 1),
        max(math.ceil(box.right * image.width), 1),
        max(math.ceil(box.bottom * image.height), 1),
    )
    return image.crop(edges)


def decode_part(source: ImageSource, box: Box, min_side: int) -> Image.Image:
    """Decode a part of an upright picture.

    Parameters
    ----------
    source : path, bytes, PIL image or uint8 array
    box : Box
    min_side : int
        Pixels that the shorter side of the part needs: the picture is reduced to no less than that.

    Raises
    ------
    ImageDecodeError
        The picture cannot be read.

    Examples
    --------
    >>> decode_part(Image.new("RGB", (400, 400)), Box(0, 0, 0.5, 1), min_side=50).size
    (50, 100)
    """
    return crop(decode(source, math.ceil(min_side / min(box.width, box.height))).image, box)

"""Image files become sRGB pictures, upright, whatever the format; what cannot be read says why.

Nothing but `ImageDecodeError` leaves this module. No input may crash the run, stall it, or fill the memory:
headers are read first, and a picture too large for `memory.MEMORY_LIMIT` is rejected before it is decoded.
"""

from __future__ import annotations

import io
import struct
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageFile

from lookalike.core.errors import ImageDecodeError
from lookalike.core.types import Pixels
from lookalike.images.colour import to_srgb
from lookalike.images.exif import orientation_of, upright_size
from lookalike.images.fit import fit, thumbnail
from lookalike.images.formats import PLANS, Content
from lookalike.images.memory import MEMORY_LIMIT, MemoryBudget, Refused, require_memory
from lookalike.images.reading import open_regular, os_reason, read_bytes, read_open
from lookalike.images.sniff import not_an_image, sniff

__all__ = ["READ_WHOLE", "ImageSource", "Picture", "decode", "fit", "read_bytes", "thumbnail"]

ImageSource: TypeAlias = str | Path | bytes | Image.Image | Pixels
"""A file, its content, or pixels that are already decoded."""

READ_WHOLE = 32 * 2**20
"""Larger files are decoded from disk, one at a time."""
_HEAD = 16 * 2**20

_BUDGET = MemoryBudget(MEMORY_LIMIT)

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_SYMPTOMS = (
    ("truncated: the file ends too early", ("truncated", "not enough image data", "buffer is not large enough")),
    ("truncated: the file ends too early", ("end of file", "insufficient input data", "outside of file")),
    ("damaged: the picture data make no sense", ("data stream", "decoder error", "failed to", "decoder object")),
)
"""Reasons, and the words in the messages of Pillow and its libraries that give them away."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded image.

    Attributes
    ----------
    image : PIL.Image.Image
        Mode RGB, sRGB, upright; perhaps reduced.
    width, height : int
        Of the original, upright, in pixels.
    format : str
        ``"JPEG"``, ``"PNG"``, …; ``"array"`` for an array, ``"image"`` for a picture made in memory.
    """

    image: Image.Image
    width: int
    height: int
    format: str


def decode(source: ImageSource, min_side: int | None = None) -> Picture:
    """Decode one image.

    The content decides the format, not the name. Of an animation, the first picture is taken. The orientation
    and the colour profile are applied, transparency is laid on white.

    Parameters
    ----------
    source : str, Path, bytes, PIL.Image.Image or uint8 array
        A file, its content, or pixels: (H, W, 3), (H, W, 4) with alpha, or (H, W) grey.
    min_side : int, optional
        Pixels that the shorter side needs. A larger picture is reduced while it is decoded, by a whole number,
        to no less than this; a smaller one stays as it is. Without it the picture keeps its size.

    Returns
    -------
    Picture
        The picture and the size of the original.

    Raises
    ------
    ImageDecodeError
        The image cannot be read; its `reason` says why in a few words.

    Examples
    --------
    >>> picture = decode(np.zeros((40, 60, 3), np.uint8), min_side=10)
    >>> picture.image.size, (picture.width, picture.height)
    ((15, 10), (60, 40))
    >>> decode(b"Dear diary,")
    Traceback (most recent call last):
    lookalike.core.errors.ImageDecodeError: image bytes: not an image: looks like text
    """
    label: str | Path = "image bytes"
    try:
        if isinstance(source, (str, Path)):
            label = source
            return _decode_file(source, min_side)
        if isinstance(source, bytes):
            return _decode_content(Content(io.BytesIO(source), source, len(source), in_memory=True), min_side)
        label = str(getattr(source, "filename", "")) or type(source).__name__
        return _decode_pixels(source, min_side)
    except ImageDecodeError:
        raise
    except Exception as error:  # Pillow's plugins raise about every kind there is
        raise ImageDecodeError(label, _reason(error)) from error


def _decode_file(path: str | Path, min_side: int | None) -> Picture:
    """Read a small file at once, a large one piece by piece."""
    handle, size = open_regular(path)
    with handle:
        if size <= READ_WHOLE:
            data = read_open(handle, size, path)
            return _decode_content(Content(io.BytesIO(data), data, size, in_memory=True), min_side)
        with _BUDGET.share(MEMORY_LIMIT):
            content = Content(handle, handle.read(_HEAD), size, in_memory=False)
            return _decode_content(content, min_side)


def _decode_content(content: Content, min_side: int | None) -> Picture:
    """Decode an image file of any format, within the limits."""
    kind = sniff(content.head)
    if kind is None:
        raise Refused(not_an_image(content.head))
    plan = PLANS[kind](content, min_side)
    reduction = max(1, min(plan.width, plan.height) // min_side) if min_side else 1
    result = 0 if plan.direct and reduction == 1 else 4 * plan.width * plan.height // reduction**2
    need = plan.need + result
    require_memory(need, plan.width, plan.height)
    # A large file holds the whole budget already.
    with _BUDGET.share(need) if content.in_memory else nullcontext():
        loaded = plan.load()
        image = _finished(loaded.image, loaded.orientation, loaded.profile, min_side)
    width, height = upright_size((plan.width, plan.height), loaded.orientation)
    return Picture(image, width, height, kind)


def _decode_pixels(source: Image.Image | Pixels, min_side: int | None) -> Picture:
    """Take a picture or an array as it is, in the form the others have."""
    if isinstance(source, Image.Image):
        image, kind = source, source.format or "image"
        if isinstance(image, ImageFile.ImageFile) and image.tile:
            require_memory(8 * image.width * image.height, *image.size)
        image.load()
    else:
        image, kind = _from_array(source), "array"
    if not min(image.size):
        raise Refused("the picture has no pixels")
    orientation = orientation_of(image.info.get("exif"))
    width, height = upright_size(image.size, orientation)
    finished = _finished(image, orientation, image.info.get("icc_profile"), min_side)
    return Picture(finished, width, height, kind)


def _from_array(source: object) -> Image.Image:
    """Make a picture of an array, or say what is wrong with it."""
    if not isinstance(source, np.ndarray):
        raise Refused(f"not a path, bytes, a picture or an array but {type(source).__name__}")
    array = source[..., 0] if source.ndim == 3 and source.shape[2] == 1 else source
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in {3, 4})):
        raise Refused(f"an array must be uint8 (H, W, 3), not {source.dtype} {source.shape}")
    if not array.size:
        raise Refused("the picture has no pixels")
    return Image.fromarray(np.ascontiguousarray(array))


def _finished(image: Image.Image, orientation: int, profile: bytes | None, min_side: int | None) -> Image.Image:
    """Reduce, convert and turn a loaded picture."""
    factor = max(1, min(image.size) // min_side) if min_side else 1
    picture = to_srgb(image, factor, profile)
    return picture.transpose(_TURNS[orientation]) if orientation != 1 else picture


def _reason(error: Exception) -> str:
    """Say in a few words what Pillow, or a header, complained about."""
    text = " ".join(str(error).split())
    if isinstance(error, Refused):
        return text
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, (EOFError, struct.error, IndexError)):
        return "truncated: the file ends too early"
    if isinstance(error, OSError) and error.errno:
        return os_reason(error, "")
    for reason, words in _SYMPTOMS:
        if any(word in text.lower() for word in words):
            return reason
    return f"damaged: {text[:120] or type(error).__name__}"

"""One plan per image format: how large the picture is, what decoding it takes, how to load it.

Every plan is made from the header alone, before anything of the picture's size is allocated. Pillow's plugins
are called directly, each on content of its own kind: `PIL.Image.open` would also guess, and warn about large
pictures where our own limits decide.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from lookalike.images.exif import orientation_of
from lookalike.images.headers import bmp_header, gif_size, png_chunks, webp_size
from lookalike.images.jpeg import JpegPicture, count_scans, draft_scale, read_jpeg_header
from lookalike.images.memory import MEMORY_LIMIT, Refused
from lookalike.images.tiff import read_tiff_header, slim_tiff

__all__ = ["PLANS", "Content", "Loaded", "Plan"]

_MAX_SCANS = 100
_GIF_HEAD = 4 * 2**20
_GIF_PIXELS = 80_000_000
_RLE_PIXELS = 16_000_000


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of an image file, in memory or still on disk.

    Attributes
    ----------
    handle : binary file
        Where the bytes are read from.
    head : bytes
        All of them when they are in memory, else the first 16 MB.
    size : int
        How many there are.
    in_memory : bool
        `head` is everything.
    """

    handle: BinaryIO
    head: bytes
    size: int
    in_memory: bool

    def whole(self) -> bytes:
        """Return all bytes, for formats that cannot be read piece by piece.

        Raises
        ------
        Refused
            They are too many.
        """
        if self.in_memory:
            return self.head
        if 2 * self.size > MEMORY_LIMIT:
            raise Refused(f"{self.size // 2**20} MB of this format do not fit in memory")
        self.handle.seek(0)
        return self.handle.read()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A decoded picture as stored, with the orientation (1 to 8) and the profile still to be applied."""

    image: Image.Image
    orientation: int
    profile: bytes | None


@dataclass(frozen=True, slots=True)
class Plan:
    """How to decode one file.

    Attributes
    ----------
    width, height : int
        Of the original as stored, in pixels.
    need : int
        Bytes of memory that `load` takes, estimated.
    direct : bool
        What `load` gives may already be the result: RGB, upright, without a profile.
    load : callable
        Decodes the pixels.
    """

    width: int
    height: int
    need: int
    direct: bool
    load: Callable[[], Loaded]


def _plan_jpeg(content: Content, min_side: int | None) -> Plan:
    header = read_jpeg_header(content.head)
    if header.scans and (scans := count_scans(content.handle)) > _MAX_SCANS:
        raise Refused(f"{scans} scans in one JPEG (limit {_MAX_SCANS})")
    scale = draft_scale((header.width, header.height), min_side)
    pixels = -(-header.width // scale) * -(-header.height // scale)
    orientation = orientation_of(header.exif)
    # A picture in several scans is kept whole as 16-bit coefficients until the last scan.
    need = pixels * (1 if header.components == 1 else 4) + (2 * header.samples if header.scans else 0)
    direct = header.components == 3 and orientation == 1 and header.profile is None

    def load() -> Loaded:
        content.handle.seek(0)
        image = JpegPicture(content.handle, header, scale)
        image.load()
        return Loaded(image, orientation, header.profile)

    return Plan(header.width, header.height, need, direct, load)


def _plan_png(content: Content, _: int | None) -> Plan:
    width, height, depth, colour = struct.unpack_from(">IIBB", content.head, 16)
    names = png_chunks(content.handle)
    pixel_bytes = max(1, depth // 8) if colour in {0, 3} else 4
    direct = colour == 2 and not names & {b"eXIf", b"iCCP", b"tRNS"}
    return Plan(
        width,
        height,
        width * height * pixel_bytes,
        direct,
        partial(_load, PngImagePlugin.PngImageFile, content),
    )


def _plan_gif(content: Content, _: int | None) -> Plan:
    width, height = gif_size(content.head[:_GIF_HEAD])
    if width * height > _GIF_PIXELS:
        raise Refused(f"too many pixels for a GIF: {width} x {height} (limit {_GIF_PIXELS // 10**6} million)")
    return Plan(width, height, 2 * width * height, False, partial(_load, GifImagePlugin.GifImageFile, content))


def _plan_bmp(content: Content, _: int | None) -> Plan:
    width, height, bits, compression = bmp_header(content.head)
    packed = compression in {1, 2}
    if packed and width * height > _RLE_PIXELS:  # Pillow unpacks these in Python
        raise Refused(f"too many pixels for a packed BMP: {width} x {height}")
    need = width * height * ((1 if bits <= 8 else 4) + 2 * packed)
    return Plan(width, height, need, bits > 8, partial(_load, BmpImagePlugin.BmpImageFile, content))


def _plan_tiff(content: Content, _: int | None) -> Plan:
    data = content.whole()
    header = read_tiff_header(data)
    slim = slim_tiff(data, header)
    held = content.size * (2 if content.in_memory else 1)
    pixels = header.width * header.height
    unpacked = header.part_pixels * max(4, header.pixel_bytes)
    need = held + pixels * (1 if header.pixel_bytes == 1 else 4) + unpacked
    del data

    def load() -> Loaded:
        image = TiffImagePlugin.TiffImageFile(slim)
        image.load()
        return Loaded(image, header.orientation, image.info.get("icc_profile"))

    return Plan(header.width, header.height, need, False, load)


def _plan_webp(content: Content, _: int | None) -> Plan:
    width, height = webp_size(content.head)
    need = 18 * width * height + 2 * content.size  # measured: four buffers of 4 bytes, and tables
    if not content.in_memory:
        content = _in_memory(content)
    return Plan(width, height, need, False, partial(_load, WebPImagePlugin.WebPImageFile, content))


def _plan_avif(content: Content, _: int | None) -> Plan:
    from PIL import AvifImagePlugin

    if not AvifImagePlugin.SUPPORTED:
        raise Refused("AVIF needs a Pillow that was built with it")
    image = AvifImagePlugin.AvifImageFile(io.BytesIO(content.whole()))
    need = 12 * image.width * image.height + 2 * content.size  # measured: 9.5 bytes a pixel, more for HDR
    return Plan(*image.size, need, False, partial(_loaded, image))


def _plan_heif(content: Content, _: int | None) -> Plan:
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise Refused("HEIC needs: pip install lookalike[heic]") from None
    image: ImageFile.ImageFile = HeifImageFile(io.BytesIO(content.whole()))
    need = 10 * image.width * image.height + 2 * content.size  # measured: 8 bytes a pixel

    def load() -> Loaded:
        image.load()  # the decoder turns the picture upright itself, and clears what EXIF says of it
        return Loaded(image, 1, image.info.get("icc_profile"))

    return Plan(*image.size, need, False, load)


def _load(plugin: Callable[[BinaryIO], ImageFile.ImageFile], content: Content) -> Loaded:
    content.handle.seek(0)
    return _loaded(plugin(content.handle))


def _loaded(image: ImageFile.ImageFile) -> Loaded:
    image.load()
    return Loaded(image, orientation_of(image.info.get("exif")), image.info.get("icc_profile"))


def _in_memory(content: Content) -> Content:
    data = content.whole()
    return Content(io.BytesIO(data), data, len(data), in_memory=True)


PLANS: dict[str, Callable[[Content, int | None], Plan]] = {
    "JPEG": _plan_jpeg,
    "PNG": _plan_png,
    "GIF": _plan_gif,
    "BMP": _plan_bmp,
    "TIFF": _plan_tiff,
    "WEBP": _plan_webp,
    "AVIF": _plan_avif,
    "HEIF": _plan_heif,
}
"""For each format that `sniff` names: makes the plan from the content and the shorter side that must remain."""

"""Sizes and warnings from the headers of PNG, GIF, BMP and WebP, before Pillow allocates anything for them."""

from __future__ import annotations

import struct
from typing import BinaryIO

from lookalike.images.memory import Refused

__all__ = ["bmp_header", "gif_size", "png_chunks", "webp_size"]


def png_chunks(handle: BinaryIO) -> set[bytes]:
    """Return the names of the chunks of a PNG, up to the first damage.

    Raises
    ------
    Refused
        The header of an animation makes no sense; Pillow would warn of it, in whatever thread.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> Image.new("L", (2, 2)).save(out := io.BytesIO(), "PNG")
    >>> sorted(png_chunks(out))
    [b'IDAT', b'IHDR']
    """
    names: set[bytes] = set()
    position = 8
    while True:
        handle.seek(position)
        row = handle.read(16)
        if len(row) < 12 or row[4:8] == b"IEND":
            return names
        name, frames = row[4:8], int.from_bytes(row[8:12], "big")
        if name == b"acTL" and (name in names or not 0 < frames <= 2**31):
            raise Refused("damaged PNG: the animation header makes no sense")
        names.add(name)
        position += 12 + int.from_bytes(row[:4], "big")


def gif_size(head: bytes) -> tuple[int, int]:
    """Return the size of the screen of a GIF, widened to the first picture on it.

    Raises
    ------
    Refused
        There is no picture.
    IndexError, struct.error
        The file ends before it.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> Image.new("P", (3, 2)).save(out := io.BytesIO(), "GIF")
    >>> gif_size(out.getvalue())
    (3, 2)
    """
    width, height, flags = struct.unpack_from("<HHB", head, 6)
    position = 13 + ((6 << (flags & 7)) if flags & 0x80 else 0)
    while (block := head[position]) != 0x2C:
        position += 1
        if block == 0x3B:
            raise Refused("damaged GIF: no picture in it")
        if block == 0x21:
            position += 1
            while length := head[position]:
                position += length + 1
            position += 1
    left, top, wide, tall = struct.unpack_from("<HHHH", head, position + 1)
    return max(width, left + wide), max(height, top + tall)


def bmp_header(head: bytes) -> tuple[int, int, int, int]:
    """Return width, height, bits per pixel and the number of the compression of a BMP.

    Raises
    ------
    Refused
        The picture has no size.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> Image.new("RGB", (3, 2)).save(out := io.BytesIO(), "BMP")
    >>> bmp_header(out.getvalue())
    (3, 2, 24, 0)
    """
    if int.from_bytes(head[14:18], "little") == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", head, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", head, 18)
    if width <= 0 or height == 0:
        raise Refused("damaged BMP: the picture has no size")
    return width, abs(height), bits, compression


def webp_size(head: bytes) -> tuple[int, int]:
    """Return the size that the first chunk of a WebP tells.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> Image.new("RGB", (3, 2)).save(out := io.BytesIO(), "WEBP")
    >>> webp_size(out.getvalue())
    (3, 2)
    """
    chunk = head[12:16]
    if chunk == b"VP8X":
        if len(head) < 30:
            raise Refused("truncated: the file ends too early")
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", head, 26)
    return width & 0x3FFF, height & 0x3FFF

"""TIFF: only the tags that a picture needs reach Pillow.

A TIFF is a bag of tags, and damage in one that nobody needs (a maker's note, a second page) should not cost
the picture, warn, or take time. The first directory is copied without them; the orientation is applied later,
when the picture is small.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

from lookalike.images.exif import ORIENTATION, Entry, byte_order, entries
from lookalike.images.memory import Refused

__all__ = ["TiffHeader", "read_tiff_header", "slim_tiff"]

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, ROWS = 256, 257, 258, 259, 262, 277, 278
TILE_WIDTH, TILE_HEIGHT = 322, 323
_SINGLE = {
    WIDTH,
    HEIGHT,
    COMPRESSION,
    PHOTOMETRIC,
    266,
    SAMPLES,
    ROWS,
    284,
    292,
    293,
    317,
    TILE_WIDTH,
    TILE_HEIGHT,
}
_LISTS = {BITS, 273, 279, 320, 324, 325, 338, 339, 347, 530, 532, 34675}
_KINDS = {1, 3, 4, 5, 7, 16}
_MAX_PARTS = 200_000
_COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946, 50000}


@dataclass(frozen=True, slots=True)
class TiffHeader:
    """The first picture of a TIFF.

    Attributes
    ----------
    order : {"<", ">"}
        Byte order.
    width, height : int
        Pixels, as stored.
    pixel_bytes : int
        Bytes per pixel in the file, uncompressed.
    part_pixels : int
        Pixels in a strip or tile: what is decoded at once.
    orientation : int
        1 to 8.
    kept : list of Entry
        The tags that the picture needs.
    """

    order: str
    width: int
    height: int
    pixel_bytes: int
    part_pixels: int
    orientation: int
    kept: list[Entry]


def read_tiff_header(data: bytes) -> TiffHeader:
    """Read the first directory of a TIFF.

    Raises
    ------
    Refused
        A tag that the picture needs is missing or senseless, or the compression is not supported.

    Examples
    --------
    >>> from PIL import Image
    >>> Image.new("L", (5, 4)).save(out := io.BytesIO(), "TIFF")
    >>> header = read_tiff_header(out.getvalue())
    >>> header.width, header.height, header.pixel_bytes
    (5, 4, 1)
    """
    order = byte_order(data) or "<"
    found = {entry.tag: entry for entry in reversed(list(entries(data, order)))}
    kept = [_narrow(entry, order) for tag, entry in sorted(found.items()) if _needed(tag, entry)]
    values = {entry.tag: entry.numbers(order) for entry in kept if entry.tag in _SINGLE | {BITS}}

    def first(tag: int, default: int) -> int:
        return (values.get(tag) or (default,))[0]

    width, height = first(WIDTH, 0), first(HEIGHT, 0)
    if not (0 < width < 2**31 and 0 < height < 2**31):
        raise Refused("damaged: the directory of the TIFF gives no size")
    if (compression := first(COMPRESSION, 1)) not in _COMPRESSIONS:
        raise Refused(f"TIFF compression {compression} is not supported")
    bits = values.get(BITS) or (1,)
    samples = max(first(SAMPLES, 1), len(bits))
    if max(bits) > 64 or samples > 16:
        raise Refused(f"{samples} samples of {max(bits)} bits are not supported")
    rows = first(TILE_HEIGHT, min(height, first(ROWS, height)))
    part = first(TILE_WIDTH, width) * rows
    turn = found.get(ORIENTATION)
    orientation = ((turn.numbers(order) if turn else ()) or (1,))[0]
    return TiffHeader(
        order,
        width,
        height,
        -(-samples * max(bits) // 8),
        part,
        orientation if 1 <= orientation <= 8 else 1,
        kept,
    )


def slim_tiff(data: bytes, header: TiffHeader) -> io.BytesIO:
    """Return the TIFF with a directory of `header.kept` alone, appended; offsets of the picture data stay.

    Examples
    --------
    >>> from PIL import Image
    >>> Image.new("L", (5, 4), 7).save(out := io.BytesIO(), "TIFF", software="a tag nobody needs")
    >>> data = out.getvalue()
    >>> slim = Image.open(slim_tiff(data, read_tiff_header(data)))
    >>> slim.getpixel((0, 0)), 305 in slim.tag_v2
    (7, False)
    """
    order, start = header.order, len(data) + len(data) % 2
    table = struct.pack(f"{order}H", len(header.kept))
    end, tail = start + 2 + 12 * len(header.kept) + 4, b""
    for entry in header.kept:
        field = entry.value.ljust(4, b"\0")
        if len(entry.value) > 4:
            field = struct.pack(f"{order}I", end + len(tail))
            tail += entry.value + b"\0" * (len(entry.value) % 2)
        table += struct.pack(f"{order}HHI", entry.tag, entry.kind, entry.count) + field
    out = io.BytesIO(data)
    out.write((b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, start))
    out.seek(start)
    out.write(table + b"\0" * 4 + tail)
    out.seek(0)
    return out


def _needed(tag: int, entry: Entry) -> bool:
    """Tell whether a tag belongs to the picture and has a type that such tags have."""
    return entry.kind in _KINDS and (tag in _SINGLE or (tag in _LISTS and _reasonable(entry)))


def _reasonable(entry: Entry) -> bool:
    """Refuse lists of offsets that no picture has; tables and profiles are bytes and may be longer."""
    return entry.kind in {1, 7} or entry.count <= _MAX_PARTS


def _narrow(entry: Entry, order: str) -> Entry:
    """Cut a single value to one item, and 64-bit numbers to the 32 bits of a classic TIFF."""
    count = 1 if entry.tag in _SINGLE else entry.count
    value = entry.value[: len(entry.value) // entry.count * count]
    if entry.kind != 16:
        return Entry(entry.tag, entry.kind, count, value)
    numbers = struct.unpack(f"{order}{count}Q", value)
    if max(numbers) >= 2**32:
        raise Refused("offsets beyond 4 GB are not supported")
    return Entry(entry.tag, 4, count, struct.pack(f"{order}{count}I", *numbers))

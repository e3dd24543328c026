"""Directories of tags, as EXIF and TIFF write them.

Pillow's reader of these warns about harmless damage, and warnings cannot be silenced for one thread alone.
Two things are needed, the orientation and the tags of a TIFF picture, so they are read here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Entry", "byte_order", "entries", "orientation_of", "upright_size"]

ORIENTATION = 0x0112
TYPE_BYTES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 13: "I", 16: "Q", 18: "Q"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One tag: `kind` is the TIFF type number, `value` the raw bytes of `count` items."""

    tag: int
    kind: int
    count: int
    value: bytes

    def numbers(self, order: str) -> tuple[int, ...]:
        """Return the integers of the value; empty when it holds none.

        Examples
        --------
        >>> Entry(256, 3, 2, bytes([1, 0, 2, 0])).numbers("<")
        (1, 2)
        """
        code = _CODES.get(self.kind)
        return struct.unpack(f"{order}{self.count}{code}", self.value) if code else ()


def byte_order(header: bytes) -> str | None:
    """Return ``"<"`` or ``">"`` for the start of a TIFF block, None for anything else.

    Examples
    --------
    >>> byte_order(b"MM rest"), byte_order(b"else")
    ('>', None)
    """
    return {b"II": "<", b"MM": ">"}.get(header[:2])


def entries(data: bytes, order: str, limit: int = 512) -> Iterator[Entry]:
    r"""Yield the entries of the first directory of a TIFF block, classic or BigTIFF, leaving out broken ones.

    Parameters
    ----------
    data : bytes
        The block, from its byte-order mark.
    order : {"<", ">"}
        From `byte_order`.
    limit : int
        Entries looked at, at most.

    Examples
    --------
    >>> block = b"II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 3, 1, 6, 0)
    >>> [(entry.tag, entry.numbers("<")) for entry in entries(block, "<")]
    [(274, (6,))]
    """
    big = len(data) >= 16 and struct.unpack_from(f"{order}H", data, 2)[0] == 43
    head, row, inline = (f"{order}Q", f"{order}HHQ", 8) if big else (f"{order}H", f"{order}HHI", 4)
    try:
        start = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, 8 if big else 4)[0]
        (number,) = struct.unpack_from(head, data, start)
    except struct.error:
        return
    width = struct.calcsize(row) + inline
    position = start + struct.calcsize(head)
    for at in range(position, position + min(number, limit) * width, width):
        if at + width > len(data):
            return
        tag, kind, count = struct.unpack_from(row, data, at)
        length = count * TYPE_BYTES.get(kind, 0)
        field = at + width - inline
        if length > inline:
            field = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, field)[0]
        if 0 < length <= len(data) - field:
            yield Entry(tag, kind, count, data[field : field + length])


def orientation_of(exif: bytes | None) -> int:
    r"""Return the orientation, 1 to 8, that an EXIF block asks for; 1 when it is absent or damaged.

    Parameters
    ----------
    exif : bytes or None
        With or without the leading ``Exif\0\0``.

    Examples
    --------
    >>> orientation_of(b"Exif\0\0II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 3, 1, 6, 0))
    6
    >>> orientation_of(b"damaged")
    1
    """
    if not exif:
        return 1
    block = exif[6:] if exif.startswith(b"Exif\0\0") else exif
    order = byte_order(block)
    if order is None:
        return 1
    for entry in entries(block, order):
        if entry.tag == ORIENTATION:
            value = (entry.numbers(order) or (1,))[0]
            return value if 1 <= value <= 8 else 1
    return 1


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return width and height once the orientation is applied.

    Examples
    --------
    >>> upright_size((4, 3), 6)
    (3, 4)
    """
    return (size[1], size[0]) if orientation >= 5 else size

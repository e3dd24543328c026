"""What follows an index of FAISS in its file: which row each vector is, the copies, and the dial."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lookalike.search.copies import Copies

__all__ = ["read_tail", "write_tail"]

TAIL = struct.Struct("<QQ8s")  # the dial, how many copies, and a mark that the file is whole
MARK = b"lookcop3"


def write_tail(take: Callable[[bytes], object], copies: Copies, dial: int) -> None:
    """Hand the bytes to `take`; its errors pass through."""
    for part in (copies.first, copies.owner, copies.row):
        take(part.astype("<i4").tobytes())
    take(TAIL.pack(dial, len(copies.row), MARK))


def read_tail(path: Path, distinct: int) -> tuple[Copies, int]:
    """Read what `write_tail` wrote for so many distinct vectors.

    Raises
    ------
    OSError
        It is not there.
    """
    with path.open("rb") as handle:
        end = handle.seek(-TAIL.size, 2)
        dial, count, mark = TAIL.unpack(handle.read(TAIL.size))
        if mark != MARK:
            raise OSError("the end is missing")
        handle.seek(end - 4 * (distinct + 2 * count))
        numbers = np.frombuffer(handle.read(4 * (distinct + 2 * count)), dtype="<i4").astype(np.int32)
    return Copies(*np.split(numbers, [distinct, distinct + count])), dial

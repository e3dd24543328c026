"""Many small pictures in one: what a map shows of its images, without a request for each."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageOps

__all__ = ["COLUMNS", "Sheet", "Sheets", "drawn"]

COLUMNS = 8
QUALITY = 80

KEPT = 64
"""Some 200 kB each."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Pictures in cells, row by row.

    Attributes
    ----------
    content : bytes
        A JPEG, `COLUMNS` cells wide, or as many as there are.
    absent : tuple of int
        Which cells are empty, because there is no such picture, from 0.
    """

    content: bytes
    absent: tuple[int, ...]


def drawn(pictures: Sequence[bytes | None], side: int) -> Sheet:
    """Put the middle squares of pictures side by side.

    Parameters
    ----------
    pictures : sequence of bytes or None
        JPEGs; one at least.
    side : int
        Of a cell, in pixels.

    Examples
    --------
    >>> drawn([None, None], 48).absent
    (0, 1)
    """
    across = min(COLUMNS, len(pictures))
    sheet = Image.new("RGB", (across * side, -(-len(pictures) // across) * side), (128, 128, 128))
    for number, content in enumerate(pictures):
        if content is not None:
            with Image.open(io.BytesIO(content)) as picture:
                picture.draft("RGB", (side, side))  # a JPEG is decoded no larger than it must be
                cell = ImageOps.fit(picture.convert("RGB"), (side, side))
            sheet.paste(cell, (number % across * side, number // across * side))
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=QUALITY)
    return Sheet(file.getvalue(), tuple(number for number, content in enumerate(pictures) if content is None))


class Sheets:
    """The sheets that were asked for last; safe for several threads.

    Examples
    --------
    >>> sheets, made = Sheets(), []
    >>> def make():
    ...     made.append(1)
    ...     return drawn([None], 48)
    >>> sheets.get(1, ["a.jpg"], 48, make) is sheets.get(1, ["a.jpg"], 48, make), len(made)
    (True, 1)
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], Sheet] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, version: int, images: Sequence[str], side: int, make: Callable[[], Sheet]) -> Sheet:
        """Return the sheet of some images in a version of the table; made, where it is not at hand."""
        key = (version, side, *images)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return made

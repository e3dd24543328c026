"""Pictures large enough to judge, of images of the collection."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from lookalike.core.errors import ImageDecodeError
from lookalike.images.decode import decode, thumbnail
from lookalike.jobs.stored_pictures import as_indexed
from lookalike.search.image_rows import ImageRow

__all__ = ["Pictures", "large_picture"]

SIDE = 800
"""Of the longer side, in pixels: a candidate on a phone of high resolution, or on half of a large screen."""

KEPT = 300
"""Some 100 kB each."""


class Pictures:
    """The pictures that were asked for last; safe for several threads.

    The version is that of the table: when it changes, so may have the photograph of that name.

    Examples
    --------
    >>> pictures = Pictures()
    >>> pictures.keep(1, "a.jpg", b"a JPEG")
    >>> pictures.get(1, "a.jpg"), pictures.get(2, "a.jpg")
    (b'a JPEG', None)
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, str], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, version: int, image: str) -> bytes | None:
        """Return a picture that is at hand."""
        with self._lock:
            if (version, image) in self._kept:
                self._kept.move_to_end((version, image))
            return self._kept.get((version, image))

    def keep(self, version: int, image: str, content: bytes) -> None:
        """Keep a picture, in the place of the one that was not asked for longest."""
        with self._lock:
            self._kept[version, image] = content
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def large_picture(file: Path | None, row: ImageRow) -> bytes:
    """Return a JPEG of an image's file, or its thumbnail where the file is no longer what was indexed.

    What people judge is then what was encoded; and no file is opened that took the place of another.

    Parameters
    ----------
    file : Path, optional
        None where its photographs are no files of this machine.
    row : ImageRow
        What the table knows of it.
    """
    source = as_indexed(file, row)
    if isinstance(source, bytes):
        return source
    try:
        shorter = round(SIDE * min(row.width, row.height) / max(row.width, row.height))
        return thumbnail(decode(source, max(1, min(SIDE, shorter))).image, SIDE)
    except ImageDecodeError:
        return row.thumbnail

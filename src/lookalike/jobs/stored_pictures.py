"""The pictures of images that a collection holds, as they were when they were indexed."""

from __future__ import annotations

from pathlib import Path

from lookalike.search.image_rows import ImageRow

__all__ = ["as_indexed"]


def as_indexed(file: Path | None, row: ImageRow) -> Path | bytes:
    """Return an image's file, or its thumbnail where the file is no longer what was indexed.

    So nothing is read that took the place of an image, be it a link to another file.

    Parameters
    ----------
    file : Path, optional
        None where its photographs are no files of this machine.
    row : ImageRow
        What the table knows of it.

    Returns
    -------
    Path or bytes
        To be decoded.
    """
    if file is None:
        return row.thumbnail
    try:
        status = file.stat()
    except OSError:
        return row.thumbnail
    return file if (status.st_size, status.st_mtime_ns) == (row.size, row.mtime_ns) else row.thumbnail

"""Where the pictures of a query are read from: files, or the images of the collection."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lookalike.core.errors import ImageDecodeError
from lookalike.core.workspace import Workspace
from lookalike.search.store import ImageTable

__all__ = ["query_pictures"]


def query_pictures(workspace: Workspace, paths: Sequence[Path]) -> list[Path | bytes]:
    """Return what pictures are decoded from, so that an image that was found can be searched by in turn.

    A path that names no file may be that of an image of the collection, as searches give it: then its file stands for
    it, or, where that is not on this machine, the thumbnail that the collection keeps.

    Parameters
    ----------
    workspace : Workspace
    paths : sequence of Path

    Returns
    -------
    list of Path or bytes
        In the order of `paths`.

    Raises
    ------
    ImageDecodeError
        A path is neither.
    StorageError
        The collection cannot be read.
    """
    absent = {path.as_posix() for path in paths if not os.path.lexists(path)}
    if not absent:
        return list(paths)
    folder = workspace.config().folder
    thumbnails = ImageTable.open(workspace.collection_uri).thumbnails(sorted(absent))

    def of(path: Path) -> Path | bytes:
        if path.as_posix() not in absent:
            return path
        thumbnail = thumbnails.get(path.as_posix())
        if thumbnail is None:
            raise ImageDecodeError(path, "no such file, and no image of the collection has this path")
        file = None if folder is None else folder / path
        return file if file is not None and file.is_file() else thumbnail

    return [of(path) for path in paths]

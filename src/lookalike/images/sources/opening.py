"""A source by its name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from lookalike.core.errors import InputError
from lookalike.core.file_store import FileStore
from lookalike.core.progress import silent
from lookalike.core.source_names import SHARDS, SourceName, source_name
from lookalike.images.folder import EXTENSIONS, extension, hidden
from lookalike.images.sources.base import WHOLE, ImageSource
from lookalike.images.sources.folder import FolderSource, PrefixSource
from lookalike.images.sources.parquet import ParquetSource
from lookalike.images.sources.shards import shard_files
from lookalike.images.sources.tars import TarSource

__all__ = ["open_source", "settled"]


def open_source(name: SourceName | str | Path) -> ImageSource:
    """Return the source that a name stands for. Nothing is asked of a server, and nothing has to be there.

    Raises
    ------
    InputError
        It names none.

    Examples
    --------
    >>> type(open_source("s3://bucket/data/*.tar")).__name__
    'TarSource'
    """
    named = name if isinstance(name, SourceName) else source_name(name)
    if named.kind == "tar":
        return TarSource(named)
    if named.kind == "parquet":
        return ParquetSource(named)
    return PrefixSource(named) if named.folder is None else FolderSource(named)


def settled(name: SourceName) -> SourceName:
    """Look what a folder or an address holds, where its name leaves that open: pictures, or files that hold them.

    Raises
    ------
    InputError
        There is no such folder, or nothing of these kinds at the address.
    StorageError
        It cannot be listed.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "train.parquet").write_bytes(b"")
    >>> settled(source_name(folder)).pattern
    '**/*.parquet'
    """
    if name.kind != "pictures":
        shard_files(name)
        return name
    if name.folder is not None and not name.folder.is_dir():
        what = "is a file" if name.folder.exists() else "does not exist"
        if "*" in name.base or "{" in name.base:
            what = "is no folder, and patterns are for .tar and .parquet files"
        raise InputError(f"{name.base} {what}: give a folder of photographs, a .parquet or .tar file, or s3://...")
    if name.folder is not None:
        found = _kind(_below(name.folder))
    else:
        store = FileStore(name.base)
        found = _kind(file.path for deep in (False, True) for file in store.files(deep=deep))
        if not found:  # names without an ending, or nothing, which is then said
            PrefixSource(name).look(WHOLE, Path(), silent)
    return name if found in ("", "pictures") else source_name(f"{name.base.rstrip('/')}/**/*.{found}")


def _below(folder: Path) -> Iterator[str]:
    """Yield the names of files in a folder and those below it, but for hidden ones."""
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not hidden(name)]
        yield from files


def _kind(paths: Iterable[str]) -> str:
    """Say what files are by their names; looked at no further than the first picture."""
    found = ""
    for path in paths:
        ending = "" if hidden(path) else extension(path.rpartition("/")[2])
        if ending in EXTENSIONS:
            return "pictures"
        found = found or next((kind for kind in SHARDS if ending == f".{kind}"), "")
    return found

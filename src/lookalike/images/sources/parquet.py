"""Parquet files whose rows hold pictures, as bytes or as the place where each is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any

from lookalike.core.errors import ImageDecodeError
from lookalike.core.file_store import StoredFile, refused
from lookalike.images.folder import UNKNOWN, ImageFile
from lookalike.images.sources.ahead import fetched, read_part
from lookalike.images.sources.base import LARGEST, Content, Held, Part
from lookalike.images.sources.parquet_columns import id_column, picture_column
from lookalike.images.sources.shards import DamagedError, Listing, ShardSource

__all__ = ["ParquetSource"]

ROWS = 4
"""Rows that are taken out of a file at once; of the file itself, a page of the column is in memory."""

BUFFER = 2**20  # bytes of the file that are read at once

Wanted = tuple[ImageFile, Content | Part]


class ParquetSource(ShardSource):
    """Pictures in the rows of Parquet files. The id is that of the row, or its number from 0."""

    def listing(self, shard: StoredFile) -> Listing:
        """Read the footer, and the column of ids; see `ShardSource.listing`."""
        with self._store.open(shard.path) as handle:
            file = _opened(handle)
            pictures = picture_column(file.schema_arrow)
            ids = id_column(file.schema_arrow, pictures)
            groups, rows = [], 0
            for number in range(file.num_row_groups):
                groups.append(rows)
                rows += file.metadata.row_group(number).num_rows
            if ids is None:
                return Listing([(f"{row:06}", row, UNKNOWN) for row in range(rows)], groups=groups)
            found = Listing(groups=groups)
            names = (one for batch in file.iter_batches(columns=[ids]) for one in batch.column(0).to_pylist())
            try:
                _name(names, found)
            except (OSError, ValueError) as error:
                raise DamagedError(f"its column {ids} is damaged: {refused(error, 'cannot read a column')}") from None
        return found

    def contents(self, files: Sequence[ImageFile]) -> Iterator[Held]:
        """Read the rows one after the other, and fetch what they name."""
        return fetched(self._rows(files), lambda _, part: read_part(part))

    def _rows(self, files: Sequence[ImageFile]) -> Iterator[Wanted]:
        for shard, some in groupby(files, lambda file: file.shard):
            wanted = list(some)
            done = 0
            try:
                for one in self._rows_of(shard, wanted):
                    yield one
                    done += 1
            except (OSError, ValueError, DamagedError) as error:
                where = self._store.at(shard)
                reason = str(error) if isinstance(error, DamagedError) else _damage(error, f"cannot read {where}")
                yield from ((file, ImageDecodeError(file.path, reason)) for file in wanted[done:])

    def _rows_of(self, shard: str, files: Sequence[ImageFile]) -> Iterator[Wanted]:
        """Go through the row groups that hold some rows of a file, in order."""
        if self._changed(files[0]):
            raise DamagedError("its file has changed since it was listed: index it again")
        with self._store.open(shard) as handle:
            file = _opened(handle)
            column, start, left = picture_column(file.schema_arrow), 0, list(reversed(files))
            for number in range(file.num_row_groups):
                count = file.metadata.row_group(number).num_rows
                if left and left[-1].place < start + count:
                    batches = file.iter_batches(ROWS, row_groups=[number], columns=[column], use_threads=False)
                    yield from self._picked(shard, batches, start, left)
                start += count

    def _picked(self, shard: str, batches: Any, row: int, left: list[ImageFile]) -> Iterator[Wanted]:
        """Take the rows in `left`, whose last is the next, out of a row group that begins at `row`."""
        for batch in batches:
            end = row + batch.num_rows
            while left and left[-1].place < end:
                file = left[-1]
                content = self._content(shard, file, batch.column(0)[file.place - row].as_py())
                yield file, content
                left.pop()
            row = end
            if not left:
                return

    def _content(self, shard: str, file: ImageFile, value: Any) -> Content | Part:
        """Return what a row holds: bytes, or where they are."""
        if isinstance(value, dict):
            value = value.get("bytes") or value.get("path")
        if not value:
            return ImageDecodeError(file.path, "the row holds no picture, and no path")
        if isinstance(value, bytes):
            if len(value) > LARGEST:
                return ImageDecodeError(file.path, f"it has {len(value) / 2**20:,.0f} MB (limit {LARGEST // 2**20} MB)")
            return value
        if isinstance(value, str) and (scheme := re.match(r"([a-z][a-z0-9+.-]+)://", value, re.IGNORECASE)):
            if scheme[1].lower() == "s3":
                return Part(value)
            return ImageDecodeError(file.path, f"{scheme[1]}:// is not fetched: store the pictures first")
        if isinstance(value, str) and self._store.remote and value.startswith("/"):
            return ImageDecodeError(file.path, "the row names a file of some machine, not one beside its own file")
        return Part(_beside(self._store.at(shard), str(value)))


def _beside(shard: str, path: str) -> str:
    """Return a path that is relative to the folder of a Parquet file, or its own."""
    if path.startswith("/"):
        return path
    folder = shard.rpartition("/")[0]
    return f"{folder}/{PurePosixPath(path)}"


def _name(names: Iterator[Any], found: Listing) -> None:
    """Take the ids of rows; one that is empty or not the first of its kind is none."""
    taken: set[str] = set()
    for row, name in enumerate(names):
        id_ = "" if name is None else str(name).strip("/")
        if not id_:
            found.rejected.append((f"row {row}", "the row has no id"))
        elif id_ in taken:
            found.rejected.append((f"row {row}", f"another row has the id {id_}: the first is taken"))
        else:
            taken.add(id_)
            found.items.append((id_, row, UNKNOWN))


def _opened(handle: Any) -> Any:
    """Open a Parquet file so that no more than a page of a column is read at once."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(handle, buffer_size=BUFFER, pre_buffer=False)
    except pa.ArrowInvalid as error:
        raise DamagedError("not a Parquet file, or cut: its end is not one of Parquet") from error


def _damage(error: Exception, doing: str) -> str:
    return f"its part of the Parquet file cannot be read: {refused(error, doing)}"

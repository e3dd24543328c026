"""The store of record: one LanceDB table, a row per image.

Every write is one Lance commit: after a crash the table is as it was before the write or as it is after it.
Images are keyed by their path; vectors stand in one column per encoder, absent until that encoder has run.

A table in a folder has one writer at a time, by the lock of the workspace. One at the address of an object store may
have several, on several machines: their commits are optimistic, and of two that meet the second is repeated on top of
the first. Paths are marked as the key of the table, so that two writers of one image leave one row.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from lookalike.core.errors import StorageError
from lookalike.core.object_store import address_of, connect, storage
from lookalike.core.types import Vectors
from lookalike.search.commits import commit
from lookalike.search.image_rows import BASE_FIELDS, ImageRow, StoredImage, laid_out, matrix

__all__ = ["ImageTable"]

NAME = "images"
FORMAT = "1"

PRESENT = "removed = false"

LISTED = 1000
"""More paths than this are not written into a condition: the scan reads all and picks."""


class ImageTable:
    """The table of images at a URI: a folder, or an address of an object store.

    Use `create` or `open`.
    """

    def __init__(self, table: Any, shared: bool) -> None:
        self._table = table
        self.shared = shared
        """Whether it is at an address, where other machines may write to it as well."""

    @classmethod
    def create(cls, uri: str) -> ImageTable:
        """Make an empty table; the folder is made as well. Where another process was first, its table is opened."""
        made = {"lookalike_format": FORMAT, "lookalike_made": secrets.token_hex(8)}
        with storage(f"cannot create the table at {uri}"):
            try:
                connect(uri).create_table(NAME, schema=pa.schema(BASE_FIELDS, metadata=made))
            except ValueError as error:
                if "already exists" not in str(error):
                    raise
        return cls.open(uri)

    @classmethod
    def open(cls, uri: str) -> ImageTable:
        """Open a table that exists.

        Raises
        ------
        StorageError
            There is none at `uri`, it cannot be read, or a newer version of lookalike wrote it.
        """
        with storage(f"cannot open the table at {uri}"):
            table = connect(uri).open_table(NAME)
            metadata = table.schema.metadata or {}
        found = metadata.get(b"lookalike_format", b"").decode()
        if found != FORMAT:
            raise StorageError(
                f"the table at {uri} has format '{found}', this version reads '{FORMAT}': update lookalike"
            )
        return cls(table, address_of(uri) is not None)

    @property
    def version(self) -> int:
        """The version of the table; every write raises it."""
        return int(self._table.version)

    @property
    def state(self) -> str:
        """What no other state of this table has, nor of one that was made anew in its place."""
        made = (self._table.schema.metadata or {}).get(b"lookalike_made", b"").decode()
        return f"{made}.{self.version}"

    def refresh(self) -> None:
        """See what other processes have written since this table was opened."""
        with storage("cannot read the table"):
            self._table.checkout_latest()

    @property
    def columns(self) -> list[str]:
        """Names of the vector columns."""
        return [name for name in self._table.schema.names if name.startswith("vector_")]

    def count(self, column: str | None = None) -> int:
        """Count the images that are present; with a column, those that have a vector in it."""
        return int(self._table.count_rows(PRESENT if column is None else f"{PRESENT} AND {column} IS NOT NULL"))

    @property
    def small_files(self) -> int:
        """How many files of the table are small enough to be worth merging."""
        return int(self._table.stats()["fragment_stats"]["num_small_fragments"])

    def ensure_column(self, column: str, dim: int) -> None:
        """Add a vector column of `dim` float32 numbers if there is none of that name."""

        def add() -> None:
            if column not in self._table.schema.names:  # another writer may have added it just now
                self._table.add_columns(pa.field(column, pa.list_(pa.float32(), dim), nullable=True))

        commit(f"cannot add the column {column}", self._table, add)

    def stored(self, column: str) -> dict[str, StoredImage]:
        """Return every row's state by path, removed ones included; one scan, without pictures or vectors."""
        fields = ["path", "hash", "size", "mtime_ns", "removed"]
        filled: set[str] = set()
        states: dict[str, StoredImage] = {}
        for batch in self._scan(f"{column} IS NOT NULL", ["path"]):
            filled.update(batch.column("path").to_pylist())
        for batch in self._scan(None, fields):
            for path, digest, size, mtime_ns, removed in zip(
                *(batch.column(name).to_pylist() for name in fields), strict=True
            ):
                states[path] = StoredImage(digest, size, mtime_ns, removed, path in filled)
        return states

    def append(self, column: str, rows: Sequence[ImageRow]) -> None:
        """Add images whose paths were not in the table when it was looked at, in one commit.

        Of a shared table they are written by path, for another writer may have added them meanwhile.
        """
        if rows and self.shared:
            self._upsert(laid_out(column, rows), insert=True)
        elif rows:
            with storage("cannot write images"):
                self._table.add(laid_out(column, rows))

    def replace(self, column: str, rows: Sequence[ImageRow]) -> None:
        """Add or overwrite images by path, in one commit; vectors of other encoders become absent.

        This is for content that changed: what another encoder made of the old picture is no longer true.
        """
        if not rows:
            return
        table = laid_out(column, rows)
        for field in self._table.schema:
            if field.name not in table.schema.names:
                table = table.append_column(field, pa.nulls(len(rows), field.type))
        self._upsert(table, insert=True)

    def set_vectors(self, column: str, rows: Sequence[ImageRow]) -> None:
        """Fill one vector column of images that are in the table with the same content, in one commit.

        What other encoders made of them stays.
        """
        if rows:
            table = laid_out(column, rows)
            self._upsert(table.select(["path", "size", "mtime_ns", "removed", column]))

    def set_present(self, times: Mapping[str, int]) -> None:
        """Record modification times (ns) by path, and that the images are there; one commit."""
        if times:
            self._upsert(
                pa.table(
                    {
                        "path": pa.array(list(times)),
                        "mtime_ns": pa.array(list(times.values()), pa.int64()),
                        "removed": pa.array([False] * len(times)),
                    }
                )
            )

    def mark_removed(self, paths: Sequence[str]) -> None:
        """Mark images whose files are gone; `compact` drops them for good."""
        if paths:
            self._upsert(pa.table({"path": pa.array(paths), "removed": pa.array([True] * len(paths))}))

    def paths(self, column: str) -> list[str]:
        """Return the paths of the present images that have a vector, sorted."""
        found: list[str] = []
        for batch in self._scan(f"{PRESENT} AND {column} IS NOT NULL", ["path"]):
            found.extend(batch.column("path").to_pylist())
        return sorted(found)

    def some_paths(self, count: int) -> list[str]:
        """Return the paths of up to `count` present images, whichever come first."""
        found: list[str] = []
        for batch in self._scan(PRESENT, ["path"]):
            found.extend(batch.column("path").to_pylist()[: count - len(found)])
            if len(found) >= count:
                break
        return found

    def vectors(self, column: str) -> tuple[list[str], Vectors]:
        """Return paths, sorted, and their vectors, float32 (N, D)."""
        paths = self.paths(column)
        places = {path: place for place, path in enumerate(paths)}
        vectors = np.empty((len(paths), self._dim(column)), np.float32)
        for batch in self._scan(f"{PRESENT} AND {column} IS NOT NULL", ["path", column]):
            vectors[[places[path] for path in batch.column("path").to_pylist()]] = matrix(batch.column(column))
        return paths, vectors

    def described(self) -> pa.Table:
        """Return what filters know of the present images (`lookalike.search.filters`), in any order."""
        fields = ["path", "format", "width", "height", "size", "mtime_ns"]
        schema = pa.schema([field for field in BASE_FIELDS if field.name in fields])
        return pa.Table.from_batches([batch.select(schema.names) for batch in self._scan(PRESENT, fields)], schema)

    def vectors_of(self, column: str, paths: Sequence[str]) -> Vectors:
        """Return the vectors of some present images that have one, float32 (len(paths), D), in the order given."""
        places = {path: place for place, path in enumerate(paths)}
        vectors = np.zeros((len(paths), self._dim(column)), np.float32)
        for some, found in self.taken(column, [id_ for path, id_ in self.row_ids(column) if path in places]):
            vectors[[places[path] for path in some]] = found
        return vectors

    def row_ids(self, column: str) -> Iterator[tuple[str, int]]:
        """Yield each present image that has a vector, and where its row is in this version of the table."""
        with storage("cannot read the table"):
            query = self._table.search().where(f"{PRESENT} AND {column} IS NOT NULL").select(["path"])
            for batch in query.with_row_id(True).to_batches(8192):
                yield from zip(batch.column("path").to_pylist(), batch.column("_rowid").to_pylist(), strict=True)

    def taken(self, column: str, ids: Sequence[int]) -> Iterator[tuple[list[str], Vectors]]:
        """Yield paths and vectors of some rows, which nothing has to be scanned for."""
        with storage("cannot read the table"):
            for start in range(0, len(ids), 8192):
                rows = self._table.take_row_ids(list(ids[start : start + 8192])).select(["path", column])
                for batch in rows.to_arrow().to_batches():
                    yield batch.column("path").to_pylist(), matrix(batch.column(column))

    def rows(self, column: str, paths: Sequence[str]) -> dict[str, ImageRow]:
        """Return whole rows by path, for the paths that are there and have a vector."""
        fields = [name for name in self._table.schema.names if not name.startswith("vector_")]
        found: dict[str, ImageRow] = {}
        for batch in self._scan(f"{_among(paths)} AND {column} IS NOT NULL", [*fields, column]):
            vectors = matrix(batch.column(column))
            for i, record in enumerate(batch.select(fields).to_pylist()):
                record.pop("removed")
                found[record["path"]] = ImageRow(**record, vector=vectors[i])
        return found

    def thumbnails(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Return thumbnails (JPEG) by path, for the paths that are there."""
        found: dict[str, bytes] = {}
        for batch in self._scan(_among(paths), ["path", "thumbnail"]):
            found.update(zip(batch.column("path").to_pylist(), batch.column("thumbnail").to_pylist(), strict=True))
        return found

    def sizes(self, paths: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return width and height, in pixels, by path; one scan however many are asked for."""
        wanted = set(paths)
        found: dict[str, tuple[int, int]] = {}
        for batch in self._scan(None if len(wanted) > LISTED else _among(paths), ["path", "width", "height"]):
            for path, width, height in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                if path in wanted:
                    found[path] = (width, height)
        return found

    def merge_files(self) -> None:
        """Merge the small files that many commits leave; versions older than an hour are forgotten."""
        commit(
            "cannot merge the files of the table",
            self._table,
            lambda: self._table.optimize(cleanup_older_than=timedelta(hours=1)),
        )

    def compact(self) -> None:
        """Drop removed images for good, and merge small files."""
        commit("cannot drop removed images", self._table, lambda: self._table.delete("removed = true"))
        self.merge_files()

    def _dim(self, column: str) -> int:
        return int(self._table.schema.field(column).type.list_size)

    def _scan(self, where: str | None, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Read columns of the rows that fit a condition, batch by batch."""
        with storage("cannot read the table"):
            query = self._table.search().select(columns)
            if where:
                query = query.where(where)
            yield from query.to_batches(8192)

    def _upsert(self, table: pa.Table, insert: bool = False) -> None:
        """Write the given columns by path in one commit."""
        schema = pa.schema([self._table.schema.field(name) for name in table.schema.names])

        def write() -> None:
            merge = self._table.merge_insert("path").when_matched_update_all()
            if insert:
                merge = merge.when_not_matched_insert_all()
            merge.execute(table.cast(schema))

        commit("cannot write images", self._table, write)


def _among(paths: Sequence[str]) -> str:
    """Write the condition that the path is one of `paths`."""
    quoted = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    return f"path IN ({quoted})" if paths else "false"

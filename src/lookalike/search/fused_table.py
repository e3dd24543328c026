"""The store of fused vectors: a LanceDB table, a row per image, beside the table of images in the same database.

Every row that is written gets a stamp of chance, which no other row has: by the stamps alone a reader tells which rows
are new, replaced or gone since it last looked, whoever wrote them and whether files were merged meanwhile. Commits are
optimistic: of two writers the second repeats its own on top of the first's. Ids are marked as the key of the table, so
that two writers of one id leave one row.
"""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lookalike.core.errors import InputError, StorageError
from lookalike.core.object_store import connect, storage
from lookalike.core.types import Rows
from lookalike.search.commits import KEY, commit
from lookalike.search.fused import FusedLayout, HalfVectors
from lookalike.search.fused_directions import keep_layout, kept_layout

__all__ = ["FusedRows", "FusedTable", "Stamps"]

Stamps = NDArray[np.int64]
"""One number of chance per written row."""

FORMAT = "1"
ROWS_AT_ONCE = 32_768
"""Rows of one commit, and of one step of a scan."""

LISTED = 1_000
SETTLED_NANOSECONDS = 100_000_000


@dataclass(frozen=True, slots=True, eq=False)
class FusedRows:
    """Rows of the table.

    Attributes
    ----------
    ids : pyarrow string array (N,)
    stamps : int64 (N,)
    vectors : float16 (N, width)
    """

    ids: pa.Array
    stamps: Stamps
    vectors: HalfVectors


class FusedTable:
    """A table of fused vectors; use `create` or `open`.

    A table that is open stays at the version it has last written, or seen by `refresh`.

    Examples
    --------
    >>> import tempfile
    >>> from lookalike.search.fused import FusedModel, fuse
    >>> layout = FusedLayout([FusedModel("colour", 2)])
    >>> table = FusedTable.create(tempfile.mkdtemp(), "fused", layout)
    >>> table.put(["x", "y"], fuse(layout, {"colour": [[1, 0], [0, 1]]}))
    >>> table.remove(["x"])
    >>> table.scan().ids.to_pylist()
    ['y']
    """

    def __init__(self, table: Any, layout: FusedLayout, versions: Path) -> None:
        self._table = table
        self.layout = layout
        self._versions = versions
        self._seen: tuple[int | None, int | None] = None, None  # when the folder of versions had changed; the version

    @classmethod
    def create(cls, uri: str, name: str, layout: FusedLayout) -> FusedTable:
        """Make an empty table; where another process was first, its table is opened, whatever its layout.

        Raises
        ------
        StorageError
            The folder cannot be written.
        """
        with storage(f"cannot create the table {name} at {uri}"):
            database = connect(uri)
            metadata = {"lookalike_format": FORMAT, "lookalike_layout": json.dumps(keep_layout(database, layout))}
            schema = pa.schema(
                [
                    pa.field("id", pa.string(), nullable=False, metadata=KEY),
                    pa.field("stamp", pa.int64(), nullable=False),
                    pa.field("made_of", pa.int64(), nullable=False),
                    pa.field("vector", pa.list_(pa.float16(), layout.width), nullable=False),
                ],
                metadata=metadata,
            )
            try:
                database.create_table(name, schema=schema)
            except ValueError as error:
                if "already exists" not in str(error):
                    raise
        return cls.open(uri, name)

    @classmethod
    def open(cls, uri: str, name: str) -> FusedTable:
        """Open a table that exists, and its layout.

        Raises
        ------
        StorageError
            There is none, it cannot be read, or a newer version of lookalike wrote it.
        """
        with storage(f"cannot open the table {name} at {uri}"):
            database = connect(uri)
            table = database.open_table(name)
            metadata = table.schema.metadata or {}
            found = metadata.get(b"lookalike_format", b"").decode()
            if found != FORMAT:
                raise StorageError(
                    f"the table {name} at {uri} has format '{found}', this version reads '{FORMAT}': update lookalike"
                )
            layout = kept_layout(database, json.loads(metadata[b"lookalike_layout"]))
        return cls(table, layout, Path(uri) / f"{name}.lance" / "_versions")

    @staticmethod
    def exists(uri: str, name: str) -> bool:
        """Whether there is such a table; nothing is listed.

        Examples
        --------
        >>> import tempfile
        >>> FusedTable.exists(tempfile.mkdtemp(), "fused")
        False
        """
        with storage(f"cannot open the table {name} at {uri}"):
            try:
                connect(uri).open_table(name)
            except ValueError as error:
                if "was not found" in str(error):
                    return False
                raise
        return True

    @staticmethod
    def names(uri: str) -> list[str]:
        """Return the names of all tables of the database, sorted.

        Examples
        --------
        >>> import tempfile
        >>> FusedTable.names(tempfile.mkdtemp())
        []
        """
        with storage(f"cannot list the tables at {uri}"):
            database, names, page = connect(uri), [], None
            while True:
                found = database.list_tables(page_token=page)
                names += found.tables
                page = found.page_token
                if not page:
                    return sorted(names)

    @staticmethod
    def drop(uri: str, name: str) -> None:
        """Remove a table for good, if it is there."""
        with storage(f"cannot drop the table {name} at {uri}"):
            connect(uri).drop_table(name, ignore_missing=True)

    @property
    def version(self) -> int:
        """The version that is open; every write raises it."""
        when, version = self._seen
        if version is None:
            with storage("cannot read the table of vectors"):
                version = int(self._table.version)
            self._seen = when, version
        return version

    def refresh(self) -> None:
        """See what others have written. In a local folder that takes microseconds where nobody has."""
        when = _settled(self._versions)
        if when is None or when != self._seen[0]:
            with storage("cannot read the table of vectors"):
                self._table.checkout_latest()
            self._seen = when, None

    def __len__(self) -> int:
        with storage("cannot read the table of vectors"):
            return int(self._table.count_rows())

    def put(self, ids: Sequence[str], vectors: HalfVectors, made_of: Stamps | None = None) -> None:
        """Add rows, and replace those whose id is there; every `ROWS_AT_ONCE` rows are one commit.

        Parameters
        ----------
        ids : sequence of str
            Distinct.
        vectors : float16 (N, width)
        made_of : int64 (N,), optional
            What changes with that of which the vectors were made.

        Raises
        ------
        StorageError
            The table cannot be written; what was committed before stays.
        """
        made_of = np.zeros(len(ids), np.int64) if made_of is None else made_of
        for start in range(0, len(ids), ROWS_AT_ONCE):
            block = slice(start, start + ROWS_AT_ONCE)
            rows = _arrow(self._table.schema, ids[block], vectors[block], made_of[block])
            self._again(
                lambda rows=rows: (  # type: ignore[misc]
                    self._table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows)
                )
            )

    def remove(self, ids: Sequence[str]) -> None:
        """Remove rows by id; ids that are not there are passed over. Every thousand are one commit."""
        for start in range(0, len(ids), LISTED):
            where = _among(ids[start : start + LISTED])
            self._again(lambda where=where: self._table.delete(where))  # type: ignore[misc]

    def stamps(self) -> tuple[Rows, Stamps]:
        """Return the place of every row in this version, as `take` wants it, and its stamp; int64 (N,) each."""
        parts = [
            (batch.column("_rowid").to_numpy().astype(np.int64), batch.column("stamp").to_numpy())
            for batch in self._scan(["stamp"], places=True)
        ]
        places, stamps = zip(*parts, strict=True) if parts else ((), ())
        empty = np.empty(0, np.int64)
        return np.concatenate([empty, *places]), np.concatenate([empty, *stamps])

    def ids(self) -> tuple[pa.Array, Stamps, Stamps]:
        """Return the id, the stamp and `made_of` of every row."""
        fields = ["id", "stamp", "made_of"]
        batches = list(self._scan(fields))
        names, stamps, made_of = (
            pa.chunked_array([batch.column(field) for batch in batches], kind)
            for field, kind in zip(fields, (pa.string(), pa.int64(), pa.int64()), strict=True)
        )
        return _strings(names), stamps.to_numpy(), made_of.to_numpy()

    def scan(self, spool: Path | None = None) -> FusedRows:
        """Return all rows; the vectors are read batch by batch, into memory or into a file that nobody sees."""
        count = len(self)
        vectors, stamps = _room(spool, (count, self.layout.width)), np.empty(count, np.int64)
        ids, at = [], 0
        for batch in self._scan(["id", "stamp", "vector"]):
            block = slice(at, at + batch.num_rows)
            vectors[block], stamps[block] = _matrix(batch.column("vector")), batch.column("stamp").to_numpy()
            ids.append(batch.column("id"))
            at = block.stop
        return FusedRows(_strings(pa.chunked_array(ids, pa.string())), stamps, vectors)

    def take(self, places: Rows) -> FusedRows:
        """Return rows by their places in this version, in any order."""
        found: list[pa.Table] = []
        with storage("cannot read the table of vectors"):
            for start in range(0, len(places), ROWS_AT_ONCE):
                query = self._table.take_row_ids(places[start : start + ROWS_AT_ONCE].tolist())
                found.append(query.select(["id", "stamp", "vector"]).to_arrow())
        return self._rows(found)

    def rows_of(self, ids: Sequence[str]) -> FusedRows:
        """Return the rows of ids, in any order; ids that are not there are passed over."""
        found: list[pa.Table] = []
        with storage("cannot read the table of vectors"):
            for start in range(0, len(ids), LISTED):
                query = self._table.search().where(_among(ids[start : start + LISTED]))
                found.append(query.select(["id", "stamp", "vector"]).to_arrow())
        return self._rows(found)

    def merge_files(self) -> None:
        """Merge the small files that many commits leave; versions older than an hour are forgotten."""
        with storage("cannot merge the files of the table of vectors"):
            self._table.optimize(cleanup_older_than=timedelta(hours=1))

    def _again(self, write: Callable[[], object]) -> None:
        """Write, and where that met the commits of other writers too often, wait a little and write again."""
        self._seen = None, None
        commit("cannot write vectors", self._table, write)

    def _rows(self, found: list[pa.Table]) -> FusedRows:
        """Put parts together; there may be none."""
        parts = [_matrix(chunk) for part in found for chunk in part.column("vector").chunks]
        ids = pa.chunked_array([chunk for part in found for chunk in part.column("id").chunks], pa.string())
        stamps = [part.column("stamp").to_numpy() for part in found]
        return FusedRows(
            _strings(ids),
            np.concatenate([np.empty(0, np.int64), *stamps]),
            np.concatenate([np.empty((0, self.layout.width), np.float16), *parts]),
        )

    def _scan(self, fields: list[str], places: bool = False) -> Iterator[pa.RecordBatch]:
        with storage("cannot read the table of vectors"):
            query = self._table.search().select(fields)
            yield from (query.with_row_id(True) if places else query).to_batches(ROWS_AT_ONCE)


def _room(spool: Path | None, shape: tuple[int, int]) -> HalfVectors:
    """Return an array: one in a folder is gone with the last who holds it, and its pages need not stay in memory."""
    if spool is None or not shape[0]:
        return np.empty(shape, np.float16)
    try:
        spool.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=spool) as handle:
            return np.memmap(handle, np.float16, "w+", shape=shape)
    except OSError:  # no room, or no right to write: the memory may do
        return np.empty(shape, np.float16)


def _settled(versions: Path) -> int | None:
    """Return when a folder was last written to; None where it cannot be told, or where a write may hide behind another.

    Times of files move in steps of milliseconds: within one, a second write leaves no trace.
    """
    try:
        changed = versions.stat().st_mtime_ns
    except OSError:
        return None
    return changed if time.time_ns() - changed > SETTLED_NANOSECONDS else None


def _arrow(schema: pa.Schema, ids: Sequence[str], vectors: HalfVectors, made_of: Stamps) -> pa.Table:
    # Numbers of chance from the system: those of two writers, or of a process and its fork, do not meet.
    stamps = np.frombuffer(secrets.token_bytes(8 * len(ids)), np.int64) & np.int64(2**63 - 1)
    try:
        names = pa.array(ids, pa.string())
    except UnicodeEncodeError as error:
        raise InputError(f"the id {error.object!r} is not text that can be stored") from None
    flat = pa.array(np.ascontiguousarray(vectors).ravel())
    rows = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    return pa.Table.from_arrays([names, pa.array(stamps), pa.array(np.asarray(made_of, np.int64)), rows], schema=schema)


def _matrix(column: pa.Array) -> HalfVectors:
    return np.asarray(column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), column.type.list_size))


def _strings(column: pa.ChunkedArray) -> pa.Array:
    """Return one array of a column, whose text may be more than 2 GB."""
    return pa.concat_arrays([pa.array([], pa.large_string()), *column.cast(pa.large_string()).chunks])


def _among(ids: Sequence[str]) -> str:
    quoted = ", ".join("'" + one.replace("'", "''") + "'" for one in ids)
    return f"id IN ({quoted})"

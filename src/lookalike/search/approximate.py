"""Search that finds nearly all near neighbours, by FAISS: thousands of queries a second among millions.

`lookalike.search.forms` has what an index is made of. Where that is less than the vectors, it finds candidates, and the
vectors themselves in float16, mapped from a file, put them in order: distances are those of the float16 vectors in
every form. How much care a search takes is found out when an index is built, on queries like its vectors, so that it
finds `TARGET` of their neighbours. Measured in ``docs/results/vector-search.md`` and ``docs/results/fused-search.md``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import StorageError
from lookalike.core.files import write_aside
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Distances, Rows, Vectors
from lookalike.search.copies import Copies, find_copies, no_copies
from lookalike.search.filling import filled, halves
from lookalike.search.forms import Form, care, coordinates, form_of, new_base, suits
from lookalike.search.nearby import nearby_order
from lookalike.search.protocol import StoredVectors, as_queries, as_stored, ranked
from lookalike.search.rows_file import MappedRows, write_rows
from lookalike.search.tail import read_tail, write_tail
from lookalike.search.tuning import tuned

__all__ = ["ApproximateIndex", "Keep", "Pieces", "rows_beside"]

AROUND = 65_536
"""Bytes that a row which is read at random brings into memory: its page, and those beside it that the system holds."""

MANY = 64
"""So many queries at once are asked in an order in which near ones follow each other."""

Pieces = Callable[[], Iterator[NDArray[np.float16]]]

Keep = Callable[[int, int, Pieces], MappedRows]
"""``(dim, count, pieces) -> MappedRows``: where an index that is less than its vectors keeps them."""


def rows_beside(path: Path) -> Path:
    """Return where the rows are that put the index of a file right."""
    return path.with_suffix(".rows")


class ApproximateIndex:
    """An index of FAISS over vectors of one norm; made by `build` or `load`.

    Distances are to the vectors in float16: within about 0.0001 of the exact ones for unit vectors, and a hair below
    zero at worst.

    Examples
    --------
    >>> vectors = np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)
    >>> vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    >>> index = ApproximateIndex.build(vectors)
    >>> rows, distances = index.search(vectors[:3], k=1)
    >>> rows.ravel().tolist()
    [0, 1, 2]
    """

    def __init__(self, base: Any, rows: MappedRows | None, copies: Copies, dial: int) -> None:
        form = form_of(base)
        assert form is not None
        self.form: Form = form
        self.dial = dial
        self._base, self._rows, self._copies = base, rows, copies
        self._whole = base if rows is None else _faiss().IndexRefine(base, rows.index)
        self._room: int | None = None
        self._read = 0

    @classmethod
    def build(
        cls,
        vectors: StoredVectors,
        on_progress: OnProgress = silent,
        threads: int | None = None,
        parts: Sequence[slice] = (),
        memory: int | None = None,
        keep: Keep = lambda dim, _, pieces: MappedRows.held(dim, pieces()),
    ) -> ApproximateIndex:
        """Build an index, in pieces, so that a memory-mapped array is never read whole.

        Parameters
        ----------
        vectors : float32 or float16 (N, D)
            Rows of the same norm, each component below 65,504.
        on_progress : callable
            Told of every piece, in distinct vectors.
        threads : int, optional
            How many to use; FAISS's own setting where it is not given. With 1, the same vectors give the same index.
        parts : sequence of slice
            Columns that queries will weigh against each other.
        memory : int, optional
            Bytes that the index may keep in memory, beside the rows that put it right.
        keep : callable, optional
            Keeps the rows that an index needs beside it; in memory, where it is not given.

        Raises
        ------
        InputError
            The vectors have another shape or type, or no index of them fits into `memory`.
        StorageError
            The rows cannot be kept.

        Examples
        --------
        >>> ApproximateIndex.build(np.eye(4, dtype=np.float16), threads=1).size
        4
        """
        vectors = as_stored(vectors)
        copies = find_copies(vectors) or no_copies(len(vectors))
        form, directions = suits(vectors, memory, parts)
        with _faiss_threads(threads):
            base, order = filled(new_base(form, directions, vectors), form, vectors, copies.first, on_progress)
            copies = copies.arranged(order)
            rows = copies.first.astype(np.int64)
            beside = None if form == "graph" else keep(vectors.shape[1], len(rows), partial(halves, vectors, rows))
            index = cls(base, beside, copies, 0)
            index.dial = tuned(index.found, form, vectors, rows, parts)
        return index

    @property
    def dim(self) -> int:
        """Length of one vector."""
        return int(self._base.d)

    @property
    def size(self) -> int:
        """How many vectors there are."""
        return int(self._base.ntotal) + len(self._copies.row)

    def limit(self, room: int) -> None:
        """Let no more than so many bytes of the rows stay in memory after a search."""
        self._room = room

    def search(
        self, queries: Vectors, k: int, dial: int | None = None, threads: int | None = None
    ) -> tuple[Rows, Distances]:
        """Find near neighbours, most of them the nearest; see `VectorIndex.search`.

        Parameters
        ----------
        queries : float32 (Q, D)
            Not necessarily unit rows.
        k : int
            How many neighbours, at least 1.
        dial : int, optional
            Of the form: more is slower and finds more. By default that of the index.
        threads : int, optional
            How many to use for a batch; FAISS's own setting where it is not given.

        Returns
        -------
        rows : int64 (Q, k)
            Nearest first, equal distances by the lower row; -1 where fewer were found.
        distances : float32 (Q, k)
            ``1 - query . vector``; infinite where the row is -1.

        Raises
        ------
        InputError
            The queries are not finite numbers of shape (Q, D), or `k` is below 1.

        Examples
        --------
        >>> index = ApproximateIndex.build(np.eye(3, dtype=np.float32))
        >>> index.search(np.array([[0.0, 0.6, 0.8]], dtype=np.float32), k=2)[0].tolist()
        [[2, 1]]
        """
        queries = as_queries(queries, self.dim, k)
        if not self.size:
            return ranked(np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32), k)
        with _faiss_threads(threads):
            rows, similar = self.found(queries, min(k, int(self._base.ntotal)), dial or self.dial)
        return self._copies.expand(rows, 1 - similar, k)

    def found(self, queries: Vectors, k: int, dial: int) -> tuple[Rows, Distances]:
        """Find neighbours among the distinct vectors: positions, int64 (Q, k), and inner products, float32."""
        if len(queries) < MANY:
            return self._found(queries, k, dial)
        order = nearby_order(coordinates(self._base, queries), group=4)
        rows, similar = self._found(queries[order], k, dial)
        back = np.argsort(order)
        return rows[back], similar[back]

    def _found(self, queries: Vectors, k: int, dial: int) -> tuple[Rows, Distances]:
        candidates, parameters = care(self.form, dial, k)
        at_once = len(queries)
        if self._room is not None and self._rows is not None:
            at_once = max(1, self._room // (2 * candidates * AROUND))
        parts = []
        for start in range(0, max(len(queries), 1), max(at_once, 1)):
            part = queries[start : start + max(at_once, 1)]
            parts.append(self._whole.search(part, k, params=parameters))
            self._give_back(len(part) * candidates * AROUND)
        similar, rows = (np.concatenate(found) for found in zip(*parts, strict=True))
        return rows, similar

    def _give_back(self, read: int) -> None:
        """Count what was read of the rows, and give it back before it is more than there is room for."""
        self._read += read
        if self._room is not None and self._rows is not None and 2 * self._read > self._room:
            self._rows.release()
            self._read = 0

    def save(self, path: Path) -> None:
        """Write the index to a file, whole or not at all, and the rows it needs to one beside it.

        Raises
        ------
        StorageError
            The folder cannot be written, or the disk is full.

        Examples
        --------
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "photos.faiss"
        >>> ApproximateIndex.build(np.eye(3, dtype=np.float32)).save(path)
        >>> ApproximateIndex.load(path).size
        3
        """
        if self._rows is not None:
            write_rows(rows_beside(path), self.dim, int(self._base.ntotal), self._rows.pieces())
        with write_aside(path) as aside, aside.open("wb") as handle:
            self.write(handle.write)

    def write(self, take: Callable[[bytes], object]) -> None:
        """Hand the bytes of the file, in order, to `take`; its errors pass through.

        Examples
        --------
        >>> pieces: list[bytes] = []
        >>> ApproximateIndex.build(np.eye(3, dtype=np.float32)).write(pieces.append)
        >>> b"".join(pieces)[:4]
        b'IHNs'
        """
        faiss = _faiss()
        failure: list[BaseException] = []

        def guarded(piece: bytes) -> None:
            try:
                take(piece)
            except BaseException as error:
                failure.append(error)
                raise

        try:
            faiss.write_index(self._base, faiss.PyCallbackIOWriter(guarded))
        except Exception:
            if failure:
                raise failure[0] from None
            raise
        write_tail(take, self._copies, self.dial)

    @classmethod
    def load(cls, path: Path) -> ApproximateIndex:
        """Map a file written by `save` into memory; nothing is copied, and processes share the pages.

        Raises
        ------
        StorageError
            The file, or that of the rows it needs, is absent, cut off or of another kind. Changed bytes are not noticed
            here: `lookalike.search.disposable` checks them.
        """
        faiss = _faiss()
        try:
            base = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
            form = form_of(base)
            if form is None:
                raise StorageError(f"{path} holds another kind of index: {type(base).__name__}")
            copies, dial = read_tail(path, int(base.ntotal))
        except (RuntimeError, MemoryError, OSError) as error:
            raise StorageError(f"{path} is not a whole index file") from error
        rows = None if form == "graph" else MappedRows.load(rows_beside(path))
        if rows is not None and (rows.index.ntotal, rows.index.d) != (base.ntotal, base.d):
            raise StorageError(f"{rows_beside(path)} holds other rows than {path.name}")
        return cls(base, rows, copies, dial)


def _faiss() -> Any:
    """Import FAISS when it is used; by name, for its type stubs do not know half of it."""
    return importlib.import_module("faiss")


@contextmanager
def _faiss_threads(threads: int | None) -> Iterator[None]:
    """Use that many threads of FAISS inside the block, and what was set before after it."""
    if threads is None:
        yield
        return
    faiss = _faiss()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)

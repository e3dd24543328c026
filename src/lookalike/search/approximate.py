"""Search in a graph of near neighbours (HNSW, by FAISS): thousands of queries a second among millions.

The vectors are kept in float16 inside the graph. Eight bits would halve that and cap recall@10 near 0.98;
graph links are the rest: 4 bytes each, 2 x `links` per vector. Measured in ``docs/results/vector-search.md``.

Source: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical
Navigable Small World graphs", 2016.
"""

from __future__ import annotations

import importlib
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.core.errors import StorageError
from lookalike.core.files import write_aside
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Distances, Rows, Vectors
from lookalike.search.copies import Copies, find_copies
from lookalike.search.protocol import StoredVectors, as_queries, as_stored, ranked

__all__ = ["GRAPHS", "ApproximateIndex", "Graph", "graph_for"]

ROWS_AT_ONCE = 20_000
TAIL = struct.Struct("<Q8s")  # how many copies, and a mark that the file is whole
TAIL_MARK = b"lookcopy"
BEAM_PER_NEIGHBOUR = 2  # a beam as narrow as k itself would lose the last neighbours


@dataclass(frozen=True, slots=True)
class Graph:
    """How a graph is built and walked.

    Attributes
    ----------
    up_to : float
        The most vectors that these numbers were chosen for.
    links : int
        Neighbours kept per vector and layer (the `M` of the paper; twice as many in the lowest layer).
    build_beam, search_beam : int
        Candidates held while inserting (`efConstruction`) and while searching (`efSearch`).
    """

    up_to: float
    links: int
    build_beam: int
    search_beam: int


GRAPHS = (
    Graph(up_to=30_000, links=16, build_beam=100, search_beam=96),
    Graph(up_to=100_000, links=16, build_beam=100, search_beam=144),
    Graph(up_to=300_000, links=16, build_beam=100, search_beam=208),
    Graph(up_to=float("inf"), links=16, build_beam=100, search_beam=272),
)
"""Chosen for recall@10 of 0.99 on embeddings of photographs, within 1.3 times the raw float16 vectors."""


def graph_for(size: int) -> Graph:
    """Return the row of `GRAPHS` for a number of vectors.

    Examples
    --------
    >>> graph_for(50_000).links
    16
    """
    return next(graph for graph in GRAPHS if size <= graph.up_to)


class ApproximateIndex:
    """A graph over float16 vectors; made by `build` or `load`.

    Distances are to the float16 vectors: within about 0.0001 of the exact ones for unit vectors, and a hair
    below zero at worst.

    Examples
    --------
    >>> vectors = np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)
    >>> vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    >>> index = ApproximateIndex.build(vectors)
    >>> rows, distances = index.search(vectors[:3], k=1)
    >>> rows.ravel().tolist()
    [0, 1, 2]
    """

    def __init__(self, faiss_index: Any, copies: Copies | None) -> None:
        self._index = faiss_index
        self._copies = copies

    @classmethod
    def build(
        cls, vectors: StoredVectors, on_progress: OnProgress = silent, threads: int | None = None
    ) -> ApproximateIndex:
        """Build the graph, in chunks, so that a memory-mapped array is never read whole.

        Parameters
        ----------
        vectors : float32 or float16 (N, D)
            Rows of the same norm, each component below 65,504.
        on_progress : callable
            Told of every chunk, in distinct vectors.
        threads : int, optional
            How many to use; FAISS's own setting where it is not given. With 1, the same vectors give the
            same graph.

        Raises
        ------
        InputError
            The vectors have another shape or type.

        Examples
        --------
        >>> ApproximateIndex.build(np.eye(4, dtype=np.float16), threads=1).size
        4
        """
        faiss = _faiss()
        vectors = as_stored(vectors)
        copies = find_copies(vectors)
        rows = np.arange(len(vectors)) if copies is None else copies.first
        graph = graph_for(len(vectors))
        kind = faiss.ScalarQuantizer.QT_fp16
        index = faiss.IndexHNSWSQ(vectors.shape[1], kind, graph.links, faiss.METRIC_INNER_PRODUCT)
        index.is_trained = index.storage.is_trained = True  # float16 has nothing to learn
        index.hnsw.efConstruction = graph.build_beam
        with _faiss_threads(threads):
            for start in range(0, len(rows), ROWS_AT_ONCE):
                on_progress(Progress("building the index", start, len(rows)))
                index.add(vectors[rows[start : start + ROWS_AT_ONCE]].astype(np.float32))
        on_progress(Progress("building the index", len(rows), len(rows)))
        return cls(index, copies)

    @property
    def dim(self) -> int:
        """Length of one vector."""
        return int(self._index.d)

    @property
    def size(self) -> int:
        """How many vectors there are."""
        return int(self._index.ntotal) + (0 if self._copies is None else len(self._copies.row))

    def search(
        self, queries: Vectors, k: int, beam: int | None = None, threads: int | None = None
    ) -> tuple[Rows, Distances]:
        """Find near neighbours, most of them the nearest; see `VectorIndex.search`.

        Parameters
        ----------
        queries : float32 (Q, D)
            Not necessarily unit rows.
        k : int
            How many neighbours, at least 1.
        beam : int, optional
            Candidates held during the walk: more is slower and finds more. By default that of `graph_for`,
            and at least twice `k`.
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
        wanted = min(k, int(self._index.ntotal))
        beam = beam or max(graph_for(self.size).search_beam, BEAM_PER_NEIGHBOUR * wanted)
        walk = _faiss().SearchParametersHNSW(efSearch=max(beam, wanted))
        with _faiss_threads(threads):
            similar, rows = self._index.search(queries, wanted, params=walk)
        return ranked(rows, 1 - similar, k) if self._copies is None else self._copies.expand(rows, 1 - similar, k)

    def save(self, path: Path) -> None:
        """Write the index to a file, whole or not at all.

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
            faiss.write_index(self._index, faiss.PyCallbackIOWriter(guarded))
        except Exception:
            if failure:
                raise failure[0] from None
            raise
        copies = self._copies
        for part in () if copies is None else (copies.first, copies.owner, copies.row):
            take(part.astype("<i4").tobytes())
        take(TAIL.pack(0 if copies is None else len(copies.row), TAIL_MARK))

    @classmethod
    def load(cls, path: Path) -> ApproximateIndex:
        """Map a file written by `save` into memory; nothing is copied, and processes share the pages.

        Raises
        ------
        StorageError
            The file is absent, cut off or of another kind. Changed bytes are not noticed here:
            `lookalike.search.disposable` checks them.
        """
        faiss = _faiss()
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
            if not isinstance(index, faiss.IndexHNSWSQ):
                raise StorageError(f"{path} holds another kind of index: {type(index).__name__}")
            copies = _read_copies(path, int(index.ntotal))
        except (RuntimeError, MemoryError, OSError) as error:
            raise StorageError(f"{path} is not a whole index file") from error
        return cls(index, copies)


def _read_copies(path: Path, distinct: int) -> Copies | None:
    """Read what follows the graph in the file; an OSError if that is not what `write` puts there."""
    with path.open("rb") as handle:
        end = handle.seek(-TAIL.size, 2)
        count, mark = TAIL.unpack(handle.read(TAIL.size))
        if mark != TAIL_MARK:
            raise OSError("the end is missing")
        if not count:
            return None
        handle.seek(end - 4 * (distinct + 2 * count))
        numbers = np.frombuffer(handle.read(4 * (distinct + 2 * count)), dtype="<i4").astype(np.int32)
    return Copies(*np.split(numbers, [distinct, distinct + count]))


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

"""Matches of pictures among targets: the nearest ones, and the evidence that one of them shows the same.

Three things tell: the distance, its lead over the next target that is another picture, and for the first few targets
whether the thumbnails agree after a small alignment (`lookalike.images.copies`), as they are or mirrored. A logistic
regression makes one probability of them; what it is fitted on are matches that are known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.lanes import cores, in_lanes
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Distances, Pixels, Rows, Vectors
from lookalike.images.copies import COPY_AGREEMENT, Prepared, agreement, prepare
from lookalike.search.approximate import ApproximateIndex
from lookalike.search.exact import ExactIndex
from lookalike.search.protocol import VectorIndex

__all__ = ["EVIDENCE", "LOOKED", "Candidates", "Looks", "Queries", "evidence", "index_for", "leads", "nearest"]

EVIDENCE = ("distance", "lead", "agreement", "looked at")
"""The columns of `evidence`."""

LOOKED = 3
"""How many of the nearest targets are looked at."""

EXACT_UP_TO = 2e13
"""Multiplications of a search that compares everything: some minutes. Beyond, a graph of the targets is searched."""

SOFTENED = 0.01
"""Added to distances before their ratio is taken, so that a distance of zero leads by a finite amount."""
TWIN = 1e-4
"""Targets that are closer to each other than this are copies, and none leads over the other."""

BLOCK, PREPARED = 256, 1024

LoadPixels: TypeAlias = Callable[[int], Pixels]


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """What targets are searched with.

    Attributes
    ----------
    vectors : float32 (Q, D)
        For a unit vector, the distance of a target is one minus its inner product with it.
    surplus : float32 (Q,)
        What is added to that: of an ensemble, whose offset need not be one.
    """

    vectors: Vectors
    surplus: Distances

    @classmethod
    def of(cls, vectors: Vectors) -> Queries:
        """Return unit vectors as queries."""
        return cls(vectors, np.zeros(len(vectors), np.float32))

    def take(self, rows: Rows) -> Queries:
        """Return some of them."""
        return Queries(self.vectors[rows], self.surplus[rows])

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What a search found for each query.

    Attributes
    ----------
    rows : int64 (Q, K)
        Of the targets, nearest first; -1 where there is none.
    distances : float32 (Q, K)
        ``1 - cosine``; infinite where the row is -1.
    """

    rows: Rows
    distances: Distances

    def without(self, dropped: NDArray[np.bool_], count: int) -> tuple[Candidates, Rows]:
        """Take some out (Q, K), let the others move up, and keep the first `count`.

        Returns
        -------
        Candidates
        int64 (Q, count)
            Which column each of them was.
        """
        order = np.argsort(dropped, axis=1, kind="stable")[:, :count]
        gone = np.take_along_axis(dropped, order, axis=1)
        rows = np.where(gone, -1, np.take_along_axis(self.rows, order, axis=1))
        distances = np.where(gone, np.float32(np.inf), np.take_along_axis(self.distances, order, axis=1))
        return replace(self, rows=rows, distances=distances), order


def index_for(targets: Vectors, queries: int, on_progress: OnProgress = silent) -> VectorIndex:
    """Return what to search targets (N, D) with, so many times: a comparison with all, or a graph where that is long.

    Examples
    --------
    >>> type(index_for(np.eye(3, dtype=np.float32), 100)).__name__
    'ExactIndex'
    """
    if float(queries) * targets.shape[0] * targets.shape[1] > EXACT_UP_TO:
        return ApproximateIndex.build(targets, on_progress, cores())
    return ExactIndex(targets)


def nearest(queries: Queries, targets: Vectors, k: int, on_progress: OnProgress = silent) -> Candidates:
    """Find the `k` nearest targets of every query, in blocks: no matrix of all pairs is ever made.

    Parameters
    ----------
    queries : Queries
    targets : float32 (N, D)
        Rows of one norm.
    k : int
        At most N of them are found.

    Examples
    --------
    >>> found = nearest(Queries.of(np.eye(2, dtype=np.float32)), np.eye(3, 2, dtype=np.float32), 2)
    >>> found.rows.tolist()
    [[0, 1], [1, 0]]
    """
    index = index_for(targets, len(queries), on_progress)
    count = min(k, len(targets))
    rows, distances = np.empty((len(queries), count), np.int64), np.empty((len(queries), count), np.float32)
    for start in range(0, len(queries), BLOCK):
        part = slice(start, start + BLOCK)
        rows[part], distances[part] = index.search(queries.vectors[part], count)
        distances[part] += queries.surplus[part, None]
        on_progress(Progress("searching", min(start + BLOCK, len(queries)), len(queries)))
    return Candidates(rows, distances)


def evidence(found: Candidates, targets: Vectors, agreements: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what tells of each pair, float64 (Q, K, 4), in the order of `EVIDENCE`.

    Parameters
    ----------
    found : Candidates
    targets : float32 (N, D)
        All targets, rows of one norm.
    agreements : float32 (Q, K)
        Of the thumbnails; NaN for pairs that nobody looked at.
    """
    looked = ~np.isnan(agreements)
    distances = np.where(found.rows < 0, 2.0, found.distances)
    columns = (distances, leads(found, targets), np.where(looked, agreements, 0.0), looked)
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=2)


def leads(found: Candidates, targets: Vectors) -> NDArray[np.float64]:
    """Return ``log((d' + 0.01) / (d + 0.01))``, with d' the least distance of a target that is another picture.

    Above zero for the nearest alone. Copies of a target among the targets are no others; where there is no other, the
    lead is zero.

    Parameters
    ----------
    found, targets
        As in `evidence`.

    Returns
    -------
    float64 (Q, K)

    Examples
    --------
    >>> targets = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    >>> leads(nearest(Queries.of(targets[:1]), targets, 3), targets).round(2).tolist()
    [[4.62, 4.62, -4.62]]
    """
    lead = np.zeros(found.rows.shape)
    for start in range(0, len(lead), BLOCK):
        part = slice(start, start + BLOCK)
        rows, distances = found.rows[part], np.maximum(found.distances[part].astype(np.float64), 0)
        held = targets[np.maximum(rows, 0)]
        products = held @ held.transpose(0, 2, 1)
        norms = np.diagonal(products, axis1=1, axis2=2)[:, :, None]
        twins = products >= (1 - TWIN) * norms
        twins |= np.eye(rows.shape[1], dtype=np.bool_)
        others = np.where(twins | (rows < 0)[:, None, :], np.inf, distances[:, None, :]).min(axis=2)
        known = np.isfinite(others) & (rows >= 0)
        ratio = (np.where(known, others, 1.0) + SOFTENED) / (np.where(known, distances, 1.0) + SOFTENED)
        lead[part] = np.log(ratio)
    return lead


class Looks:
    """Looks at pairs: loads both pictures, and says how far they agree. Targets looked at lately are remembered.

    Parameters
    ----------
    queries, targets : callable
        Give the pixels of a query or target by its row, uint8 (H, W, 3), the whole picture; 128 pixels are enough.
        Called from several threads.
    """

    def __init__(self, queries: LoadPixels, targets: LoadPixels) -> None:
        self._queries = queries
        self._target = lru_cache(PREPARED)(lambda row: prepare(targets(row)))

    def agreements(self, rows: Rows, looked: int = LOOKED, on_progress: OnProgress = silent) -> NDArray[np.float32]:
        """Look at the first targets of every query, float32 (Q, K); NaN for the rest.

        Parameters
        ----------
        rows : int64 (Q, K)
            -1 where there is no target.
        looked : int
            How many of each query.
        """
        found = np.full(rows.shape, np.nan, np.float32)

        def look(query: int) -> int:
            wanted = [column for column in range(min(looked, rows.shape[1])) if rows[query, column] >= 0]
            both = self._both_ways(query) if wanted else ()
            for column in wanted:
                found[query, column] = _best(both, self._target(int(rows[query, column])))
            return query

        for done, _ in enumerate(in_lanes(look, range(len(rows)), cores()), 1):
            if done % BLOCK == 0 or done == len(rows):
                on_progress(Progress("looking", done, len(rows)))
        return found

    def same_target(self, left: int, right: int) -> bool:
        """Whether two targets are copies of each other."""
        return agreement(self._target(left), self._target(right)) >= COPY_AGREEMENT

    def _both_ways(self, query: int) -> tuple[Prepared, ...]:
        pixels = self._queries(query)
        return prepare(pixels), prepare(np.ascontiguousarray(pixels[:, ::-1]))


def _best(ways: tuple[Prepared, ...], target: Prepared) -> float:
    """Return the agreement of the better way; once a picture agrees as it is, there is no need to mirror it."""
    best = -1.0
    for way in ways:
        best = max(best, agreement(way, target))
        if best >= COPY_AGREEMENT:
            break
    return best

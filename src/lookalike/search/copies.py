"""Equal vectors, put aside before a graph is built and put back into its answers.

Copies of one picture have one vector. In a graph of near neighbours they link to each other alone and cut
themselves, and what lies behind them, off: with groups of 100 copies, a quarter of the neighbours was lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Distances, Rows
from lookalike.search.protocol import StoredVectors, ranked

__all__ = ["Copies", "find_copies", "no_copies"]

ROWS_AT_ONCE = 20_000

Positions = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Copies:
    """Which stored rows hold the same vector.

    Attributes
    ----------
    first : int32 (U,)
        For each distinct vector, the lowest row that holds it; ascending, unless they were `arranged`.
    owner : int32 (C,)
        For each further copy, the position in `first` of the vector it repeats, ascending.
    row : int32 (C,)
        The row of that copy; rows of one owner ascend.
    """

    first: Positions
    owner: Positions
    row: Positions

    def arranged(self, order: Rows) -> Copies:
        """Return the same with the distinct vectors in another order.

        Parameters
        ----------
        order : int64 (U,)
            Positions in `first`, each once.

        Examples
        --------
        >>> copies = find_copies(np.array([[1], [2], [1], [1]], dtype=np.float16)).arranged(np.array([1, 0]))
        >>> copies.first.tolist(), copies.owner.tolist()
        ([1, 0], [1, 1])
        """
        place = np.empty(len(order), np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)
        owner = place[self.owner]
        by_owner = np.lexsort((self.row, owner))
        return Copies(self.first[order], owner[by_owner], self.row[by_owner])

    def expand(self, found: Rows, distances: Distances, k: int) -> tuple[Rows, Distances]:
        """Turn neighbours among the distinct vectors into neighbours among all rows.

        Parameters
        ----------
        found : int64 (Q, C)
            Positions in `first`; -1 where there is none.
        distances : float32 (Q, C)
            Theirs.
        k : int
            How many rows to keep.

        Returns
        -------
        rows : int64 (Q, k)
            Nearest first, equal distances by the lower row, padded with -1.
        distances : float32 (Q, k)
            Padded with infinity.

        Examples
        --------
        >>> copies = find_copies(np.array([[1], [2], [1], [1]], dtype=np.float16))
        >>> copies.expand(np.array([[1, 0]]), np.array([[0.1, 0.3]], dtype=np.float32), k=3)[0].tolist()
        [[1, 0, 2]]
        """
        rows = np.where(found < 0, -1, self.first[found]).astype(np.int64)
        if not len(self.row):
            return ranked(rows, distances, k)
        begin = np.searchsorted(self.owner, found, side="left")
        # No more than k copies of one vector can be wanted.
        counts = np.minimum(np.searchsorted(self.owner, found, side="right") - begin, k)
        query, place = np.nonzero(counts)
        many = counts[query, place]
        step = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
        extra = self.row[np.repeat(begin[query, place], many) + step]
        column = np.arange(len(extra)) - np.searchsorted(np.repeat(query, many), np.repeat(query, many))
        width = int(column.max(initial=-1)) + 1
        more_rows = np.full((len(found), width), -1, dtype=np.int64)
        more_distances = np.full((len(found), width), np.inf, dtype=np.float32)
        more_rows[np.repeat(query, many), column] = extra
        more_distances[np.repeat(query, many), column] = np.repeat(distances[query, place], many)
        return ranked(np.hstack([rows, more_rows]), np.hstack([distances, more_distances]), k)


def no_copies(count: int) -> Copies:
    """Return what says that each of so many rows is distinct.

    Examples
    --------
    >>> no_copies(3).first.tolist()
    [0, 1, 2]
    """
    none = np.empty(0, np.int32)
    return Copies(np.arange(count, dtype=np.int32), none, none)


def find_copies(vectors: StoredVectors) -> Copies | None:
    """Find the rows that are equal once rounded to float16.

    Parameters
    ----------
    vectors : float32 or float16 (N, D)
        Rows, read in chunks.

    Returns
    -------
    Copies or None
        None where every row is distinct.

    Examples
    --------
    >>> find_copies(np.eye(3, dtype=np.float32)) is None
    True
    >>> find_copies(np.ones((3, 2), dtype=np.float32)).first.tolist()
    [0]
    """
    seed = 0
    while True:
        keys = _hashes(vectors, seed)
        order = np.argsort(keys, kind="stable")
        repeats = np.zeros(len(order), dtype=bool)
        repeats[1:] = keys[order[1:]] == keys[order[:-1]]
        if not repeats.any():
            return None
        start = np.flatnonzero(~repeats)
        head = order[start][np.cumsum(~repeats) - 1]
        if _all_equal(vectors, order[repeats], head[repeats]):
            break
        seed += 1  # two different rows met in one hash: once in about 30 million collections of a million
    first = np.sort(order[~repeats])
    owner, row = np.searchsorted(first, head[repeats]), order[repeats]
    by_owner = np.lexsort((row, owner))
    return Copies(first.astype(np.int32), owner[by_owner].astype(np.int32), row[by_owner].astype(np.int32))


def _hashes(vectors: StoredVectors, seed: int) -> NDArray[np.uint64]:
    """One 64-bit number per row: the bits of its float16 components times odd numbers, modulo 2^64."""
    rng = np.random.default_rng(seed)
    factors = rng.integers(1 << 63, size=vectors.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    keys = np.empty(len(vectors), dtype=np.uint64)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        bits = vectors[start : start + ROWS_AT_ONCE].astype(np.float16, copy=False).view(np.uint16)
        keys[start : start + ROWS_AT_ONCE] = bits.astype(np.uint64) @ factors
    return keys


def _all_equal(vectors: StoredVectors, left: Rows, right: Rows) -> bool:
    for start in range(0, len(left), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        pair = (vectors[rows[part]].astype(np.float16).view(np.uint16) for rows in (left, right))
        if not np.array_equal(next(pair), next(pair)):
            return False
    return True

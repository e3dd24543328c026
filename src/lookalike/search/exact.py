"""Search by comparing the query with every vector: slow for millions, and always right."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Distances, Rows, Vectors
from lookalike.search.protocol import StoredVectors, as_queries, as_stored

__all__ = ["ExactIndex"]

Hits: TypeAlias = tuple[Rows, Rows, Distances]
"""Three arrays of one length: which query, which stored row, at which distance."""

QUERY_BLOCK = 512
PRODUCTS_PER_BLOCK = 4_000_000
RESCORED_AT_ONCE = 4_000_000


class ExactIndex:
    """Every stored vector is compared with every query, in blocks of bounded memory.

    A matrix product finds the candidates; it rounds differently at different places of the matrix, so two
    copies of one picture would not tie. The candidates' distances are therefore computed again, pair by pair
    in float64, and rounded once: equal vectors have equal distances, and the lower row comes first.

    Parameters
    ----------
    vectors : float32 or float16 (N, D)
        Rows of the same norm. Kept as they are, not copied where contiguous.

    Raises
    ------
    InputError
        The vectors have another shape or type.

    Examples
    --------
    >>> index = ExactIndex(np.eye(3, dtype=np.float32))
    >>> rows, distances = index.search(np.array([[0.0, 0.6, 0.8]], dtype=np.float32), k=2)
    >>> rows.tolist(), distances.round(3).tolist()
    ([[2, 1]], [[0.20000000298023224, 0.4000000059604645]])
    """

    def __init__(self, vectors: StoredVectors) -> None:
        self._vectors = as_stored(vectors)
        self._longest = _longest_norm(self._vectors)

    @property
    def dim(self) -> int:
        """Length of one vector."""
        return int(self._vectors.shape[1])

    @property
    def size(self) -> int:
        """How many vectors there are."""
        return len(self._vectors)

    def search(self, queries: Vectors, k: int) -> tuple[Rows, Distances]:
        """Find the nearest stored vectors; see `VectorIndex.search`.

        Parameters
        ----------
        queries : float32 (Q, D)
            Not necessarily unit rows.
        k : int
            How many neighbours, at least 1.

        Returns
        -------
        rows : int64 (Q, k)
            Nearest first, equal distances by the lower row; -1 where fewer than `k` exist.
        distances : float32 (Q, k)
            ``1 - query . vector``; infinite where the row is -1.

        Raises
        ------
        InputError
            The queries are not finite numbers of shape (Q, D), or `k` is below 1.

        Examples
        --------
        >>> index = ExactIndex(np.eye(2, dtype=np.float16))
        >>> index.search(np.ones((1, 2), dtype=np.float32), k=3)[0].tolist()
        [[0, 1, -1]]
        """
        queries = as_queries(queries, self.dim, k)
        rows = np.full((len(queries), k), -1, dtype=np.int64)
        distances = np.full((len(queries), k), np.inf, dtype=np.float32)
        for start in range(0, len(queries), QUERY_BLOCK):
            part = slice(start, start + QUERY_BLOCK)
            owner, found, apart = self._nearest(queries[part], k)
            place = np.arange(len(owner)) - np.searchsorted(owner, owner)
            rows[part][owner, place] = found
            distances[part][owner, place] = apart
        return rows, distances

    def _nearest(self, queries: Vectors, k: int) -> Hits:
        """Walk the blocks of stored vectors and keep the best `k` hits of each query."""
        slack = self._slack(queries)
        least = np.full(len(queries), -np.inf, dtype=np.float32)
        best: Hits = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
        height = max(1, PRODUCTS_PER_BLOCK // max(self.dim, len(queries)))
        for start in range(0, self.size, height):
            block = self._vectors[start : start + height].astype(np.float32, copy=False)
            similar = queries @ block.T
            if start == 0 and len(block) > k:
                least = np.partition(similar, len(block) - k, axis=1)[:, len(block) - k] - slack
            owner, rows = np.nonzero(similar >= least[:, None])
            fresh = (owner, rows + start, _distances(queries, block, owner, rows))
            best = _keep_nearest(best, fresh, k)
            least = np.maximum(least, _worst_similarity(best, len(queries), k) - slack)
        return best

    def _slack(self, queries: Vectors) -> Distances:
        """How far rounding can move one inner product, so that no neighbour is lost to it."""
        rounding = np.float32((self.dim + 2) * np.finfo(np.float32).eps)
        reach = np.linalg.norm(queries, axis=1).astype(np.float32) * self._longest
        return np.asarray(rounding * (1 + reach), dtype=np.float32)


def _distances(queries: Vectors, block: Vectors, owner: Rows, rows: Rows) -> Distances:
    """Return the distances of pairs, each computed in the same order of additions wherever it stands."""
    distances = np.empty(len(rows), dtype=np.float32)
    step = max(1, RESCORED_AT_ONCE // block.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        products = np.multiply(queries[owner[part]], block[rows[part]], dtype=np.float64)
        distances[part] = 1.0 - products.sum(axis=1)
    return distances


def _keep_nearest(best: Hits, fresh: Hits, k: int) -> Hits:
    """Merge hits and keep `k` per query, ordered by query, then distance, then row."""
    owner = np.concatenate([best[0], fresh[0]])
    rows = np.concatenate([best[1], fresh[1]])
    distances = np.concatenate([best[2], fresh[2]])
    order = np.lexsort((rows, distances, owner))
    owner, rows, distances = owner[order], rows[order], distances[order]
    kept = np.arange(len(owner)) - np.searchsorted(owner, owner) < k
    return owner[kept], rows[kept], distances[kept]


def _worst_similarity(best: Hits, queries: int, k: int) -> NDArray[np.float32]:
    """Similarity of the k-th hit of each query; minus infinity where there are fewer."""
    owner, _, distances = best
    last = np.searchsorted(owner, np.arange(queries), side="right") - 1
    full = np.bincount(owner, minlength=queries) == k
    worst = np.full(queries, -np.inf, dtype=np.float32)
    worst[full] = 1 - distances[last[full]]
    return worst


def _longest_norm(vectors: StoredVectors) -> np.float32:
    """Norm of the first rows; all norms are the same, up to the rounding of the storage."""
    sample = vectors[:1000].astype(np.float32)
    return np.float32(1.01 * np.linalg.norm(sample, axis=1).max(initial=0))

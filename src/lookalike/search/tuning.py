"""How much care a search must take: found out when an index is built, on queries like its vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Distances, Rows, Vectors
from lookalike.search.forms import DIALS, Form
from lookalike.search.protocol import StoredVectors

__all__ = ["TARGET", "K", "tuned"]

K, TARGET = 10, 0.992
"""Recall among so many neighbours that is asked for: a little above 0.99, for it is measured on few queries."""

QUERIES = 1024
ROWS_AT_ONCE = 20_000

AROUND, STEP = 12, 0.5
"""A query lies between a vector and so many neighbours, half as far as they: found as well as one held out."""

ALIKE, ONE = 4.0, 0.25
"""Of the Dirichlet distributions that weights come from: about even, and often nearly all for one part."""

TIE = 1e-5
"""Of the length of a query: what is nearer than this to the last neighbour counts as found."""


def tuned(
    search: Callable[[Vectors, int, int], tuple[Rows, Distances]],
    form: Form,
    vectors: StoredVectors,
    rows: Rows,
    parts: Sequence[slice] = (),
    seed: int = 0,
) -> int:
    """Return the least dial by which a search finds `TARGET` of the nearest.

    Parameters
    ----------
    search : callable
        ``(queries, k, dial) -> positions among rows, inner products``.
    form : str
    vectors : float32 or float16 (N, D)
    rows : int (U,)
        Those that are searched.
    parts : sequence of slice
        Columns that queries weigh against each other.
    seed : int
        Of the queries.

    Returns
    -------
    int
        The last dial, where none suffices.
    """
    ladder = DIALS[form]
    if len(rows) <= AROUND:
        return ladder[0]
    queries = _queries(search, ladder[-1], vectors, rows, parts, np.random.default_rng(seed))
    least = _tenth(queries, vectors, rows) - TIE * np.linalg.norm(queries, axis=1)
    low, high = 0, len(ladder) - 1
    while low < high:
        middle = (low + high) // 2
        similar = search(queries, min(K, len(rows)), ladder[middle])[1]
        if np.mean(similar >= least[:, None]) >= TARGET:
            high = middle
        else:
            low = middle + 1
    return ladder[low]


def _queries(
    search: Callable[[Vectors, int, int], tuple[Rows, Distances]],
    dial: int,
    vectors: StoredVectors,
    rows: Rows,
    parts: Sequence[slice],
    rng: np.random.Generator,
) -> Vectors:
    """Draw queries that are none of the vectors, but lie among them; parts are of one length, as models say them."""
    chosen = np.sort(rng.permutation(len(rows))[:QUERIES])
    home = vectors[rows[chosen]].astype(np.float32)
    near = np.maximum(search(home, AROUND, dial)[0], 0)
    around = np.stack([vectors[rows[column]] for column in near.T], axis=1).astype(np.float32)
    draw = rng.standard_normal((len(home), 1, AROUND), dtype=np.float32) * (STEP / AROUND**0.5)
    queries = home + (draw @ (around - home[:, None]))[:, 0]
    if len(parts) > 1:
        scales = np.exp(rng.uniform(np.log(ONE), np.log(ALIKE), len(queries)))
        for query, scale in zip(queries, scales, strict=True):
            for part, weight in zip(parts, rng.dirichlet(np.full(len(parts), scale)), strict=True):
                length = np.linalg.norm(query[part])
                query[part] *= weight / (length if length > 0 else 1)
    return np.asarray(queries, np.float32)


def _tenth(queries: Vectors, vectors: StoredVectors, rows: Rows) -> NDArray[np.float32]:
    """Return the inner product of each query with its 10th neighbour, by comparing it with all."""
    best = np.full((len(queries), K), -np.inf, np.float32)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        similar = queries @ vectors[rows[start : start + ROWS_AT_ONCE]].astype(np.float16).astype(np.float32).T
        best = np.concatenate([best, similar], axis=1)
        best = -np.partition(-best, min(K, best.shape[1]) - 1, axis=1)[:, :K]
    return np.asarray(best[:, min(K, len(rows)) - 1], np.float32)

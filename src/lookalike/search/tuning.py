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

QUERIES = 256
ROWS_AT_ONCE = 20_000

AROUND, STEP = 12, 1.3
"""A query lies between a vector and so many neighbours, as far from it as they are."""

EVEN = 0.25
"""Share of the queries that weigh all parts alike; the others weigh them by chance, few of them heavily."""

HEAVY = 0.3
"""Of the Dirichlet distribution of weights: the smaller, the more often one part has nearly all."""

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
    """Draw queries that are none of the vectors, but lie among them, with weights."""
    chosen = np.sort(rng.permutation(len(rows))[:QUERIES])
    home = vectors[rows[chosen]].astype(np.float32)
    near = np.maximum(search(home, AROUND, dial)[0], 0)
    around = np.stack([vectors[rows[column]] for column in near.T], axis=1).astype(np.float32)
    draw = rng.standard_normal((len(home), 1, AROUND), dtype=np.float32) * (STEP / AROUND**0.5)
    queries = home + (draw @ (around - home[:, None]))[:, 0]
    weights = rng.dirichlet(np.full(len(parts), HEAVY), len(queries)) if len(parts) > 1 else np.ones((len(queries), 0))
    weights[rng.random(len(queries)) < EVEN] = 1 / max(len(parts), 1)
    for part, weight in zip(parts, weights.T, strict=False):
        queries[:, part] *= weight[:, None]
    return np.asarray(queries, np.float32)


def _tenth(queries: Vectors, vectors: StoredVectors, rows: Rows) -> NDArray[np.float32]:
    """Return the inner product of each query with its 10th neighbour, by comparing it with all."""
    best = np.full((len(queries), K), -np.inf, np.float32)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        similar = queries @ vectors[rows[start : start + ROWS_AT_ONCE]].astype(np.float16).astype(np.float32).T
        best = np.concatenate([best, similar], axis=1)
        best = -np.partition(-best, min(K, best.shape[1]) - 1, axis=1)[:, :K]
    return np.asarray(best[:, min(K, len(rows)) - 1], np.float32)

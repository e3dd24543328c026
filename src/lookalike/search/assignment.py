"""One-to-one assignment: every query gets at most one of the rows found for it, and no row serves two queries."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Rows

__all__ = ["assign"]

RESOLUTION = 2.0**-20
"""Gains are rounded to multiples of this, so that sums are exact and ties are ties."""
LARGEST = 2.0**20
PART = 256
"""Queries that are solved together, at least."""


def assign(rows: Rows, gains: NDArray[np.floating]) -> Rows:
    """Choose the pairs of queries and rows with the largest sum of gains, no query and no row in two of them.

    A query without a partner gains nothing: a pair that gains nothing, or less, is never chosen. Only the pairs that a
    search found are looked at, so the problem is sparse, and it falls into parts that are solved one by one (Jonker and
    Volgenant, 1987, as `scipy.sparse.csgraph` has it).

    Parameters
    ----------
    rows : int64 (Q, k)
        What was found for each query, distinct within a query; -1 where there is nothing.
    gains : float (Q, k)
        What each pair is worth, such as the logarithm of its odds of being right. NaN is an error; infinities count as
        very large.

    Returns
    -------
    int64 (Q,)
        The column of `rows` that was chosen; -1 for no partner. Where several choices have the same sum, it is always
        the same one of them that comes out for the same input.

    Raises
    ------
    InputError
        The shapes differ, a gain is NaN, or a row stands twice for one query.

    Examples
    --------
    >>> assign(np.array([[0, 1], [0, 1]]), np.array([[3.0, 2.5], [2.0, 0.5]])).tolist()
    [1, 0]
    >>> assign(np.array([[0], [0]]), np.array([[3.0], [2.0]])).tolist()
    [0, -1]
    """
    worth = _checked(rows, gains)
    chosen = np.full(len(rows), -1, np.int64)
    query, column = np.nonzero((rows >= 0) & (worth > 0))
    for part in _independent(query, rows[query, column]):
        _assign_part(rows, worth, query[part], column[part], chosen)
    return chosen


def _independent(query: Rows, row: Rows) -> Iterator[NDArray[np.intp]]:
    """Divide pairs into parts that have no query and no row in common: the solver's time grows faster than its input.

    Small parts stand together, so that there are not too many of them either.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(query):
        return
    queries, query_at = np.unique(query, return_inverse=True)
    targets, target_at = np.unique(row, return_inverse=True)
    nodes = len(queries) + len(targets)
    links = coo_array((np.ones(len(query), np.int8), (query_at, len(queries) + target_at)), shape=(nodes, nodes))
    _, label = connected_components(links, directed=False)
    size = np.cumsum(np.bincount(label[: len(queries)]))
    part = (size[label[query_at]] - 1) // PART
    order = np.argsort(part, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(part[order])) + 1)


def _assign_part(rows: Rows, worth: NDArray[np.float64], query: Rows, column: Rows, chosen: Rows) -> None:
    """Solve one part, given as pairs that gain something, and write what was chosen."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    queries, query_at = np.unique(query, return_inverse=True)
    targets, target_at = np.unique(rows[query, column], return_inverse=True)
    # Every query is matched, perhaps with a stand-in of its own that costs as much as no gain at all. Costs are
    # positive, for the solver takes a zero for an absent edge.
    free = float(worth[query, column].max()) + 1
    alone = np.arange(len(queries))
    costs = csr_array(
        (
            np.concatenate([free - worth[query, column], np.full(len(queries), free)]),
            (np.concatenate([query_at, alone]), np.concatenate([target_at, len(targets) + alone])),
        ),
        shape=(len(queries), len(targets) + len(queries)),
    )
    matched, partner = min_weight_full_bipartite_matching(costs)
    real = partner < len(targets)
    at, found = queries[matched[real]], targets[partner[real]]
    chosen[at] = (rows[at] == found[:, None]).argmax(axis=1)


def _checked(rows: Rows, gains: NDArray[np.floating]) -> NDArray[np.float64]:
    """Check both, and return the gains rounded to what adds up exactly."""
    worth = np.asarray(gains, np.float64)
    if rows.ndim != 2 or rows.shape != worth.shape:
        raise InputError(f"assignment: rows of shape {rows.shape} need gains of the same, not {worth.shape}")
    if np.isnan(worth[rows >= 0]).any():
        raise InputError(
            f"assignment: the gains of query {np.isnan(np.where(rows >= 0, worth, 0)).any(axis=1).argmax()} hold NaN"
        )
    ordered = np.sort(rows, axis=1)
    twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
    if twice.any():
        raise InputError(f"assignment: a row stands twice for query {int(twice.argmax())}")
    worth = np.clip(np.where(rows >= 0, worth, 0), -LARGEST, LARGEST)
    return np.round(worth / RESOLUTION) * RESOLUTION

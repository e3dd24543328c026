"""Search among some rows of an index, and pages of long answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Distances, Rows, Vectors
from lookalike.search.protocol import ranked

__all__ = ["FEW", "among_rows", "page_of"]

Found: TypeAlias = tuple[Rows, Distances]

FEW = 20_000
"""So many rows are compared one by one rather than looked for in an index: some milliseconds a query."""

SPARE = 2
"""How many times the share that is left out is fetched more than asked for, at first."""

DEEPER = 4
"""How many times as far the next search of a list goes, when a page lies beyond the one before."""

NUMBERS_AT_ONCE = 4_000_000


def among_rows(search: Callable[[Vectors, int], Found], queries: Vectors, k: int, wanted: NDArray[np.bool_]) -> Found:
    """Search an index, drop rows that are not wanted, and ask for more where too few are left.

    Parameters
    ----------
    search : callable
        Takes queries (Q, …) and how many rows; returns rows (Q, k), -1 where there is none, and distances.
    queries : float32 (Q, …)
    k : int
    wanted : bool (N,)
        Of all rows of the index.

    Returns
    -------
    rows : int64 (Q, k)
        Wanted ones alone, nearest first; -1 where there are fewer.
    distances : float32 (Q, k)
        Infinite where the row is -1.

    Examples
    --------
    >>> from lookalike.search.exact import ExactIndex
    >>> index = ExactIndex(np.eye(3, dtype=np.float32))
    >>> query = np.array([[0.0, 0.6, 0.8]], np.float32)
    >>> among_rows(index.search, query, 2, np.array([True, True, False]))[0]
    array([[1, 0]])
    """
    size, left = len(wanted), int(np.count_nonzero(wanted))
    many = min(k, left)
    best_rows, best = np.full((len(queries), k), -1), np.full((len(queries), k), np.inf, np.float32)
    fetched = min(size, many + SPARE * (1 + many * (size - left) // max(left, 1)) if left < size else many)
    todo = np.arange(len(queries) if many else 0)
    while len(todo):
        step = max(1, NUMBERS_AT_ONCE // fetched)
        for some in (todo[start : start + step] for start in range(0, len(todo), step)):
            rows, distances = search(queries[some], fetched)
            rows = np.where((rows >= 0) & wanted[rows], rows, -1)
            best_rows[some], best[some] = ranked(rows, distances, k)
        todo = todo[best_rows[todo, many - 1] < 0] if fetched < size else todo[:0]
        fetched = min(size, 4 * fetched)
    return best_rows, best


def page_of(search: Callable[[int], Found], size: int, k: int, offset: int, exact: bool) -> Found:
    """Return the places ``offset`` to ``offset + k`` of a list.

    An exact search that goes further only adds to the end of its list. Another one may also find what it missed before,
    and would push the list on by it: what has been shown would come again. The list is therefore made of searches
    ``k``, ``4 k``, ``16 k``, … deep, each of which adds at the end what those before have not found. So pages of
    one length have no gaps and repeat nothing; what was missed comes late.

    Parameters
    ----------
    search : callable
        Takes how many rows; returns rows (Q, ·), -1 where there is none, and distances.
    size : int
        How many rows there are.
    k, offset : int
        At least 1, and at least 0.
    exact : bool
        Whether the search always finds the nearest, in one order.

    Returns
    -------
    rows : int64 (Q, k)
        -1 beyond the end of the list.
    distances : float32 (Q, k)

    Raises
    ------
    InputError
        `offset` is below 0, or `k` below 1.

    Examples
    --------
    >>> from lookalike.search.exact import ExactIndex
    >>> index, query = ExactIndex(np.eye(3, dtype=np.float32)), np.array([[0.5, 0.6, 0.8]], np.float32)
    >>> page_of(lambda depth: index.search(query, depth), 3, k=2, offset=1, exact=True)[0]
    array([[1, 0]])
    """
    if k < 1:
        raise InputError(f"k must be at least 1, not {k}")
    if offset < 0:
        raise InputError(f"the offset must be at least 0, not {offset}")
    last = max(1, min(size, offset + k))
    depth = last if exact else min(last, k)
    rows, distances = search(depth)
    while depth < last:
        depth = min(size, DEEPER * depth)
        rows, distances = _lengthened((rows, distances), search(depth))
    page, apart = np.full((len(rows), k), -1, np.int64), np.full((len(rows), k), np.inf, np.float32)
    there = max(0, min(k, rows.shape[1] - offset))
    page[:, :there] = rows[:, offset : offset + there]
    apart[:, :there] = distances[:, offset : offset + there]
    return page, apart


def _lengthened(short: Found, long: Found) -> Found:
    """Add to lists what longer ones have beside it."""
    (rows, distances), (more_rows, more_distances) = short, long
    made_rows, made = np.full_like(more_rows, -1), np.full_like(more_distances, np.inf)
    for q in range(len(rows)):
        had, fresh = rows[q] >= 0, (more_rows[q] >= 0) & ~np.isin(more_rows[q], rows[q])
        joined = np.concatenate([rows[q][had], more_rows[q][fresh]])[: len(more_rows[q])]
        made_rows[q, : len(joined)] = joined
        made[q, : len(joined)] = np.concatenate([distances[q][had], more_distances[q][fresh]])[: len(joined)]
    return made_rows, made

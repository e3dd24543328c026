"""How good a ranking is: recall, precision, hits, average precision and NDCG at rank k, per query.

Items at the same distance stand in no order, so every value is the expectation over all their orders, in closed form
(McSherry and Najork, Computing information retrieval performance measures efficiently in the presence of tied scores,
2008). How a sort happens to leave ties never decides a result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lookalike.core.errors import InputError
from lookalike.metrics.checks import Floats, as_numbers, as_table
from lookalike.metrics.intervals import LEVEL, RESAMPLES, Estimate, bootstrap_ratio
from lookalike.metrics.ranks import Ranks, measure_blocks

__all__ = [
    "average_precision_at_k",
    "hit_at_k",
    "mean_average_precision_at_k",
    "mean_over_queries",
    "ndcg_at_k",
    "precision_at_k",
    "recall_at_k",
]


def recall_at_k(
    relevance: ArrayLike, k: int, distances: ArrayLike | None = None, relevant: ArrayLike | None = None
) -> Floats:
    """Return, per query, the relevant items among the first k as a share of all relevant items.

    Parameters
    ----------
    relevance : bool or 0/1 (Q, G)
        Whether each item is relevant to each query.
    k : int
        1 to G.
    distances : float (Q, G), optional
        From each query to each item, lower first; infinity puts an item last (the query itself, say). Without, the
        columns of `relevance` already stand in rank order.
    relevant : int (Q,), optional
        How many relevant items there are in all, where the ranked lists are cut short. Without, those in the row.

    Returns
    -------
    float64 (Q,)
        In [0, 1]; NaN for a query without any relevant item.

    Raises
    ------
    InputError
        Another shape, a distance that is NaN, a relevance other than 0 or 1, a k out of range.

    Examples
    --------
    >>> recall_at_k([[1, 0, 1, 0]], 2)
    array([0.5])
    >>> recall_at_k([[1, 0, 1, 0]], 2, distances=[[0.3, 0.3, 0.3, 0.9]])  # two of three in a tie
    array([0.66666667])
    """
    found, total = _each(relevance, k, distances, relevant, lambda ranks: ranks.expected()[:, :k].sum(axis=1))
    return _share(found, total)


def precision_at_k(relevance: ArrayLike, k: int, distances: ArrayLike | None = None) -> Floats:
    """Return, per query, the share of relevant items among the first k.

    Parameters
    ----------
    relevance, k, distances
        As in `recall_at_k`.

    Returns
    -------
    float64 (Q,)
        In [0, 1].

    Examples
    --------
    >>> precision_at_k([[1, 0, 1, 1]], 4)
    array([0.75])
    """
    return _each(relevance, k, distances, None, lambda ranks: ranks.expected()[:, :k].mean(axis=1))[0]


def hit_at_k(relevance: ArrayLike, k: int, distances: ArrayLike | None = None) -> Floats:
    """Return, per query, the probability that a relevant item is among the first k.

    It is 0 or 1 but for ties across rank k. Metric learning calls its mean "Recall@k", matching "top-k accuracy".

    Parameters
    ----------
    relevance, k, distances
        As in `recall_at_k`.

    Returns
    -------
    float64 (Q,)
        In [0, 1]; NaN for a query without any relevant item.

    Examples
    --------
    >>> hit_at_k([[0, 1, 0], [1, 0, 1]], 1, distances=[[0.2, 0.1, 0.3], [0.5, 0.5, 0.5]])
    array([1.        , 0.66666667])
    """

    def hits(ranks: Ranks) -> Floats:
        # Down a tie, each place misses with the share of irrelevant items among those of the tie still to come.
        gone = ranks.place - ranks.start
        missed = np.maximum(ranks.size - ranks.total - gone, 0) / (ranks.size - gone)
        return np.asarray(1 - missed[:, :k].prod(axis=1))

    found, total = _each(relevance, k, distances, None, hits)
    return np.where(total > 0, found, np.nan)


def average_precision_at_k(
    relevance: ArrayLike,
    k: int,
    distances: ArrayLike | None = None,
    relevant: ArrayLike | None = None,
    *,
    divide_by: Literal["relevant", "found"] = "relevant",
) -> Floats:
    """Return the average precision of each query, cut at rank k.

    ``AP@k = sum over ranks i <= k of relevance_i * precision@i``, divided by ``min(k, relevant items)``.

    Parameters
    ----------
    relevance, k, distances, relevant
        As in `recall_at_k`.
    divide_by : {"relevant", "found"}
        ``"found"`` divides by the relevant items among the first k instead, a query that found none counting 0, as
        the hashing literature does. A query is then not charged for what it missed. That quotient has no simple
        expectation over ties: the irrelevant items of a tie then come first.

    Returns
    -------
    float64 (Q,)
        In [0, 1]; NaN for a query without any relevant item.

    Examples
    --------
    >>> average_precision_at_k([[1, 0, 1, 0, 1]], 3)
    array([0.55555556])
    >>> average_precision_at_k([[1, 0, 1, 0, 1]], 3, divide_by="found")
    array([0.83333333])
    """
    if divide_by not in ("relevant", "found"):
        raise InputError(f"divide_by: {divide_by!r} is neither 'relevant' nor 'found'")
    if divide_by == "found":
        found, total = _each(relevance, k, distances, relevant, lambda ranks: ranks.pessimistic_precisions(k))
        return np.where(total > 0, found, np.nan)
    found, total = _each(relevance, k, distances, relevant, lambda ranks: ranks.precisions()[:, :k].sum(axis=1))
    return _share(found, np.minimum(total, k))


def mean_average_precision_at_k(
    relevance: ArrayLike,
    k: int,
    distances: ArrayLike | None = None,
    relevant: ArrayLike | None = None,
    *,
    divide_by: Literal["relevant", "found"] = "relevant",
) -> float:
    """Return the mean of `average_precision_at_k` over the queries that have a relevant item; NaN if none has.

    Examples
    --------
    >>> mean_average_precision_at_k([[1, 0], [0, 1], [0, 0]], 2)
    0.75
    """
    values = average_precision_at_k(relevance, k, distances, relevant, divide_by=divide_by)
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if kept.size else float("nan")


def ndcg_at_k(
    gains: ArrayLike, k: int, distances: ArrayLike | None = None, *, ideal_gains: ArrayLike | None = None
) -> Floats:
    """Return the normalised discounted cumulative gain of each query at rank k.

    ``DCG@k = sum over ranks i <= k of gain_i / log2(i + 1)``, divided by that of the best order (Järvelin and
    Kekäläinen 2002). Gains count as they are given: for the exponential form pass ``2 ** grade - 1``.

    Parameters
    ----------
    gains : float (Q, G)
        Not negative: how much each item is worth to each query.
    k, distances
        As in `recall_at_k`.
    ideal_gains : float (Q, H), optional
        The gains of all items, where the ranked lists are cut short. Without, those in the row.

    Returns
    -------
    float64 (Q,)
        In [0, 1]; NaN for a query without any gain.

    Examples
    --------
    >>> ndcg_at_k([[3, 2, 0]], 3)
    array([1.])
    >>> ndcg_at_k([[0, 2, 3]], 3).round(3)
    array([0.648])
    """
    worth = as_table("gains", gains, 2)
    best = worth if ideal_gains is None else as_table("ideal_gains", ideal_gains, 2)
    if len(best) != len(worth):
        raise InputError(f"ideal_gains: {len(best)} rows for {len(worth)} queries")
    for name, table in (("gains", worth), ("ideal_gains", best)):
        if not (np.isfinite(table) & (table >= 0)).all():
            raise InputError(f"{name}: every gain must be finite and not negative")
    discount = 1 / np.log2(np.arange(2, max(k, best.shape[1]) + 2))
    found = measure_blocks(worth, k, distances, lambda ranks: ranks.expected()[:, :k] @ discount[:k])
    top = -np.sort(-best, axis=1)[:, :k]
    return _share(found, top @ discount[: top.shape[1]])


def mean_over_queries(
    values: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return the mean of per-query values with a bootstrap interval; queries with NaN are left out.

    Parameters
    ----------
    values : float (Q,)
    clusters : int or str (Q,), optional
        What queries have in common; without, each is its own cluster.
    level, resamples, seed
        As in `lookalike.metrics.intervals.bootstrap_ratio`.

    Returns
    -------
    Estimate
        `Estimate.n` counts the queries that were not left out.

    Examples
    --------
    >>> mean_over_queries([1.0, 0.5, float("nan")]).value
    0.75
    """
    column = as_table("values", values, 1)
    kept = ~np.isnan(column)
    if not kept.any():
        raise InputError("values: no query has one; each is NaN")
    labels = None
    if clusters is not None:
        labels = np.asarray(clusters)
        if labels.shape != column.shape:
            raise InputError(f"clusters: shape {labels.shape} for {len(column)} queries")
        labels = labels[kept]
    finite = as_numbers("values", column[kept])
    return bootstrap_ratio(finite, np.ones(len(finite)), labels, level=level, resamples=resamples, seed=seed)


def _each(
    relevance: ArrayLike,
    k: int,
    distances: ArrayLike | None,
    relevant: ArrayLike | None,
    measure: Callable[[Ranks], Floats],
) -> tuple[Floats, Floats]:
    """Measure each query, and count its relevant items."""
    table = as_table("relevance", relevance, 2)
    wrong = ((table != 0) & (table != 1)).any(axis=1)
    if wrong.any():
        raise InputError(f"relevance: row {int(wrong.argmax())} holds something other than 0 and 1")
    total = table.sum(axis=1)
    if relevant is not None:
        given = as_numbers("relevant", relevant, 0)
        if given.shape != total.shape or (given < total).any():
            raise InputError("relevant: one number per query is needed, no less than its relevant items in the list")
        total = given
    return measure_blocks(table, k, distances, measure), total


def _share(part: Floats, whole: Floats) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))

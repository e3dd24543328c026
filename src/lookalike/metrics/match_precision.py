"""Average precision of all matches in one list: whether probabilities can be compared between queries.

Known as micro-AP in copy detection (Douze et al., The 2021 image similarity dataset and challenge, 2021): a query that
has no partner must not come with a confident answer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lookalike.core.errors import InputError
from lookalike.metrics.checks import Floats, as_numbers, as_table
from lookalike.metrics.ends import percentile_interval
from lookalike.metrics.intervals import LEVEL, Estimate

__all__ = ["pooled_average_precision"]

RESAMPLES = 1_000


def pooled_average_precision(
    scores: ArrayLike, right: ArrayLike, partners: ArrayLike, *, level: float = LEVEL, seed: int = 0
) -> Estimate:
    """Return the average precision over the pairs of all queries, with an interval that draws queries anew.

    ``AP = sum over right pairs of precision at their rank / partners of all queries``. Pairs with the same score stand
    in no order: each counts with the precision at the end of its tie, the least it can have.

    Parameters
    ----------
    scores : float (Q, k)
        Higher is likelier; minus infinity for no pair.
    right : bool (Q, k)
    partners : float (Q,)
        How many right targets each query has, found or not.
    level : float
    seed : int

    Returns
    -------
    Estimate

    Raises
    ------
    InputError
        The shapes do not fit, a score is NaN, or no query has a partner.

    Examples
    --------
    >>> found = pooled_average_precision([[0.9], [0.8], [0.7]], [[True], [False], [True]], [1, 1, 1])
    >>> round(found.value, 3)
    0.556
    """
    table, hit = as_table("scores", scores, 2), np.asarray(right, np.bool_)
    total = as_numbers("partners", partners, 0)
    if hit.shape != table.shape or len(total) != len(table):
        raise InputError(f"scores {table.shape}, right {hit.shape} and partners {total.shape} do not fit")
    if np.isnan(table).any():
        raise InputError(f"scores: row {int(np.isnan(table).any(axis=1).argmax())} holds NaN")
    if not total.any():
        raise InputError("partners: no query has one")
    query, column = np.nonzero(table > -np.inf)
    order = np.argsort(-table[query, column], kind="stable")
    query, column = query[order], column[order]
    value = -table[query, column]
    last = np.searchsorted(value, value, side="right") - 1  # where the tie of each pair ends
    found = hit[query, column].astype(np.float64)

    def precision(weight: Floats) -> float:
        """Average precision where each query counts `weight` times."""
        every, good = weight[query], weight[query] * found
        passed, rightly = np.cumsum(every), np.cumsum(good)
        held = np.divide(rightly, passed, out=np.zeros(len(passed)), where=passed > 0)[last]
        whole = float(weight @ total)
        return float(good @ held) / whole if whole else float("nan")

    value_now = precision(np.ones(len(table)))
    low, high = float("nan"), float("nan")
    if len(table) > 1:
        rng = np.random.default_rng(seed)
        even = np.full(len(table), 1 / len(table))
        draws = [precision(rng.multinomial(len(table), even).astype(np.float64)) for _ in range(RESAMPLES)]
        low, high = percentile_interval(np.array(draws), level)
    return Estimate(value_now, low, high, len(table), len(table))

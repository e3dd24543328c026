"""Confidence intervals of ratios of sums when rows come in clusters, as the answers about one reference do.

Everything here is the ratio ``sum of numerators / sum of denominators``: an accuracy is votes that agree over votes.
References: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 and 14; Davison and Hinkley,
Bootstrap Methods and their Application (1997), sections 3.8 and 5.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from lookalike.core.errors import InputError
from lookalike.metrics.checks import Floats, as_numbers, as_table, same_length
from lookalike.metrics.ends import ROUNDING, bca_interval, edge_rank, percentile_interval
from lookalike.metrics.resampling import ClusterSums, resampled_sums, sum_clusters

__all__ = [
    "Estimate",
    "Method",
    "bootstrap_ratio",
    "bootstrap_ratios",
    "bootstrap_share",
    "ratio_draws",
]

Method: TypeAlias = Literal["percentile", "bca"]

RESAMPLES = 10_000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A ratio with its interval.

    Attributes
    ----------
    value, low, high : float
        `low` and `high` are NaN where there are fewer than two clusters: nothing then tells how far they differ.
    n : int
        Rows.
    clusters : int
        Clusters with anything in them.
    """

    value: float
    low: float
    high: float
    n: int
    clusters: int


def bootstrap_ratio(
    numerators: ArrayLike,
    denominators: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
    method: Method = "percentile",
) -> Estimate:
    """Estimate ``sum(numerators) / sum(denominators)`` with a cluster bootstrap interval.

    Parameters
    ----------
    numerators : float (n,)
    denominators : float (n,)
        Not negative, not all zero.
    clusters : int or str (n,), optional
        A label per row; without, every row is its own cluster.
    level : float
        Between 0 and 1.
    resamples : int
        Enough that ``(resamples + 1) * (1 - level) / 2`` is at least 1.
    seed : int
        The same seed gives the same interval, whatever the order of the rows.
    method : {"percentile", "bca"}
        BCa corrects the percentile interval for bias and skewness; the acceleration comes from leaving out one cluster
        at a time, in closed form.

    Returns
    -------
    Estimate

    Raises
    ------
    InputError
        A number that is not finite, a negative denominator, columns of different length, too few resamples.

    Notes
    -----
    The ends are order statistics: with ``k = floor((resamples + 1) * (1 - level) / 2)``, the k-th smallest and the k-th
    largest drawn ratio. With fewer than about 20 clusters every bootstrap interval is somewhat too short.

    Examples
    --------
    >>> estimate = bootstrap_ratio([1, 0, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1], ["r", "r", "s", "s", "t", "t"])
    >>> round(estimate.value, 3), estimate.low, estimate.high, estimate.clusters
    (0.667, 0.5, 1.0, 3)
    """
    column = as_numbers("numerators", numerators)
    return bootstrap_ratios(
        column[:, None], denominators, clusters, level=level, resamples=resamples, seed=seed, method=method
    )[0]


def bootstrap_ratios(
    numerators: ArrayLike,
    denominators: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
    method: Method = "percentile",
) -> list[Estimate]:
    """Do `bootstrap_ratio` for several models at once, on the same draws of clusters.

    Parameters
    ----------
    numerators : float (n, M)
        A column per model.
    denominators : float (n,) or (n, M)
    clusters, level, resamples, seed, method
        As in `bootstrap_ratio`.

    Returns
    -------
    list of Estimate, of length M

    Notes
    -----
    The draws depend on all columns together. A model's ends so differ from those that `bootstrap_ratio` gives it alone,
    as those of another seed do; its value does not.

    Examples
    --------
    >>> both = bootstrap_ratios([[1, 0], [1, 1], [0, 1], [1, 1]], [1, 1, 1, 1], resamples=199)
    >>> [estimate.value for estimate in both]
    [0.75, 0.75]
    """
    edge_rank(level, resamples)
    if method not in ("percentile", "bca"):
        raise InputError(f"method: {method!r} is neither 'percentile' nor 'bca'")
    top, bottom = _columns(numerators, denominators)
    sums = sum_clusters(np.hstack([top, bottom]), clusters)
    models = top.shape[1]
    below = np.broadcast_to(np.arange(models, models + bottom.shape[1]), models)  # where each model's denominators are
    # Summed in the fixed order of the clusters, so that the order of the rows does not show in the last bit.
    totals = (sums.multiplicity[:, None] * sums.sums).sum(axis=0)
    values = _divide(totals[:models], totals[below])
    drawn = resampled_sums(sums, resamples, seed)
    estimates = []
    for model in range(models):
        filled = int(sums.multiplicity[sums.sums[:, below[model]] > 0].sum())
        draws = _divide(drawn[:, model], drawn[:, below[model]])
        low, high = math.nan, math.nan
        if filled > 1 and method == "bca":
            jackknife = _leave_one_out(sums, model, below[model])
            low, high = bca_interval(draws, float(values[model]), jackknife, sums.multiplicity, level)
        elif filled > 1:
            low, high = percentile_interval(draws, level)
        estimates.append(Estimate(float(values[model]), low, high, len(top), filled))
    return estimates


def bootstrap_share(
    numerators: ArrayLike,
    denominators: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
    method: Method = "percentile",
) -> Estimate:
    """Do `bootstrap_ratio` for a share in [0, 1], with an honest end where all clusters say 0 or all say 1.

    Every draw is then the same, and the bootstrap would claim to be certain. Instead the far end is the one of Clopper
    and Pearson (1934) with each cluster as one trial: ``((1 - level) / 2) ** (1 / clusters)`` below a share of 1.

    Parameters
    ----------
    numerators : float (n,)
        Each in [0, its denominator].
    denominators, clusters, level, resamples, seed, method
        As in `bootstrap_ratio`.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> estimate = bootstrap_share([1, 1, 1, 1, 1], [1, 1, 1, 1, 1])
    >>> estimate.value, round(estimate.low, 3), estimate.high
    (1.0, 0.478, 1.0)
    """
    found = bootstrap_ratio(
        numerators, denominators, clusters, level=level, resamples=resamples, seed=seed, method=method
    )
    if found.clusters < 2 or 0 < found.value < 1:
        return found
    reach = ((1 - level) / 2) ** (1 / found.clusters)
    low, high = (reach, 1.0) if found.value else (0.0, 1 - reach)
    return Estimate(found.value, low, high, found.n, found.clusters)


def ratio_draws(
    numerators: ArrayLike,
    denominators: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Floats, int]:
    """Return the drawn ratios behind `bootstrap_ratio`, and the number of clusters.

    Parameters
    ----------
    numerators, denominators : float (n,)
    clusters, resamples, seed
        As in `bootstrap_ratio`.

    Returns
    -------
    draws : float64 (resamples,)
        Not sorted. Rounding errors around zero are made zero.
    clusters : int

    Examples
    --------
    >>> ratio_draws([1, 1], [1, 1], resamples=3)
    (array([1., 1., 1.]), 2)
    """
    top, bottom = _columns(as_numbers("numerators", numerators)[:, None], denominators)
    sums = sum_clusters(np.hstack([top, bottom]), clusters)
    drawn = resampled_sums(sums, resamples, seed)
    draws = _divide(drawn[:, 0], drawn[:, 1])
    return np.where(np.abs(draws) < ROUNDING, 0.0, draws), sums.clusters


def _columns(numerators: ArrayLike, denominators: ArrayLike) -> tuple[Floats, Floats]:
    """Check both; denominators get one column, or one per model."""
    top = as_table("numerators", numerators, 2)
    bottom = as_table("denominators", denominators, 2 if np.ndim(denominators) == 2 else 1)
    bottom = bottom[:, None] if bottom.ndim == 1 else bottom
    same_length(numerators=top, denominators=bottom)
    if bottom.shape[1] not in (1, top.shape[1]):
        raise InputError(f"denominators: {bottom.shape[1]} columns for {top.shape[1]} columns of numerators")
    for column in top.T:
        as_numbers("numerators", column)
    for column in bottom.T:
        if not as_numbers("denominators", column, 0).any():
            raise InputError("denominators: all are zero")
    return top, bottom


def _divide(top: Floats, bottom: Floats) -> Floats:
    """Divide; NaN where a draw has nothing in it."""
    return np.asarray(np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0))


def _leave_one_out(sums: ClusterSums, top: int, bottom: int) -> Floats:
    """Return the ratio without one cluster of each kind (K,)."""
    totals = sums.multiplicity @ sums.sums
    return _divide(totals[top] - sums.sums[:, top], totals[bottom] - sums.sums[:, bottom])

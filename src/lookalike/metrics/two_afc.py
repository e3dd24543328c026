"""Two-alternative forced choice: how often the closer candidate by distance is the one that people chose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lookalike.core.errors import InputError
from lookalike.metrics.checks import Floats, as_numbers, as_votes, same_length
from lookalike.metrics.ends import edge_rank, percentile_interval
from lookalike.metrics.intervals import (
    LEVEL,
    RESAMPLES,
    Estimate,
    Method,
    bootstrap_share,
    ratio_draws,
)

__all__ = [
    "Accuracy",
    "Difference",
    "compare_accuracy",
    "majority_accuracy",
    "paired_difference",
    "row_agreement",
    "two_afc_accuracy",
]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The share of judgments that agree, with its interval.

    Attributes
    ----------
    value, low, high : float
        In [0, 1]; `low` and `high` are NaN where there are fewer than two clusters.
    n : int
        Rows of judgments that were counted.
    """

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Difference:
    """The accuracy of one model less that of another on the same questions.

    Attributes
    ----------
    value, low, high : float
        In [-1, 1]; above zero where the first model is better.
    p : float
        Two-sided; at most ``1 - level`` exactly when zero is outside [low, high].
    n : int
        Rows of judgments.
    """

    value: float
    low: float
    high: float
    p: float
    n: int


def row_agreement(
    distance_a: ArrayLike, distance_b: ArrayLike, votes_a: ArrayLike, votes_b: ArrayLike
) -> tuple[Floats, Floats]:
    """Return, per row, the votes that agree with the closer distance, and all votes.

    Parameters
    ----------
    distance_a, distance_b : float (n,)
        From the reference to each candidate; only their order counts.
    votes_a, votes_b : float (n,)
        Answers "a is closer" and "b is closer"; not negative, fractions allowed.

    Returns
    -------
    agreeing, total : float64 (n,)
        A tie of distances agrees with half of the votes of its row.

    Raises
    ------
    InputError
        A number that is not finite, negative votes, no votes at all, columns of different length; the message names
        the first such row, counted from 0.

    Examples
    --------
    >>> row_agreement([0.1, 0.7, 0.4], [0.2, 0.3, 0.4], [3, 1, 1], [0, 1, 0])
    (array([3. , 1. , 0.5]), array([3., 2., 1.]))
    """
    a, b = as_numbers("distance_a", distance_a), as_numbers("distance_b", distance_b)
    for_a, for_b = as_votes(votes_a, votes_b)
    same_length(votes_a=for_a, distance_a=a, distance_b=b)
    total = for_a + for_b
    return np.where(a < b, for_a, np.where(b < a, for_b, total / 2)), total


def two_afc_accuracy(
    distance_a: ArrayLike,
    distance_b: ArrayLike,
    votes_a: ArrayLike,
    votes_b: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
    method: Method = "percentile",
) -> Accuracy:
    """Return the share of votes that agree with the closer distance; a tie of distances counts one half.

    Parameters
    ----------
    distance_a, distance_b, votes_a, votes_b : float (n,)
        As in `row_agreement`. A row weighs as much as it has votes.
    clusters : int or str (n,), optional
        What rows have in common, usually the reference: answers about one reference are no independent evidence.
        Without, every row is its own cluster.
    level, resamples, seed, method
        Of the interval, as in `lookalike.metrics.intervals.bootstrap_ratio`.

    Returns
    -------
    Accuracy
        Where every cluster agrees wholly, or none does, the far end of the interval is that of
        `lookalike.metrics.intervals.bootstrap_share`.

    Raises
    ------
    InputError
        As in `row_agreement`.

    Examples
    --------
    >>> two_afc_accuracy([0.1, 0.7, 0.4, 0.2], [0.2, 0.3, 0.5, 0.6], [3, 1, 1, 2], [0, 1, 0, 1], ["r", "r", "s", "t"])
    Accuracy(value=0.7777777777777778, low=0.6666666666666666, high=1.0, n=4)
    """
    agreeing, total = row_agreement(distance_a, distance_b, votes_a, votes_b)
    found = bootstrap_share(agreeing, total, clusters, level=level, resamples=resamples, seed=seed, method=method)
    return _accuracy(found)


def majority_accuracy(
    distance_a: ArrayLike,
    distance_b: ArrayLike,
    votes_a: ArrayLike,
    votes_b: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
    method: Method = "percentile",
) -> Accuracy:
    """Return the share of rows whose majority chose the closer candidate, every row counting once.

    Published tables often count so (DreamSim's do, Fu et al. 2023). Rows with as many votes for a as for b are left
    out, and `Accuracy.n` counts the others; a tie of distances counts one half.

    Parameters
    ----------
    distance_a, distance_b, votes_a, votes_b, clusters, level, resamples, seed, method
        As in `two_afc_accuracy`.

    Returns
    -------
    Accuracy

    Raises
    ------
    InputError
        As in `row_agreement`, or every row is tied.

    Examples
    --------
    >>> majority_accuracy([0.1, 0.7, 0.4], [0.2, 0.3, 0.5], [3, 1, 1], [0, 2, 1]).n
    2
    """
    for_a, for_b = as_votes(votes_a, votes_b)
    decided = for_a != for_b
    if not decided.any():
        raise InputError("votes: every row is tied; a majority is needed in at least one")
    agreeing, total = row_agreement(distance_a, distance_b, for_a > for_b, for_b > for_a)
    labels = None if clusters is None else np.asarray(clusters)
    if labels is not None:
        same_length(votes_a=for_a, clusters=labels)
        labels = labels[decided]
    found = bootstrap_share(
        agreeing[decided], total[decided], labels, level=level, resamples=resamples, seed=seed, method=method
    )
    return _accuracy(found)


def compare_accuracy(
    distances: tuple[ArrayLike, ArrayLike],
    other_distances: tuple[ArrayLike, ArrayLike],
    votes_a: ArrayLike,
    votes_b: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Compare two models on the same questions: accuracy of the first less accuracy of the second.

    See `paired_difference` for the interval and the p value.

    Parameters
    ----------
    distances, other_distances : pair of float (n,)
        ``(distance_a, distance_b)`` by each model.
    votes_a, votes_b, clusters
        As in `two_afc_accuracy`.
    level, resamples, seed
        Of the percentile interval.

    Returns
    -------
    Difference

    Raises
    ------
    InputError
        As in `row_agreement`.

    Examples
    --------
    >>> votes_a, votes_b = [2, 2, 0, 2], [0, 0, 2, 0]
    >>> right, half = ([0, 0, 1, 0], [1, 1, 0, 1]), ([0, 0, 0, 1], [1, 1, 1, 0])
    >>> compare_accuracy(right, half, votes_a, votes_b).value
    0.5
    >>> compare_accuracy(right, right, votes_a, votes_b).p
    1.0
    """
    first, total = row_agreement(*distances, votes_a, votes_b)
    second, _ = row_agreement(*other_distances, votes_a, votes_b)
    return paired_difference(first, second, total, clusters, level=level, resamples=resamples, seed=seed)


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    total: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Compare two models by what each got right, row by row: the share of the first less that of the second.

    Parameters
    ----------
    first, second : float (n,)
        What each got right of a row, in [0, `total`].
    total : float (n,)
        What there was to get right.
    clusters : int or str (n,), optional
        What rows have in common.
    level, resamples, seed
        Of the percentile interval.

    Returns
    -------
    Difference

    Raises
    ------
    InputError
        As in `lookalike.metrics.intervals.bootstrap_ratio`.

    Notes
    -----
    Both models are measured on the same drawn clusters, so what is hard for both cancels. The p value is
    ``2 (m + 1) / (resamples + 1)``, at most 1, where m is the smaller of the number of drawn differences that are at
    most 0 and the number that are at least 0 (Davison and Hinkley 1997, section 4.2, for the ``+ 1``). The ends are
    order statistics of the same draws, so p is at most ``1 - level`` exactly when zero is outside the interval.

    Examples
    --------
    >>> paired_difference([1, 1, 0.5, 1], [0, 1, 0.5, 0], [1, 1, 1, 1]).value
    0.5
    """
    edge_rank(level, resamples)
    one, other, whole = as_numbers("first", first), as_numbers("second", second), as_numbers("total", total)
    same_length(total=whole, first=one, second=other)
    gained = one - other
    draws, found = ratio_draws(gained, whole, clusters, resamples=resamples, seed=seed)
    value = float(gained.sum() / whole.sum())
    if found < 2:
        return Difference(value, np.nan, np.nan, np.nan, len(whole))
    smaller = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
    p = min(1.0, 2 * (smaller + 1) / (resamples + 1))
    return Difference(value, *percentile_interval(draws, level), p, len(whole))


def _accuracy(found: Estimate) -> Accuracy:
    return Accuracy(found.value, found.low, found.high, found.n)

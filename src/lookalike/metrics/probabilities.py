"""How good stated probabilities are: log loss, Brier score, calibration error; each row counts by its votes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lookalike.core.errors import InputError
from lookalike.metrics.checks import Floats, as_numbers, as_votes, same_length
from lookalike.metrics.groups import sums_by_code

__all__ = ["Reliability", "brier", "expected_calibration_error", "log_loss", "reliability"]

DIGITS = 12  # probabilities that differ less differ by rounding alone


@dataclass(frozen=True, slots=True)
class Reliability:
    """What was claimed and what came true, in bins of about equal votes; the rows of a reliability diagram.

    Attributes
    ----------
    confidence : float64 (B,)
        Mean probability given to the likelier answer, in [0.5, 1], ascending.
    accuracy : float64 (B,)
        Share of votes for that answer.
    votes : float64 (B,)
        Votes in the bin.
    """

    confidence: Floats
    accuracy: Floats
    votes: Floats


def log_loss(probability: ArrayLike, votes_a: ArrayLike, votes_b: ArrayLike) -> float:
    """Return the mean of ``-log`` of the probability given to the answer, in nats.

    Parameters
    ----------
    probability : float (n,)
        Of the answer "a is closer", in [0, 1].
    votes_a, votes_b : float (n,)
        As in `lookalike.metrics.two_afc.row_agreement`.

    Returns
    -------
    float
        Not negative; infinite where an answer was given probability 0.

    Raises
    ------
    InputError
        A probability out of [0, 1], or votes that cannot be used.

    Examples
    --------
    >>> round(log_loss([0.5, 0.5], [1, 0], [0, 1]), 4)
    0.6931
    """
    p, a, b = _columns(probability, votes_a, votes_b)
    # An answer that nobody gave costs nothing, whatever its probability.
    likely_a, likely_b = np.where(a > 0, p, 1.0), np.where(b > 0, 1 - p, 1.0)
    with np.errstate(divide="ignore"):
        loss = -a * np.log(likely_a) - b * np.log(likely_b)
    return float(loss.sum() / (a + b).sum())


def brier(probability: ArrayLike, votes_a: ArrayLike, votes_b: ArrayLike) -> float:
    """Return the mean squared difference between the probability of a and the answer (1 for a, 0 for b).

    Parameters
    ----------
    probability, votes_a, votes_b
        As in `log_loss`.

    Returns
    -------
    float
        In [0, 1]; one quarter for a probability of one half everywhere (Brier 1950, for one of two outcomes).

    Examples
    --------
    >>> brier([0.5, 1.0], [1, 1], [0, 0])
    0.125
    """
    p, a, b = _columns(probability, votes_a, votes_b)
    return float((a * (1 - p) ** 2 + b * p**2).sum() / (a + b).sum())


def reliability(probability: ArrayLike, votes_a: ArrayLike, votes_b: ArrayLike, bins: int = 15) -> Reliability:
    """Set the probability of the likelier answer against how often it was the answer.

    Rows are sorted by that probability and cut into bins of about equal votes. Equal probabilities are never cut
    apart, so there may be fewer bins, and the order of the rows does not matter. A probability of one half prefers
    neither answer: half of its votes agree.

    Parameters
    ----------
    probability, votes_a, votes_b
        As in `log_loss`.
    bins : int
        At least 1.

    Returns
    -------
    Reliability

    Examples
    --------
    >>> reliability([0.2, 0.8, 0.9], [1, 2, 4], [3, 2, 0], bins=2)
    Reliability(confidence=array([0.8, 0.9]), accuracy=array([0.625, 1.   ]), votes=array([8., 4.]))
    """
    if bins < 1:
        raise InputError(f"bins: {bins} is not at least 1")
    p, a, b = _columns(probability, votes_a, votes_b)
    total = a + b
    agreeing = np.where(p > 0.5, a, np.where(p < 0.5, b, total / 2))
    claimed, at = np.unique(np.maximum(p, 1 - p).round(DIGITS)[total > 0], return_inverse=True)
    votes, right = sums_by_code(at, total[total > 0]), sums_by_code(at, agreeing[total > 0])
    middle = (np.cumsum(votes) - votes / 2) / votes.sum()
    _, chosen = np.unique(np.minimum((middle * bins).astype(np.int64), bins - 1), return_inverse=True)
    mass = sums_by_code(chosen, votes)
    return Reliability(sums_by_code(chosen, claimed * votes) / mass, sums_by_code(chosen, right) / mass, mass)


def expected_calibration_error(probability: ArrayLike, votes_a: ArrayLike, votes_b: ArrayLike, bins: int = 15) -> float:
    """Return the mean distance of accuracy from confidence over the bins of `reliability`, weighted by votes.

    Parameters
    ----------
    probability, votes_a, votes_b, bins
        As in `reliability`.

    Returns
    -------
    float
        In [0, 1].

    Notes
    -----
    Guo et al., On calibration of modern neural networks (2017), with bins of equal mass. A perfectly calibrated model
    does not reach 0 on a finite sample: with B bins of V votes expect about ``0.8 * sqrt(p (1 - p) / V)``.

    Examples
    --------
    >>> round(expected_calibration_error([0.9, 0.9], [1, 1], [0, 1]), 4)
    0.2333
    """
    found = reliability(probability, votes_a, votes_b, bins)
    return float((found.votes * np.abs(found.accuracy - found.confidence)).sum() / found.votes.sum())


def _columns(probability: ArrayLike, votes_a: ArrayLike, votes_b: ArrayLike) -> tuple[Floats, Floats, Floats]:
    a, b = as_votes(votes_a, votes_b)
    p = as_numbers("probability", probability, 0, 1)
    same_length(votes_a=a, probability=p)
    return p, a, b

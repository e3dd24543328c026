"""From differences of distances to probabilities, and how far those can be trusted.

A difference is ``distance_a - distance_b``: below zero, a is closer. A probability is that of the answer "a is closer".
Everything is symmetric: naming the candidates the other way round turns p into 1 - p and changes no measure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lookalike.core.errors import InputError
from lookalike.metrics.checks import Floats
from lookalike.metrics.groups import sums_by_code
from lookalike.metrics.two_afc import row_agreement

__all__ = ["Isotonic", "fit_isotonic", "fit_temperature", "logistic"]

ROUNDING = 1e-12  # a lead of the right answers smaller than this share of all is rounding


def logistic(difference: ArrayLike, temperature: float) -> Floats:
    """Return ``P(a is closer) = 1 / (1 + exp(difference / temperature))``.

    Parameters
    ----------
    difference : float, any shape
        ``distance_a - distance_b``.
    temperature : float
        In [0, infinity]. At 0 the closer one is certain and a tie gives one half; at infinity all is one half.

    Returns
    -------
    float64, same shape
        In [0, 1].

    Raises
    ------
    InputError
        The temperature is negative or NaN.

    Examples
    --------
    >>> logistic([-0.1, 0.0, 0.1], 0.1).round(3)
    array([0.731, 0.5  , 0.269])
    """
    if not temperature >= 0:
        raise InputError(f"temperature: {temperature} is not in [0, infinity]")
    apart = np.asarray(difference, np.float64)
    if temperature == 0:
        return np.asarray(0.5 - 0.5 * np.sign(apart))
    # The exponential of a negative number cannot overflow, and small probabilities keep their digits.
    with np.errstate(over="ignore"):
        other = np.exp(-np.abs(apart / temperature))
    return np.asarray(np.where(apart > 0, other, 1.0) / (1 + other))


def fit_temperature(distance_a: ArrayLike, distance_b: ArrayLike, votes_a: ArrayLike, votes_b: ArrayLike) -> float:
    """Return the temperature of `logistic` under which the votes are most likely.

    Parameters
    ----------
    distance_a, distance_b, votes_a, votes_b : float (n,)
        As in `lookalike.metrics.two_afc.row_agreement`.

    Returns
    -------
    float
        0 where every vote goes to the closer candidate (no finite temperature is small enough), infinity where the
        distances point no better than the wrong way: ``sum(difference * (votes_a - votes_b)) >= 0``, all ties included.

    Raises
    ------
    InputError
        As in `row_agreement`.

    Notes
    -----
    The likelihood is concave in the inverse temperature, so its derivative has one root at most. It is bracketed by
    doubling, then found by Newton steps on the logarithm that fall back to halving whenever one leaves the bracket.

    Examples
    --------
    >>> round(fit_temperature([0.0, 0.0], [0.2, 0.2], [3, 3], [1, 1]), 4)  # odds of 3 at a difference of 0.2
    0.182
    """
    agreeing, total = row_agreement(distance_a, distance_b, votes_a, votes_b)
    gap = np.abs(np.asarray(distance_a, np.float64) - np.asarray(distance_b, np.float64))
    used = (gap > 0) & (total > 0)
    gap, agreeing, total = gap[used], agreeing[used], total[used]
    scale = float(gap.max(initial=0))
    if not used.any() or (gap / scale) @ (agreeing - total / 2) <= ROUNDING * float((gap / scale) @ total):
        return math.inf
    if (agreeing == total).all():
        return 0.0
    return scale / _likeliest_slope(gap / scale, agreeing, total)


def _likeliest_slope(gap: Floats, agreeing: Floats, total: Floats) -> float:
    """Return the root s of ``sum(gap * (agreeing - total * sigma(s * gap)))``, which falls in s; `gap` is in (0, 1]."""

    def derivatives(log_slope: float) -> tuple[float, float]:
        slope = math.exp(log_slope)
        other = np.exp(-slope * gap)
        # Not as total * chance - agreeing, which loses every digit where the chance is nearly 1.
        first = gap @ ((agreeing * other - (total - agreeing)) / (1 + other))
        second = -slope * float((gap**2 * total) @ (other / (1 + other) ** 2))
        return float(first), second

    low = high = 0.0
    while low > -700 and derivatives(low)[0] <= 0:
        low -= 1
    while high < 700 and derivatives(high)[0] >= 0:
        high += 1
    at = (low + high) / 2
    for _ in range(200):
        first, second = derivatives(at)
        low, high = (at, high) if first > 0 else (low, at)
        step = at - first / second if second < 0 else math.inf
        following = step if low < step < high else (low + high) / 2
        if first == 0 or abs(following - at) <= 1e-15 * max(1.0, abs(at)):
            break
        at = following
    return math.exp(at)


@dataclass(frozen=True, slots=True)
class Isotonic:
    """A probability that only falls as ``distance_a - distance_b`` grows; made by `fit_isotonic`.

    Attributes
    ----------
    thresholds : float64 (B,)
        Sizes of the difference, ascending, from 0.
    values : float64 (B,)
        Probability that the closer candidate is chosen, in [0.5, 1], ascending from 0.5. Between two thresholds it is
        interpolated, past the last it stays.
    """

    thresholds: Floats
    values: Floats

    def __call__(self, difference: ArrayLike) -> Floats:
        """Return P(a is closer), same shape; ``p(-x) = 1 - p(x)``.

        Examples
        --------
        >>> Isotonic(np.array([0.0, 0.1]), np.array([0.5, 0.75]))([-0.1, 0.0, 0.2])
        array([0.75, 0.5 , 0.25])
        """
        apart = np.asarray(difference, np.float64)
        above = np.interp(np.abs(apart), self.thresholds, self.values) - 0.5
        return np.asarray(0.5 - np.sign(apart) * above)


def fit_isotonic(distance_a: ArrayLike, distance_b: ArrayLike, votes_a: ArrayLike, votes_b: ArrayLike) -> Isotonic:
    """Fit the monotone curve nearest to the votes, by least squares weighted by votes (pool adjacent violators).

    Parameters
    ----------
    distance_a, distance_b, votes_a, votes_b : float (n,)
        As in `lookalike.metrics.two_afc.row_agreement`.

    Returns
    -------
    Isotonic

    Raises
    ------
    InputError
        As in `row_agreement`.

    Notes
    -----
    The fit is that on the rows together with their flips (a and b exchanged). Its symmetry halves the work: it is the
    rising fit of the share that agrees over the size of the difference, held at one half or above.

    Examples
    --------
    >>> curve = fit_isotonic([0.0, 0.0, 0.0], [0.1, 0.2, 0.3], [6, 9, 8], [4, 1, 2])
    >>> curve([-0.1, -0.2, -0.3, 0.3])
    array([0.6 , 0.85, 0.85, 0.15])
    """
    agreeing, total = row_agreement(distance_a, distance_b, votes_a, votes_b)
    gap = np.abs(np.asarray(distance_a, np.float64) - np.asarray(distance_b, np.float64))
    used = (gap > 0) & (total > 0)
    places, at = np.unique(gap[used], return_inverse=True)
    blocks: list[tuple[float, float, int, int]] = []  # agreeing, total, first and last place
    sums = zip(sums_by_code(at, agreeing[used]).tolist(), sums_by_code(at, total[used]).tolist(), strict=True)
    for place, (yes, votes) in enumerate(sums):
        first = place
        while blocks and blocks[-1][0] * votes >= yes * blocks[-1][1]:
            below = blocks.pop()
            yes, votes, first = yes + below[0], votes + below[1], below[2]
        blocks.append((yes, votes, first, place))
    thresholds, values = [0.0], [0.5]
    for yes, votes, first, last in blocks:
        for place in (first, last) if last > first else (first,):
            thresholds.append(float(places[place]))
            values.append(max(0.5, yes / votes))
    return Isotonic(np.array(thresholds), np.array(values))

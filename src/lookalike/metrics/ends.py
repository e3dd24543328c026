"""Where an interval ends among bootstrap draws: percentile, or BCa (bias-corrected and accelerated)."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from lookalike.core.errors import InputError
from lookalike.metrics.checks import Floats, Ints

__all__ = ["ROUNDING", "bca_interval", "edge_rank", "percentile_interval"]

ROUNDING = 1e-12  # drawn ratios that differ less differ by rounding alone


def edge_rank(level: float, resamples: int) -> int:
    """Return ``k = floor((resamples + 1) * (1 - level) / 2)``: the k-th draw from each side ends a percentile interval.

    Raises
    ------
    InputError
        The level is not between 0 and 1, or k would be 0.

    Examples
    --------
    >>> edge_rank(0.95, 10_000)
    250
    """
    if not 0 < level < 1:
        raise InputError(f"level: {level} is not between 0 and 1")
    rank = math.floor((resamples + 1) * (1 - level) / 2 + 1e-9)
    if rank < 1:
        needed = math.ceil(2 / (1 - level) - 1 - 1e-9)
        raise InputError(f"resamples: {resamples} are too few for a level of {level}; at least {needed} are needed")
    return rank


def percentile_interval(draws: Floats, level: float) -> tuple[float, float]:
    """Return the k-th smallest and the k-th largest draw, with k from `edge_rank`.

    Parameters
    ----------
    draws : float (B,)
        NaN for a draw with nothing in it, which does not count.
    level : float

    Examples
    --------
    >>> percentile_interval(np.arange(1.0, 100.0), 0.9)
    (5.0, 95.0)
    """
    tail = (1 - level) / 2
    return _ends(draws[~np.isnan(draws)], tail, tail)


def bca_interval(
    draws: Floats, value: float, jackknife: Floats, multiplicity: Ints, level: float
) -> tuple[float, float]:
    """Return the ends of the BCa interval (Efron, Better bootstrap confidence intervals, 1987).

    Parameters
    ----------
    draws : float (B,)
        NaN for a draw with nothing in it, which does not count.
    value : float
        The ratio itself.
    jackknife : float (K,)
        The ratio without one cluster of each kind.
    multiplicity : int (K,)
        How many clusters there are of each kind.
    level : float

    Examples
    --------
    >>> bca_interval(np.arange(1.0, 100.0), 50.0, np.array([49.0, 51.0]), np.array([1, 1]), 0.9)
    (5.0, 95.0)
    """
    normal = NormalDist()
    draws = draws[~np.isnan(draws)]
    tied = np.abs(draws - value) <= ROUNDING * max(1.0, abs(value))
    below = float(np.mean(np.where(tied, 0.5, draws < value)))
    edge = 1 / (len(draws) + 1)
    bias = normal.inv_cdf(min(max(below, edge), 1 - edge))
    apart = np.average(jackknife, weights=multiplicity) - jackknife
    spread = float(multiplicity @ apart**2)
    acceleration = float(multiplicity @ apart**3) / (6 * spread**1.5) if spread > 0 else 0.0
    tails = []
    for side in (-1, 1):
        z = bias + side * normal.inv_cdf((1 + level) / 2)
        # Past the pole the transform has no meaning; the end is then the last draw on that side.
        shrunk = 1 - acceleration * z
        tails.append(normal.cdf(-side * (bias + z / shrunk)) if shrunk > 0 else float(side * z < 0))
    return _ends(draws, tails[0], tails[1])


def _ends(draws: Floats, below: float, above: float) -> tuple[float, float]:
    """Leave that share of the draws out on each side."""
    ordered = np.sort(draws)
    ranks = (max(1, min(len(draws), math.floor((len(draws) + 1) * tail + 1e-9))) for tail in (below, above))
    low, high = ranks
    return float(ordered[low - 1]), float(ordered[-high])

"""How sure is a match? Logistic regression from evidence about a pair of pictures to the odds that they show the same.

Evidence is any few numbers that tell: a distance, its lead over the next one, an agreement of thumbnails. The odds are
those among the examples; another share of pictures that have a partner at all shifts them (`log_odds_of`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lookalike.core.errors import InputError
from lookalike.metrics.checks import Floats, as_table

__all__ = ["MatchProbability", "fit_match_probability", "held_out_log_odds", "log_odds_of", "probability_of"]

RIDGE = 1.0
"""Weight of ``|weights|^2 / 2`` beside the summed log loss: keeps what is separable finite, hardly moves the rest."""
FOLDS = 5
STEPS, TOLERANCE = 100, 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class MatchProbability:
    """Fitted odds: ``bias + weights . (evidence - centre) / scale``.

    Attributes
    ----------
    centre, scale, weights : float64 (E,)
    bias : float
    """

    centre: Floats
    scale: Floats
    weights: Floats
    bias: float

    def log_odds(self, evidence: ArrayLike) -> Floats:
        """Return the logarithm of the odds that pairs show the same, float64 (...) for evidence (..., E)."""
        table = np.asarray(evidence, np.float64)
        return np.asarray((table - self.centre) / self.scale @ self.weights + self.bias, np.float64)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        columns = {name: getattr(self, name).tolist() for name in ("centre", "scale", "weights")}
        return {**columns, "bias": self.bias}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> MatchProbability:
        """Take back what `as_dict` returned."""
        centre, scale, weights = (np.array(values[name], np.float64) for name in ("centre", "scale", "weights"))
        return cls(centre, scale, weights, float(values["bias"]))


def fit_match_probability(evidence: ArrayLike, same: ArrayLike) -> MatchProbability:
    """Fit by Newton's method on the log loss with a small ridge.

    Parameters
    ----------
    evidence : float (n, E)
        Finite. A column that never changes has no weight.
    same : bool (n,)
        Whether each pair shows the same.

    Raises
    ------
    InputError
        Something is not finite, or all pairs are the same, or none.

    Examples
    --------
    >>> fitted = fit_match_probability([[0.1], [0.2], [0.7], [0.9]] * 5, [True, True, False, False] * 5)
    >>> (fitted.log_odds([[0.1], [0.9]]) > 0).tolist()
    [True, False]
    """
    table, right = as_table("evidence", evidence, 2), np.asarray(same, np.bool_)
    if right.shape != (len(table),):
        raise InputError(f"same: {right.shape} for {len(table)} rows of evidence")
    if not np.isfinite(table).all():
        raise InputError(f"evidence: row {int((~np.isfinite(table)).any(axis=1).argmax())} is not finite")
    if right.all() or not right.any():
        raise InputError("pairs that show the same and pairs that do not are both needed to tell them apart")
    centre, spread = table.mean(axis=0), table.std(axis=0)
    scale = np.where(spread > 1e-12, spread, 1.0)
    columns = np.column_stack([np.where(spread > 1e-12, (table - centre) / scale, 0.0), np.ones(len(table))])
    found = _newton(columns, right.astype(np.float64))
    return MatchProbability(centre, scale, found[:-1], float(found[-1]))


def held_out_log_odds(evidence: ArrayLike, same: ArrayLike, groups: ArrayLike) -> Floats:
    """Return the log odds of every row by a fit on the other groups, in five folds; float64 (n,).

    Parameters
    ----------
    evidence, same
        As in `fit_match_probability`.
    groups : int (n,)
        Rows of one group are held out together. They go to folds in turn, in the order of their labels.

    Raises
    ------
    InputError
        As there; or there are fewer than two groups.
    """
    table, right = as_table("evidence", evidence, 2), np.asarray(same, np.bool_)
    labels, place = np.unique(np.asarray(groups), return_inverse=True)
    if len(labels) < 2:
        raise InputError("at least two groups are needed to hold one out")
    fold = place % FOLDS
    held = np.empty(len(table), np.float64)
    for number in range(min(FOLDS, len(labels))):
        out = fold == number
        held[out] = fit_match_probability(table[~out], right[~out]).log_odds(table[out])
    return held


def probability_of(log_odds: ArrayLike) -> NDArray[np.float64]:
    """Return ``1 / (1 + exp(-log_odds))``, float64 of the same shape, without overflow.

    Examples
    --------
    >>> probability_of([0.0, 1000.0, -1000.0]).tolist()
    [0.5, 1.0, 0.0]
    """
    given = np.asarray(log_odds, np.float64)
    small = np.exp(-np.abs(given))
    return np.asarray(np.where(given >= 0, 1.0, small) / (1 + small))


def log_odds_of(probability: float) -> float:
    """Return ``log(p / (1 - p))``: what a share of p adds to log odds that were fitted among equals.

    Raises
    ------
    InputError
        It is not between 0 and 1.

    Examples
    --------
    >>> log_odds_of(0.5), round(log_odds_of(0.9), 3)
    (0.0, 2.197)
    """
    if not 0 < probability < 1:
        raise InputError(f"{probability} is no probability between 0 and 1, both excluded")
    return math.log(probability / (1 - probability))


def _newton(columns: Floats, right: Floats) -> Floats:
    """Minimise the log loss of ``columns @ w`` plus the ridge on all but the last weight."""
    ridge = np.full(columns.shape[1], RIDGE)
    ridge[-1] = 0
    weights = np.zeros(columns.shape[1])

    def loss(at: Floats) -> float:
        odds = columns @ at
        return float(np.logaddexp(0, odds).sum() - right @ odds + ridge @ at**2 / 2)

    before = loss(weights)
    for _ in range(STEPS):
        chance = probability_of(columns @ weights)
        slope = columns.T @ (chance - right) + ridge * weights
        # A hair on the diagonal: where every chance is nearly 0 or 1, the bias has no curvature of its own.
        curve = (columns.T * (chance * (1 - chance))) @ columns + np.diag(ridge + 1e-9)
        step = np.linalg.solve(curve, slope)
        size = 1.0
        while loss(weights - size * step) > before and size > 1e-6:
            size /= 2
        weights = weights - size * step
        after = loss(weights)
        if before - after <= TOLERANCE * max(1.0, before):
            break
        before = after
    return weights

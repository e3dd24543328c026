"""How far annotators agree with each other, beyond chance: Krippendorff's alpha and Fleiss's kappa."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from lookalike.core.errors import InputError
from lookalike.metrics.checks import Floats, as_numbers, as_table, same_length
from lookalike.metrics.groups import as_codes

__all__ = ["Scale", "fleiss_kappa", "krippendorff_alpha", "krippendorff_alpha_of_answers"]

Scale: TypeAlias = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(ratings: ArrayLike, scale: Scale = "nominal") -> float:
    """Return Krippendorff's alpha of a table of ratings, some of which may be missing.

    ``alpha = 1 - observed disagreement / disagreement expected by chance``.

    Parameters
    ----------
    ratings : float (units, raters)
        NaN where a rater did not rate a unit. Values are codes (nominal), ranks (ordinal) or numbers (interval).
    scale : {"nominal", "ordinal", "interval"}
        What counts as disagreement: any difference, the ranks between, the squared difference.

    Returns
    -------
    float
        1 for full agreement, 0 for what chance gives, below 0 for systematic disagreement; NaN where all ratings are
        the same, for chance then agrees as well.

    Raises
    ------
    InputError
        Not a table of numbers, or no unit has two ratings.

    Notes
    -----
    Krippendorff, Computing Krippendorff's alpha-reliability (2011). Units with one rating are left out.

    Examples
    --------
    >>> nan = float("nan")
    >>> round(krippendorff_alpha([[1, 1, nan], [2, 2, 2], [3, 2, 3]], "interval"), 3)
    0.781
    """
    table = as_table("ratings", ratings, 2)
    if np.isinf(table).any():
        raise InputError(f"ratings: row {int(np.isinf(table).any(axis=1).argmax())} is infinite")
    units, raters = np.nonzero(~np.isnan(table))
    if not len(units):
        raise InputError("ratings: every one is missing")
    return krippendorff_alpha_of_answers(units, table[units, raters], scale)


def krippendorff_alpha_of_answers(units: ArrayLike, values: ArrayLike, scale: Scale = "nominal") -> float:
    """Do `krippendorff_alpha` on a list of answers; who gave them does not matter.

    Parameters
    ----------
    units : int or str (n,)
        What each answer is about.
    values : float (n,), or str (n,) where the scale is nominal
    scale : {"nominal", "ordinal", "interval"}

    Returns
    -------
    float

    Examples
    --------
    >>> krippendorff_alpha_of_answers(["q", "q", "r", "r"], ["a", "a", "b", "b"])
    1.0
    """
    if scale not in ("nominal", "ordinal", "interval"):
        raise InputError(f"scale: {scale!r} is none of 'nominal', 'ordinal', 'interval'")
    unit, _ = as_codes("units", units)
    value, distinct = as_codes("values", values if scale == "nominal" else as_numbers("values", values))
    same_length(units=unit, values=value)
    counts = np.zeros((int(unit.max()) + 1, len(distinct)))
    np.add.at(counts, (unit, value), 1)
    counts = counts[counts.sum(axis=1) > 1]
    if not len(counts):
        raise InputError("units: none has two answers")
    # How often each pair of values met in one unit; a unit of m answers has weight m.
    weights = counts / (counts.sum(axis=1, keepdims=True) - 1)
    met = counts.T @ weights - np.diag(weights.sum(axis=0))
    frequency = counts.sum(axis=0)
    apart = _disagreement(frequency, distinct, scale)
    expected = float(frequency @ apart @ frequency)
    if expected == 0:
        return float("nan")
    return 1 - (float(frequency.sum()) - 1) * float((met * apart).sum()) / expected


def fleiss_kappa(counts: ArrayLike) -> float:
    """Return Fleiss's kappa.

    ``kappa = (P - P_e) / (1 - P_e)`` with P the mean share of pairs of raters that agree on a subject, and P_e the sum
    of the squared shares of the categories.

    Parameters
    ----------
    counts : int (subjects, categories)
        How many raters put each subject into each category; every subject has the same number of raters, two or more.

    Returns
    -------
    float
        At most 1; NaN where every rating is the same.

    Raises
    ------
    InputError
        Negative or fractional counts, or a subject with another number of raters; its row is named.

    Notes
    -----
    Fleiss, Measuring nominal scale agreement among many raters (1971). Raters are not told apart.

    Examples
    --------
    >>> fleiss_kappa([[3, 0], [0, 3]])
    1.0
    >>> fleiss_kappa([[2, 2], [2, 2]]).__round__(3)
    -0.333
    """
    table = as_table("counts", counts, 2)
    wrong = ~((table >= 0) & (table == np.floor(table)) & np.isfinite(table)).all(axis=1)
    if wrong.any():
        raise InputError(f"counts: row {int(wrong.argmax())} holds something other than a count")
    raters = table.sum(axis=1)
    if raters[0] < 2:
        raise InputError("counts: row 0 has fewer than two raters")
    if (raters != raters[0]).any():
        row = int((raters != raters[0]).argmax())
        raise InputError(f"counts: row {row} has {raters[row]:g} raters, but row 0 has {raters[0]:g}")
    agreed = ((table**2).sum(axis=1) - raters) / (raters * (raters - 1))
    shares = table.sum(axis=0) / table.sum()
    by_chance = float(shares @ shares)
    if (shares == 1).any():
        return float("nan")
    return (float(agreed.mean()) - by_chance) / (1 - by_chance)


def _disagreement(frequency: Floats, distinct: Floats, scale: Scale) -> Floats:
    """Return the squared difference of every pair of values on the scale."""
    if scale == "nominal":
        return 1 - np.eye(len(frequency))
    if scale == "ordinal":
        # Ranks between two values: all answers from one to the other, the two ends by half.
        middle = np.cumsum(frequency) - frequency / 2
        return np.asarray((middle[:, None] - middle) ** 2)
    return np.asarray((distinct[:, None] - distinct) ** 2)

"""Several pictures as one query: like these, not like those."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Vectors

__all__ = ["AGAINST", "combine_references"]

AGAINST = 0.5
"""How much the pictures that are not liked count, against 1 for those that are."""


def combine_references(
    vectors: Sequence[Vectors], weights: ArrayLike, liked: int, against: float = AGAINST
) -> tuple[list[Vectors], NDArray[np.float64]]:
    """Make one query of several pictures, for every model: a direction and a weight.

    With the models' unit vectors ``e_m(R)`` and weights ``w_m(R)`` of every picture R, of which L are liked and U are
    not, ``p_m = mean over L of w_m(R) e_m(R) - against * (mean over U of w_m(R) e_m(R))``. The direction is
    ``p_m / |p_m|`` and the weight ``s |p_m|``, where s is the same for all models and makes the weights sum to what
    they sum to for a liked picture on average. One inner product with these finds images in the order of ``mean over L
    of d(R, x) - against * (mean over U of d(R, x))``, where d is the distance from one picture alone.

    Parameters
    ----------
    vectors : sequence of M float32 (R, D_m)
        Unit rows of the pictures by each model; the liked ones first.
    weights : float (R, M)
        Of each model for each picture; not negative.
    liked : int
        How many pictures are liked, at least 1.
    against : float
        At least 0.

    Returns
    -------
    directions : list of M float32 (1, D_m)
        Unit rows; zeros where a model has no direction left.
    weights : float64 (M,)

    Raises
    ------
    InputError
        No picture is liked, `against` is negative or not finite, or nothing is left of any model.

    Examples
    --------
    >>> pictures = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
    >>> directions, weights = combine_references([pictures], [[1], [1], [1]], liked=2, against=0.4)
    >>> directions[0].round(3), weights
    (array([[1., 0.]], dtype=float32), array([1.]))
    """
    if liked < 1:
        raise InputError("one picture at least must be liked: there is no direction away from pictures alone")
    if not 0 <= against < np.inf:
        raise InputError(f"how much unliked pictures count is a number of at least 0, not {against}")
    given = np.asarray(weights, np.float64)
    unliked = len(given) - liked
    counts = np.concatenate([np.full(liked, 1 / liked), np.full(unliked, -against / max(unliked, 1))])
    sums = [(counts * given[:, number]) @ rows.astype(np.float64) for number, rows in enumerate(vectors)]
    lengths = np.array([np.linalg.norm(one) for one in sums])
    if lengths.sum() <= 1e-6 * given.sum():
        raise InputError("nothing is left of these pictures: those that are liked and those that are not are alike")
    directions = [np.asarray(one / (length or 1), np.float32)[None] for one, length in zip(sums, lengths, strict=True)]
    return directions, lengths * (given[:liked].sum() / liked / lengths.sum())

"""The corrected grid: accuracies near a point by a smooth window over the references around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.ensembles.cells import Weighting

__all__ = ["near_accuracy", "near_weights"]

Floats = NDArray[np.float64]

PRIOR = 10.0
"""Votes, at the accuracy of all models together, that are added everywhere: far from all references all are level."""

ENTRIES = 2**24
"""Pairs of a point and a reference that are looked at together: 64 MB."""


def near_accuracy(
    points: Floats, others: Floats, right: Floats, total: Floats, bandwidth: float, itself: bool = True
) -> Floats:
    """Return the accuracy of each model near each point: votes of all references, weighted by ``exp(-d^2 / 2 h^2)``.

    Nadaraya (1964) and Watson (1964), with `PRIOR` votes more.

    Parameters
    ----------
    points : float64 (N, d)
    others : float64 (R, d)
        The references.
    right : float64 (R, K)
        Votes that each model agrees with.
    total : float64 (R,)
        Votes.
    bandwidth : float
        h, in the units of the coordinates.
    itself : bool
        Whether a reference counts for itself, where `points` are `others`.

    Returns
    -------
    float64 (N, K)
        In (0, 1) where some vote agrees with some model and some does not.

    Examples
    --------
    >>> others, right = np.array([[0.0], [1.0]]), np.array([[90.0, 50.0], [50.0, 90.0]])
    >>> near_accuracy(np.array([[0.0], [1.0], [9.0]]), others, right, np.array([100.0, 100.0]), 0.2).round(2)
    array([[0.88, 0.52],
           [0.52, 0.88],
           [0.7 , 0.7 ]])
    """
    shared = right.sum() / (right.shape[1] * total.sum())
    votes = np.empty((len(points), right.shape[1] + 1))
    at_once = max(1, ENTRIES // max(1, len(others)))
    for start in range(0, len(points), at_once):
        block = slice(start, start + at_once)
        near = _nearness(points[block] / bandwidth, others / bandwidth)
        if not itself:
            np.fill_diagonal(near[:, start:], 0.0)
        votes[block] = near @ np.column_stack([right, total]).astype(np.float32)
    return np.asarray((votes[:, :-1] + PRIOR * shared) / (votes[:, -1:] + PRIOR))


def _nearness(points: Floats, others: Floats) -> NDArray[np.float32]:
    """Return ``exp(-d^2 / 2)``, float32 (N, R), six times as fast as in float64.

    By squares and one product, since all differences would be (N, R, d).
    """
    left, right = points.astype(np.float32), others.astype(np.float32)
    near = left @ right.T
    near -= 0.5 * (left**2).sum(axis=1)[:, None]
    near -= 0.5 * (right**2).sum(axis=1)
    np.exp(np.minimum(near, 0, out=near), out=near)
    return np.asarray(near)


def near_weights(accuracy: Floats, weighting: Weighting, threshold: float | None, slack: float) -> Floats:
    """Return the weights of the models, not negative and 1 in sum, by their accuracies.

    Parameters
    ----------
    accuracy : float64 (N, K)
    weighting : {"avg", "max", "thres"}
        In proportion to the accuracies; all for the best; in proportion for those that are good enough.
    threshold : float or None
        What is good enough: above this, or the best where none is.
    slack : float
        Without a threshold: at most this much less than the best.

    Examples
    --------
    >>> near_weights(np.array([[0.8, 0.78, 0.6], [0.5, 0.5, 0.5]]), "thres", None, 0.05).round(3)
    array([[0.506, 0.494, 0.   ],
           [0.333, 0.333, 0.333]])
    """
    if weighting == "avg":
        kept = accuracy
    else:
        best = accuracy.max(axis=1, keepdims=True)
        least = best if weighting == "max" else best - slack
        if weighting == "thres" and threshold is not None:
            least = np.minimum(best, np.nextafter(threshold, np.inf))
        kept = np.where(accuracy >= least, accuracy, 0.0)
    total = kept.sum(axis=1, keepdims=True)
    return np.where(total > 0, kept / np.where(total > 0, total, 1), 1 / accuracy.shape[1])

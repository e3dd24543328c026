"""The published grid: 200 x 200 cells over two principal coordinates, and accuracies in windows of 10 x 10 cells.

A transcription of the description of the published program, with its oddities. Rows of the grid are bins of the second
coordinate, columns of the first.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["BINS", "Weighting", "cell_weights", "cells_of", "window_accuracy"]

Floats = NDArray[np.float64]
Weighting: TypeAlias = Literal["avg", "max", "thres"]

BINS = 200
BEFORE, AFTER = 5, 4
"""A window around row i has rows i - 5 to i + 4, cut off at the edges; columns likewise."""


def cells_of(coordinates: Floats, low: Floats, high: Floats) -> NDArray[np.int64]:
    """Return the row and column of the cell of each point, int64 (N, 2).

    Parameters
    ----------
    coordinates : float64 (N, 2)
    low, high : float64 (2,)
        Of the fitted points. Bins are ``[start, end)``; what is below `low` is in the first, from `high` on in the
        last.

    Examples
    --------
    >>> cells_of(np.array([[0.0, 1.0], [0.004, -7.0], [0.005, 0.999]]), np.zeros(2), np.ones(2)).tolist()
    [[199, 0], [0, 0], [199, 1]]
    """
    bins = [
        np.searchsorted(np.linspace(low[axis], high[axis], BINS + 1), coordinates[:, axis], side="right") - 1
        for axis in (1, 0)
    ]
    return np.clip(np.stack(bins, axis=1), 0, BINS - 1).astype(np.int64)


def window_accuracy(cells: NDArray[np.int64], accuracy: Floats) -> Floats:
    """Return the accuracy of each model in the window around each cell, NaN where the window is empty.

    The accuracy of a cell is the mean over its references, that of a window ``sum(accuracy n) / sum(n)`` over its
    cells, n being the number of references: every reference counts the same, however many judgments it has.

    Parameters
    ----------
    cells : int (R, 2)
    accuracy : float64 (R, K)
        Of each model, of each reference.

    Returns
    -------
    float64 (200, 200, K)

    Examples
    --------
    >>> found = window_accuracy(np.array([[50, 7], [50, 7], [54, 7]]), np.array([[1.0], [0.0], [1.0]]))
    >>> [float(found[row, 7, 0].round(3)) for row in (45, 46, 50, 55, 56, 59, 60)]
    [nan, 0.5, 0.667, 0.667, 1.0, 1.0, nan]
    """
    number, counts = np.unique(cells[:, 0] * BINS + cells[:, 1], return_counts=True)
    place = np.searchsorted(number, cells[:, 0] * BINS + cells[:, 1])
    sums = np.zeros((len(number), accuracy.shape[1]))
    np.add.at(sums, place, accuracy)
    held = sums / counts[:, None] * counts[:, None]  # as published: a mean, times its count
    total, count = np.zeros((BINS, BINS, accuracy.shape[1])), np.zeros((BINS, BINS, 1))
    for (row, column), value, references in zip(np.stack(np.divmod(number, BINS), 1), held, counts, strict=True):
        reached = (
            slice(max(0, row - AFTER), row + BEFORE + 1),
            slice(max(0, column - AFTER), column + BEFORE + 1),
        )
        total[reached] += value
        count[reached] += references
    with np.errstate(invalid="ignore"):
        return np.asarray(total / count)


def cell_weights(accuracy: Floats, weighting: Weighting, threshold: float) -> Floats:
    """Return the weights of the models in each cell, by the accuracies in its window.

    ``"avg"``
        In proportion to the accuracies; equal where the window is empty.
    ``"max"``
        All for the most accurate model, the first of several. Where the window is empty the published program meant
        equal weights and gave them to model 0 alone, so that only its distances count there. So does this; scaled to
        the sum 1, which changes no answer.
    ``"thres"``
        In proportion to the accuracies of the models above `threshold`; all for the most accurate one where none is;
        equal where the window is empty.

    Parameters
    ----------
    accuracy : float64 (..., K)
        NaN where nothing is known.
    weighting : {"avg", "max", "thres"}
    threshold : float
        Of ``"thres"``; a model must be above it.

    Returns
    -------
    float64 (..., K)

    Examples
    --------
    >>> accuracy = np.array([[0.9, 0.6, 0.9], [0.75, 0.5, 0.6], [np.nan, np.nan, np.nan]])
    >>> cell_weights(accuracy, "thres", 0.75).round(3).tolist()
    [[0.5, 0.0, 0.5], [1.0, 0.0, 0.0], [0.333, 0.333, 0.333]]
    >>> cell_weights(accuracy, "max", 0.75).tolist()
    [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    models = accuracy.shape[-1]
    known = np.where(np.isnan(accuracy), 0.0, accuracy)
    best = np.eye(models)[known.argmax(axis=-1)]
    if weighting == "max":
        return np.asarray(best)
    kept = known if weighting == "avg" else np.where(known > threshold, known, 0.0)
    total = kept.sum(axis=-1, keepdims=True)
    fallback = np.full(models, 1 / models) if weighting == "avg" else best
    weights = np.where(total > 0, kept / np.where(total > 0, total, 1), fallback)
    return np.where(np.isnan(accuracy).any(axis=-1, keepdims=True), 1 / models, weights)

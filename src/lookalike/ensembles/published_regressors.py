"""The published regressors: one small network per model, fitted by the steps that scikit-learn's `MLPRegressor` takes.

All networks take the same coordinates in the same order, so that one product serves all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["HIDDEN", "published_accuracy", "published_regressors"]

Floats = NDArray[np.float64]

HIDDEN = 16
PASSES, BATCH, RATE = 200, 200, 1e-3
DECAY = 1e-4
MEANS = 0.9, 0.999
"""Of Adam (Kingma and Ba, 2015): how much of the running means of gradients and of their squares is kept."""

PATIENCE, TOLERANCE = 10, 1e-4
"""A network stops after more than that many passes without its loss falling by that much."""


def published_regressors(coordinates: Floats, accuracy: Floats, seed: int) -> dict[str, NDArray[Any]]:
    """Fit a regressor for each model: 16 logistic units, Adam in batches of 200, 200 passes at most.

    With the same seed these are the numbers of ``MLPRegressor(16, activation="logistic", random_state=seed)``, but for
    rounding. (The published program left the seed open; here every network starts from `seed`.)

    Parameters
    ----------
    coordinates : float64 (R, d)
    accuracy : float64 (R, K)
    seed : int

    Returns
    -------
    dict
        ``inner`` (K, d, 16), ``bias`` (K, 16), ``outer`` (K, 16), ``last`` (K,).
    """
    rng = np.random.RandomState(seed)
    models, count = accuracy.shape[1], len(coordinates)
    start = _start(coordinates.shape[1], rng)
    weights = [np.repeat(part[None], models, axis=0) for part in start]
    kept = [np.empty_like(part) for part in weights]
    state = [(np.zeros_like(part), np.zeros_like(part)) for part in weights]
    going, order = np.arange(models), np.arange(count)
    best, stale, step = np.full(models, np.inf), np.zeros(models, np.int64), 0
    for _ in range(PASSES):
        turn = np.arange(count)
        rng.shuffle(turn)
        order = order[turn]
        total = np.zeros(len(going))
        for first in range(0, count, BATCH):
            rows = order[first : first + BATCH]
            loss, slopes = _loss(weights, coordinates[rows], accuracy[np.ix_(rows, going)])
            total += loss * len(rows)
            step += 1
            _descend(weights, slopes, state, step)
        total /= count
        stale = np.where(total > best - TOLERANCE, stale + 1, 0)
        best = np.minimum(best, total)
        ended = stale > PATIENCE
        if ended.any():
            for whole, part in zip(kept, weights, strict=True):
                whole[going[ended]] = part[ended]
            weights = [part[~ended] for part in weights]
            state = [(mean[~ended], square[~ended]) for mean, square in state]
            going, best, stale = going[~ended], best[~ended], stale[~ended]
        if not len(going):
            break
    for whole, part in zip(kept, weights, strict=True):
        whole[going] = part
    return dict(zip(("inner", "bias", "outer", "last"), kept, strict=True))


def published_accuracy(weights: dict[str, NDArray[Any]], coordinates: Floats) -> Floats:
    """Apply what `published_regressors` fitted, float64 (N, K): any numbers, below 0 and above 1 too.

    Examples
    --------
    >>> weights = {"inner": np.zeros((2, 3, 16)), "bias": np.zeros((2, 16)), "outer": np.ones((2, 16))}
    >>> published_accuracy({**weights, "last": np.array([-8.0, -9.0])}, np.ones((1, 3))).tolist()
    [[0.0, -1.0]]
    """
    inner, bias, outer, last = (weights[name] for name in ("inner", "bias", "outer", "last"))
    return _outputs(inner, bias, outer, last, coordinates)[0]


def _start(inputs: int, rng: np.random.RandomState) -> list[Floats]:
    """Draw weights as scikit-learn does: uniform, as Glorot and Bengio (2010) have it for logistic units."""
    made: list[Floats] = []
    for width, units in ((inputs, HIDDEN), (HIDDEN, 1)):
        bound = np.sqrt(2 / (width + units))
        made += [rng.uniform(-bound, bound, (width, units)), rng.uniform(-bound, bound, units)]
    return [made[0], made[1], made[2][:, 0], made[3][0]]


def _outputs(inner: Floats, bias: Floats, outer: Floats, last: Floats, X: Floats) -> tuple[Floats, Floats]:
    """Return the outputs, (N, K), and the hidden units, (N, K, 16)."""
    models, inputs, _ = inner.shape
    hidden = X @ inner.transpose(1, 0, 2).reshape(inputs, models * HIDDEN)
    hidden += bias.ravel()
    np.negative(hidden, out=hidden)
    np.exp(np.minimum(hidden, 700, out=hidden), out=hidden)
    hidden += 1
    np.reciprocal(hidden, out=hidden)
    units = hidden.reshape(len(X), models, HIDDEN)
    return np.vecdot(units, outer) + last, units


def _loss(weights: Sequence[Floats], X: Floats, y: Floats) -> tuple[Floats, list[Floats]]:
    """Return the loss of each network on a batch, (K,), and its gradient by the weights."""
    inner, bias, outer, last = weights
    outputs, hidden = _outputs(inner, bias, outer, last, X)
    error = outputs - y
    squares = (inner**2).sum(axis=(1, 2)) + (outer**2).sum(axis=1)
    loss = 0.5 * (error**2).mean(axis=0) + 0.5 * DECAY * squares / len(X)
    by_outer = (error.T[:, None] @ hidden.transpose(1, 0, 2))[:, 0]
    before = error[:, :, None] * outer
    before *= hidden
    np.subtract(1, hidden, out=hidden)
    before *= hidden
    flat = before.reshape(len(X), -1)
    by_inner = (X.T @ flat).reshape(X.shape[1], *outer.shape).transpose(1, 0, 2)
    return loss, [
        (by_inner + DECAY * inner) / len(X),
        flat.mean(axis=0).reshape(bias.shape),
        (by_outer + DECAY * outer) / len(X),
        error.mean(axis=0),
    ]


def _descend(
    weights: Sequence[Floats], slopes: Sequence[Floats], state: Sequence[tuple[Floats, Floats]], step: int
) -> None:
    """Take one step of Adam, in place."""
    first, second = MEANS
    rate = RATE * np.sqrt(1 - second**step) / (1 - first**step)
    for value, slope, (mean, square) in zip(weights, slopes, state, strict=True):
        mean *= first
        mean += (1 - first) * slope
        square *= second
        square += (1 - second) * slope**2
        value -= rate * mean / (np.sqrt(square) + 1e-8)

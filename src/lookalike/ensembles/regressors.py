"""A network that predicts the accuracy of each model from the coordinates of the reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.ensembles.network import Network, descend

__all__ = ["HIDDEN", "accuracy_loss", "fit_accuracy"]

Floats = NDArray[np.float64]

HIDDEN = 16
STEPS = 60
OUTER, INNER = 190.0, 50.0
"""Penalties on the output layer, and on what the hidden one has moved from its start, in votes; see `accuracy_loss`."""


def fit_accuracy(coordinates: Floats, right: Floats, total: Floats, rng: np.random.Generator) -> tuple[Network, Floats]:
    """Fit one network with an output per model, every vote counting the same.

    Parameters
    ----------
    coordinates : float64 (R, d)
    right : float64 (R, K)
        Votes that each model agrees with.
    total : float64 (R,)
        Votes, above 0.
    rng : numpy Generator

    Returns
    -------
    network, weights
        It starts from the accuracy of each model over all references.
    """
    network = Network(coordinates.shape[1], HIDDEN, right.shape[1])
    start = network.start(rng)
    start[-network.outputs :] = right.sum(axis=0) / total.sum()

    def loss(weights: Floats) -> tuple[float, Floats]:
        return accuracy_loss(weights, network, coordinates, right, total, start)

    return network, descend(loss, start, STEPS)


def accuracy_loss(
    weights: Floats, network: Network, coordinates: Floats, right: Floats, total: Floats, start: Floats
) -> tuple[float, Floats]:
    """Return the squared error of the accuracies per vote, with penalties, and its gradient.

    An error of a model is divided by the variance of one answer, ``p (1 - p)`` at its accuracy p over all references,
    so that a penalty of `OUTER` means as much as that many votes do.
    """
    share = total / total.sum()
    mean = start[-network.outputs :]
    scale = 1 / np.maximum(mean * (1 - mean), 0.01)
    outputs, taken = network.outputs_of(weights, coordinates)
    error = outputs - right / total[:, None]
    slopes = share[:, None] * scale * error
    penalty = np.full(network.size, OUTER / total.sum())
    penalty[: network.inner_size] = INNER / total.sum()
    penalty[-network.outputs :] = 0.0
    moved = weights - start
    loss = 0.5 * float((slopes * error).sum() + (penalty * moved) @ moved)
    return loss, network.gradient(weights, coordinates, taken, slopes) + penalty * moved

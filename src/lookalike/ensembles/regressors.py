"""A network that predicts how well each model foretells votes from the coordinates of the reference."""

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
        Votes that each model foretells; see `lookalike.ensembles.answers.Answers.foretold`.
    total : float64 (R,)
        Votes, above 0.
    rng : numpy Generator

    Returns
    -------
    network, weights
        It starts from the share of the votes that each model foretells over all references.
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
    """Return the squared error of what is predicted per vote, with penalties, and its gradient.

    An error is divided by the variance of one vote, 1/4, so that a penalty of `OUTER` means as much as that many votes
    do.
    """
    share = total / total.sum()
    outputs, taken = network.outputs_of(weights, coordinates)
    error = outputs - right / total[:, None]
    slopes = 4 * share[:, None] * error
    penalty = np.full(network.size, OUTER / total.sum())
    penalty[: network.inner_size] = INNER / total.sum()
    penalty[-network.outputs :] = 0.0
    moved = weights - start
    loss = 0.5 * float((slopes * error).sum() + (penalty * moved) @ moved)
    return loss, network.gradient(weights, coordinates, taken, slopes) + penalty * moved

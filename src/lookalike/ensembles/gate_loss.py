"""What a gate minimises: the log loss of the votes under its weights, with a pull towards equal ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike.ensembles.answers import Answers
from lookalike.ensembles.folds import softmax
from lookalike.ensembles.network import Network, descend

__all__ = ["Shape", "fit_gate", "gate_loss"]

Floats = NDArray[np.float64]

INNER = 3.0
CONSTANT = 0.1
"""Penalties, in votes, on what the hidden layer has moved from its start and on what is the same for all references."""

STEPS = 100


@dataclass(frozen=True, slots=True)
class Shape:
    """What a gate may look like.

    Attributes
    ----------
    dim : int
        How many coordinates it sees, the first; 0 for weights that are the same everywhere.
    hidden : int
        Units between coordinates and weights; 0 for none.
    penalty : float
        How strongly weights are pulled towards equal ones: about that many votes speak for them.
    """

    dim: int
    hidden: int
    penalty: float


def fit_gate(
    answers: Answers, coordinates: Floats, shape: Shape, slope: float, rng: np.random.Generator
) -> tuple[Network, Floats, float]:
    """Fit a gate by full-batch L-BFGS from equal weights.

    Parameters
    ----------
    answers : Answers
    coordinates : float64 (R, d)
        Of the references.
    shape : Shape
        Of which d is at least `dim`.
    slope : float
        Where the scale of margins starts.
    rng : numpy Generator
        Draws the hidden layer.

    Returns
    -------
    network : Network
        From the first coordinates to logits.
    weights : float64
    slope : float
        The scale of margins as it was learned.
    """
    network = Network(shape.dim, shape.hidden, answers.gaps.shape[1])
    start = network.start(rng)
    pull = np.full(network.size, shape.penalty)
    pull[: network.inner_size] = INNER
    pull[-network.outputs :] = CONSTANT
    X = np.ascontiguousarray(coordinates[:, : shape.dim])

    def loss(parameters: Floats) -> tuple[float, Floats]:
        return gate_loss(parameters, answers, X, network, start, pull)

    found = descend(loss, np.concatenate([[np.log(slope)], start]), STEPS)
    return network, found[1:], float(np.exp(found[0]))


def gate_loss(
    parameters: Floats, answers: Answers, X: Floats, network: Network, start: Floats, pull: Floats
) -> tuple[float, Floats]:
    """Return the mean negative log likelihood of a vote, with penalties, and its gradient.

    A vote for a has the probability ``sigmoid(s (D_b - D_a))``, where ``D_b - D_a`` is the sum of the models' gaps
    weighted by ``softmax(network(x))``. The penalty is ``sum(pull (w - start)^2) / 2`` per vote, w being the weights of
    the network.

    Parameters
    ----------
    parameters : float64 (1 + network.size,)
        ``log s``, then the weights of the network.
    answers : Answers
    X : float64 (R, network.inputs)
    network : Network
    start, pull : float64 (network.size,)

    Examples
    --------
    >>> answers = Answers(np.array([[0.1, 0.1]]), np.ones(1), np.zeros(1), np.zeros(1, np.int64))
    >>> network = Network(0, 0, 2)
    >>> loss, slope = gate_loss(np.zeros(3), answers, np.zeros((1, 0)), network, np.zeros(2), np.ones(2))
    >>> round(loss, 4), slope.round(4).tolist()
    (0.6444, [-0.0475, 0.0, 0.0])
    """
    scale, moved = np.exp(parameters[0]), parameters[1:] - start
    logits, taken = network.outputs_of(parameters[1:], X)
    weights = softmax(logits)
    z = scale * answers.margins(weights)
    total = answers.votes_a + answers.votes_b
    votes = total.sum()
    small = np.exp(-np.abs(z))
    # Of -a log(sigmoid(z)) - b log(sigmoid(-z)), written so that nothing overflows.
    loss = total @ (np.maximum(-z, 0) + np.log(1 + small)) + answers.votes_b @ z
    by_z = (answers.votes_b - total * np.where(z > 0, small, 1) / (1 + small)) / votes
    by_weights = answers.by_reference((scale * by_z)[:, None] * answers.gaps)
    by_logits = weights * (by_weights - np.vecdot(weights, by_weights)[:, None])
    slopes = network.gradient(parameters[1:], X, taken, by_logits) + pull * moved / votes
    penalty = 0.5 * (pull * moved) @ moved
    return float(loss + penalty) / float(votes), np.concatenate([[by_z @ z], slopes])

"""What the contrastive loop is told; no PyTorch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from lookalike.core.types import Rows
from lookalike.training.things import Pairing

__all__ = ["ContrastivePlan", "Optimiser"]

Optimiser: TypeAlias = Literal["adamw", "sgd"]


@dataclass(frozen=True, slots=True, eq=False)
class ContrastivePlan:
    """How to train a head on things.

    Attributes
    ----------
    epochs : int
        Passes over the things, at most; in a pass every thing comes up once.
    batch : int
        Things a step.
    whole_batches : bool
        Whether an incomplete batch is skipped.
    pairing : {"any", "given"}
        See `lookalike.training.things.Pairing`.
    optimiser : {"adamw", "sgd"}
        AdamW (Loshchilov and Hutter, 2019), or gradient descent with momentum 0.9.
    learning_rate, weight_decay : float
    cosine : bool
        Whether the learning rate falls to 0 along half a cosine over all steps, after it has risen over the first
        twentieth of them (Loshchilov and Hutter, SGDR, 2017).
    pull : float
        Weight of ``|weights - start|^2 / 2`` beside the sum of the losses of all training things: as in a Gaussian
        prior around the start, more things move the weights further.
    train_things, held_things : int64 (n,)
        Numbers of things.
    patience : int
        Passes without a better one, for pictures that are held out, before it stops.
    seed : int
    """

    epochs: int
    batch: int
    whole_batches: bool
    pairing: Pairing
    optimiser: Optimiser
    learning_rate: float
    weight_decay: float
    cosine: bool
    pull: float
    train_things: Rows
    held_things: Rows
    patience: int
    seed: int

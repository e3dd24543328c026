"""What a training loop is told, and what it tells; no PyTorch here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Epoch", "Head", "Keep", "OnEpoch", "Ops", "Plan", "TripletOn", "untold"]

Head: TypeAlias = Callable[[Any, Any, Mapping[str, Any]], Any]
"""``(z, places, weights) -> log odds that a is closer``, see `lookalike.similarity.heads`."""

Keep: TypeAlias = Literal["best", "last"]
TripletOn: TypeAlias = Literal["unit", "plain", "layer"]
"""What a triplet loss takes, see `lookalike.training.ranking.RankingTask`."""


@dataclass(frozen=True, slots=True, eq=False)
class Ops:
    """What a formula needs beside operators.

    Attributes
    ----------
    relu : callable
        ``max(x, 0)``.
    drop : callable
        Dropout while training, nothing else.
    """

    relu: Callable[[Any], Any]
    drop: Callable[[Any], Any]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How to train one map.

    Attributes
    ----------
    epochs : int
        Passes over the training rows, at most.
    batch : int
        Rows a step; 0 for all.
    learning_rate, weight_decay : float
        Of AdamW (Loshchilov and Hutter, 2019); the scale does not decay.
    scale : float
        What cosines, or differences of distances, are multiplied by in the loss.
    learn_scale : bool
        Whether `scale` is learned, on a logarithmic axis.
    dropout : float
        Share of numbers set to zero where the formula asks for it.
    train_rows, validation_rows : int64
        Rows of the task; without validation rows there is no early stopping.
    patience : int
        Epochs without a lower validation loss before it stops.
    seed : int
    pull : float
        Weight of ``|weights - start|^2 / 2`` beside the sum of the losses of all training rows: as in a Gaussian prior
        around the start, more rows move the weights further.
    keep : {"best", "last"}
        Weights of the lowest validation loss, which also ends the training early, or of the last epoch.
    """

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    scale: float
    learn_scale: bool
    dropout: float
    train_rows: NDArray[np.int64]
    validation_rows: NDArray[np.int64]
    patience: int
    seed: int
    pull: float = 0.0
    keep: Keep = "best"


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass came to.

    Attributes
    ----------
    member : int
        Which of the maps that stand side by side, from 0.
    epoch : int
        From 1.
    epochs : int
        Of the plan.
    loss : float
        Mean over the steps of this pass.
    validation_loss : float or None
        After the pass.
    scale : float
    """

    member: int
    epoch: int
    epochs: int
    loss: float
    validation_loss: float | None
    scale: float


OnEpoch: TypeAlias = Callable[[Epoch], None]


def untold(_: Epoch) -> None:
    """Take what a pass came to and tell nobody."""

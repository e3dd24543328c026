"""Train a linear map and codebooks together, over frozen features of things: one loop, in sight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch.nn.functional import normalize

from lookalike.core.errors import InputError
from lookalike.core.types import Vectors
from lookalike.losses.quantised import cross_quantised, reconstruction_error, soft_codes
from lookalike.training.adaptation import Trained
from lookalike.training.plan import Epoch, OnEpoch
from lookalike.training.things import Things, batches
from lookalike.training.threads import share_of_threads

__all__ = ["QuantizerPlan", "Schedule", "rate_at", "rising_factor", "train_quantizer"]

Schedule: TypeAlias = Literal["cosine", "published"]
WAITED = 10
"""Epochs of the published schedule before its learning rate moves."""


@dataclass(frozen=True, slots=True)
class QuantizerPlan:
    """How to train a quantizer.

    Attributes
    ----------
    epochs : int
        Passes over the things; in a pass every thing comes up once.
    batch : int
        Things a step.
    whole_batches : bool
        Whether an incomplete batch is skipped.
    learning_rate, weight_decay : float
        Of Adam (Kingma and Ba, 2015), the decay added to the gradient.
    schedule : {"cosine", "published"}
        See `rate_at`.
    unit : bool
        Whether rows are scaled to length 1 before they are put into words.
    sharpness, temperature : float
        See `lookalike.losses.quantised`.
    reconstruction : float
        Weight of the reconstruction error beside the contrastive loss.
    seed : int
    """

    epochs: int
    batch: int
    whole_batches: bool
    learning_rate: float
    weight_decay: float
    schedule: Schedule
    unit: bool
    sharpness: float
    temperature: float
    reconstruction: float
    seed: int


def train_quantizer(
    start: Mapping[str, Vectors], rows: Vectors, things: Things, plan: QuantizerPlan, on_epoch: OnEpoch
) -> Trained:
    """Minimise the cross-quantised loss over the map ``x = W f + b`` and the codebooks.

    Parameters
    ----------
    start : dict of str to float32 array
        ``"map"`` (M * L, D), ``"shift"`` (M * L,) and ``"codebooks"`` (M, K, L) before training.
    rows : float32 (N, D)
        Features.
    things : Things
        Which of them show the same; two pictures of each thing of a batch are drawn at every step.
    plan : QuantizerPlan
    on_epoch : callable
        Told after every pass.

    Raises
    ------
    InputError
        The numbers grew beyond all bounds.
    """
    with share_of_threads():
        return _train(start, torch.as_tensor(rows), things, plan, on_epoch)


def rate_at(plan: QuantizerPlan, epoch: int, step: int, steps: int) -> float:
    """Return the learning rate of a step.

    ``"cosine"`` falls to 0 along half a cosine over all steps (Loshchilov and Hutter, SGDR, 2017). ``"published"`` is
    what the code of Jang and Cho (2021) does: it stays for 10 epochs, then moves once an epoch along a cosine whose
    half is as many *epochs* long as an epoch has *steps*, so that it rises again after them.

    Parameters
    ----------
    plan : QuantizerPlan
    epoch, step : int
        From 0; steps count from the first of the epoch.
    steps : int
        Of an epoch.
    """
    if plan.schedule == "cosine":
        share = (epoch * steps + step) / (plan.epochs * steps)
        return plan.learning_rate * (1 + math.cos(math.pi * share)) / 2
    return plan.learning_rate * rising_factor(epoch, steps)


def rising_factor(epoch: int, steps: int) -> float:
    """Return what the published learning rate is multiplied by in an epoch, from 0, of so many steps; see `rate_at`.

    Examples
    --------
    >>> [round(rising_factor(epoch, 40), 2) for epoch in (0, 10, 30, 50, 90)]
    [1.0, 1.0, 0.5, 0.0, 1.0]
    """
    return (1 + math.cos(math.pi * max(0, epoch - WAITED) / steps)) / 2


def _train(start: Mapping[str, Vectors], rows: Any, things: Things, plan: QuantizerPlan, on_epoch: OnEpoch) -> Trained:
    rng = np.random.default_rng(plan.seed)
    weights = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}
    optimiser = torch.optim.Adam(list(weights.values()), plan.learning_rate, weight_decay=plan.weight_decay)
    history = []
    for epoch in range(plan.epochs):
        dealt = list(batches(np.arange(len(things)), plan.batch, plan.whole_batches, rng))
        losses = []
        for step, numbers in enumerate(dealt):
            one, other = (rows[torch.from_numpy(side)] for side in things.draw(numbers, "any", rng))
            loss = _loss(one, other, weights, plan)
            optimiser.zero_grad()
            loss.backward()
            for group in optimiser.param_groups:
                group["lr"] = rate_at(plan, epoch, step, len(dealt))
            optimiser.step()
            losses.append(float(loss.detach()))
        done = Epoch(0, epoch + 1, plan.epochs, sum(losses) / len(losses), None, 1 / plan.temperature)
        if not math.isfinite(done.loss):
            raise InputError(f"the loss is {done.loss} after {epoch + 1} passes: take a smaller learning_rate")
        history.append(asdict(done))
        on_epoch(done)
    return Trained({name: value.detach().numpy() for name, value in weights.items()}, 1 / plan.temperature, history)


def _loss(one: Any, other: Any, weights: Mapping[str, Any], plan: QuantizerPlan) -> Any:
    """Return the loss of two pictures each of some things."""
    x = torch.cat([one, other]) @ weights["map"].T + weights["shift"]
    x = normalize(x, dim=1) if plan.unit else x
    z = soft_codes(x, weights["codebooks"], plan.sharpness)
    (x_a, x_b), (z_a, z_b) = x.chunk(2), z.chunk(2)
    loss = cross_quantised(x_a, x_b, z_a, z_b, plan.temperature)
    return loss + plan.reconstruction * reconstruction_error(x, z) if plan.reconstruction else loss

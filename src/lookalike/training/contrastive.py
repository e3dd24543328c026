"""Train a head over frozen features on things, of which several pictures are known: one loop, in sight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize

from lookalike.core.types import Rows, Vectors
from lookalike.training.adaptation import PLAIN, Formula, Trained
from lookalike.training.contrastive_plan import ContrastivePlan
from lookalike.training.objectives import Objective
from lookalike.training.plan import Epoch, OnEpoch
from lookalike.training.things import Things, batches
from lookalike.training.threads import share_of_threads

__all__ = ["Held", "HeldThings", "finding_loss", "train_contrastive"]

MOMENTUM = 0.9
RISE = 0.05
"""Share of the steps over which the learning rate rises."""

GALLERY, QUERIES = 2048, 1024
"""At most so many originals are searched, for so many held-out pictures."""

SHARPNESS = torch.tensor([5.0, 10.0, 20.0, 40.0, 80.0])
"""What cosines are multiplied by to tell how surely pictures are found; the best of these counts."""


class Held(Protocol):
    """Pictures that are not trained on."""

    def loss(self, formula: Formula, weights: Mapping[str, Any]) -> float | None:
        """Return how badly they fare under some weights; None where there are none."""


def train_contrastive(
    formula: Formula,
    start: Mapping[str, Vectors],
    features: Vectors,
    things: Things,
    objective: Objective,
    plan: ContrastivePlan,
    held: Held,
    on_epoch: OnEpoch,
) -> Trained:
    """Minimise an objective over the weights of a head.

    Parameters
    ----------
    formula : callable
    start : dict of str to float32 array
        Weights before training, those of the objective among them.
    features : float32 (N, d)
    things : Things
    objective : Objective
    plan : ContrastivePlan
    held : Held
        The weights are kept under which its loss is lowest, and these may be the first ones.
    on_epoch : callable
        Told after every pass; ``validation_loss`` is that of `held`.
    """
    with share_of_threads():
        return _train(formula, start, torch.as_tensor(features), things, objective, plan, held, on_epoch)


def _train(
    formula: Formula,
    start: Mapping[str, Vectors],
    features: Any,
    things: Things,
    objective: Objective,
    plan: ContrastivePlan,
    held: Held,
    on_epoch: OnEpoch,
) -> Trained:
    rng = np.random.default_rng([plan.seed, 0])
    weights = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}
    begun = {name: value.detach().clone() for name, value in weights.items()}
    optimiser = _optimiser(plan, list(weights.values()))
    best = held.loss(formula, weights)
    kept, waited, history = {name: value.clone() for name, value in begun.items()}, 0, []
    per_epoch = len(list(batches(plan.train_things, plan.batch, plan.whole_batches, np.random.default_rng(0))))
    steps, step = plan.epochs * per_epoch, 0
    for epoch in range(1, plan.epochs + 1):
        losses = []
        for numbers in batches(plan.train_things, plan.batch, plan.whole_batches, rng):
            rows = _drawn(things, numbers, objective.pictures, plan, rng)
            loss = objective.loss(
                lambda x: formula(x, weights, PLAIN),
                features[torch.from_numpy(rows)],
                torch.from_numpy(numbers),
                weights,
                step / steps,
            )
            optimiser.zero_grad()
            loss.backward()
            _pull(weights, begun, plan.pull / len(plan.train_things))
            _set_rate(optimiser, plan, step / steps)
            optimiser.step()
            losses.append(float(loss.detach()))
            step += 1
        now = held.loss(formula, weights)
        done = Epoch(0, epoch, plan.epochs, sum(losses) / len(losses), now, 1.0)
        history.append(asdict(done))
        on_epoch(done)
        if now is None or best is None or now < best:
            best, waited = now, 0
            kept = {name: value.detach().clone() for name, value in weights.items()}
            continue
        waited += 1
        if waited >= plan.patience:
            break
    return Trained({name: value.numpy() for name, value in kept.items()}, 1.0, history)


def _drawn(things: Things, numbers: Rows, pictures: int, plan: ContrastivePlan, rng: np.random.Generator) -> Rows:
    """Return rows of one picture of each thing, or first of one, then of another."""
    if pictures == 1:
        return things.draw_one(numbers, rng)
    return np.concatenate(things.draw(numbers, plan.pairing, rng))


def _optimiser(plan: ContrastivePlan, learned: list[Any]) -> Any:
    if plan.optimiser == "sgd":
        return torch.optim.SGD(learned, plan.learning_rate, momentum=MOMENTUM, weight_decay=plan.weight_decay)
    return torch.optim.AdamW(learned, plan.learning_rate, weight_decay=plan.weight_decay)


def _set_rate(optimiser: Any, plan: ContrastivePlan, done: float) -> None:
    if plan.cosine:
        share = min(1.0, (done + RISE / 10) / RISE) * (1 + math.cos(math.pi * done)) / 2
        for group in optimiser.param_groups:
            group["lr"] = plan.learning_rate * share


def _pull(weights: Mapping[str, Any], begun: Mapping[str, Any], strength: float) -> None:
    """Add to the gradients what it costs to have gone away from where the weights began."""
    if strength:
        with torch.no_grad():
            for name, value in weights.items():
                value.grad.add_(value - begun[name], alpha=strength)


class HeldThings:
    """Pictures of things that are not trained on, to be found among the originals of these and of others.

    Parameters
    ----------
    features : float32 (N, d)
    things : Things
    plan : ContrastivePlan
        Says which things; the same pictures are chosen whatever the features.
    """

    def __init__(self, features: Any, things: Things, plan: ContrastivePlan) -> None:
        held = plan.held_things
        features, rng = torch.as_tensor(features), np.random.default_rng([plan.seed, 1])
        anchors = things.anchors()
        others = rng.permutation(plan.train_things)[: max(0, GALLERY - len(held))]
        queries = [
            (place, row) for place, one in enumerate(held) for row in things.of_thing(one) if row != anchors[one]
        ]
        chosen = sorted(rng.permutation(len(queries))[:QUERIES].tolist())
        self._targets = torch.tensor([queries[number][0] for number in chosen], dtype=torch.int64)
        self._queries = features[torch.tensor([queries[number][1] for number in chosen], dtype=torch.int64)]
        self._gallery = features[torch.from_numpy(anchors[np.concatenate([held, others])])]

    def loss(self, formula: Formula, weights: Mapping[str, Any]) -> float | None:
        """Return `finding_loss`; None where nothing is held out."""
        if not len(self._queries):
            return None
        with torch.no_grad():
            tensors = {name: torch.as_tensor(value) for name, value in weights.items()}
            queries, gallery = (formula(rows, tensors, PLAIN) for rows in (self._queries, self._gallery))
            return finding_loss(queries, gallery, self._targets)


def finding_loss(queries: Any, gallery: Any, targets: Any) -> float:
    """Return how surely the originals of pictures are found: cross-entropy over a gallery, at its best temperature.

    As the temperature is chosen anew, it tells how well distances rank and not how far they are spread. Where all
    pictures are found already, unlike recall, it still tells by how much.

    Parameters
    ----------
    queries : float tensor (n, D)
    gallery : float tensor (N, D)
    targets : int64 tensor (n,)
        Rows of the gallery.

    Examples
    --------
    >>> sides = torch.eye(4)
    >>> finding_loss(sides, sides, torch.arange(4)) < 1e-6
    True
    >>> round(finding_loss(sides, torch.ones(4, 4), torch.arange(4)), 4)  # ln 4
    1.3863
    """
    cosines = normalize(queries) @ normalize(gallery).T
    return min(float(cross_entropy(sharpness * cosines, targets)) for sharpness in SHARPNESS)

"""Train a map over frozen features on matched pairs or on judgments: one loop, in sight."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray

from lookalike.training.plan import Epoch, OnEpoch, Ops, Plan
from lookalike.training.tasks import Task
from lookalike.training.threads import share_of_threads

__all__ = ["Formula", "Trained", "train_adaptation"]

Formula = Callable[[Any, Mapping[str, Any], Ops], Any]
"""``(x, weights, ops) -> y`` for rows x (m, d) and y (m, D)."""

PLAIN = Ops(torch.relu, lambda x: x)
"""Without dropout."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A trained map.

    Attributes
    ----------
    weights : dict of str to float32 array
    scale : float
    history : list of dict
        The fields of `Epoch`, per epoch.
    """

    weights: dict[str, NDArray[Any]]
    scale: float
    history: list[dict[str, Any]]


def train_adaptation(
    formula: Formula,
    start: Mapping[str, NDArray[Any]],
    views: Sequence[NDArray[Any]],
    task: Task,
    plan: Plan,
    on_epoch: OnEpoch,
    member: int = 0,
) -> Trained:
    """Minimise the loss of a task over the weights of a formula.

    Parameters
    ----------
    formula : callable
    start : dict of str to float32 array
        Weights before training.
    views : sequence of float32 (N, d)
        The features; where pictures were also mirrored, those of the mirrored ones as well. The loss of a step is the
        mean over all views.
    task : Task
    plan : Plan
    on_epoch : callable
        Told after every pass, from the thread that trains: members are trained side by side.
    member : int
        Passed on to `on_epoch`.
    """
    with share_of_threads():
        return _train(formula, start, views, task, plan, on_epoch, member)


def _train(
    formula: Formula,
    start: Mapping[str, NDArray[Any]],
    views: Sequence[NDArray[Any]],
    task: Task,
    plan: Plan,
    on_epoch: OnEpoch,
    member: int,
) -> Trained:
    rng = torch.Generator().manual_seed(plan.seed)
    weights = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}
    log_scale = torch.tensor(math.log(plan.scale), requires_grad=plan.learn_scale)
    rows = [torch.as_tensor(view) for view in views]
    train_rows, validation_rows = torch.as_tensor(plan.train_rows), torch.as_tensor(plan.validation_rows)
    learned = [*weights.values(), *([log_scale] if plan.learn_scale else [])]
    groups = [{"params": list(weights.values())}, {"params": learned[len(weights) :], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups[: 1 + plan.learn_scale], plan.learning_rate, weight_decay=plan.weight_decay)

    def loss_of(some: Any, ops: Ops) -> Any:
        def embed(view: Any) -> Callable[[Any], Any]:
            return lambda images: formula(view[images], weights, ops)

        scale = log_scale.exp() if plan.learn_scale else plan.scale
        return torch.stack([task.loss(embed(view), some, scale, weights) for view in rows]).mean()

    training = Ops(torch.relu, partial(_drop, share=plan.dropout, rng=rng)) if plan.dropout else PLAIN
    begun = {name: value.detach().clone() for name, value in weights.items()} if plan.pull else {}
    history, best = [], _Best(plan.patience)
    for epoch in range(1, plan.epochs + 1):
        losses = []
        for some in _batches(train_rows, plan.batch, rng):
            loss = loss_of(some, training)
            optimiser.zero_grad()
            (loss + _pulled(weights, begun, plan.pull / len(train_rows))).backward()
            optimiser.step()
            losses.append(float(loss.detach()))
        with torch.no_grad():
            held = float(loss_of(validation_rows, PLAIN)) if len(validation_rows) else None
        done = Epoch(member, epoch, plan.epochs, sum(losses) / len(losses), held, float(log_scale.detach().exp()))
        history.append(asdict(done))
        on_epoch(done)
        if held is not None and plan.keep == "best" and best.is_over(held, learned):
            break
    best.put_back(learned)
    found = {name: value.detach().numpy() for name, value in weights.items()}
    return Trained(found, float(log_scale.detach().exp()), history)


def _drop(x: Any, share: float, rng: Any) -> Any:
    """Set a share of the numbers to zero and scale the rest.

    Four numbers are decided by 64 random bits: as many calls of Bernoulli would take longer than the map itself.
    """
    bits = torch.randint(-(2**63), 2**63 - 1, (-(-x.numel() // 4),), generator=rng).view(torch.int16)
    kept = bits[: x.numel()].view(x.shape) < min(round((1 - share) * 2**16) - 2**15, 2**15 - 1)
    return x * (kept / (1 - share))


def _pulled(weights: Mapping[str, Any], begun: Mapping[str, Any], strength: float) -> Any:
    """Return what it costs to have gone away from where the weights began."""
    return strength / 2 * sum(((weights[name] - value) ** 2).sum() for name, value in begun.items())


class _Best:
    """The weights with the lowest validation loss so far."""

    def __init__(self, patience: int) -> None:
        self._patience, self._waited, self._lowest = patience, 0, math.inf
        self._kept: list[Any] = []

    def is_over(self, loss: float, learned: Sequence[Any]) -> bool:
        """Take note of a validation loss, and say whether to stop."""
        if loss < self._lowest:
            self._lowest, self._waited = loss, 0
            self._kept = [value.detach().clone() for value in learned]
            return False
        self._waited += 1
        return self._waited >= self._patience

    def put_back(self, learned: Sequence[Any]) -> None:
        with torch.no_grad():
            for value, kept in zip(learned, self._kept, strict=False):
                value.copy_(kept)


def _batches(rows: Any, size: int, rng: Any) -> Sequence[Any]:
    """Deal the rows in an order of chance to batches of about one size; all in one keep their order."""
    if not size or size >= len(rows):
        return [rows]
    shuffled = rows[torch.randperm(len(rows), generator=rng)]
    return list(torch.tensor_split(shuffled, math.ceil(len(rows) / size)))

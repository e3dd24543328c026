"""Train whole networks to match: the task that the loop over networks is given.

A row is a thing. A step takes some things, and of each two pictures or more: different pictures where there are, else
views of one. Two of the same thing never stand in one batch, for they would be taken for strangers.

This module imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn

from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Pixels, Rows
from lookalike.training.checkpoints import Checkpoints
from lookalike.training.contrastive_network import MatchingNetwork
from lookalike.training.finetune_measures import Preparation
from lookalike.training.matching_codes import asking
from lookalike.training.matching_measures import Found, ask
from lookalike.training.matching_objectives import Objective
from lookalike.training.matching_settings import MatchingSettings
from lookalike.training.matching_things import MatchingEpoch, PicturedThings, queries_about
from lookalike.training.network_loop import train_network, warmed_cosine
from lookalike.training.pictures import PictureReader
from lookalike.training.processes import Processes
from lookalike.training.quantizer import rising_factor
from lookalike.training.questions import Trained

__all__ = ["learning_rate_factor", "train_matching"]


def train_matching(
    network: MatchingNetwork,
    prepare: Preparation,
    reader: PictureReader,
    things: PicturedThings,
    objective: Objective,
    settings: MatchingSettings,
    processes: Processes | None = None,
    checkpoints: Checkpoints | None = None,
    on_epoch: Callable[[MatchingEpoch], None] = lambda _: None,
    on_progress: OnProgress = silent,
) -> Trained[Found]:
    """Train a network to see that pictures show the same.

    Parameters
    ----------
    network : MatchingNetwork
        Changed in place: afterwards it holds the weights that `settings.keep` says.
    prepare : Preparation
    reader : PictureReader
        Its plan is `settings.views`.
    things : PicturedThings
    objective : Objective
    settings : MatchingSettings
    processes, checkpoints, on_epoch, on_progress
        As in `lookalike.training.network_loop.train_network`. The pictures of all processes are held against each
        other; where the things cannot be dealt evenly to them, a pass leaves the last ones out.

    Raises
    ------
    ImageDecodeError, InputError, StorageError
        See `lookalike.training.network_loop.train_network`.
    """
    processes = processes or Processes()
    task = _Matching(network, prepare, reader, things, objective, settings, processes, on_progress)
    return train_network(task, settings, processes, checkpoints, on_epoch, on_progress)


def learning_rate_factor(settings: MatchingSettings, done: int, steps: int) -> float:
    """Return what learning rates are multiplied by, after so many of all steps.

    Examples
    --------
    >>> from lookalike.training.matching_settings import matching_settings
    >>> cosine, stairs = (matching_settings({"preset": preset, "warmup": 0.1}) for preset in ("", "identical"))
    >>> [round(learning_rate_factor(cosine, done, 100), 2) for done in (0, 4, 10, 55, 99)]
    [0.1, 0.5, 1.0, 0.5, 0.0]
    >>> [learning_rate_factor(stairs, done, 1000) for done in (0, 199, 200, 300, 400)]
    [0.01, 1.0, 0.1, 0.01, 0.001]
    """
    if settings.schedule == "cosine" or done < round(settings.warmup * steps):
        return warmed_cosine(done, steps, settings.warmup)
    if settings.schedule == "steps":
        return next((factor for start, factor in reversed(settings.rates) if done >= start), 1.0)
    if settings.schedule == "rising":
        a_pass = steps // settings.epochs
        return rising_factor(done // a_pass, a_pass)
    return 1.0


class _Matching:
    """See `train_matching`; a `lookalike.training.network_loop.NetworkTask`."""

    rows_are = "things"

    def __init__(
        self,
        network: MatchingNetwork,
        prepare: Preparation,
        reader: PictureReader,
        things: PicturedThings,
        objective: Objective,
        settings: MatchingSettings,
        processes: Processes,
        on_progress: OnProgress,
    ) -> None:
        self.network, self.device, self.slots = network, prepare.device, settings.pictures
        self._prepare, self._reader, self._things = prepare, reader, things
        self._objective, self._settings, self._processes = objective, settings, processes
        self._on_progress = on_progress
        self._plain_first = settings.views.plain_first

    def batches(self, epoch: int) -> list[Rows]:
        rows = np.random.default_rng([self._settings.seed, epoch]).permutation(self._things.train)
        count = self._processes.count
        shares = rows[: len(rows) // count * count].reshape(-1, count)  # as many to each process, in every batch
        size = max(1, self._settings.batch // count)
        if self._settings.rest == "dropped" and len(shares) >= size:
            shares = shares[: len(shares) // size * size]
        return [some.ravel() for some in np.array_split(shares, max(1, math.ceil(len(shares) / size)))]

    def view(self, row: int, slot: int, epoch: int) -> Pixels:
        members = self._things.members[row]
        order = np.random.default_rng([self._settings.seed, epoch, row]).permutation(len(members))
        image = int(members[order[slot % len(members)]])
        if slot == 0 and self._plain_first:
            return self._reader.whole(image)
        return self._reader.view(image, epoch, row, slot)

    def suit(self) -> None:
        if not self._objective.wants:
            return
        rows = np.random.default_rng(self._settings.seed).permutation(self._things.train)[: self._objective.wants]
        pictures = [self.view(int(row), slot, 0) for slot in range(self.slots) for row in rows]
        self._objective.suit(torch.from_numpy(np.stack(pictures)), torch.from_numpy(rows).repeat(self.slots))

    def optimiser(self) -> torch.optim.Optimizer:
        settings, learned = self._settings, self.network.trained()
        inside = "joined.branches."
        groups = [
            {"params": [value for name, value in learned.items() if name.startswith(inside) == inner], "lr": rate}
            for inner, rate in ((True, settings.learning_rate), (False, settings.head_learning_rate))
        ]
        groups = [group for group in groups if group["params"]]
        decay = settings.weight_decay
        if settings.optimiser == "adamw":
            return torch.optim.AdamW(groups, weight_decay=decay)
        if settings.optimiser == "adam":
            return torch.optim.Adam(groups, weight_decay=decay)
        return torch.optim.SGD(groups, momentum=settings.momentum, weight_decay=decay, nesterov=settings.nesterov)

    def rate(self, done: int, steps: int) -> float:
        return learning_rate_factor(self._settings, done, steps)

    def learning(self, epoch: int) -> None:
        self.network.learning(epoch)

    def loss(self, spread: nn.Module, pixels: Pixels, mine: Rows, rows: Rows, epoch: int) -> torch.Tensor:  # noqa: ARG002
        z = spread(self._prepare(pixels))
        shown = torch.from_numpy(pixels).to(self.device).unflatten(0, (self.slots, -1))
        numbers, share = torch.from_numpy(mine).to(self.device), (epoch - 1) / self._settings.epochs
        loss: torch.Tensor = self._objective(z.unflatten(0, (self.slots, -1)), numbers, shown, share)
        return loss / self._processes.count

    def validated(self) -> Found | None:
        numbers = self._things.validation
        queries = queries_about(self._things, numbers, numbers) if len(numbers) else None
        if queries is None:
            return None
        self.network.eval()
        told = partial(self._told, "measuring on things held out")
        size, temperature = 2 * self._settings.batch, self._settings.temperature
        asked, compared = asking(self.network)
        return ask(asked, self._prepare, self._reader, queries, temperature, size, self._processes, told, compared)

    def told(self, epoch: int, loss: float, held: Found | None) -> MatchingEpoch:
        found = (None, None) if held is None else (held.loss, float(held.first.mean()))
        return MatchingEpoch(epoch, self._settings.epochs, loss, *found)

    def _told(self, stage: str, done: int, total: int) -> None:
        self._on_progress(Progress(stage, done, total))

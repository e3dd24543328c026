"""Train a whole network: one loop, in sight, whatever the network learns from.

What it learns from is a `NetworkTask`: judgments, or matching views of things. Batches, views and dropout follow from
the seed and the place in the training alone. So a training that was cut off goes on as if nothing had happened, and
several processes see together what one would have seen.

This module imports torch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import Field, asdict, dataclass
from itertools import islice
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
import torch
from torch import nn

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, Progress
from lookalike.core.types import Pixels, Rows
from lookalike.training.checkpoints import Checkpoints, Position, Tensors, changing, put_back
from lookalike.training.kept_memory import kept_memory
from lookalike.training.pictures import ahead
from lookalike.training.processes import Processes
from lookalike.training.questions import Trained
from lookalike.training.threads import share_of_threads

__all__ = ["LoopSettings", "NetworkTask", "plateau", "train_network", "warmed_cosine"]


class LoopSettings(Protocol):
    """What the loop itself has to know; see `lookalike.training.finetune_settings.FinetuneSettings`."""

    @property
    def epochs(self) -> int: ...  # noqa: D102
    @property
    def batch(self) -> int: ...  # noqa: D102
    @property
    def patience(self) -> int: ...  # noqa: D102
    @property
    def keep(self) -> str: ...  # noqa: D102
    @property
    def checkpoint_minutes(self) -> float: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102


class Loss(Protocol):
    """Something that says how good a network is on what was held out, and perhaps more."""

    @property
    def loss(self) -> float:
        """Lower is better."""


class Told(Protocol):
    """What a pass came to: a dataclass of JSON values."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def validation_loss(self) -> float | None:
        """After the pass, on what was held out."""


Held = TypeVar("Held", bound=Loss)
Done = TypeVar("Done", bound=Told, covariant=True)


class NetworkTask(Protocol[Held, Done]):
    """What a network learns from.

    Attributes
    ----------
    network : nn.Module
        Changed in place. Its forward pass takes the pictures of a batch, and is run once a step: several processes can
        only then average its gradients.
    device : torch.device
    rows_are : str
        What a row is, for messages, such as ``"judgments"``.
    slots : int
        Pictures a row.
    """

    network: nn.Module
    device: torch.device
    rows_are: str
    slots: int

    def batches(self, epoch: int) -> list[Rows]:
        """Deal the training rows of a pass to batches, in an order of chance; in every pass as many."""

    def view(self, row: int, slot: int, epoch: int) -> Pixels:
        """Return a picture of a row as this pass shows it, uint8 (H, W, 3). Called in several threads."""

    def suit(self) -> None:
        """Set what has to suit the network as it comes, before a training begins or goes on."""

    def optimiser(self) -> torch.optim.Optimizer:
        """Return what takes the steps."""

    def rate(self, done: int, steps: int) -> float:
        """Return what learning rates are multiplied by in a step, from how many were taken, of how many."""

    def learning(self, epoch: int) -> None:
        """Put the network into the state in which it is trained in this pass."""

    def loss(self, spread: nn.Module, pixels: Pixels, mine: Rows, rows: Rows, epoch: int) -> torch.Tensor:
        """Return what this process has in the loss of a batch: the sum over all processes is that loss.

        `spread` is the network, `pixels` are uint8 (slots * n, H, W, 3), slot after slot, of `mine`: those of the
        batch's `rows` that fall to this process.
        """

    def validated(self) -> Held | None:
        """Hold the network against what was held out; every process gets the whole result. None without any."""

    def told(self, epoch: int, loss: float, held: Held | None) -> Done:
        """Lay out what a pass came to."""


def warmed_cosine(done: int, steps: int, warmup: float) -> float:
    """Return what learning rates are multiplied by: first up, evenly, then along a cosine to 0 at the last step.

    Parameters
    ----------
    done, steps : int
        How many steps were taken, of how many.
    warmup : float
        Share of the steps over which rates go up, in [0, 1).

    Examples
    --------
    >>> [round(warmed_cosine(done, 100, 0.1), 2) for done in (0, 4, 10, 55, 99)]
    [0.1, 0.5, 1.0, 0.5, 0.0]
    """
    first = round(warmup * steps)
    if done < first:
        return (done + 1) / first
    return (1 + math.cos(math.pi * (done - first) / (steps - first))) / 2


def plateau(done: int, steps: int, rise: float, fall: float) -> float:
    """Return what learning rates are multiplied by: first up, evenly, then 1, and at the end down to 0.

    The end is steep at first, ``1 - sqrt(x)``. Until it begins, a training knows nothing of its end: it can be made
    longer. Hägele et al., *Scaling laws and compute-optimal training beyond fixed training durations* (2024).

    Parameters
    ----------
    done, steps : int
        How many steps were taken, of how many.
    rise, fall : float
        Over how many steps rates go up, and down.

    Examples
    --------
    >>> [round(plateau(done, 100, 10, 20), 2) for done in (0, 4, 10, 79, 85, 99)]
    [0.1, 0.5, 1.0, 1.0, 0.5, 0.03]
    """
    up = (done + 1) / rise if done + 1 < rise else 1.0
    left = steps - done
    down = 1 - math.sqrt(1 - left / fall) if left < fall else 1.0
    return min(up, down)


def train_network(
    task: NetworkTask[Held, Done],
    settings: LoopSettings,
    processes: Processes,
    checkpoints: Checkpoints | None,
    on_epoch: Callable[[Done], None],
    on_progress: OnProgress,
) -> Trained[Held]:
    """Train the network of a task.

    Parameters
    ----------
    task : NetworkTask
        Afterwards its network holds the weights that ``settings.keep`` says.
    settings : LoopSettings
    processes : Processes
        Those that share the work: each batch is dealt to all of them, and their gradients are averaged.
    checkpoints : Checkpoints or None
        Where to write them. If there is one already, training goes on from it: on a CPU, with the same number of
        threads, to the same weights, bit by bit.
    on_epoch, on_progress : callable
        Told after every pass and every step.

    Raises
    ------
    ImageDecodeError
        A picture cannot be read; its file is named.
    InputError
        There are more processes than rows in a batch, the loss is not finite, or the checkpoint does not fit.
    StorageError
        A checkpoint cannot be written; the one before is whole.
    """
    cuda = [task.device] if task.device.type == "cuda" else []
    with share_of_threads(), kept_memory(), torch.random.fork_rng(devices=cuda):
        return _Run(task, settings, processes, checkpoints, on_progress).train(on_epoch)


Batch: TypeAlias = tuple[Rows, Rows, Pixels]
"""The rows of a batch, those of this process, and their pictures."""


@dataclass(slots=True, eq=False)
class _Run(Generic[Held, Done]):
    """One training; see `train_network`."""

    task: NetworkTask[Held, Done]
    settings: LoopSettings
    processes: Processes
    checkpoints: Checkpoints | None
    on_progress: OnProgress

    def train(self, on_epoch: Callable[[Done], None]) -> Trained[Held]:
        settings, task, steps = self.settings, self.task, self._steps()
        task.suit()
        before = task.validated()
        optimiser = task.optimiser()
        rates = [group["lr"] for group in optimiser.param_groups]
        at, best = self._begin(optimiser, before)
        spread, saved = self.processes.wrap(task.network), time.monotonic()
        while at.epoch <= settings.epochs and not 0 < settings.patience <= at.waited:
            task.learning(at.epoch)
            total = torch.tensor(at.loss / self.processes.count, device=task.device)
            for rows, mine, pixels in self._batches(at):
                torch.manual_seed(self._seed(at))
                factor = task.rate((at.epoch - 1) * steps + at.step, settings.epochs * steps)
                for group, rate in zip(optimiser.param_groups, rates, strict=True):
                    group["lr"] = rate * factor
                loss = task.loss(spread, pixels, mine, rows, at.epoch)
                optimiser.zero_grad()
                (loss * self.processes.count).backward()  # gradients are averaged over the processes
                optimiser.step()
                total += loss.detach()
                at.step += 1
                self.on_progress(Progress("training", (at.epoch - 1) * steps + at.step, settings.epochs * steps))
                if time.monotonic() - saved > 60 * settings.checkpoint_minutes:
                    at.loss = float(total) * self.processes.count
                    self._save(optimiser, at)
                    saved = time.monotonic()
            done = self._measured(at.epoch, float(self.processes.sum(total)) / steps)
            at = Position(at.epoch + 1, history=[*at.history, asdict(done)], lowest=at.lowest, waited=at.waited + 1)
            if done.validation_loss is not None and done.validation_loss < at.lowest:
                at.lowest, at.waited = done.validation_loss, 0
                best = self._noted() if settings.keep == "best" else best
            self._save(optimiser, at)
            saved = time.monotonic()
            on_epoch(done)
        if best:
            put_back(task.network, best)
        return Trained(at.history, at.epoch - 1 - (at.waited if best else 0), before, task.validated())

    def _steps(self) -> int:
        """Count the steps of a pass."""
        batches, count = self.task.batches(1), self.processes.count
        smallest = min((len(rows) for rows in batches), default=0)
        if not smallest:
            raise InputError(f"there are no {self.task.rows_are} to train on")
        if smallest < count:
            raise InputError(
                f"{count} processes for batches of {smallest} {self.task.rows_are}: start fewer, or raise batch"
            )
        return len(batches)

    def _begin(self, optimiser: torch.optim.Optimizer, before: Held | None) -> tuple[Position, Tensors]:
        """Return where to begin, and the best weights so far: from the checkpoint, if there is one."""
        if self.checkpoints is not None and self.checkpoints.exists():
            at = self.checkpoints.load(self.task.network, optimiser)
            return at, self.checkpoints.load_best() if self.settings.keep == "best" else {}
        # What training makes worse is not worth it: the weights that it begins with are the first to beat.
        lowest = math.inf if before is None else before.loss
        return Position(lowest=lowest), self._noted() if self.settings.keep == "best" else {}

    def _seed(self, at: Position) -> int:
        """Return a seed for what is drawn in a step, of its own for each process."""
        words = [self.settings.seed, at.epoch, at.step, self.processes.rank]
        return int(np.random.SeedSequence(words).generate_state(1)[0])

    def _batches(self, at: Position) -> Iterator[Batch]:
        """Give the batches of a pass from a step on, with the views that fall to this process."""
        epoch, slots, share = at.epoch, self.task.slots, slice(self.processes.rank, None, self.processes.count)
        batches = self.task.batches(epoch)[at.step :]
        wanted = ((slot, row) for rows in batches for slot in range(slots) for row in rows[share].tolist())
        room = 2 * slots * math.ceil(self.settings.batch / self.processes.count)
        view = self.task.view
        with closing(ahead(lambda one: view(one[1], one[0], epoch), wanted, self.processes.lanes, room)) as views:
            for rows in batches:
                mine = rows[share]
                yield rows, mine, np.stack(list(islice(views, slots * len(mine))))

    def _measured(self, epoch: int, loss: float) -> Done:
        """Return what a pass came to."""
        if not math.isfinite(loss):
            raise InputError(
                f"the loss is not finite any more in epoch {epoch}: lower learning_rate, or precision=full"
            )
        self.processes.align(self.task.network)
        return self.task.told(epoch, loss, self.task.validated())

    def _noted(self) -> Tensors:
        """Return copies of the weights as they are now, and write them to the disk too."""
        tensors = {name: value.clone() for name, value in changing(self.task.network).items()}
        if self.checkpoints is not None and self.processes.first:
            self.checkpoints.save_best(tensors)
        return tensors

    def _save(self, optimiser: torch.optim.Optimizer, at: Position) -> None:
        if self.checkpoints is not None and self.processes.first:
            self.checkpoints.save(self.task.network, optimiser, at)

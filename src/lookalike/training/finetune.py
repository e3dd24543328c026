"""Fine-tune a whole network on judgments: one loop, in sight.

Batches, views and dropout follow from the seed and the place in the training alone. So a training that was cut off goes
on as if nothing had happened, and several processes see together what one would have seen.

This module imports torch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Pixels, Rows
from lookalike.metrics.calibration import fit_temperature
from lookalike.training.checkpoints import Checkpoints, Position, Tensors, changing, put_back
from lookalike.training.finetune_measures import Preparation, question_loss, validate
from lookalike.training.finetune_settings import FinetuneSettings
from lookalike.training.pictures import PictureReader, ahead
from lookalike.training.processes import Processes
from lookalike.training.questions import (
    Finetuned,
    OnRankingEpoch,
    Questions,
    RankingEpoch,
    Validation,
    agreement,
    nobody,
)
from lookalike.training.ranking_network import RankingNetwork
from lookalike.training.threads import share_of_threads

__all__ = ["train_ranking"]

ASKED = 2000
"""Questions by which the first scale of the log odds is judged."""

LEAST, UNKNOWN, MOST = 1.0, 10.0, 100.0
"""Limits of that scale, and what it is where the network as it comes is no better than chance, or always right."""


def train_ranking(
    network: RankingNetwork,
    prepare: Preparation,
    reader: PictureReader,
    questions: Questions,
    settings: FinetuneSettings,
    processes: Processes | None = None,
    checkpoints: Checkpoints | None = None,
    on_epoch: OnRankingEpoch = nobody,
    on_progress: OnProgress = silent,
) -> Finetuned:
    """Train a network to answer as people did.

    The loss is the cross-entropy of the ranking head and, weighted, the order triplet loss. Each pass goes through the
    training rows in an order of chance, in batches of about one size; every picture is seen in a view of its own.

    Parameters
    ----------
    network : RankingNetwork
        Changed in place: afterwards it holds the weights that `settings.keep` says.
    prepare : Preparation
    reader : PictureReader
    questions : Questions
    settings : FinetuneSettings
    processes : Processes, optional
        Those that share the work: each batch is dealt to all of them, and their gradients are averaged.
    checkpoints : Checkpoints, optional
        Where to write them. If there is one already, training goes on from it: on a CPU, with the same number of
        threads, to the same weights, bit by bit.
    on_epoch, on_progress : callable
        Told after every pass and every step.

    Raises
    ------
    ImageDecodeError
        A picture cannot be read; its file is named.
    InputError
        There are more processes than questions in a batch, the loss is not finite, or the checkpoint does not fit.
    StorageError
        A checkpoint cannot be written; the one before is whole.
    """
    if settings.flips:
        questions = questions.with_flips()
    cuda = [prepare.device] if prepare.device.type == "cuda" else []
    run = _Run(network, prepare, reader, questions, settings, processes or Processes(), checkpoints, on_progress)
    with share_of_threads(), torch.random.fork_rng(devices=cuda):
        return run.train(on_epoch)


@dataclass(slots=True, eq=False)
class _Run:
    """One training; see `train_ranking`."""

    network: RankingNetwork
    prepare: Preparation
    reader: PictureReader
    questions: Questions
    settings: FinetuneSettings
    processes: Processes
    checkpoints: Checkpoints | None
    on_progress: OnProgress

    def train(self, on_epoch: OnRankingEpoch) -> Finetuned:
        settings, network, steps = self.settings, self.network, self._steps()
        if not settings.scale:
            self._suit_scale()
        before = self._validated()
        optimiser = torch.optim.Adam(self._groups())
        at, best = self._begin(optimiser, before)
        spread, saved = self.processes.wrap(network), time.monotonic()
        while at.epoch <= settings.epochs and not 0 < settings.patience <= at.waited:
            network.learning()
            total = torch.tensor(at.loss / self.processes.count, device=self.prepare.device)
            for rows, pixels in self._batches(at):
                torch.manual_seed(self._seed(at))
                mine = rows[self._share]
                loss = question_loss(spread(self.prepare(pixels)), self.questions, mine, settings.triplet_weight)
                loss = loss * self._portion(mine, rows)
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
            put_back(network, best)
        return Finetuned(at.history, at.epoch - 1 - (at.waited if best else 0), before, self._validated())

    def _suit_scale(self) -> None:
        """Let the head begin as sure as the network is right, judged by some of what it will learn from."""
        rows = np.random.default_rng(self.settings.seed).permutation(self.questions.train_rows)[:ASKED]
        asked = replace(self.questions, validation_rows=np.sort(rows))
        found = validate(self.network, self.prepare, self.reader, asked, self.settings, self.processes)
        if found is not None:
            votes = self.questions.votes_a[asked.validation_rows], self.questions.votes_b[asked.validation_rows]
            temperature = fit_temperature(-found.log_odds, np.zeros(len(rows)), *votes)
            scale = 1 / temperature if 0 < temperature < math.inf else UNKNOWN
            self.network.log_scale.data.fill_(math.log(min(max(scale, LEAST), MOST)))

    def _begin(self, optimiser: torch.optim.Optimizer, before: Validation | None) -> tuple[Position, Tensors]:
        """Return where to begin, and the best weights so far: from the checkpoint, if there is one."""
        if self.checkpoints is not None and self.checkpoints.exists():
            at = self.checkpoints.load(self.network, optimiser)
            return at, self.checkpoints.load_best() if self.settings.keep == "best" else {}
        # What training makes worse is not worth it: the weights that it begins with are the first to beat.
        lowest = math.inf if before is None else before.loss
        return Position(lowest=lowest), self._noted() if self.settings.keep == "best" else {}

    def _steps(self) -> int:
        """Count the steps of a pass."""
        rows, count = len(self.questions.train_rows), self.processes.count
        if not rows:
            raise InputError("there are no judgments to train on")
        steps = math.ceil(rows / self.settings.batch)
        if rows // steps < count:
            raise InputError(f"{count} processes for batches of {rows // steps} judgments: start fewer, or raise batch")
        return steps

    def _groups(self) -> list[dict[str, Any]]:
        """Return what the optimiser is told of the encoder, and of all else."""
        learned = self.network.trained()
        inner = [value for name, value in learned.items() if name.startswith("encoder.")]
        outer = [value for name, value in learned.items() if not name.startswith("encoder.")]
        groups = [{"params": inner, "lr": self.settings.learning_rate}]
        return groups + ([{"params": outer, "lr": self.settings.head_learning_rate}] if outer else [])

    @property
    def _share(self) -> slice:
        """Which rows of a batch fall to this process."""
        return slice(self.processes.rank, None, self.processes.count)

    def _portion(self, mine: Rows, rows: Rows) -> float:
        """Return the share of a batch's votes that falls to this process: the loss of a batch is a mean over votes."""
        votes = self.questions.votes_a + self.questions.votes_b
        return float(votes[mine].sum(dtype=np.float64) / votes[rows].sum(dtype=np.float64))

    def _seed(self, at: Position) -> int:
        """Return a seed for what is drawn in a step, of its own for each process."""
        words = [self.settings.seed, at.epoch, at.step, self.processes.rank]
        return int(np.random.SeedSequence(words).generate_state(1)[0])

    def _batches(self, at: Position) -> Iterator[tuple[Rows, Pixels]]:
        """Deal the rows to batches in an order of chance; give those from a step on, with the views of this process."""
        rng, epoch, images = np.random.default_rng([self.settings.seed, at.epoch]), at.epoch, self.questions.images
        batches = np.array_split(rng.permutation(self.questions.train_rows), self._steps())[at.step :]
        wanted = ((slot, row) for rows in batches for slot in range(3) for row in rows[self._share].tolist())

        def view(asked: tuple[int, int]) -> Pixels:
            slot, row = asked
            return self.reader.view(int(images[slot, row]), epoch, row, slot)

        room = 6 * math.ceil(self.settings.batch / self.processes.count)
        with closing(ahead(view, wanted, self.processes.lanes, room)) as views:
            for rows in batches:
                yield rows, np.stack(list(islice(views, 3 * len(rows[self._share]))))

    def _measured(self, epoch: int, loss: float) -> RankingEpoch:
        """Return what a pass came to."""
        if not math.isfinite(loss):
            raise InputError(
                f"the loss is not finite any more in epoch {epoch}: lower learning_rate, or precision=full"
            )
        self.processes.align(self.network)
        held, rows = self._validated(), self.questions.validation_rows
        told, scale = (epoch, self.settings.epochs, loss), float(self.network.log_scale.detach().exp())
        if held is None:
            return RankingEpoch(*told, None, None, None, scale)
        by_head = agreement(-held.log_odds, held.log_odds, self.questions, rows)
        by_distance = agreement(held.squared_a, held.squared_b, self.questions, rows)
        return RankingEpoch(*told, held.loss, by_head, by_distance, scale)

    def _validated(self) -> Validation | None:
        return validate(self.network, self.prepare, self.reader, self.questions, self.settings, self.processes)

    def _noted(self) -> Tensors:
        """Return copies of the weights as they are now, and write them to the disk too."""
        tensors = {name: value.clone() for name, value in changing(self.network).items()}
        if self.checkpoints is not None and self.processes.first:
            self.checkpoints.save_best(tensors)
        return tensors

    def _save(self, optimiser: torch.optim.Optimizer, at: Position) -> None:
        if self.checkpoints is not None and self.processes.first:
            self.checkpoints.save(self.network, optimiser, at)

"""Fine-tune a whole network on judgments: the task that the loop over networks is given.

This module imports torch.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Pixels, Rows
from lookalike.metrics.calibration import fit_temperature
from lookalike.training.checkpoints import Checkpoints
from lookalike.training.finetune_measures import Preparation, question_loss, validate
from lookalike.training.finetune_settings import FinetuneSettings
from lookalike.training.network_loop import train_network
from lookalike.training.pictures import PictureReader
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
from lookalike.training.things import batches

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
    processes = processes or Processes()
    task = _Answering(network, prepare, reader, questions, settings, processes)
    return train_network(task, settings, processes, checkpoints, on_epoch, on_progress)


class _Answering:
    """Answer questions as people did; a `lookalike.training.network_loop.NetworkTask`."""

    rows_are = "judgments"
    slots = 3

    def __init__(
        self,
        network: RankingNetwork,
        prepare: Preparation,
        reader: PictureReader,
        questions: Questions,
        settings: FinetuneSettings,
        processes: Processes,
    ) -> None:
        self.network, self.device = network, prepare.device
        self._prepare, self._reader, self._questions = prepare, reader, questions
        self._settings, self._processes = settings, processes

    def batches(self, epoch: int) -> list[Rows]:
        rows, rng = self._questions.train_rows, np.random.default_rng([self._settings.seed, epoch])
        return [*batches(rows, self._settings.batch, False, rng)] if len(rows) else []

    def view(self, row: int, slot: int, epoch: int) -> Pixels:
        return self._reader.view(int(self._questions.images[slot, row]), epoch, row, slot)

    def suit(self) -> None:
        """Let the head begin as sure as the network is right, judged by some of what it will learn from."""
        if self._settings.scale:
            return
        rows = np.random.default_rng(self._settings.seed).permutation(self._questions.train_rows)[:ASKED]
        asked = replace(self._questions, validation_rows=np.sort(rows))
        found = self._asked(asked)
        if found is not None:
            votes = self._questions.votes_a[asked.validation_rows], self._questions.votes_b[asked.validation_rows]
            temperature = fit_temperature(-found.log_odds, np.zeros(len(rows)), *votes)
            scale = 1 / temperature if 0 < temperature < math.inf else UNKNOWN
            self.network.log_scale.data.fill_(math.log(min(max(scale, LEAST), MOST)))

    def optimiser(self) -> torch.optim.Optimizer:
        """Return one of Adam, which is told of the encoder, and of all else."""
        learned = self.network.trained()
        inner = [value for name, value in learned.items() if name.startswith("encoder.")]
        outer = [value for name, value in learned.items() if not name.startswith("encoder.")]
        groups: list[dict[str, Any]] = [{"params": inner, "lr": self._settings.learning_rate}]
        return torch.optim.Adam(
            groups + ([{"params": outer, "lr": self._settings.head_learning_rate}] if outer else [])
        )

    def rate(self, done: int, steps: int) -> float:  # noqa: ARG002 learning rates stay as they are
        return 1.0

    def learning(self, epoch: int) -> None:  # noqa: ARG002 every pass alike
        self.network.learning()

    def loss(self, spread: nn.Module, pixels: Pixels, mine: Rows, rows: Rows, epoch: int) -> torch.Tensor:  # noqa: ARG002
        answers = spread(self._prepare(pixels))
        votes = self._questions.votes_a + self._questions.votes_b
        # The loss of a batch is a mean over votes.
        portion = float(votes[mine].sum(dtype=np.float64) / votes[rows].sum(dtype=np.float64))
        return question_loss(answers, self._questions, mine, self._settings.triplet_weight) * portion

    def validated(self) -> Validation | None:
        return self._asked(self._questions)

    def told(self, epoch: int, loss: float, held: Validation | None) -> RankingEpoch:
        rows = self._questions.validation_rows
        so_far, scale = (epoch, self._settings.epochs, loss), float(self.network.log_scale.detach().exp())
        if held is None:
            return RankingEpoch(*so_far, None, None, None, scale)
        by_head = agreement(-held.log_odds, held.log_odds, self._questions, rows)
        by_distance = agreement(held.squared_a, held.squared_b, self._questions, rows)
        return RankingEpoch(*so_far, held.loss, by_head, by_distance, scale)

    def _asked(self, questions: Questions) -> Validation | None:
        return validate(self.network, self._prepare, self._reader, questions, self._settings, self._processes)

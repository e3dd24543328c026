"""Teach a student network what its teachers say: the task that the loop over networks is given.

A row is a picture; a step shows each of its pictures in two of the views that the teachers were asked about, or as an
edited copy, of which a student should say what they say of the picture as it is. Where the network stays, what it
makes of them is shown in their place.

This module imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Pixels, Rows
from lookalike.losses.contrastive import nt_xent, paired_targets
from lookalike.losses.distillation import embedding_match, neighbour_match, relation_match
from lookalike.training.checkpoints import Checkpoints
from lookalike.training.distill_settings import DistillSettings
from lookalike.training.muon import Muon
from lookalike.training.network_loop import plateau, train_network
from lookalike.training.processes import Processes
from lookalike.training.questions import Trained
from lookalike.training.student import Student, Upper

__all__ = ["DistillEpoch", "Lessons", "Marks", "Prepare", "distil", "lesson_loss"]

Prepare: TypeAlias = Callable[[NDArray[Any]], torch.Tensor]
"""What lessons show, stacked, to what the student takes."""

SLOTS = 2
NEAREST = 10
"""Of how many neighbours agreement is told."""


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """What there is to learn from.

    Attributes
    ----------
    said : mapping of str to float16 (V + 1, N, d)
        By teacher: unit rows, of the N pictures as they are and in each of V views.
    view : callable
        ``(picture, view, mirrored) -> uint8 (H, W, 3)``: what the student is shown, or what its network makes of that,
        float16 (T,); view 0 is the picture as it is, those from V + 1 on are edited copies of it. Called in several
        threads.
    train, validation : int64
        Pictures to learn from, and held out.
    copies : int
        Edited copies of every picture.
    """

    said: Mapping[str, NDArray[np.float16]]
    view: Callable[[int, int, bool], NDArray[Any]]
    train: Rows
    validation: Rows
    copies: int = 0

    @property
    def asked(self) -> int:
        """V + 1."""
        return len(next(iter(self.said.values())))

    def rows_of(self, views: Rows, pictures: Rows) -> list[NDArray[np.float32]]:
        """Return what each teacher says of some pictures in some views: of a copy, what it says of the picture.

        Examples
        --------
        >>> said = np.arange(4, dtype=np.float16).reshape(2, 2, 1)
        >>> lessons = Lessons({"t": said}, lambda picture, view, mirrored: None, np.arange(2), np.arange(0), copies=1)
        >>> lessons.rows_of(np.array([0, 1, 2]), np.array([1, 1, 1]))[0].ravel().tolist()
        [1.0, 3.0, 1.0]
        """
        views = np.where(views < self.asked, views, 0)
        return [np.ascontiguousarray(one[views, pictures], np.float32) for one in self.said.values()]


@dataclass(frozen=True, slots=True)
class Marks:
    """How near a student is to its teachers on pictures held out, as they are.

    Attributes
    ----------
    loss : float
        `lesson_loss` without its contrast.
    cosine : dict of str to float
        By teacher: the mean cosine of what it says and what the student thinks that it says.
    agreement : float
        Share of the 10 nearest pictures, by the global vector, that are among the teachers' 10 nearest.
    """

    loss: float
    cosine: dict[str, float]
    agreement: float


@dataclass(frozen=True, slots=True)
class DistillEpoch:
    """What a pass came to; see `Marks`."""

    epoch: int
    epochs: int
    loss: float
    validation_loss: float | None
    agreement: float | None
    cosine: dict[str, float] = field(default_factory=dict)


def lesson_loss(
    vectors: Any, thought: Sequence[Any], said: Sequence[Any], settings: DistillSettings, targets: Any = None
) -> Any:
    """Return the weighted sum of all that a student is taught.

    Teachers weigh alike. Together, they hold two pictures as alike as their mean cosine.

    Parameters
    ----------
    vectors : float tensor (n, dim)
        The student's global vectors, unit rows.
    thought, said : sequence of float tensors (n, d)
        By teacher: what the student thinks that it says, and what it says; unit rows.
    settings : DistillSettings
        Its weights.
    targets : int64 tensor (n,), optional
        The other view of each row; without it there is no contrast.

    Returns
    -------
    float tensor ()

    Examples
    --------
    >>> from lookalike.training.distill_settings import distill_settings
    >>> rows = torch.eye(4)
    >>> float(lesson_loss(rows, [rows], [rows], distill_settings({})))
    0.0
    """
    count = len(said)
    total = settings.match * sum(map(embedding_match, thought, said)) / count
    if settings.relation or settings.neighbours:
        ours, theirs = vectors @ vectors.T, sum(one @ one.T for one in said) / count
        total = total + settings.relation * relation_match(ours, theirs)
        total = total + settings.neighbours * neighbour_match(ours, theirs, settings.temperature)
    if settings.contrast and targets is not None:
        total = total + settings.contrast * nt_xent(vectors, targets, settings.temperature)
    return total


def distil(
    student: Student | Upper,
    prepare: Prepare,
    lessons: Lessons,
    settings: DistillSettings,
    processes: Processes | None = None,
    checkpoints: Checkpoints | None = None,
    on_epoch: Callable[[DistillEpoch], None] = lambda _: None,
    on_progress: OnProgress = silent,
) -> Trained[Marks]:
    """Teach a student, or what lies above its taps, in place; see `lookalike.training.network_loop.train_network`.

    Relations are between the pictures that one process sees.

    Raises
    ------
    ImageDecodeError, InputError, StorageError
    """
    processes = processes or Processes()
    task = _Distilling(student, prepare, lessons, settings, processes, on_progress)
    return train_network(task, settings, processes, checkpoints, on_epoch, on_progress)


class _Distilling:
    """See `distil`; a `lookalike.training.network_loop.NetworkTask`."""

    rows_are = "pictures"
    slots = SLOTS

    def __init__(
        self,
        student: Student | Upper,
        prepare: Prepare,
        lessons: Lessons,
        settings: DistillSettings,
        processes: Processes,
        on_progress: OnProgress,
    ) -> None:
        self.network, self.device = student, next(student.parameters()).device
        self._prepare, self._lessons, self._settings = prepare, lessons, settings
        self._processes, self._on_progress = processes, on_progress

    def batches(self, epoch: int) -> list[Rows]:
        rows = np.random.default_rng([self._settings.seed, epoch]).permutation(self._lessons.train)
        return np.array_split(rows, max(1, math.ceil(len(rows) / self._settings.batch))) if len(rows) else []

    def view(self, row: int, slot: int, epoch: int) -> Pixels:
        numbers, mirrored = self._drawn(row, epoch)
        # To the teachers, a picture and its mirror image are all but the same: two views of one.
        return self._lessons.view(row, int(numbers[slot]), bool(mirrored[slot]))

    def _drawn(self, row: int, epoch: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Draw which views of a picture a pass shows, and whether mirrored."""
        rng, lessons = np.random.default_rng([self._settings.seed, epoch, row]), self._lessons
        numbers, mirrored = rng.permutation(lessons.asked)[:SLOTS], rng.random(SLOTS) < 0.5
        if lessons.copies and rng.random() < self._settings.copied:
            numbers[1] = lessons.asked + rng.integers(lessons.copies)
        return numbers, mirrored

    def suit(self) -> None:
        pass

    def optimiser(self) -> torch.optim.Optimizer:
        settings, learned = self._settings, [value for value in self.network.parameters() if value.requires_grad]
        # Kernels of one channel each, and dense layers, gain nothing from turning; vectors cannot be turned.
        matrices = [value for value in learned if value.ndim == 4 and value.shape[1] > 1]
        others = [value for value in learned if not any(value is one for one in matrices)]
        groups = [
            {"params": [value for value in others if value.ndim > 1], "weight_decay": settings.weight_decay},
            {"params": [value for value in others if value.ndim <= 1], "weight_decay": 0.0},
        ]
        rest = torch.optim.AdamW([group for group in groups if group["params"]], lr=settings.learning_rate)
        if not matrices:
            return rest
        return Muon(matrices, rest, lr=settings.matrix_rate, weight_decay=settings.weight_decay)

    def rate(self, done: int, steps: int) -> float:
        each = steps / self._settings.epochs
        return plateau(done, steps, self._settings.warmup * each, self._settings.cooldown * each)

    def learning(self, epoch: int) -> None:  # noqa: ARG002
        self.network.train()

    def loss(self, spread: nn.Module, pixels: Pixels, mine: Rows, rows: Rows, epoch: int) -> torch.Tensor:  # noqa: ARG002
        numbers = np.stack([self._drawn(int(row), epoch)[0] for row in mine], axis=1)
        vectors, thought = spread(self._prepare(pixels))
        said = self._said(numbers.ravel(), np.tile(mine, SLOTS))
        targets = paired_targets(len(mine)).to(self.device)
        loss: torch.Tensor = lesson_loss(vectors, thought, said, self._settings, targets)
        return loss / self._processes.count

    def _said(self, views: Rows, pictures: Rows) -> list[torch.Tensor]:
        """Return what the teachers say of some pictures in some views."""
        return [torch.from_numpy(one).to(self.device) for one in self._lessons.rows_of(views, pictures)]

    def validated(self) -> Marks | None:
        rows = self._lessons.validation
        if len(rows) < 2:
            return None
        self.network.eval()
        vectors, thought = [], []
        with torch.inference_mode():
            for start in range(0, len(rows), self._settings.batch):
                self._on_progress(Progress("measuring on pictures held out", start, len(rows)))
                shown = rows[start : start + self._settings.batch].tolist()
                one, many = self.network(self._prepare(np.stack([self._lessons.view(row, 0, False) for row in shown])))
                vectors.append(one)
                thought.append(many)
            joined = torch.cat(vectors)
            together = [torch.cat(parts) for parts in zip(*thought, strict=True)]
            said = self._said(np.zeros(len(rows), np.int64), rows)
            loss = lesson_loss(joined, together, said, self._settings)
            cosines = [1 - float(embedding_match(*pair)) for pair in zip(together, said, strict=True)]
            agreement = _agreement(joined, sum(one @ one.T for one in said))
        return Marks(float(loss), dict(zip(self._lessons.said, cosines, strict=True)), agreement)

    def told(self, epoch: int, loss: float, held: Marks | None) -> DistillEpoch:
        if held is None:
            return DistillEpoch(epoch, self._settings.epochs, loss, None, None)
        return DistillEpoch(epoch, self._settings.epochs, loss, held.loss, held.agreement, held.cosine)


def _agreement(vectors: torch.Tensor, theirs: torch.Tensor) -> float:
    """Return the share of the nearest pictures that both agree on."""
    count = min(NEAREST, len(vectors) - 1)
    own = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    near = [similar.masked_fill(own, -math.inf).topk(count).indices for similar in (vectors @ vectors.T, theirs)]
    shared = (near[0][:, :, None] == near[1][:, None, :]).any(2)
    return float(shared.float().mean())

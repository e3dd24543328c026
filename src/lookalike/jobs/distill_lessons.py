"""What a student is taught with: what its teachers say, and what it is shown, or its network makes of that.

This module imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lookalike.core.progress import OnProgress
from lookalike.core.types import Pixels, Rows
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.lens import Lens, ViewLens
from lookalike.embedding.view_pixels import ViewPixels
from lookalike.embedding.view_rows import view_rows
from lookalike.encoders.network import NetworkEncoder
from lookalike.images.augmentation import chosen_augmentation
from lookalike.jobs.matching_pictures import MatchingPictures
from lookalike.jobs.teachers import teachers_say
from lookalike.training.distill_settings import DistillSettings
from lookalike.training.distillation import Lessons, Prepare
from lookalike.training.finetune_measures import Preparation

__all__ = ["lessons_of"]


def lessons_of(
    workspace: Workspace,
    folder: Path,
    student: NetworkEncoder,
    teachers: Sequence[str],
    pictures: MatchingPictures,
    settings: DistillSettings,
    tell: OnProgress,
) -> tuple[Lessons, Prepare]:
    """Ask the teachers, and say what the student is shown.

    Parameters
    ----------
    workspace : Workspace
        Keeps what teachers say.
    folder : Path
        Keeps what the student is shown.
    student : NetworkEncoder
    teachers : sequence of str
    pictures : MatchingPictures
    settings : DistillSettings
    tell : callable

    Returns
    -------
    lessons : Lessons
    prepare : callable
        What lessons show to what is taught: pixels, or rows of the feature where the network stays.

    Raises
    ------
    InputError, UnknownNameError, EncoderError, ImageDecodeError, StorageError
    """
    lenses: list[Lens | None] = [None]
    lenses += [ViewLens(settings.looks, number, settings.seed) for number in range(1, settings.views + 1)]
    train, validation = _dealt(len(pictures.ids), settings)
    files = dict(zip(pictures.ids, pictures.files, strict=True))
    said = teachers_say(workspace, teachers, files, lenses, train, settings.teacher_dim, tell)
    edited = chosen_augmentation("copies")
    lenses += [ViewLens(edited, number, settings.seed) for number in range(1, settings.copies + 1)]
    prepare: Prepare
    if settings.learns == "summit":
        rows = view_rows(folder, Encoder(student), pictures.files, lenses, tell)
        view, prepare = _rows_of(rows), _Features(student.device)
    else:
        shown = ViewPixels(folder, Encoder(student), pictures.files, lenses)
        view, prepare = _pixels_of(shown), Preparation(student.mean, student.std, student.device)
    return Lessons(said, view, train, validation, settings.copies), prepare


class _Features:
    """Rows of features, float16 (n, T), to what lies above the taps."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def __call__(self, rows: NDArray[np.float16]) -> torch.Tensor:
        return torch.from_numpy(rows).to(self.device).float()


def _rows_of(rows: NDArray[np.float16]) -> Any:
    def view(picture: int, number: int, mirrored: bool) -> NDArray[np.float16]:
        return np.asarray(rows[int(mirrored), number, picture])

    return view


def _pixels_of(shown: ViewPixels) -> Any:
    def view(picture: int, number: int, mirrored: bool) -> Pixels:
        pixels = shown.picture(picture, number)
        return pixels[:, ::-1] if mirrored else pixels

    return view


def _dealt(count: int, settings: DistillSettings) -> tuple[Rows, Rows]:
    """Deal pictures to those that are learned from and those that are held out."""
    order = np.random.default_rng(settings.seed).permutation(count)
    held = round(settings.validation * count)
    return np.sort(order[held:]), np.sort(order[:held])

"""A student: a network with taps, a global vector above them, and a head for every teacher.

This module imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import normalize

from lookalike.encoders.network import NetworkEncoder
from lookalike.encoders.tapped import Tapped
from lookalike.training.backbone import freeze_idle, half_precision, merged_copy
from lookalike.training.distill_settings import DistillSettings

__all__ = ["OUTPUTS", "Outputs", "Student", "Upper", "student_of"]

OUTPUTS = ("global", "taps")
"""Of `Outputs`, in the file that is written of them."""


class Upper(nn.Module):  # type: ignore[misc]  # torch is not seen by mypy
    """What lies above a student's taps; all that is taught where the network stays as it is.

    Parameters
    ----------
    width : int
        Length T of the multi-tap feature.
    teachers : sequence of int
        Length of what each teacher says.
    settings : DistillSettings

    Attributes
    ----------
    summit : nn.Module
        The feature to the global vector.
    heads : nn.ModuleList
        The global vector to what each teacher says.

    Examples
    --------
    >>> from lookalike.training.distill_settings import distill_settings
    >>> vectors, said = Upper(6, [4, 5], distill_settings({"dim": 2}))(torch.randn(3, 6))
    >>> vectors.shape, [one.shape[1] for one in said]
    (torch.Size([3, 2]), [4, 5])
    """

    def __init__(self, width: int, teachers: Sequence[int], settings: DistillSettings) -> None:
        super().__init__()
        # Taps are scaled to norm 1: normalised over the batch, each number weighs alike at first.
        layers = [nn.BatchNorm1d(width), nn.Linear(width, settings.hidden), nn.Hardswish()]
        self.summit = nn.Sequential(*layers, nn.Linear(settings.hidden, settings.dim))
        self.heads = nn.ModuleList(nn.Linear(settings.dim, dim) for dim in teachers)

    def embeddings(self, features: torch.Tensor) -> torch.Tensor:
        """Return global vectors of norm 1, float (n, T) to float32 (n, dim)."""
        return normalize(self.summit(features))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return global vectors, and what the student thinks that each teacher says: unit rows, both."""
        vectors = self.embeddings(features)
        return vectors, [normalize(head(vectors)) for head in self.heads]


class Student(nn.Module):  # type: ignore[misc]  # torch is not seen by mypy
    """What is taught.

    Parameters
    ----------
    taps : Tapped
        Normalised pixels (n, 3, H, W) to the multi-tap feature (n, T).
    width : int
        T.
    teachers : sequence of int
        Length of what each teacher says.
    settings : DistillSettings
    half : bool
        Whether the network runs in bfloat16; its heads never do.

    Attributes
    ----------
    taps : Tapped
        Pixels to the feature.
    upper : Upper
        The feature to the global vector, and to what each teacher says.

    Examples
    --------
    >>> from lookalike.training.distill_settings import distill_settings
    >>> taps = Tapped(nn.Sequential(nn.Conv2d(3, 6, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    >>> student = Student(taps, 6, [4, 5], distill_settings({"dim": 2}), half=False)
    >>> vectors, said = student(torch.randn(3, 3, 8, 8))
    >>> vectors.shape, [one.shape[1] for one in said], student.dim
    (torch.Size([3, 2]), [4, 5], 2)
    """

    def __init__(
        self, taps: Tapped, width: int, teachers: Sequence[int], settings: DistillSettings, half: bool
    ) -> None:
        super().__init__()
        self.taps = taps
        self.half = half
        self.dim = settings.dim
        self.upper = Upper(width, teachers, settings)

    def embeddings(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return global vectors of norm 1, float (n, 3, H, W) to float32 (n, dim)."""
        return self.upper.embeddings(self._features(pixels))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return global vectors, and what the student thinks that each teacher says: unit rows, both."""
        vectors, thought = self.upper(self._features(pixels))
        return vectors, thought

    def _features(self, pixels: torch.Tensor) -> torch.Tensor:
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self.half):
            taps = self.taps(pixels)
        return taps.float()


def student_of(encoder: NetworkEncoder, teachers: Sequence[int], settings: DistillSettings) -> Student:
    """Make a student of an encoder, which stays as it is.

    Parameters
    ----------
    encoder : NetworkEncoder
        Its weights are where training begins; they may be of chance.
    teachers : sequence of int
        Length of what each teacher says.
    settings : DistillSettings

    Raises
    ------
    InputError
        The device does not compute in bfloat16.
    """
    tapped = encoder.module
    inner = merged_copy(tapped.module).requires_grad_(True)
    again = Tapped(inner, tapped.layers, tapped.pool, tapped.tokens, tapped.norm)
    half = half_precision(settings.precision, encoder.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        student = Student(again, encoder.spec.dim, teachers, settings, half)
    student.to(encoder.device)
    _freeze_idle(student, encoder)
    return student


class Outputs(nn.Module):  # type: ignore[misc]
    """What a student gives when it is done: its global vector and its multi-tap feature.

    Parameters
    ----------
    student : Student
        It stays as it is.
    """

    def __init__(self, student: Student) -> None:
        super().__init__()
        tapped = student.taps
        self.taps = Tapped(merged_copy(tapped.module), tapped.layers, tapped.pool, tapped.tokens, tapped.norm)
        self.summit = merged_copy(student.upper.summit)
        self.eval()

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map normalised pixels (n, 3, H, W) to unit vectors (n, dim) and features (n, T)."""
        taps = self.taps(pixels)
        return normalize(self.summit(taps)), taps


def _freeze_idle(student: Student, encoder: NetworkEncoder) -> None:
    """Freeze the layers after the last tap."""
    pictures = torch.zeros(2, 3, *encoder.spec.input_size, device=encoder.device)

    def outputs(run: nn.Module) -> torch.Tensor:
        vectors, said = run(pictures)
        return vectors.sum() + sum(one.sum() for one in said)

    freeze_idle(student, outputs)

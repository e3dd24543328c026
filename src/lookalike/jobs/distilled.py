"""What a distillation came to, and what is kept of it: an encoder with two outputs, and a model of its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lookalike.core.files import write_json
from lookalike.images.folder import Rejected
from lookalike.jobs.networks import Outputs, keep_model
from lookalike.reports.curves import draw_curves

if TYPE_CHECKING:
    from lookalike.encoders.network import NetworkEncoder
    from lookalike.training.student import Student

__all__ = ["DistillReport", "keep_distilled"]


@dataclass(frozen=True, slots=True)
class DistillReport:
    """A network that was taught.

    Attributes
    ----------
    name : str
    path : Path
        Of the model's file; the card is beside it.
    encoder : str
        What was taught as an encoder: ``onnx:PATH`` gives the global vector, ``onnx:PATH[taps]`` the multi-tap feature.
    student : str
        The network that it began as.
    teachers : tuple of str
    pictures, validation : int
        Learned from, and held out.
    dim, taps : int
        Length of the global vector and of the multi-tap feature.
    trained : int
        How many numbers learned.
    settings : dict
        All parameters as they were used.
    before, after : dict or None
        `lookalike.training.distillation.Marks` on the pictures held out.
    history : list of dict
        Per pass: the fields of `lookalike.training.distillation.DistillEpoch`.
    kept : int
        The pass whose weights were kept; 0 where none was better than the beginning.
    copies, known : int
        Files left out because another has the same content, or because they are to be kept apart.
    rejected : list of Rejected
        Files that cannot be read.
    seconds : float
    """

    name: str
    path: Path
    encoder: str
    student: str
    teachers: tuple[str, ...]
    pictures: int
    validation: int
    dim: int
    taps: int
    trained: int
    settings: dict[str, Any]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    history: list[dict[str, Any]]
    kept: int
    copies: int
    known: int
    rejected: list[Rejected]
    seconds: float

    def about(self) -> dict[str, Any]:
        """Return what stands on cards: where the network comes from, and what it came to."""
        return {
            "learned_from": "pictures",
            "examples": self.pictures,
            "images": self.pictures + self.validation,
            "distilled": self.student,
            "teachers": [*self.teachers],
            "settings": self.settings,
            "kept": self.kept,
            "held_out": self.after,
        }


def keep_distilled(
    student: Student, base: NetworkEncoder, report: DistillReport, images: Sequence[str], outputs: Outputs
) -> None:
    """Write the encoder, then the model that takes its global vector, and what was asked for beside.

    Parameters
    ----------
    student : Student
        Made of `base`.
    base : NetworkEncoder
    report : DistillReport
    images : sequence of str
        Ids of those that it learned from, or that were held out.
    outputs : Outputs

    Raises
    ------
    EncoderError, StorageError
    """
    from lookalike.encoders.export import card_entries, export_module
    from lookalike.training.checkpoints import write_tensors
    from lookalike.training.student import OUTPUTS
    from lookalike.training.student import Outputs as Both

    about = report.about()
    source = f"{report.student}, taught by {len(report.teachers)} teachers on {report.pictures:,} pictures"
    both = Both(student)
    export_module(both, OUTPUTS, base, Path(report.encoder.removeprefix("onnx:")), {"source": source, **about})
    keep_model(report.name, report.path, report.encoder, report.dim, about, sorted(images))
    if outputs.weights is not None:
        write_tensors(outputs.weights, both.taps.module.state_dict())
        write_json(outputs.weights.with_suffix(".json"), card_entries(base))
    if outputs.plot is not None:
        history = [{**epoch, "member": 0} for epoch in report.history]
        draw_curves(outputs.plot, history, f"{len(report.teachers)} teachers, {report.pictures:,} pictures")

"""What a fine-tuned network came to on answers held out, and how it is kept: as an encoder, and as a model of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lookalike.jobs.networks import keep_model
from lookalike.judgments.table import Judgments
from lookalike.metrics.calibration import fit_temperature
from lookalike.metrics.two_afc import Accuracy, compare_accuracy, majority_accuracy, two_afc_accuracy
from lookalike.similarity.held_out import HeldOut
from lookalike.similarity.model import question_hashes
from lookalike.training.questions import Validation

if TYPE_CHECKING:
    from lookalike.training.finetuning import Finetuning

__all__ = ["FinetuneReport", "fitted_temperature", "images_of", "keep", "measured_on"]


@dataclass(frozen=True, slots=True)
class FinetuneReport:
    """A fine-tuned network.

    Attributes
    ----------
    name : str
    path : Path
        Of the model's file; the card is beside it.
    encoder : str
        The network as an encoder: ``onnx:PATH``.
    base : str
        The encoder that it was made of.
    examples, validation, images : int
        Judgments learned from, those kept back to choose the epoch, and the images of both.
    dim : int
        Length of a feature.
    trained : int
        How many numbers learned.
    settings : dict
        All parameters as they were used.
    measured : HeldOut or None
        Distances on the test side, after training and before; None without a test side.
    head : Accuracy or None
        Of the ranking head on the test side, after training.
    history : list of dict
        Per pass: the fields of `lookalike.training.questions.RankingEpoch`.
    kept : int
        The pass whose weights were kept; 0 where none was better than the network as it came.
    seconds : float
    """

    name: str
    path: Path
    encoder: str
    base: str
    examples: int
    validation: int
    images: int
    dim: int
    trained: int
    settings: dict[str, Any]
    measured: HeldOut | None
    head: Accuracy | None
    history: list[dict[str, Any]]
    kept: int
    seconds: float

    def about(self) -> dict[str, Any]:
        """Return what stands on cards: where the network comes from, and what it came to."""
        measured = None if self.measured is None else self.measured.as_dict()
        if measured is not None and self.head is not None:
            ends = {end: None if value != value else value for end, value in asdict(self.head).items()}
            measured["head"] = {"votes": ends}
        return {
            "learned_from": "judgments",
            "examples": self.examples + self.validation,
            "images": self.images,
            "fine_tuned": self.base,
            "settings": self.settings,
            "kept": self.kept,
            "measured": measured,
        }


def measured_on(judgments: Judgments, before: Validation, after: Validation, train: int) -> tuple[HeldOut, Accuracy]:
    """Hold distances before and after training against judgments, and the ranking head after it.

    Parameters
    ----------
    judgments : Judgments
        Held out.
    before, after : Validation
        What the network answered.
    train : int
        How many others it learned from.
    """
    votes = judgments.votes_a, judgments.votes_b
    ours, plain = ((found.distance_a, found.distance_b) for found in (after, before))
    measures = {"votes": two_afc_accuracy}
    if (votes[0] != votes[1]).any():
        measures["majorities"] = majority_accuracy
    of_model, of_plain = (
        {name: measure(*both, *votes, clusters=judgments.reference) for name, measure in measures.items()}
        for both in (ours, plain)
    )
    gain = compare_accuracy(ours, plain, *votes, clusters=judgments.reference)
    count, temperature = len(judgments), fitted_temperature(after, judgments)
    held = HeldOut(of_model, of_plain, gain, 1, count, count, train, temperature)
    return held, two_afc_accuracy(-after.log_odds, after.log_odds, *votes, clusters=judgments.reference)


def fitted_temperature(answers: Validation, judgments: Judgments) -> float | None:
    """Return the temperature of the distances under which judgments are likeliest; None where none above 0 is."""
    found = fit_temperature(answers.distance_a, answers.distance_b, judgments.votes_a, judgments.votes_b)
    return found if 0 < found < np.inf else None


def images_of(judgments: Judgments) -> list[str]:
    """Return the ids of the images that are in some judgment, sorted."""
    used = np.unique([judgments.reference, judgments.candidate_a, judgments.candidate_b])
    found: list[str] = judgments.ids[used].tolist()
    return found


def keep(run: Finetuning, report: FinetuneReport, learned: Judgments, temperature: float | None) -> None:
    """Write the encoder, then the model that takes its features.

    Parameters
    ----------
    run : Finetuning
        Trained.
    report : FinetuneReport
    learned : Judgments
        What it learned from, those included that chose the epoch.
    temperature : float, optional
        For the card of the encoder.

    Raises
    ------
    EncoderError, StorageError
    """
    about = report.about()
    source = f"{report.base}, fine-tuned ({report.settings['depth']}) on {report.examples:,} judgments"
    run.export(Path(report.encoder.removeprefix("onnx:")), temperature, {"source": source, **about})
    keep_model(
        report.name, report.path, report.encoder, report.dim, about, images_of(learned), question_hashes(learned)
    )

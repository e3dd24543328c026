"""Look at the judgments of a workspace: what there is, how far people agree; and take them out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.workspace import Workspace
from lookalike.judgments.columns import Labels
from lookalike.judgments.export import write_csv, write_parquet
from lookalike.judgments.store import JudgmentStore, Source
from lookalike.judgments.table import Judgments
from lookalike.metrics.agreement import fleiss_kappa, krippendorff_alpha_of_answers
from lookalike.metrics.ceilings import SplitHalf, ceiling, split_half_ceiling
from lookalike.metrics.consistency import AnnotatorConsistency, annotator_consistency
from lookalike.metrics.two_afc import Accuracy

__all__ = ["Agreement", "Summary", "agreement", "export_judgments", "summary"]

WRITERS = {".csv": write_csv, ".parquet": write_parquet}


@dataclass(frozen=True, slots=True)
class Summary:
    """What a workspace holds.

    Attributes
    ----------
    judgments, references, images : int
    sources : list of Source
        The imports.
    annotators, contexts : dict of str to int
        Judgments by label; the empty label is for those without one.
    """

    judgments: int
    references: int
    images: int
    sources: list[Source]
    annotators: dict[str, int]
    contexts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far people agree with each other, and with themselves.

    Attributes
    ----------
    questions, answered_again : int
        Questions (a reference and two candidates, in either order), and how many have more than one vote.
    ceiling : Accuracy
        The share of votes that the majority holds: no model that gives one answer per question can agree with more.
    alpha : float
        Krippendorff's alpha (nominal), over questions with two votes or more; NaN where there are none.
    kappa : float
        Fleiss's kappa, over the questions with the most usual number of votes; NaN where there are none.
    split_half : SplitHalf or None
        How well half of the annotators foretells the other half; None without named annotators.
    annotators : list of AnnotatorConsistency
        Of those with a name.
    """

    questions: int
    answered_again: int
    ceiling: Accuracy
    alpha: float
    kappa: float
    split_half: SplitHalf | None
    annotators: list[AnnotatorConsistency]


def summary(workspace: Path) -> Summary:
    """Count the judgments of a workspace."""
    store, judgments = _read(workspace)
    return Summary(
        judgments=len(judgments),
        references=len(np.unique(judgments.reference)),
        images=len(judgments.ids),
        sources=store.sources(),
        annotators=store.annotators(),
        contexts=_counts(judgments.context, len(judgments)),
    )


def export_judgments(workspace: Path, file: Path, source: str | None = None) -> int:
    """Write the judgments as CSV or Parquet, by the file's suffix, and return how many.

    Raises
    ------
    InputError
        The suffix is neither, or there are no judgments.
    """
    if file.suffix.lower() not in WRITERS:
        raise InputError(f"{file}: judgments are written as {' or '.join(WRITERS)}; change the suffix")
    _, judgments = _read(workspace, source)
    WRITERS[file.suffix.lower()](judgments, file)
    return len(judgments)


def agreement(workspace: Path, source: str | None = None) -> Agreement:
    """Measure agreement.

    Raises
    ------
    InputError
        There are no judgments.
    """
    _, judgments = _read(workspace, source)
    question, votes = questions(judgments)
    total = votes.sum(axis=1)
    again = total >= 2
    usual = _most_usual(total[again])
    return Agreement(
        questions=len(votes),
        answered_again=int(again.sum()),
        ceiling=ceiling(votes[:, 0], votes[:, 1], clusters=_reference_of(judgments, question)),
        alpha=_alpha(votes[again]),
        kappa=fleiss_kappa(votes[total == usual]) if usual else float("nan"),
        split_half=_split_half(judgments, question),
        annotators=_consistency(judgments),
    )


def questions(judgments: Judgments) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give questions numbers, whichever candidate comes first, and count the votes for each candidate.

    Returns
    -------
    question : int (n,)
        Of each judgment, 0 to q - 1.
    votes : float (q, 2)
        For the candidate with the lower id, and for the other.
    """
    low = np.minimum(judgments.candidate_a, judgments.candidate_b)
    high = np.maximum(judgments.candidate_a, judgments.candidate_b)
    _, question = np.unique(np.stack([judgments.reference, low, high]), axis=1, return_inverse=True)
    question = question.reshape(-1)
    first = judgments.candidate_a == low
    votes = np.zeros((question.max() + 1, 2))
    np.add.at(votes[:, 0], question, np.where(first, judgments.votes_a, judgments.votes_b))
    np.add.at(votes[:, 1], question, np.where(first, judgments.votes_b, judgments.votes_a))
    return question, votes


def _read(workspace: Path, source: str | None = None) -> tuple[JudgmentStore, Judgments]:
    store = JudgmentStore(Workspace(workspace).judgments_file)
    judgments = store.read(source=source)
    if not len(judgments):
        raise InputError(f"{workspace} has no such judgments: run `lookalike import FORMAT PATH` first")
    return store, judgments


def _counts(labels: Labels | None, count: int) -> dict[str, int]:
    if labels is None:
        return {"": count}
    found, counts = np.unique(labels.values(), return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _reference_of(judgments: Judgments, question: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the reference of each question."""
    references = np.empty(question.max() + 1, np.int32)
    references[question] = judgments.reference
    return references


def _most_usual(totals: NDArray[np.float64]) -> float:
    """Return the number of votes that most questions have; 0 where there is none."""
    whole = totals[totals == np.rint(totals)]
    if not len(whole):
        return 0.0
    values, counts = np.unique(whole, return_counts=True)
    return float(values[counts.argmax()])


def _alpha(votes: NDArray[np.float64]) -> float:
    """Return Krippendorff's alpha of votes; fractions of votes are no answers, so they are left out."""
    whole = (votes == np.rint(votes)).all(axis=1)
    counts = votes[whole].astype(np.int64)
    if not len(counts):
        return float("nan")
    units = np.repeat(np.repeat(np.arange(len(counts)), 2), counts.reshape(-1))
    values = np.repeat(np.tile([0.0, 1.0], len(counts)), counts.reshape(-1))
    return krippendorff_alpha_of_answers(units, values)


def _named(judgments: Judgments) -> NDArray[np.bool_]:
    """Say which rows are single answers by somebody with a name."""
    if judgments.annotator is None:
        return np.zeros(len(judgments), np.bool_)
    named: NDArray[np.bool_] = (judgments.annotator.codes >= 0) & (judgments.votes_a + judgments.votes_b == 1)
    return named


def _split_half(judgments: Judgments, question: NDArray[np.int64]) -> SplitHalf | None:
    rows = _named(judgments)
    if judgments.annotator is None or not rows.any():
        return None
    low_first = judgments.candidate_a < judgments.candidate_b
    chose_low = judgments.closer_a == low_first
    asked = question[rows]
    if len(np.unique(asked)) == len(asked):
        return None
    choices = np.where(chose_low[rows], "a", "b")
    return split_half_ceiling(asked, judgments.annotator.codes[rows], choices)


def _consistency(judgments: Judgments) -> list[AnnotatorConsistency]:
    rows = _named(judgments)
    if judgments.annotator is None or not rows.any():
        return []
    return annotator_consistency(
        judgments.annotator.values()[rows],
        judgments.reference[rows],
        judgments.candidate_a[rows],
        judgments.candidate_b[rows],
        np.where(judgments.closer_a[rows], "a", "b"),
    )

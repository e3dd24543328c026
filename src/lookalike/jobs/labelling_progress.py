"""How far an annotator has come: how many answers, how fast, and how far they agree with themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookalike.judgments.store import JudgmentStore
from lookalike.judgments.table import Judgments
from lookalike.metrics.consistency import annotator_consistency
from lookalike.metrics.intervals import Estimate

__all__ = ["Standing", "standing"]

LATEST = 50
"""The pace is that of so many answers, the latest."""

NONE = Estimate(float("nan"), float("nan"), float("nan"), 0, 0)


@dataclass(frozen=True, slots=True)
class Standing:
    """What an annotator has done.

    Attributes
    ----------
    answers : int
        Questions answered; a ranking is one.
    judgments : int
        What they gave: a ranking gives three.
    skipped : int
        Questions left without an answer.
    everyone : int
        Judgments in the workspace, by everybody and from imports.
    seconds : float or None
        Median time of an answer, of the latest `LATEST`; None where no time was told.
    repeated, flipped : Estimate
        Share of questions asked again, as they were or with the candidates exchanged, that got the same answer;
        NaN where there are none.
    """

    answers: int
    judgments: int
    skipped: int
    everyone: int
    seconds: float | None
    repeated: Estimate
    flipped: Estimate


def standing(store: JudgmentStore, annotator: str) -> Standing:
    """Count what an annotator has done here; imports are not theirs.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from lookalike.judgments.answer import Answer
    >>> store = JudgmentStore(Path(tempfile.mkdtemp()) / "judgments.sqlite")
    >>> _ = store.add(Answer("r", "x", "y", "a", annotator="ann", response_seconds=2.0), key="1")
    >>> _ = store.add(Answer("r", "y", "x", "b", annotator="ann", response_seconds=4.0, trial="flip"), key="2")
    >>> found = standing(store, "ann")
    >>> found.answers, found.seconds, found.flipped.value
    (2, 3.0, 1.0)
    """
    own = store.read(annotator=annotator, source="")
    acts = _acts(own)
    repeated, flipped = _consistency(own, annotator)
    return Standing(
        answers=len(acts),
        judgments=len(own),
        skipped=len(store.skips(annotator)),
        everyone=store.count(),
        seconds=_pace(own, acts),
        repeated=repeated,
        flipped=flipped,
    )


def _acts(own: Judgments) -> list[int]:
    """Return the first row of each act: rows of one ranking share their group."""
    if own.group is None:
        return list(range(len(own)))
    seen: set[int] = set()
    first = []
    for row, code in enumerate(own.group.codes.tolist()):
        if code < 0 or code not in seen:
            first.append(row)
            seen.add(code)
    return first


def _pace(own: Judgments, acts: list[int]) -> float | None:
    if own.response_seconds is None:
        return None
    told = own.response_seconds[acts]
    told = told[np.isfinite(told)][-LATEST:]
    return float(np.median(told)) if len(told) else None


def _consistency(own: Judgments, annotator: str) -> tuple[Estimate, Estimate]:
    if own.trial is None:  # nothing was asked again
        return NONE, NONE
    found = annotator_consistency(
        np.full(len(own), annotator),
        own.reference,
        own.candidate_a,
        own.candidate_b,
        np.where(own.closer_a, "a", "b"),
    )[0]
    return found.repeated, found.flipped

"""Judgments by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.judgments.columns import Codes, Labels, encode_labels

if TYPE_CHECKING:
    from lookalike.judgments.splits import By, Split

__all__ = ["Judgments"]

LABELS = ("context", "annotator", "group", "trial")
NUMBERS: dict[str, type[np.generic]] = {
    "grades_a": np.int8,
    "grades_b": np.int8,
    "answered_at": np.float64,
    "response_seconds": np.float32,
}


@dataclass(frozen=True, slots=True, eq=False)
class Judgments:
    """Answers to "is A or B closer to R?", one row each; or, where people were counted, one row per question.

    Columns are arrays: ten million judgments take 200 MB. Make one with `from_ids`, or read one with
    `lookalike.read_judgments`.

    Attributes
    ----------
    ids : str (m,)
        The distinct images, sorted.
    reference, candidate_a, candidate_b : int32 (n,)
        Positions in `ids`.
    votes_a, votes_b : float32 (n,)
        How many found a, or b, closer; 1 and 0 for one person's answer. Not negative, fractions allowed.
    grades_a, grades_b : int8 (n,) or None
        How close a and b are, 1 (almost the same) to 5 (irrelevant); 0 where it was not said.
    context, annotator, group, trial : Labels or None
        The context of the question; who answered; rows that come from one act of answering (a ranking of three
        candidates gives three rows); and what the question was for: empty, ``"repeat"`` or ``"flip"``.
    answered_at : float64 (n,) or None
        Seconds since 1970, UTC.
    response_seconds : float32 (n,) or None
        How long the answer took.
    images : mapping of str to Path
        Files by id, where they are known.

    Examples
    --------
    >>> answers = Judgments.from_ids(["r", "r"], ["x", "y"], ["y", "z"], votes_a=[1, 0], votes_b=[0, 1])
    >>> len(answers), answers.references.tolist(), answers.closer_a.tolist()
    (2, ['r', 'r'], [True, False])
    """

    ids: NDArray[np.str_]
    reference: Codes
    candidate_a: Codes
    candidate_b: Codes
    votes_a: NDArray[np.float32]
    votes_b: NDArray[np.float32]
    grades_a: NDArray[np.int8] | None = None
    grades_b: NDArray[np.int8] | None = None
    context: Labels | None = None
    annotator: Labels | None = None
    group: Labels | None = None
    trial: Labels | None = None
    answered_at: NDArray[np.float64] | None = None
    response_seconds: NDArray[np.float32] | None = None
    images: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def from_ids(
        cls,
        references: Sequence[str] | NDArray[np.str_],
        candidates_a: Sequence[str] | NDArray[np.str_],
        candidates_b: Sequence[str] | NDArray[np.str_],
        votes_a: Sequence[float] | NDArray[Any],
        votes_b: Sequence[float] | NDArray[Any],
        **columns: Any,
    ) -> Judgments:
        """Make judgments of image ids.

        Parameters
        ----------
        references, candidates_a, candidates_b : sequence of str, (n,)
        votes_a, votes_b : sequence of float, (n,)
        **columns
            The other attributes by name; label columns as sequences of str, empty for none.

        Raises
        ------
        InputError
            Columns differ in length, or a row cannot be a judgment (see `check`); the first such row is named.
        """
        lengths = {len(x) for x in (references, candidates_a, candidates_b, votes_a, votes_b)}
        if len(lengths) != 1:
            raise InputError(f"columns of judgments differ in length: {sorted(lengths)}")
        (reference, a, b), ids = encode_labels(references, candidates_a, candidates_b)
        for name in LABELS:
            if columns.get(name) is not None and not isinstance(columns[name], Labels):
                columns[name] = Labels.of(columns[name])
        for name, kind in NUMBERS.items():
            if columns.get(name) is not None:
                columns[name] = np.asarray(columns[name], kind)
        made = cls(ids, reference, a, b, _floats(votes_a), _floats(votes_b), **columns)
        made.check()
        return made

    def check(self) -> None:
        """Raise an `InputError` that names the first row that cannot be a judgment, counted from 0.

        A reference among its own candidates, two equal candidates, negative votes or none, a grade outside 1..5.
        """
        for name in (*LABELS, *NUMBERS):
            column = getattr(self, name)
            if column is not None and len(column) != len(self):
                raise InputError(f"the column {name} has {len(column)} rows, the judgments {len(self)}")
        for bad, reason in self.faults():
            rows = np.flatnonzero(bad)
            if len(rows):
                more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
                raise InputError(f"judgment {rows[0]}{more}: {reason}")

    def faults(self) -> list[tuple[NDArray[np.bool_], str]]:
        """Return what can be wrong with a row: a mask and a reason each."""
        votes = np.stack([self.votes_a, self.votes_b])
        faults = [
            ((self.reference < 0) | (self.candidate_a < 0) | (self.candidate_b < 0), "an image has no id"),
            (
                (self.reference == self.candidate_a) | (self.reference == self.candidate_b),
                "the reference is among its own candidates",
            ),
            (self.candidate_a == self.candidate_b, "the two candidates are the same image"),
            (~(np.isfinite(votes) & (votes >= 0)).all(axis=0), "votes must be numbers that are not negative"),
            (votes.sum(axis=0) == 0, "nobody answered: both votes are 0"),
        ]
        for name in ("grades_a", "grades_b"):
            grades = getattr(self, name)
            if grades is not None:
                faults.append(((grades < 0) | (grades > 5), "a grade is 1 (almost the same) to 5 (irrelevant)"))
        return faults

    def __len__(self) -> int:
        return len(self.reference)

    @property
    def references(self) -> NDArray[np.str_]:
        """Ids of the references, one per row."""
        return self.ids[self.reference]

    @property
    def candidates_a(self) -> NDArray[np.str_]:
        """Ids of the candidates a."""
        return self.ids[self.candidate_a]

    @property
    def candidates_b(self) -> NDArray[np.str_]:
        """Ids of the candidates b."""
        return self.ids[self.candidate_b]

    @property
    def closer_a(self) -> NDArray[np.bool_]:
        """Whether more votes are for a than for b."""
        return self.votes_a > self.votes_b

    def take(self, rows: NDArray[Any]) -> Judgments:
        """Return some judgments, by position or by mask; `ids` and `images` stay whole."""
        changed: dict[str, Any] = {
            f.name: value.take(rows) if isinstance(value, Labels) else value[rows]
            for f in fields(self)
            if f.name not in ("ids", "images") and (value := getattr(self, f.name)) is not None
        }
        return replace(self, **changed)

    def flipped(self, rows: NDArray[np.bool_] | None = None) -> Judgments:
        """Swap a and b, with votes and grades: the same answers to the mirrored questions.

        Parameters
        ----------
        rows : bool (n,), optional
            Which; all of them without it.
        """
        chosen = np.ones(len(self), np.bool_) if rows is None else rows
        changed: dict[str, Any] = {}
        for name in ("candidate", "votes", "grades"):
            a, b = getattr(self, f"{name}_a"), getattr(self, f"{name}_b")
            if a is not None and b is not None:
                changed[f"{name}_a"], changed[f"{name}_b"] = np.where(chosen, b, a), np.where(chosen, a, b)
        return replace(self, **changed)

    def joined(self, other: Judgments) -> Judgments:
        """Append other judgments; columns that only one side has are filled up with nothing."""
        from lookalike.judgments.joining import join

        return join(self, other)

    def with_images(self, images: Mapping[str, Path]) -> Judgments:
        """Return the same judgments with their files."""
        return replace(self, images=dict(images))

    def split(self, by: By = "image", folds: int = 5, seed: int = 0) -> list[Split]:
        """Split into training and test rows, `folds` times; see `lookalike.judgments.splits.split`."""
        from lookalike.judgments.splits import split

        return split(self, by, folds, seed)

    def to_csv(self, path: str | Path) -> None:
        """Write a CSV file that `read_judgments("csv", path)` reads back; see `lookalike.judgments.export`."""
        from lookalike.judgments.export import write_csv

        write_csv(self, Path(path))


def _floats(values: Sequence[float] | NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)

"""One person's answer to one question, as a labelling page sends it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Literal

from lookalike.core.errors import InputError

__all__ = ["Answer", "check_text"]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to "is A or B closer to the reference?"; it is validated when it is made.

    Attributes
    ----------
    reference, candidate_a, candidate_b : str
        Ids of three different images.
    choice : {"a", "b"}
        The candidate that was found closer.
    grade_a, grade_b : int or None
        How close a and b are, 1 (almost the same) to 5 (irrelevant); None where it was not said.
    context, annotator, group, trial : str
        As in `Judgments`; empty for none.
    answered_at : float or None
        Seconds since 1970, UTC; None for the moment when the store takes the answer.
    response_seconds : float or None
        How long the answer took.

    Raises
    ------
    InputError
        The images are not three different ones, or a field is out of its range.

    Examples
    --------
    >>> Answer("r", "x", "y", "a", annotator="ann").votes
    (1.0, 0.0)
    >>> Answer("r", "x", "x", "a")
    Traceback (most recent call last):
    lookalike.core.errors.InputError: an answer needs three different images, not 'r', 'x' and 'x'
    """

    reference: str
    candidate_a: str
    candidate_b: str
    choice: Literal["a", "b"]
    grade_a: int | None = None
    grade_b: int | None = None
    context: str = ""
    annotator: str = ""
    group: str = ""
    trial: str = ""
    answered_at: float | None = None
    response_seconds: float | None = None

    def __post_init__(self) -> None:
        images = (self.reference, self.candidate_a, self.candidate_b)
        for name in ("reference", "candidate_a", "candidate_b", "context", "annotator", "group", "trial"):
            check_text(name, getattr(self, name))
        if "" in images:
            raise InputError("an answer needs the ids of three images; one is empty")
        if len(set(images)) != 3:
            raise InputError("an answer needs three different images, not '{}', '{}' and '{}'".format(*images))
        if self.choice not in ("a", "b"):
            raise InputError(f"the choice of an answer is 'a' or 'b', not {self.choice!r}")
        for grade in (self.grade_a, self.grade_b):
            if grade not in (None, 1, 2, 3, 4, 5):
                raise InputError(f"a grade is 1 (almost the same) to 5 (irrelevant), not {grade!r}")
        for name in ("answered_at", "response_seconds"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, Real) and math.isfinite(value) and float(value) >= 0):
                raise InputError(f"{name} is a number of seconds that is not negative, not {value!r}")

    @property
    def votes(self) -> tuple[float, float]:
        """The votes for a and for b."""
        return (1.0, 0.0) if self.choice == "a" else (0.0, 1.0)


def check_text(name: str, text: str) -> None:
    """Raise an `InputError` where `text` cannot be stored: no NUL characters, no halves of surrogate pairs.

    Examples
    --------
    >>> check_text("context", "ocean")
    """
    if not isinstance(text, str):
        raise InputError(f"{name} is a text, not {text!r}")
    if "\0" in text:
        raise InputError(f"{name} {text!r} has a NUL character in it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{name} {text!r} is not valid Unicode: rename it") from None

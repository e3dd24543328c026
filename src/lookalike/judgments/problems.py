"""Rows that cannot be used: named by file and line, then either the end of the reading or left out and counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError

__all__ = ["Fault", "Locate", "OnProblem", "Problem", "settle", "stop_at"]

OnProblem: TypeAlias = Literal["stop", "leave_out"]
"""What to do with a row that cannot be used."""

Fault: TypeAlias = tuple[NDArray[np.bool_], str | Callable[[int], str]]
"""A mask over rows, and the reason: the same for all, or a function of the row's position."""

Locate: TypeAlias = Callable[[NDArray[np.int64]], list[tuple[str, int | None]]]
"""From positions of rows to the file and the line of each, the line counted from 1 as an editor shows it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One row that cannot be used.

    Attributes
    ----------
    file : str
        The file as it was given, or the one inside the given folder.
    row : int or None
        The line, counted from 1 as an editor shows it (the row of an array counts from 1 too); None when the
        problem is the whole file's.
    reason : str
        What is wrong with it, in a few words.

    Examples
    --------
    >>> str(Problem("answers.csv", 7, "the two candidates are the same image"))
    'answers.csv, row 7: the two candidates are the same image'
    """

    file: str
    row: int | None
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}" if self.row is None else f"{self.file}, row {self.row}: {self.reason}"


def stop_at(problems: Sequence[Problem]) -> None:
    """Raise an `InputError` with the first problem, how many more there are, and what to do; or do nothing.

    Examples
    --------
    >>> stop_at([Problem("a.csv", 2, "an image has no id"), Problem("a.csv", 5, "an image has no id")])
    Traceback (most recent call last):
    ...
    lookalike.core.errors.InputError: a.csv, row 2: an image has no id (and 1 more problem): correct the file, or \
leave such rows out with on_problem="leave_out"
    """
    if not problems:
        return
    others = len(problems) - 1
    more = f" (and {others:,} more problem{'s' if others > 1 else ''})" if others else ""
    raise InputError(f'{problems[0]}{more}: correct the file, or leave such rows out with on_problem="leave_out"')


def settle(
    count: int, faults: Sequence[Fault], locate: Locate, known: Sequence[Problem], on_problem: OnProblem
) -> tuple[NDArray[Any] | None, list[Problem]]:
    """Turn faults into problems, and either stop or say which rows stay.

    Parameters
    ----------
    count : int
        How many rows there are.
    faults : sequence of Fault
        Where a row has several, the first is reported.
    locate : Locate
    known : sequence of Problem
        Rows that did not even become one.
    on_problem : {"stop", "leave_out"}

    Returns
    -------
    keep : bool (count,) or None
        The rows that stay; None for all of them.
    problems : list of Problem
        By file and row.

    Raises
    ------
    InputError
        There is a problem and `on_problem` is ``"stop"``; or it is neither of the two words.

    Examples
    --------
    >>> lines = lambda rows: [("a.csv", int(row) + 2) for row in rows]
    >>> keep, problems = settle(3, [(np.array([False, True, False]), "no answer")], lines, [], "leave_out")
    >>> keep.tolist(), str(problems[0])
    ([True, False, True], 'a.csv, row 3: no answer')
    """
    if on_problem not in ("stop", "leave_out"):
        raise InputError(f'on_problem is "stop" or "leave_out", not {on_problem!r}')
    problems, bad = list(known), np.zeros(count, np.bool_)
    for mask, reason in faults:
        rows = np.flatnonzero(mask & ~bad)
        if len(rows):
            bad |= mask
            reasons = [reason if isinstance(reason, str) else reason(int(row)) for row in rows]
            problems += [Problem(*place, text) for place, text in zip(locate(rows), reasons, strict=True)]
    problems.sort(key=lambda problem: (problem.file, problem.row or 0))
    if on_problem == "stop":
        stop_at(problems)
    return (~bad if bad.any() else None), problems

"""What a reader gives back, and the registry that readers file themselves in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from lookalike.core.registry import Registry
from lookalike.judgments.columns import Codes
from lookalike.judgments.problems import Fault, Locate, Problem
from lookalike.judgments.table import Judgments

__all__ = ["JUDGMENT_READERS", "PAIR_READERS", "Draft", "PairDraft", "numbered_lines"]


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """Judgments as they stand in a file, not checked yet.

    Attributes
    ----------
    judgments : Judgments
        May hold rows that cannot be judgments.
    locate : Locate
        Where a row comes from.
    faults : sequence of Fault
        What the reader itself found wrong with rows.
    problems : sequence of Problem
        Lines that did not become a row.
    single : bool
        Whether every row is one person's answer, so that opposite answers to one question contradict each other.
    """

    judgments: Judgments
    locate: Locate
    faults: Sequence[Fault] = ()
    problems: Sequence[Problem] = ()
    single: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class PairDraft:
    """Pairs as they stand in a file or in two folders, not checked yet; the attributes are those of `Draft`."""

    ids: Any
    left: Codes
    right: Codes
    locate: Locate
    images: Mapping[str, Path] = field(default_factory=dict)
    problems: Sequence[Problem] = ()


JudgmentReader: TypeAlias = Callable[..., Draft]
"""``reader(path, *, option=default, ...)``: the options of a format are the keyword-only parameters of its reader."""

PairReader: TypeAlias = Callable[..., PairDraft]

JUDGMENT_READERS: Registry[JudgmentReader] = Registry("format of judgments")
PAIR_READERS: Registry[PairReader] = Registry("format of pairs")


def numbered_lines(file: str | Path, first: int) -> Locate:
    """Locate rows of a file that has one row per line, `first` being the line of row 0.

    Examples
    --------
    >>> numbered_lines("a.txt", 1)([0, 4])
    [('a.txt', 1), ('a.txt', 5)]
    """
    return lambda rows: [(str(file), int(row) + first) for row in rows]

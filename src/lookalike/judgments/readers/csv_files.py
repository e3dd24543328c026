"""The formats ``csv``: judgments or pairs in one table, columns by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.judgments.columns import Labels
from lookalike.judgments.problems import Fault
from lookalike.judgments.readers.registry import JUDGMENT_READERS, PAIR_READERS, Draft, PairDraft
from lookalike.judgments.readers.tables import TextTable, seconds_since_1970
from lookalike.judgments.table import Judgments

__all__ = ["read_csv", "read_pair_csv"]

VOTES = ("reference", "a", "b", "votes_a", "votes_b")
CHOICE = ("reference", "a", "b", "choice")
ORDER = ("reference", "closer", "farther")
TRIALS = ("", "repeat", "flip")


@JUDGMENT_READERS.register("csv")
def read_csv(path: Path, *, delimiter: str | None = None) -> Draft:
    r"""Read judgments from a table; see ``docs/formats/csv.md``.

    Columns ``reference,a,b`` with ``votes_a,votes_b`` or ``choice`` (a or b), or ``reference,closer,farther``; and
    those of ``grade_a``, ``grade_b``, ``context``, ``annotator``, ``group``, ``trial``, ``answered_at``,
    ``response_seconds`` that there are. Other columns are ignored.

    Parameters
    ----------
    path : Path
    delimiter : str, optional
        Without it, the comma, tab or semicolon that the header has most of.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "answers.csv"
    >>> _ = path.write_text("reference,closer,farther\nr,x,y\n")
    >>> read_csv(path).judgments.candidates_a.tolist()
    ['x']
    """
    table = TextTable(path, delimiter)
    columns = table.require(VOTES, CHOICE, ORDER)
    (reference, a, b), ids = table.ids(*columns[:3])
    faults: list[Fault] = []
    if columns is VOTES:
        votes_a, bad_a = table.numbers("votes_a")
        votes_b, bad_b = table.numbers("votes_b")
        faults += [bad_a, bad_b]
    elif columns is CHOICE:
        votes_a, bad = _chosen(table)
        votes_b = 1 - votes_a
        faults.append(bad)
    else:
        votes_a, votes_b = np.ones(len(table)), np.zeros(len(table))
    made = Judgments(ids, reference, a, b, votes_a.astype(np.float32), votes_b.astype(np.float32))
    optional, more = _optional(table)
    return Draft(replace(made, **optional), table.locate, [*faults, *more], table.problems, single=columns is not VOTES)


def _chosen(table: TextTable) -> tuple[NDArray[np.float64], Fault]:
    choice = table.labels("choice")
    assert choice is not None
    words = np.char.lower(choice.values())
    is_a = words == "a"
    return is_a.astype(np.float64), (~is_a & (words != "b"), lambda row: f"choice is a or b, not '{words[row]}'")


def _optional(table: TextTable) -> tuple[dict[str, Any], list[Fault]]:
    columns: dict[str, Any] = {name: table.labels(name) for name in ("context", "annotator", "group", "trial")}
    faults: list[Fault] = []
    for attribute, name in (("grades_a", "grade_a"), ("grades_b", "grade_b")):
        if name in table:
            grades, fault = table.numbers(name, optional=True)
            whole = np.nan_to_num(grades, nan=0)
            odd = (whole != np.round(whole)) | (whole < 0) | (whole > 5)
            columns[attribute] = np.where(odd, 0, whole).astype(np.int8)
            faults += [fault, (odd, "a grade is 1 (almost the same) to 5 (irrelevant), in whole numbers")]
    if "answered_at" in table:
        columns["answered_at"], fault = table.numbers("answered_at", seconds_since_1970, optional=True)
        faults.append(fault)
    if "response_seconds" in table:
        seconds, fault = table.numbers("response_seconds", optional=True)
        columns["response_seconds"] = seconds.astype(np.float32)
        faults.append(fault)
    trial = columns["trial"]
    if isinstance(trial, Labels):
        unknown = ~np.isin(trial.values(), TRIALS)
        faults.append((unknown, "trial is empty, repeat or flip"))
    return columns, faults


@PAIR_READERS.register("csv")
def read_pair_csv(path: Path, *, delimiter: str | None = None) -> PairDraft:
    """Read pairs from a table with the columns ``left,right``.

    Parameters
    ----------
    path : Path
    delimiter : str, optional
        Without it, the comma, tab or semicolon that the header has most of.
    """
    table = TextTable(path, delimiter)
    table.require(("left", "right"))
    (left, right), ids = table.ids("left", "right")
    return PairDraft(ids, left, right, table.locate, problems=table.problems)

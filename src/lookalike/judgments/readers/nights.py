"""The format ``nights``: ``data.csv`` of NIGHTS, the data set of DreamSim."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.judgments.problems import Fault
from lookalike.judgments.readers.registry import JUDGMENT_READERS, Draft
from lookalike.judgments.readers.tables import TextTable
from lookalike.judgments.table import Judgments

__all__ = ["read_nights"]

SPLITS = ("train", "val", "test", "test_imagenet", "test_no_imagenet")


@JUDGMENT_READERS.register("nights")
def read_nights(path: Path, *, split: str | None = None, min_votes: float = 0) -> Draft:
    """Read NIGHTS; see ``docs/formats/nights.md``.

    The left picture is candidate a, the right one b; ids are the paths that the table gives. Where ``left_vote`` and
    ``right_vote`` add up to 1 and ``votes`` says how many people answered, the votes are their products; where they add
    up to ``votes``, or there is no such column, they are the counts themselves. Nothing is rounded.

    Parameters
    ----------
    path : Path
        ``data.csv``, or the folder that holds it.
    split : str, optional
        ``"train"``, ``"val"``, ``"test"``, ``"test_imagenet"`` or ``"test_no_imagenet"``; all of them without it.
    min_votes : float
        Rows with fewer ``votes`` are not wanted; the published results are for 6 and more.
    """
    if split is not None and split not in SPLITS:
        raise InputError(f"split is one of {', '.join(SPLITS)}, not {split!r}")
    table = TextTable(path / "data.csv" if path.is_dir() else path)
    table.require(("ref_path", "left_path", "right_path", "left_vote", "right_vote"))
    (reference, left, right), ids = table.ids("ref_path", "left_path", "right_path")
    a, b, total, faults = _votes(table)
    columns: dict[str, Any] = {}
    wanted = _chosen(table, split)
    if min_votes:
        # A row whose votes cannot be read stays, to be reported.
        wanted &= ~(total < min_votes)
    made = replace(Judgments(ids, reference, left, right, a.astype(np.float32), b.astype(np.float32)), **columns)
    if wanted.all():
        return Draft(made, table.locate, faults, table.problems)
    rows = np.flatnonzero(wanted)
    kept: list[Fault] = [(mask[rows], _shifted(reason, rows)) for mask, reason in faults]
    return Draft(made.take(rows), lambda some: table.locate(rows[some]), kept, table.problems)


def _votes(table: TextTable) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], list[Fault]]:
    a, bad_a = table.numbers("left_vote")
    b, bad_b = table.numbers("right_vote")
    if "votes" not in table:
        return a, b, a + b, [bad_a, bad_b]
    total, bad = table.numbers("votes")
    shares, counts = np.isclose(a + b, 1, atol=1e-3), np.isclose(a + b, total, atol=1e-3)
    people = np.where(shares & ~counts, total, 1)
    odd = ~(shares | counts)
    reason = "left_vote and right_vote add up neither to 1 nor to votes"
    return a * people, b * people, total, [bad_a, bad_b, bad, (odd, reason)]


def _chosen(table: TextTable, split: str | None) -> NDArray[np.bool_]:
    if split is None:
        return np.ones(len(table), np.bool_)
    table.require(("split", "is_imagenet") if "_" in split else ("split",))
    part, _, pictures = split.partition("_")
    parts = table.labels("split")
    assert parts is not None
    chosen = parts.values() == part
    if pictures:
        imagenet = table.labels("is_imagenet")
        assert imagenet is not None
        chosen &= np.isin(np.char.lower(imagenet.values()), ("true", "1", "1.0")) == (pictures == "imagenet")
    return np.asarray(chosen, np.bool_)


def _shifted(reason: Any, rows: NDArray[np.int64]) -> Any:
    return reason if isinstance(reason, str) else lambda row: reason(int(rows[row]))

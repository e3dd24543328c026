"""Judgments to rows of the store, in blocks: no Python object of a row outlives its block."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, Progress
from lookalike.judgments.answer import check_text
from lookalike.judgments.columns import Codes, Labels
from lookalike.judgments.table import LABELS, Judgments

__all__ = ["BLOCK", "IMAGES", "Ids", "image_rows", "insert_rows", "label_rows", "set_paths", "used_numbers"]

Ids: TypeAlias = NDArray[np.int64]
"""Row numbers of a table of names; 0 is none."""

BLOCK = 65_536
"""Rows that are Python objects at one time."""

IMAGES = ("reference", "candidate_a", "candidate_b")

INSERT = (
    "INSERT INTO answers (reference, candidate_a, candidate_b, votes_a, votes_b, grade_a, grade_b,"
    ' context, annotator, "group", trial, answered_at, response_seconds, source)'
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def image_rows(db: sqlite3.Connection, names: Sequence[str]) -> list[int]:
    """Return the row numbers of images, filing those that are new.

    Examples
    --------
    >>> from lookalike.judgments.store_file import transact
    >>> transact(Path("absent.sqlite"), lambda db: image_rows(db, ["b.jpg", "a.jpg", "b.jpg"]), write=False)
    [1, 2, 1]
    """
    for name in names:
        check_text("the image", name)
    db.executemany("INSERT OR IGNORE INTO images (name) VALUES (?)", ((name,) for name in names))
    return [db.execute("SELECT id FROM images WHERE name = ?", (name,)).fetchone()[0] for name in names]


def label_rows(db: sqlite3.Connection, names: Sequence[str]) -> list[int]:
    """Return the row numbers of contexts, annotators or trials, filing those that are new.

    Examples
    --------
    >>> from lookalike.judgments.store_file import transact
    >>> transact(Path("absent.sqlite"), lambda db: label_rows(db, ["ocean", "", "indoor"]), write=False)
    [1, 0, 2]
    """
    for name in names:
        check_text("the label", name)
    db.executemany("INSERT OR IGNORE INTO labels (name) VALUES (?)", ((name,) for name in names))
    return [db.execute("SELECT id FROM labels WHERE name = ?", (name,)).fetchone()[0] for name in names]


def group_rows(db: sqlite3.Connection, names: Sequence[str], source: int) -> range:
    """File the groups of a new import and return their row numbers: groups of two imports are never one.

    Examples
    --------
    >>> from lookalike.judgments.store_file import transact
    >>> transact(Path("absent.sqlite"), lambda db: list(group_rows(db, ["7", "8"], source=1)), write=False)
    [1, 2]
    """
    for name in names:
        check_text("the group", name)
    (last,) = db.execute("SELECT max(id) FROM groups").fetchone()
    rows = range(last + 1, last + 1 + len(names))
    db.executemany("INSERT INTO groups VALUES (?, ?, ?)", zip(rows, repeat(source), names, strict=False))
    return rows


def set_paths(db: sqlite3.Connection, judgments: Judgments, replace: bool) -> None:
    """Record where the images of `judgments` are, as absolute paths.

    Parameters
    ----------
    replace : bool
        Whether a path may give way to another one although its file is still there.

    Raises
    ------
    InputError
        An id already stands for another file that exists: two data sets use the same ids.

    Examples
    --------
    >>> from lookalike.judgments.store_file import transact
    >>> answers = Judgments.from_ids(["r"], ["x"], ["y"], [1], [0], images={"x": Path("/photos/x.jpg")})
    >>> transact(Path("absent.sqlite"), lambda db: set_paths(db, answers, replace=False), write=False)
    """
    used = judgments.ids[used_numbers(*(getattr(judgments, name) for name in IMAGES))].tolist()
    names = [name for name in used if name in judgments.images] if judgments.images else []
    for name, row in zip(names, image_rows(db, names), strict=True):
        path = os.path.abspath(judgments.images[name])  # noqa: PTH100 - Path.absolute keeps ".."
        check_text("the path", path)
        (known,) = db.execute("SELECT path FROM images WHERE id = ?", (row,)).fetchone()
        if known == path:
            continue
        if known and not replace and Path(known).exists() and Path(known).resolve() != Path(path).resolve():
            raise InputError(
                f"the image '{name}' is {known} in the store and {path} here: forget the earlier import,"
                " or use another workspace for data sets that share ids"
            )
        db.execute("UPDATE images SET path = ? WHERE id = ?", (path, row))


def insert_rows(db: sqlite3.Connection, judgments: Judgments, source: int, on_progress: OnProgress) -> None:
    """Append all rows of `judgments`, in their order.

    Parameters
    ----------
    source : int
        The row number of the import.
    on_progress : callable
        Is told after every block; an error in it undoes the import.

    Examples
    --------
    >>> from lookalike.judgments.store_file import transact
    >>> answers = Judgments.from_ids(["r"], ["x"], ["y"], [1], [0])
    >>> transact(Path("absent.sqlite"), lambda db: insert_rows(db, answers, 1, print), write=False)
    Progress(stage='importing', done=1, total=1, rejected=0)
    """
    count = len(judgments)
    used = used_numbers(*(getattr(judgments, name) for name in IMAGES))
    images = _lookup(used, image_rows(db, judgments.ids[used].tolist()))
    columns: list[tuple[NDArray[Any], Ids | None]] = [
        *((getattr(judgments, name), images) for name in IMAGES),
        (judgments.votes_a, None),
        (judgments.votes_b, None),
        *(
            (np.broadcast_to(0 if grades is None else grades, count), None)
            for grades in (judgments.grades_a, judgments.grades_b)
        ),
        *(_label_column(db, judgments, name, source) for name in LABELS),
        (_finite(judgments.answered_at, count), None),
        (_finite(judgments.response_seconds, count), None),
    ]
    for start in range(0, count, BLOCK):
        block = slice(start, min(start + BLOCK, count))
        values = [(column[block] if lookup is None else lookup[column[block]]).tolist() for column, lookup in columns]
        db.executemany(INSERT, zip(*values, repeat(source), strict=False))
        on_progress(Progress("importing", block.stop, count))


def used_numbers(*columns: Codes, top: int | None = None) -> Ids:
    """Return the numbers that occur, sorted; -1 is none.

    Raises
    ------
    ValueError
        A number is not in 0..top.

    Examples
    --------
    >>> used_numbers(np.array([5, -1], np.int32), np.array([2, 5], np.int32)).tolist()
    [2, 5]
    """
    low = min((int(column.min()) for column in columns if len(column)), default=0)
    high = max((int(column.max()) for column in columns if len(column)), default=0)
    if top is not None and (low < 0 or high > top):
        raise ValueError("a name is missing")
    seen = np.zeros(high + 2, np.bool_)
    for column in columns:
        seen[column] = True
    return np.flatnonzero(seen[:-1])


def _label_column(db: sqlite3.Connection, judgments: Judgments, name: str, source: int) -> tuple[Codes, Ids]:
    """Return a column of labels and the row numbers of its names, filing those that are new."""
    labels: Labels | None = getattr(judgments, name)
    if labels is None:
        return np.broadcast_to(np.int32(-1), len(judgments)), np.zeros(1, np.int64)
    used = used_numbers(labels.codes)
    names = labels.names[used].tolist()
    return labels.codes, _lookup(used, group_rows(db, names, source) if name == "group" else label_rows(db, names))


def _lookup(used: Ids, rows: Sequence[int]) -> Ids:
    """Return row numbers by code; the last one, 0, is for code -1."""
    lookup = np.zeros(int(used[-1]) + 2 if len(used) else 1, np.int64)
    lookup[used] = rows
    return lookup


def _finite(times: NDArray[Any] | None, count: int) -> NDArray[Any]:
    """Return times, NaN where there is none: SQLite stores NaN as NULL."""
    return np.broadcast_to(np.nan, count) if times is None else np.where(np.isfinite(times), times, np.nan)

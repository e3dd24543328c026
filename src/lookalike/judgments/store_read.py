"""Rows of the store to judgments, in blocks: no Python object of a row outlives its block."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.judgments.columns import Codes, Labels
from lookalike.judgments.store_write import BLOCK, IMAGES, Ids, used_numbers
from lookalike.judgments.table import LABELS, Judgments

__all__ = ["select_rows"]

SELECT = (
    "SELECT reference, candidate_a, candidate_b, votes_a, votes_b, grade_a, grade_b,"
    ' context, annotator, "group", trial, answered_at, response_seconds FROM answers'
)
ROW = np.dtype(
    [
        *((name, np.int32) for name in IMAGES),
        *((name, np.float32) for name in ("votes_a", "votes_b")),
        *((name, np.int8) for name in ("grades_a", "grades_b")),
        *((name, np.int32) for name in LABELS),
        ("answered_at", np.float64),
        ("response_seconds", np.float32),
    ]
)
SOME = " IN (SELECT value FROM json_each(?)) ORDER BY id"


def select_rows(db: sqlite3.Connection, conditions: Sequence[str], values: Sequence[object]) -> Judgments:
    """Read the answers that meet all SQL conditions, in the order in which they were stored.

    Raises
    ------
    sqlite3.DatabaseError
        What is stored is not a judgment: the file is damaged.

    Examples
    --------
    >>> from lookalike.judgments.store_file import transact
    >>> len(transact(Path("absent.sqlite"), lambda db: select_rows(db, ["votes_a > ?"], [0.5]), write=False))
    0
    """
    where = " WHERE " + " AND ".join(conditions) if conditions else ""
    try:
        found = _judgments(db, _columns(db.execute(SELECT + where + " ORDER BY id", values)))
        found.check()
    except (ValueError, TypeError, OverflowError) as error:
        # What was stored was valid: the file now says something else. (An InputError is a ValueError.)
        raise sqlite3.DatabaseError(f"an answer cannot be read: {error}") from error
    return found


def _columns(rows: sqlite3.Cursor) -> dict[str, NDArray[Any]]:
    """Read rows into columns; a NULL becomes NaN."""
    blocks: dict[str, list[NDArray[Any]]] = {name: [np.empty(0, ROW[name])] for name in ROW.names or ()}
    while len(block := np.fromiter(islice(rows, BLOCK), ROW)):
        for name, parts in blocks.items():
            parts.append(block[name].copy())
    # Each column's blocks are let go before the next column is put together.
    return {name: np.concatenate(blocks.pop(name)) for name in list(blocks)}


def _judgments(db: sqlite3.Connection, columns: dict[str, Any]) -> Judgments:
    """Turn row numbers into names; a column in which no row has a value becomes None."""
    numbers = [columns.pop(name) for name in IMAGES]
    (top,) = db.execute("SELECT max(id) FROM images").fetchone()
    used = used_numbers(*numbers, top=top or 0)
    (reference, a, b), ids = _named(numbers, used, _names(db, "SELECT id, name FROM images WHERE id", used))
    for name in LABELS:
        columns[name] = _labels(db, columns[name], name)
    for name in ("grades_a", "grades_b"):
        columns[name] = columns[name] if columns[name].any() else None
    for name in ("answered_at", "response_seconds"):
        columns[name] = None if np.isnan(columns[name]).all() else columns[name]
    images = {name: Path(path) for name, path in _paths(db, used)}
    return Judgments(ids, reference, a, b, images=images, **columns)


def _labels(db: sqlite3.Connection, numbers: Codes, name: str) -> Labels | None:
    if not numbers.any():
        return None
    table = "groups" if name == "group" else "labels"
    (top,) = db.execute(f"SELECT max(id) FROM {table}").fetchone()  # noqa: S608 - one of two words
    used = used_numbers(numbers, top=top)
    used = used[used > 0]
    names = _names(db, f"SELECT id, name FROM {table} WHERE id", used)  # noqa: S608
    if name == "group":
        names = _told_apart(db, used, names)
    (codes,), names = _named([numbers], used, names)
    return Labels(codes, names)


def _told_apart(db: sqlite3.Connection, used: Ids, names: NDArray[np.str_]) -> NDArray[np.str_]:
    """Put the import before the name of a group where two imports use the same name: they are two groups."""
    _, places, counts = np.unique(names, return_inverse=True, return_counts=True)
    shared = counts[places] > 1
    if not shared.any():
        return names
    query = (
        "SELECT groups.id AS id, CASE source WHEN 0 THEN groups.name"
        " ELSE sources.name || '#' || source || ':' || groups.name END"
        " FROM groups JOIN sources ON sources.id = source WHERE groups.id"
    )
    longer = _names(db, query, used[shared])
    names = names.astype(np.result_type(names, longer))
    names[shared] = longer
    return names


def _names(db: sqlite3.Connection, query: str, used: Ids) -> NDArray[np.str_]:
    """Return the names of rows, in their order."""
    blocks = (np.array([name for _, name in rows], np.str_) for rows in _blocks(db, query, used))
    names = np.concatenate([np.empty(0, np.str_), *blocks])
    if len(names) != len(used):
        raise ValueError(f"{len(used) - len(names)} names are missing")
    return names


def _paths(db: sqlite3.Connection, used: Ids) -> Iterator[tuple[str, str]]:
    for rows in _blocks(db, "SELECT name, path FROM images WHERE path IS NOT NULL AND id", used):
        yield from rows


def _blocks(db: sqlite3.Connection, query: str, used: Ids) -> Iterator[list[Any]]:
    for start in range(0, len(used), BLOCK):
        yield db.execute(query + SOME, (json.dumps(used[start : start + BLOCK].tolist()),)).fetchall()


def _named(columns: Sequence[Codes], used: Ids, names: NDArray[np.str_]) -> tuple[list[Codes], NDArray[np.str_]]:
    """Turn columns of row numbers into codes of their sorted names."""
    order = np.argsort(names)
    codes = np.full(int(used[-1]) + 1 if len(used) else 1, -1, np.int32)
    codes[used[order]] = np.arange(len(used), dtype=np.int32)
    return [codes[column] for column in columns], names[order]

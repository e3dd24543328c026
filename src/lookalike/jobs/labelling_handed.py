"""Which questions an annotator has and has not answered, told to all processes of one server.

Two workers of a server must not give one person the same question: what is handed out is written down before it is
sent. It is worth nothing once the server has ended, unlike answers, and is kept where it ends with it.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import TypeAlias

from lookalike.core.errors import StorageError

__all__ = ["Handed", "Key"]

Key: TypeAlias = tuple[str, frozenset[str]]
"""A reference, and the candidates in any order."""

HELD = 400
"""So many questions are remembered for each person."""

ALL = 1000 * HELD
"""And so many in all."""

PATIENCE = 10.0
TABLE = (
    "CREATE TABLE IF NOT EXISTS handed (place INTEGER PRIMARY KEY, annotator TEXT NOT NULL, question TEXT NOT NULL,"
    " again INTEGER NOT NULL, UNIQUE (annotator, question, again))"
)
GIVE = "INSERT OR IGNORE INTO handed (annotator, question, again) VALUES (?, ?, ?)"
FORGET = (
    "DELETE FROM handed WHERE annotator = :annotator AND place <= (SELECT place FROM handed"
    " WHERE annotator = :annotator ORDER BY place DESC LIMIT 1 OFFSET :held)"
)
FORGET_OLD = "DELETE FROM handed WHERE place <= (SELECT max(place) FROM handed) - ?"


class Handed:
    """Questions that were handed out and not answered. Not for several threads at once, but for several processes.

    Parameters
    ----------
    file : Path, optional
        Shared by the processes; without it, this one is alone.

    Raises
    ------
    StorageError
        The file cannot be used.

    Examples
    --------
    >>> handed, question = Handed(), ("r", frozenset({"x", "y"}))
    >>> handed.give("ann", question, again=False), handed.give("ann", question, again=False)
    (True, False)
    >>> handed.of("ann") == {(question, False)}, handed.of("bob")
    (True, set())
    """

    def __init__(self, file: Path | None = None) -> None:
        self.shared = file is not None
        try:
            # `Asker` takes care that one thread at a time is here.
            self._db = sqlite3.connect(file or ":memory:", PATIENCE, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.execute(TABLE)
        except sqlite3.Error as error:
            raise StorageError(f"cannot use {file}: {error}") from error

    def __del__(self) -> None:
        if hasattr(self, "_db"):
            self._db.close()

    def of(self, annotator: str) -> set[tuple[Key, bool]]:
        """Return what a person has."""
        found = self._run("SELECT question, again FROM handed WHERE annotator = ?", (annotator,)).fetchall()
        return {(_key(question), bool(again)) for question, again in found}

    def give(self, annotator: str, question: Key, again: bool) -> bool:
        """Hand a question out; False where the person has it already."""
        new = self._run(GIVE, (annotator, _text(question), again)).rowcount > 0
        if new:
            self._run(FORGET, {"annotator": annotator, "held": HELD})
            self._run(FORGET_OLD, (ALL,))
        return new

    def forget(self, annotator: str) -> None:
        """Forget what a person has."""
        self._run("DELETE FROM handed WHERE annotator = ?", (annotator,))

    def _run(self, statement: str, given: tuple[object, ...] | dict[str, object]) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, given)
        except sqlite3.Error as error:
            raise StorageError(f"cannot note which questions were asked: {error}") from error


def _text(question: Key) -> str:
    return json.dumps([question[0], *sorted(question[1])])


def _key(text: str) -> Key:
    reference, *candidates = json.loads(text)
    return reference, frozenset(candidates)

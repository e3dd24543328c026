"""What one person does, as rows of the store: an answer, a skip, and taking either back."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass

from lookalike.core.errors import InputError
from lookalike.judgments.answer import Answer, check_text
from lookalike.judgments.store_write import image_rows, label_rows

__all__ = ["Skip", "insert", "insert_skip", "select_skips", "withdraw"]

INSERT = (
    "INSERT INTO answers (reference, candidate_a, candidate_b, votes_a, votes_b, grade_a, grade_b,"
    ' context, annotator, trial, "group", response_seconds, answered_at, source, key)'
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)"
)
SAID = (
    "SELECT reference, candidate_a, candidate_b, votes_a, votes_b, grade_a, grade_b,"
    ' context, annotator, trial, "group", response_seconds FROM answers WHERE key = ?'
)
WORDS = (
    "SELECT json_object('reference', r.name, 'a', a.name, 'b', b.name, 'votes_a', votes_a, 'votes_b', votes_b,"
    " 'grade_a', grade_a, 'grade_b', grade_b, 'context', c.name, 'annotator', p.name, 'trial', t.name,"
    " 'group', g.name, 'answered_at', answered_at, 'response_seconds', response_seconds), p.name FROM answers"
    " JOIN images r ON r.id = reference JOIN images a ON a.id = candidate_a JOIN images b ON b.id = candidate_b"
    " JOIN labels c ON c.id = context JOIN labels p ON p.id = annotator JOIN labels t ON t.id = trial"
    ' JOIN groups g ON g.id = "group" WHERE key = ?'
)


@dataclass(frozen=True, slots=True)
class Skip:
    """A question that somebody left without an answer.

    Attributes
    ----------
    annotator : str
        Empty for none.
    images : tuple of str
        The reference, then the candidates.

    Examples
    --------
    >>> Skip("ann", ("r", "x", "y")).images[0]
    'r'
    """

    annotator: str
    images: tuple[str, ...]

    def __post_init__(self) -> None:
        for text in (self.annotator, *self.images):
            check_text("what is skipped", text)


def insert(db: sqlite3.Connection, key: str, answer: Answer) -> bool:
    """Store an answer; False where it was there already, or was taken back.

    Raises
    ------
    InputError
        Another answer has that key.

    Examples
    --------
    >>> from pathlib import Path
    >>> from lookalike.judgments.store_file import transact
    >>> answer = Answer("r", "x", "y", "a")
    >>> transact(Path("absent.sqlite"), lambda db: [insert(db, "7c1d", answer) for _ in range(2)], write=False)
    [True, False]
    """
    if db.execute("SELECT 1 FROM withdrawn WHERE key = ?", (key,)).fetchone():
        return False
    said = _values(db, answer)
    stored = db.execute(SAID, (key,)).fetchone()
    if stored is None:
        answered_at = time.time() if answer.answered_at is None else float(answer.answered_at)
        db.execute(INSERT, (*said, answered_at, key))
    elif stored != said:
        raise InputError(f"another answer has the key '{key}': give every answer a key of its own")
    return stored is None


def insert_skip(db: sqlite3.Connection, key: str, skip: Skip) -> bool:
    """Store a skip; False where it was there already, or was taken back.

    Examples
    --------
    >>> from pathlib import Path
    >>> from lookalike.judgments.store_file import transact
    >>> skip = Skip("ann", ("r", "x", "y"))
    >>> transact(Path("absent.sqlite"), lambda db: [insert_skip(db, "9b", skip) for _ in range(2)], write=False)
    [True, False]
    """
    if db.execute("SELECT 1 FROM withdrawn WHERE key = ?", (key,)).fetchone():
        return False
    row = (key, skip.annotator, json.dumps(skip.images), time.time())
    return db.execute("INSERT OR IGNORE INTO skips VALUES (?, ?, ?, ?)", row).rowcount > 0


def withdraw(db: sqlite3.Connection, key: str, annotator: str | None) -> bool:
    """Take back what has that key, and keep any later answer of that key out; return whether there was one.

    Raises
    ------
    InputError
        It is somebody else's; None asks for nobody.

    Examples
    --------
    >>> from pathlib import Path
    >>> from lookalike.judgments.store_file import transact
    >>> answer = Answer("r", "x", "y", "a", annotator="ann")
    >>> def work(db: sqlite3.Connection) -> tuple[bool, ...]:
    ...     return insert(db, "7c1d", answer), withdraw(db, "7c1d", "ann"), insert(db, "7c1d", answer)
    >>> transact(Path("absent.sqlite"), work, write=False)
    (True, True, False)
    """
    answer = db.execute(WORDS, (key,)).fetchone()
    skip = db.execute("SELECT images, annotator FROM skips WHERE key = ?", (key,)).fetchone()
    for found in (answer, skip):
        if found and annotator is not None and found[1] != annotator:
            raise InputError(f"the answer '{key}' is not by '{annotator}': only its own annotator may take it back")
    said = (answer or skip or (None,))[0]
    db.execute("INSERT OR IGNORE INTO withdrawn VALUES (?, ?, ?)", (key, said, time.time()))
    gone = [db.execute(f"DELETE FROM {table} WHERE key = ?", (key,)).rowcount for table in ("answers", "skips")]  # noqa: S608
    return sum(gone) > 0


def select_skips(db: sqlite3.Connection, annotator: str) -> list[Skip]:
    """Read what an annotator skipped.

    Examples
    --------
    >>> from pathlib import Path
    >>> from lookalike.judgments.store_file import transact
    >>> transact(Path("absent.sqlite"), lambda db: select_skips(db, "ann"), write=False)
    []
    """
    rows = db.execute("SELECT images FROM skips WHERE annotator = ?", (annotator,))
    return [Skip(annotator, tuple(json.loads(images))) for (images,) in rows]


def _values(db: sqlite3.Connection, answer: Answer) -> tuple[float | None, ...]:
    """Return what a person said, as numbers."""
    images = image_rows(db, [answer.reference, answer.candidate_a, answer.candidate_b])
    labels = label_rows(db, [answer.context, answer.annotator, answer.trial])
    db.execute("INSERT OR IGNORE INTO groups (source, name) VALUES (0, ?)", (answer.group,))
    (group,) = db.execute("SELECT id FROM groups WHERE source = 0 AND name = ?", (answer.group,)).fetchone()
    seconds = None if answer.response_seconds is None else float(answer.response_seconds)
    return (*images, *answer.votes, answer.grade_a or 0, answer.grade_b or 0, *labels, group, seconds)

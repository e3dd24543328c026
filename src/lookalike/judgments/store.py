"""The judgment store: answers in one SQLite file, safe under several writers and a killed process."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.progress import OnProgress, silent
from lookalike.judgments import store_acts
from lookalike.judgments.answer import Answer, check_text
from lookalike.judgments.store_acts import Skip
from lookalike.judgments.store_file import transact
from lookalike.judgments.store_read import select_rows
from lookalike.judgments.store_write import insert_rows, set_paths
from lookalike.judgments.table import Judgments

__all__ = ["ImportReport", "JudgmentStore", "Source"]

ONE_LABEL = " = (SELECT id FROM labels WHERE name = ?)"
SOURCE = "source IN (SELECT id FROM sources WHERE ? IN (name, digest))"
GIVEN = "key IS NOT NULL AND ? = ''"
"""Of source '', in words that let SQLite use the index of answers that have a key."""

UNUSED = (
    "DELETE FROM images WHERE id NOT IN (SELECT reference FROM answers"
    " UNION SELECT candidate_a FROM answers UNION SELECT candidate_b FROM answers)",
    "DELETE FROM labels WHERE id > 0 AND id NOT IN (SELECT context FROM answers"
    " UNION SELECT annotator FROM answers UNION SELECT trial FROM answers)",
    "DELETE FROM groups WHERE source NOT IN (SELECT id FROM sources)",
)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes
    ----------
    added, already_there : int
        Answers; one of the two is 0.
    earlier : int
        Answers in the store from imports of the same name with other content: an older version of the file perhaps,
        whose answers now count twice.
    """

    added: int
    already_there: int
    earlier: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """One import.

    Attributes
    ----------
    name, digest : str
        The file's name and the hash of what was read.
    answers : int
        How many answers it brought.
    imported_at : float
        Seconds since 1970, UTC.
    """

    name: str
    digest: str
    answers: int
    imported_at: float


class JudgmentStore:
    """Answers in an SQLite file.

    Any number of processes and threads may use the file, each through a store of its own or a shared one; nothing is
    kept open between calls. An answer is on the disk when `add` returns. Every method raises `StorageError` where the
    file is damaged, of another kind or of a newer version, or where the disk refuses.

    Parameters
    ----------
    path : str or Path
        The file, usually ``.lookalike/judgments.sqlite``; the first write makes it, and its folder.

    Examples
    --------
    >>> import tempfile
    >>> store = JudgmentStore(Path(tempfile.mkdtemp()) / "judgments.sqlite")
    >>> store.add(Answer("r", "x", "y", "a", annotator="ann"), key="7c1d")
    True
    >>> store.add(Answer("r", "x", "y", "a", annotator="ann"), key="7c1d")  # sent again
    False
    >>> answers = Judgments.from_ids(["r"], ["y"], ["z"], [3], [1])
    >>> store.import_judgments(answers, "people.csv", digest="e3b0")
    ImportReport(added=1, already_there=0, earlier=0)
    >>> store.read().candidates_b.tolist(), store.annotators()
    (['y', 'z'], {'': 1, 'ann': 1})
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def add(self, answer: Answer, key: str) -> bool:
        """Store one answer, once; see `add_all`."""
        return self.add_all({key: answer})[0]

    def add_all(self, answers: Mapping[str, Answer], skips: Mapping[str, Skip] | None = None) -> list[bool]:
        """Store answers, each once: all of them, or, if anything fails, none.

        Parameters
        ----------
        answers : mapping of str to Answer
            By keys made by whoever sends them, one per answer (a UUID): sending it again stores nothing more.
        skips : mapping of str to Skip, optional
            Questions that were left without an answer, by keys of the same kind.

        Returns
        -------
        list of bool
            For each answer, then for each skip: False where it was there already, or was taken back. When it was
            answered is not compared: the first time stays.

        Raises
        ------
        InputError
            Another answer has one of the keys.
        """
        skipped = skips or {}
        for key in (*answers, *skipped):
            if not key:
                raise InputError("an answer needs a key")
            check_text("the key", key)

        def work(db: sqlite3.Connection) -> list[bool]:
            stored = [store_acts.insert(db, key, answer) for key, answer in answers.items()]
            return stored + [store_acts.insert_skip(db, key, skip) for key, skip in skipped.items()]

        return transact(self.path, work, write=True)

    def undo(self, *keys: str, annotator: str | None = None) -> int:
        """Take back the answers and skips of these keys, and count them.

        What they said is kept apart, and an answer of such a key that comes later is not stored: whoever sends may
        send in any order, and as often as it takes.

        Raises
        ------
        InputError
            `annotator` is given, and one of the answers is somebody else's: nothing is taken back.
        """
        for key in keys:
            check_text("the key", key)
        return transact(self.path, lambda db: sum(store_acts.withdraw(db, key, annotator) for key in keys), write=True)

    def skips(self, annotator: str) -> list[Skip]:
        """Return what an annotator left without an answer."""
        return transact(self.path, lambda db: store_acts.select_skips(db, annotator), write=False)

    def mark(self) -> tuple[int, ...]:
        """Return numbers that change whenever what `read` returns may have."""
        query = (
            "SELECT (SELECT ifnull(max(id), 0) FROM answers), (SELECT count(*) FROM withdrawn),"
            " (SELECT max(id) FROM sources), (SELECT count(*) FROM sources)"
        )
        found: tuple[int, ...] = transact(self.path, lambda db: db.execute(query).fetchone(), write=False)
        return found

    def import_judgments(
        self, judgments: Judgments, source: str, digest: str, on_progress: OnProgress = silent
    ) -> ImportReport:
        """Store all judgments of a file, or, if anything fails, none; a file that was imported before adds nothing.

        Equal rows are separate answers and all kept. Where an import is repeated, its images' paths are renewed.

        Parameters
        ----------
        judgments : Judgments
            At least one.
        source : str
            The file's name, for people.
        digest : str
            Identifies what was read: a hash of the file and of the options it was read with.
        on_progress : callable, optional

        Raises
        ------
        InputError
            A row cannot be a judgment; an image id already stands for another file; or the digest was imported with
            another number of rows.
        """
        judgments.check()
        if not (source and digest and len(judgments)):
            raise InputError("an import needs at least one judgment, a source name and a digest")
        check_text("the source", source)

        def work(db: sqlite3.Connection) -> ImportReport:
            same_name = "SELECT total(answers) FROM sources WHERE name = ? AND digest <> ?"
            earlier = int(db.execute(same_name, (source, digest)).fetchone()[0])
            known = db.execute("SELECT answers FROM sources WHERE digest = ?", (digest,)).fetchone()
            set_paths(db, judgments, replace=known is not None)
            if known is None:
                filed = "INSERT INTO sources (name, digest, answers, imported_at) VALUES (?, ?, ?, ?)"
                row = db.execute(filed, (source, digest, len(judgments), time.time())).lastrowid or 0
                insert_rows(db, judgments, row, on_progress)
                return ImportReport(len(judgments), 0, earlier)
            if known[0] != len(judgments):
                raise InputError(
                    f"'{source}' was imported before, with {known[0]} judgments instead of {len(judgments)}:"
                    " forget that import first"
                )
            return ImportReport(0, len(judgments), earlier)

        return transact(self.path, work, write=True)

    def forget(self, source: str) -> int:
        """Remove all answers of an import, by its name or its digest; return how many.

        Images, contexts and annotators that nothing else uses go with them.

        Raises
        ------
        UnknownNameError
            There is no such import.
        """

        def work(db: sqlite3.Connection) -> int:
            if not source or not db.execute("SELECT 1 FROM sources WHERE ? IN (name, digest)", (source,)).fetchone():
                raise UnknownNameError(
                    "import", source, {name for (name,) in db.execute("SELECT name FROM sources WHERE id > 0")}
                )
            removed = db.execute(f"DELETE FROM answers WHERE {SOURCE}", (source,)).rowcount  # noqa: S608 - a constant
            db.execute("DELETE FROM sources WHERE ? IN (name, digest)", (source,))
            for statement in UNUSED:
                db.execute(statement)
            return removed

        return transact(self.path, work, write=True)

    def read(
        self,
        context: str | None = None,
        annotator: str | None = None,
        source: str | None = None,
        since: float | None = None,
    ) -> Judgments:
        """Read answers, in the order in which they were stored.

        Parameters
        ----------
        context, annotator : str, optional
            Only those with this label; empty for those without one.
        source : str, optional
            Only those of this import, by name or digest; empty for those that were given here, by `add`.
        since : float, optional
            Only those answered at this time or later, in seconds since 1970, UTC.

        Returns
        -------
        Judgments
            Columns in which no answer has a value are None. Where imports use the same name for different groups, the
            import's name stands before the group's.
        """
        filters: dict[str, Any] = {
            "context" + ONE_LABEL: context,
            "annotator" + ONE_LABEL: annotator,
            GIVEN if source == "" else SOURCE: source,
            "answered_at >= ?": since,
        }
        chosen = {condition: value for condition, value in filters.items() if value is not None}
        return transact(self.path, lambda db: select_rows(db, list(chosen), list(chosen.values())), write=False)

    def count(self) -> int:
        """Count the answers."""
        # Not `count(*)`, which reads the whole table: imports know their size, and the others have an index.
        query = "SELECT (SELECT total(answers) FROM sources), (SELECT count(*) FROM answers WHERE key IS NOT NULL)"
        imported, given = transact(self.path, lambda db: db.execute(query).fetchone(), write=False)
        return int(imported) + int(given)

    def sources(self) -> list[Source]:
        """Return the imports, in their order."""
        query = "SELECT name, digest, answers, imported_at FROM sources WHERE id > 0 ORDER BY id"
        return [Source(*row) for row in transact(self.path, lambda db: db.execute(query).fetchall(), write=False)]

    def annotators(self) -> dict[str, int]:
        """Return how many answers each annotator gave, by name; the empty name is for answers without one."""
        return self._counted("annotator")

    def contexts(self) -> dict[str, int]:
        """Return how many answers each context has, by name; the empty name is for answers without one."""
        return self._counted("context")

    def _counted(self, column: str) -> dict[str, int]:
        query = (
            f"SELECT name, answers FROM (SELECT {column}, count(*) AS answers FROM answers GROUP BY {column})"  # noqa: S608
            f" JOIN labels ON labels.id = {column} ORDER BY name"
        )
        return dict(transact(self.path, lambda db: db.execute(query).fetchall(), write=False))

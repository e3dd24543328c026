"""The SQLite file of the judgment store: its tables, how it is opened, and what its errors mean.

Every transaction opens its own connection: nothing is shared between threads, carried over a fork, or left open.
"""

from __future__ import annotations

import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from lookalike.core.errors import StorageError

__all__ = ["FORMAT", "MIGRATIONS", "PATIENCE", "transact"]

Result = TypeVar("Result")

APPLICATION = 0x6C6F6F6B
"""Tells a judgment store from any other SQLite file ("look")."""

SECTOR = 512
"""The length of a whole file is a multiple of this."""

PATIENCE = 60.0
"""Seconds to wait for other writers before giving up."""

# The rows with id 0 stand for "none", so that answers hold small integers and never NULL for a label.
# Answers of an import have no key: their import is stored whole or not at all, which its digest records.
CREATE = (
    "CREATE TABLE images (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, path TEXT)",
    "CREATE TABLE labels (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE sources (id INTEGER PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL UNIQUE,"
    " answers INTEGER NOT NULL, imported_at REAL NOT NULL)",
    "CREATE TABLE groups (id INTEGER PRIMARY KEY, source INTEGER NOT NULL, name TEXT NOT NULL)",
    "CREATE UNIQUE INDEX groups_given ON groups (name) WHERE source = 0",
    "CREATE TABLE answers (id INTEGER PRIMARY KEY,"
    " reference INTEGER NOT NULL, candidate_a INTEGER NOT NULL, candidate_b INTEGER NOT NULL,"
    " votes_a REAL NOT NULL, votes_b REAL NOT NULL, grade_a INTEGER NOT NULL, grade_b INTEGER NOT NULL,"
    ' context INTEGER NOT NULL, annotator INTEGER NOT NULL, "group" INTEGER NOT NULL, trial INTEGER NOT NULL,'
    " answered_at REAL, response_seconds REAL, source INTEGER NOT NULL, key TEXT)",
    "CREATE UNIQUE INDEX answers_by_key ON answers (key) WHERE key IS NOT NULL",
    "INSERT INTO labels VALUES (0, '')",
    "INSERT INTO sources VALUES (0, '', '', 0, 0)",
    "INSERT INTO groups VALUES (0, 0, '')",
    f"PRAGMA application_id = {APPLICATION}",
)

# What was taken back is kept apart, in words: its key never counts again, even where the answer comes once more, later.
LABELLING = (
    "CREATE TABLE withdrawn (key TEXT PRIMARY KEY, said TEXT, withdrawn_at REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE skips (key TEXT PRIMARY KEY, annotator TEXT NOT NULL, images TEXT NOT NULL,"
    " skipped_at REAL NOT NULL) WITHOUT ROWID",
    "CREATE INDEX answers_given ON answers (annotator) WHERE key IS NOT NULL",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (CREATE, LABELLING)
"""The statements at position i take a file from format i to format i + 1. Never edit those of a release: append."""

FORMAT = len(MIGRATIONS)
"""The format that this version writes."""


def transact(path: Path, work: Callable[[sqlite3.Connection], Result], write: bool) -> Result:
    """Run `work` in one transaction and return what it returns; an error in it undoes all of it.

    What was written is on the disk when this returns. A file that does not exist reads as an empty store.

    Raises
    ------
    StorageError
        The file is damaged, of another kind or of a newer format, cannot be written, the disk is full, or others
        kept it busy for `PATIENCE` seconds.

    Examples
    --------
    >>> transact(Path("absent.sqlite"), lambda db: db.execute("SELECT count(*) FROM answers").fetchone(), False)
    (0,)
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with closing(_open(path, write)) as db:
                db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                result = work(db)
                db.execute("COMMIT")
                return result
        except sqlite3.DatabaseError as error:
            # SQLite's own waiting does not cover the first opening, nor recovery after a killed process.
            if not _code(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
                raise _explained(path, error, write) from error
            if time.monotonic() > deadline:
                raise StorageError(
                    f"another process has been writing to {path} for {PATIENCE:.0f} s: try again when it is done"
                ) from error
            time.sleep(0.005)


def _open(path: Path, write: bool) -> sqlite3.Connection:
    """Open the file, made or brought to this version's format where needed."""
    try:
        if _is_absent(path) and not write:
            return _prepared(sqlite3.connect(":memory:", isolation_level=None))
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot use {path}: {error.strerror or error}") from error
    try:
        return _prepared(_connect(path, "mode=rwc" if write else "mode=rw"))
    except sqlite3.OperationalError as error:
        if write or not _code(error).startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
            raise
    return _open_read_only(path)


def _open_read_only(path: Path) -> sqlite3.Connection:
    """Open a file in a folder where nothing can be written.

    SQLite needs a scratch file beside a database in WAL mode. Without one it can read the database alone, which is
    right only when no writer has left answers in the log.
    """
    if _has_log(path):
        raise StorageError(
            f"{path} was not closed by its last writer, and its folder is read-only: copy the file, with the ones"
            " beside it that begin with its name, to a folder that can be written"
        )
    db = _connect(path, "mode=ro&immutable=1")
    try:
        found = _format(db)
        if found < FORMAT:
            raise StorageError(f"{path} has the older format {found} and is read-only: copy it where it can be written")
    except BaseException:
        db.close()
        raise
    return db


def _connect(path: Path, options: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}", uri=True, timeout=min(5.0, PATIENCE), isolation_level=None
    )


def _is_absent(path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return True
    if not stat.S_ISREG(found.st_mode):
        raise StorageError(f"{path} is not a file: a judgment store is one")
    # SQLite takes a file of one byte for a new one, and fills up a last page that is cut off with zeros.
    if found.st_size % SECTOR and not _has_log(path):
        raise _damaged(path, "it is cut off")
    return found.st_size == 0


def _has_log(path: Path) -> bool:
    """Whether there are answers beside the file that are not in it yet."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def _prepared(db: sqlite3.Connection) -> sqlite3.Connection:
    """Check what kind of file was opened before anything is written to it."""
    try:
        if _format(db) < FORMAT:
            _migrate(db)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA journal_size_limit = 67108864")
        db.execute("PRAGMA cache_size = -65536")
    except BaseException:
        db.close()
        raise
    return db


def _format(db: sqlite3.Connection) -> int:
    """Return the file's format; 0 for a new one."""
    # One statement sees one state: between two, another process may make the tables.
    application, found, tables = db.execute(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if application != APPLICATION and (application or found or tables):
        raise StorageError(f"{_place(db)} is an SQLite file, but not a judgment store: use another path")
    if found > FORMAT:
        raise StorageError(
            f"{_place(db)} was written by a newer lookalike (format {found}, this version reads up to {FORMAT}):"
            " update lookalike"
        )
    return int(found)


def _place(db: sqlite3.Connection) -> str:
    return str(db.execute("PRAGMA database_list").fetchone()[2])


def _migrate(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN IMMEDIATE")
    # Another process may have done it while this one waited.
    for step in range(_format(db), FORMAT):
        for statement in MIGRATIONS[step]:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {FORMAT}")
    db.execute("COMMIT")


def _code(error: sqlite3.DatabaseError) -> str:
    """Return SQLite's name of the error; empty where the error is not SQLite's."""
    return getattr(error, "sqlite_errorname", "")


def _explained(path: Path, error: sqlite3.DatabaseError, write: bool) -> StorageError:
    """Say in one line what went wrong and what to do."""
    code = _code(error)
    if code == "SQLITE_FULL":
        return StorageError(f"cannot write {path}: the disk is full; nothing was stored, free some space and try again")
    if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        doing = "write to" if write else "read"
        return StorageError(f"cannot {doing} {path}: check that you may {doing} the file and its folder")
    if code.startswith("SQLITE_IOERR"):
        return StorageError(f"the disk failed at {path} ({code}: {error}): check the disk, then try again")
    return _damaged(path, error)


def _damaged(path: Path, reason: object) -> StorageError:
    return StorageError(
        f"the judgment store is damaged: {path} ({reason}): move the file aside and keep it, put back a copy or import"
        " again; `sqlite3 FILE .recover` saves what can still be read"
    )

"""What goes wrong with the file: damage, other formats, no room, no permission, killed writers."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.core.errors import StorageError
from lookalike.judgments import store_file
from lookalike.judgments.answer import Answer
from lookalike.judgments.store import JudgmentStore
from lookalike.judgments.table import Judgments

MEMORY = Path("/dev/shm")


def answers(count: int) -> Judgments:
    names = np.array([f"photo {number:06}.jpg" for number in range(count + 2)])
    return Judgments.from_ids(names[:-2], names[1:-1], names[2:], np.ones(count), np.zeros(count))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a store of 3,000 answers."""
    path = tmp_path_factory.mktemp("whole") / "judgments.sqlite"
    JudgmentStore(path).import_judgments(answers(3000), "a.csv", "d1")
    return path.read_bytes()


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """A path in a new folder, in memory where it can be: many small stores, and nobody pulls the plug."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder) / "judgments.sqlite"


@pytest.fixture
def store(quick_path: Path, whole: bytes) -> JudgmentStore:
    quick_path.write_bytes(whole)
    return JudgmentStore(quick_path)


def damaged(kind: str, whole: bytes) -> bytes:
    noise = np.random.default_rng(0).bytes(len(whole))
    return {
        "one byte": whole[:1],
        "half a header": whole[:60],
        "a header": whole[:100],
        "one page": whole[:4096],
        "half": whole[: len(whole) // 2],
        "all but the end": whole[:-10],
        "noise": noise,
        "noise after the first pages": whole[:8192] + noise[8192:],
        "text": b"reference,a,b\nr,x,y\n" * 500,
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "one byte",
        "half a header",
        "a header",
        "one page",
        "half",
        "all but the end",
        "noise",
        "noise after the first pages",
        "text",
    ],
)
def test_a_damaged_file_is_refused_and_left_alone(store: JudgmentStore, whole: bytes, kind: str) -> None:
    content = damaged(kind, whole)
    store.path.write_bytes(content)
    attempts: list[Callable[[], object]] = [
        store.read,
        store.annotators,
        lambda: store.add(Answer("photo 000000.jpg", "x", "y", "a"), key="k"),
        lambda: store.import_judgments(answers(10), "b.csv", "d2"),
        lambda: store.forget("a.csv"),
    ]
    for attempt in attempts:
        with pytest.raises(StorageError) as caught:
            attempt()
        message = str(caught.value)
        assert message.startswith(f"the judgment store is damaged: {store.path}")
        assert "put back a copy" in message
        assert "\n" not in message
    assert store.path.read_bytes() == content
    assert [file.name for file in store.path.parent.iterdir()] == [store.path.name]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE answers SET reference = 99999 WHERE id = 7",
        "UPDATE answers SET candidate_a = 'x' WHERE id = 7",
        "UPDATE answers SET votes_a = -1 WHERE id = 7",
        "UPDATE answers SET context = -3 WHERE id = 7",
        "UPDATE answers SET annotator = 12 WHERE id = 7",
        "UPDATE answers SET reference = 1 << 40 WHERE id = 7",
        "DELETE FROM images WHERE id = 7",
        "DROP TABLE labels",
    ],
)
def test_answers_that_cannot_be_are_not_read(store: JudgmentStore, change: str) -> None:
    db = sqlite3.connect(store.path)
    with db:
        db.execute(change)
    db.close()
    if "labels" in change:
        with pytest.raises(StorageError, match="the judgment store is damaged"):
            store.annotators()
    else:
        with pytest.raises(StorageError, match="the judgment store is damaged"):
            store.read()


def test_files_of_others_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    db = sqlite3.connect(path)
    with db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    db.close()
    before = path.read_bytes()
    store = JudgmentStore(path)
    for attempt in (store.count, lambda: store.add(Answer("r", "x", "y", "a"), key="k")):
        with pytest.raises(StorageError, match=r"other\.sqlite is an SQLite file, but not a judgment store"):
            attempt()
    assert path.read_bytes() == before
    with pytest.raises(StorageError, match="is not a file"):
        JudgmentStore(tmp_path).count()
    with pytest.raises(StorageError, match="Not a directory"):
        JudgmentStore(path / "judgments.sqlite").add(Answer("r", "x", "y", "a"), key="k")


def test_formats(store: JudgmentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    step = ("ALTER TABLE sources ADD COLUMN note TEXT", "UPDATE sources SET note = 'from format 1'")
    with monkeypatch.context() as newer:
        newer.setattr(store_file, "MIGRATIONS", (*store_file.MIGRATIONS, step))
        newer.setattr(store_file, "FORMAT", 3)
        assert store.count() == 3000  # reading brings it to the new format, once
        assert store.add(Answer("r", "x", "y", "a"), key="k")
    db = sqlite3.connect(store.path)
    assert db.execute("PRAGMA user_version").fetchone() == (3,)
    assert db.execute("SELECT note FROM sources WHERE id = 1").fetchone() == ("from format 1",)
    db.close()
    before = store.path.read_bytes()
    for attempt in (store.read, lambda: store.undo("k")):
        with pytest.raises(StorageError, match=r"newer lookalike \(format 3, this version reads up to 2\): update"):
            attempt()
    assert store.path.read_bytes() == before


def test_a_failed_migration_leaves_the_file_as_it_was(store: JudgmentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        step = ("DROP TABLE groups", "ALTER TABLE absent ADD COLUMN note TEXT")
        newer.setattr(store_file, "MIGRATIONS", (*store_file.MIGRATIONS, step))
        newer.setattr(store_file, "FORMAT", 3)
        with pytest.raises(StorageError):
            store.count()
    assert len(store.read()) == 3000


def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    """A process killed between making the file and its first write leaves one."""
    path = tmp_path / "judgments.sqlite"
    path.touch()
    assert JudgmentStore(path).count() == 0
    assert path.stat().st_size == 0
    JudgmentStore(path).add(Answer("r", "x", "y", "a"), key="k")
    assert JudgmentStore(path).count() == 1


@pytest.mark.parametrize("place", [1, 2, 3])
def test_another_makes_the_store_between_two_statements(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    connect = sqlite3.connect
    statements: list[str] = []

    class Interrupted(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            statements.append(sql)
            if len(statements) == place:
                monkeypatch.setattr(sqlite3, "connect", connect)
                JudgmentStore(quick_path).add(Answer("r", "x", "y", "a"), key="other")
            return super().execute(sql, *values)

    monkeypatch.setattr(sqlite3, "connect", partial(connect, factory=Interrupted))
    assert JudgmentStore(quick_path).add(Answer("r", "x", "y", "a"), key="mine")
    assert JudgmentStore(quick_path).count() == 2


def test_a_full_disk(store: JudgmentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = store_file._connect

    def small(path: Path, options: str) -> sqlite3.Connection:
        db = connect(path, options)
        pages = db.execute("PRAGMA page_count").fetchone()[0] + 3
        db.execute(f"PRAGMA max_page_count = {pages}")
        return db

    with monkeypatch.context() as full:
        full.setattr(store_file, "_connect", small)
        with pytest.raises(StorageError, match=r"the disk is full; nothing was stored"):
            store.import_judgments(answers(5000), "b.csv", "d2")
    assert store.count() == len(store.read()) == 3000
    assert store.import_judgments(answers(5000), "b.csv", "d2").added == 5000


def test_a_busy_file(store: JudgmentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_file, "PATIENCE", 0.1)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert store.count() == 3000  # readers do not wait for writers
    with pytest.raises(StorageError, match="another process has been writing"):
        store.add(Answer("r", "x", "y", "a"), key="k")
    other.execute("ROLLBACK")
    other.close()
    assert store.add(Answer("r", "x", "y", "a"), key="k")


@pytest.fixture
def locked_folder(whole: bytes, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A store in a folder that this process may read and not write; the parameter is what is left in its log."""
    folder = Path(tempfile.mkdtemp())
    (folder / "judgments.sqlite").write_bytes(whole)
    if log := getattr(request, "param", b""):
        (folder / "judgments.sqlite-wal").write_bytes(log)
    folder.chmod(0o755)
    (folder / "judgments.sqlite").chmod(0o644)
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    else:
        folder.chmod(0o555)
        (folder / "judgments.sqlite").chmod(0o444)
    try:
        if os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            pytest.skip("needs a folder that cannot be written")
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_read_only_folder_can_be_read(locked_folder: Path) -> None:
    store = JudgmentStore(locked_folder / "judgments.sqlite")
    assert len(store.read()) == store.count() == 3000
    with pytest.raises(StorageError, match=r"cannot write to .*judgments\.sqlite: check that you may write to"):
        store.add(Answer("r", "x", "y", "a"), key="k")
    with pytest.raises(StorageError, match="cannot write to"):
        JudgmentStore(locked_folder / "new.sqlite").add(Answer("r", "x", "y", "a"), key="k")
    with pytest.raises(StorageError, match="Permission denied"):
        JudgmentStore(locked_folder / "new" / "new.sqlite").add(Answer("r", "x", "y", "a"), key="k")
    assert [file.name for file in locked_folder.iterdir()] == ["judgments.sqlite"]


@pytest.mark.parametrize("locked_folder", [b"answers"], indirect=True)
def test_a_read_only_store_with_answers_in_its_log_is_not_read_without_them(locked_folder: Path) -> None:
    with pytest.raises(StorageError, match=r"was not closed by its last writer.*: copy the file"):
        JudgmentStore(locked_folder / "judgments.sqlite").read()


WRITER = """
import sys
from lookalike.judgments.answer import Answer
from lookalike.judgments.store import JudgmentStore

path, name, start, stop = sys.argv[1:]
store = JudgmentStore(path)
for number in range(int(start), int(stop)):
    key = f"{name}-{number}"
    store.add(Answer(key, "x", "y", "a", annotator=name), key)
    print(key, flush=True)
"""

IMPORTER = """
import sys
import numpy as np
from lookalike.judgments import store_write
from lookalike.judgments.store import JudgmentStore
from lookalike.judgments.table import Judgments

def wait(progress):
    print(progress.done, flush=True)
    if progress.done > 20_000:
        sys.stdin.read()

store_write.BLOCK = 10_000
names = np.array([f"photo {number:06}.jpg" for number in range(40_002)])
ones = np.ones(40_000)
JudgmentStore(sys.argv[1]).import_judgments(
    Judgments.from_ids(names[:-2], names[1:-1], names[2:], ones, ones), "big.csv", "d2", on_progress=wait
)
"""


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def acknowledged(process: subprocess.Popen[str]) -> list[str]:
    """Wait for the end of a process; return what it had printed since."""
    with process:
        assert process.stdout is not None
        return process.stdout.read().split()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_four_writers_one_of_them_killed_again_and_again(quick_path: Path) -> None:
    each = 250
    rng = np.random.default_rng(0)
    others = [start(WRITER, quick_path, name, 0, each) for name in ("ann", "bob", "eve")]
    store = JudgmentStore(quick_path)
    kept: list[str] = []
    for _ in range(4):
        victim = start(WRITER, quick_path, "victim", len(kept), each)
        assert victim.stdout is not None
        kept += [victim.stdout.readline().strip() for _ in range(int(rng.integers(5, 40)))]
        time.sleep(rng.uniform(0, 0.005))
        victim.kill()
        kept += acknowledged(victim)
        stored = store.read(annotator="victim").references.tolist()
        assert kept == stored[: len(kept)]
        assert len(stored) <= len(kept) + 1  # one may be stored and its acknowledgement lost: it is sent again
    kept += acknowledged(start(WRITER, quick_path, "victim", len(kept), each))
    said = [acknowledged(process) for process in others]
    assert [len(keys) for keys in (kept, *said)] == [each] * 4
    assert all(process.returncode == 0 for process in others)
    assert sorted(store.read().references) == sorted([*kept, *(key for keys in said for key in keys)])
    assert store.count() == 4 * each
    assert store.annotators() == {"ann": each, "bob": each, "eve": each, "victim": each}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_an_import_that_is_killed_leaves_nothing(store: JudgmentStore) -> None:
    importer = start(IMPORTER, store.path)
    assert importer.stdout is not None
    assert [importer.stdout.readline() for _ in range(3)] == ["10000\n", "20000\n", "30000\n"]
    assert store.count() == 3000  # another process's import is not seen before it is whole
    importer.kill()
    acknowledged(importer)
    assert store.count() == len(store.read()) == 3000
    assert [one.name for one in store.sources()] == ["a.csv"]
    assert store.import_judgments(answers(40_000), "big.csv", "d2").added == 40_000

from __future__ import annotations

import json
import logging
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from lookalike.search import disposable
from lookalike.search.approximate import ApproximateIndex
from lookalike.search.disposable import EXACT_BELOW, open_or_build
from lookalike.search.exact import ExactIndex

COUNT, DIM = 600, 16


def rows(seed: int = 0, count: int = COUNT) -> np.ndarray:
    made = np.random.default_rng(seed).standard_normal((count, DIM)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


class Source:
    """Vectors that count how often they were asked for."""

    def __init__(self, seed: int = 0) -> None:
        self.seed, self.asked = seed, 0

    def __call__(self) -> np.ndarray:
        self.asked += 1
        return rows(self.seed)


def never() -> np.ndarray:
    raise AssertionError("the index should have been loaded")


def nearest(index, seed: int) -> list[int]:
    return index.search(rows(seed)[:50], k=1)[0].ravel().tolist()


@pytest.fixture(autouse=True)
def small_graphs(monkeypatch):
    monkeypatch.setattr(disposable, "EXACT_BELOW", 100)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder with a good index of version 1."""
    open_or_build(tmp_path, "photos", 1, Source())
    return tmp_path


def test_the_second_opening_loads_what_the_first_has_built(tmp_path):
    source, steps = Source(), []
    first = open_or_build(tmp_path, "photos", "v1", source, steps.append)
    second = open_or_build(tmp_path, "photos", "v1", never)
    assert source.asked == 1
    assert {step.stage for step in steps} == {"building the index"}
    assert isinstance(second, ApproximateIndex)
    assert (second.size, second.dim) == (COUNT, DIM)
    assert nearest(first, 0) == nearest(second, 0) == list(range(50))


def test_few_vectors_are_searched_exactly_and_leave_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(disposable, "EXACT_BELOW", EXACT_BELOW)
    index = open_or_build(tmp_path / "index", "photos", 1, lambda: rows().astype(np.float16))
    assert isinstance(index, ExactIndex)
    assert nearest(index, 0) == list(range(50))
    assert not (tmp_path / "index").exists()


def test_exactness_ends_at_the_constant(tmp_path, monkeypatch):
    monkeypatch.setattr(disposable, "EXACT_BELOW", COUNT)
    assert isinstance(open_or_build(tmp_path, "photos", 1, lambda: rows()[1:]), ExactIndex)
    assert isinstance(open_or_build(tmp_path, "photos", 1, Source()), ApproximateIndex)


def flip_a_bit(folder: Path) -> None:
    path = folder / "photos.faiss"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def cut_off(folder: Path) -> None:
    path = folder / "photos.faiss"
    path.write_bytes(path.read_bytes()[:-100])


def lengthen(folder: Path) -> None:
    with (folder / "photos.faiss").open("ab") as handle:
        handle.write(b"more")


def put_another_index_there(folder: Path) -> None:
    ApproximateIndex.build(rows(seed=7)).save(folder / "photos.faiss")


def remove_the_index(folder: Path) -> None:
    (folder / "photos.faiss").unlink()


def remove_the_sidecar(folder: Path) -> None:
    (folder / "photos.json").unlink()


def spoil_the_sidecar(folder: Path) -> None:
    (folder / "photos.json").write_text("{")


def put_other_json_there(folder: Path) -> None:
    (folder / "photos.json").write_text("[1, 2]")


def change(**fields: object):
    def edit(folder: Path) -> None:
        path = folder / "photos.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    edit.__name__ = f"change {fields}"
    return edit


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_bit,
        cut_off,
        lengthen,
        put_another_index_there,
        remove_the_index,
        remove_the_sidecar,
        spoil_the_sidecar,
        put_other_json_there,
        change(format=0),
        change(count=COUNT - 1),
        change(dim=DIM + 1),
        change(form="cells"),
        change(extra=1),
    ],
    ids=lambda damage: damage.__name__,
)
def test_whatever_does_not_agree_is_built_again(kept, damage):
    damage(kept)
    source = Source()
    assert nearest(open_or_build(kept, "photos", 1, source), 0) == list(range(50))
    assert source.asked == 1
    assert nearest(open_or_build(kept, "photos", 1, never), 0) == list(range(50))


@pytest.mark.parametrize("version", [2, "1", "other"])
def test_another_version_is_built_and_replaces_the_file(kept, version):
    source = Source(seed=3)
    assert nearest(open_or_build(kept, "photos", version, source), 3) == list(range(50))
    assert source.asked == 1
    open_or_build(kept, "photos", version, never)


def test_a_mapped_index_outlives_its_replacement(kept):
    old = open_or_build(kept, "photos", 1, never)
    open_or_build(kept, "photos", 2, Source(seed=3))
    assert nearest(old, 0) == list(range(50))


def test_a_folder_that_cannot_be_written_still_gives_an_index_and_a_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING, logger="lookalike"):
        index = open_or_build(tmp_path / "file" / "index", "photos", 1, Source())
    assert nearest(index, 0) == list(range(50))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "stays in memory" in caplog.text


def test_a_full_disk_still_gives_an_index_and_a_warning(tmp_path, caplog):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # a longer file fails as on a full disk
    try:
        with caplog.at_level(logging.WARNING, logger="lookalike"):
            index = open_or_build(tmp_path, "photos", 1, Source())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert nearest(index, 0) == list(range(50))
    assert "cannot write" in caplog.text
    assert not list(tmp_path.glob("*.faiss"))
    assert not list(tmp_path.glob(".*.faiss"))


def test_what_a_killed_process_left_is_removed(tmp_path):
    left, other = tmp_path / ".photos-abcd1234.faiss", tmp_path / ".photos-b-abcd1234.faiss"
    left.write_text("half")
    other.write_text("of another index")
    open_or_build(tmp_path, "photos", 1, Source())
    assert not left.exists()
    assert other.exists()


def test_an_owner_of_the_lock_that_hangs_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(disposable, "PATIENCE_SECONDS", 0.05)
    steps = []
    with FileLock(tmp_path / "photos.lock"):
        index = open_or_build(tmp_path, "photos", 1, Source(), steps.append)
    assert nearest(index, 0) == list(range(50))
    assert steps[0].stage == "waiting for another process that builds the index"


BUILDER = """
import sys, time
from pathlib import Path
import numpy as np
from lookalike.search import approximate, disposable

folder, mine = Path(sys.argv[1]), Path(sys.argv[2])
disposable.EXACT_BELOW = 100
asked = 0

def vectors():
    global asked
    asked += 1
    mine.touch()
    while len(list(folder.glob("ready-*"))) < 2:  # both are past the loading, and both want to build
        time.sleep(0.005)
    return np.random.default_rng(0).standard_normal((3000, 16)).astype(np.float32)

index = disposable.open_or_build(folder, "photos", 1, vectors)
queries = np.random.default_rng(1).standard_normal((20, 16)).astype(np.float32)
print(asked, index.size, index.search(queries, 5)[0].sum())
"""


def test_two_processes_that_build_at_once_end_with_one_good_file(tmp_path):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BUILDER, str(tmp_path), str(tmp_path / f"ready-{number}")],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    said = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    # The one that waited loaded the file of the other: the same graph, so the same answers to the last row.
    assert said[0] == said[1]
    assert said[0][:2] == ["1", "3000"]
    assert open_or_build(tmp_path, "photos", 1, never).size == 3000

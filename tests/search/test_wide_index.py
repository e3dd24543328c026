"""Indexes that are less than their vectors: leading directions, codes, the rows that put them right, and memory."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from lookalike.core.errors import InputError, StorageError
from lookalike.core.memory import VARIABLE, memory_left, parse_bytes
from lookalike.search import disposable, forms
from lookalike.search.approximate import ApproximateIndex, rows_beside
from lookalike.search.disposable import open_or_build
from lookalike.search.exact import ExactIndex
from lookalike.search.forms import resident, suits
from lookalike.search.leading import leading_directions
from lookalike.search.rows_file import MappedRows, write_rows
from lookalike.search.tuning import tuned

COUNT, PART, MODELS = 5000, 96, 4
DIM = PART * MODELS


def fused(count: int, seed: int = 0) -> np.ndarray:
    """Unit rows of four models, each on a curved surface of eight dimensions, side by side in float16."""
    rng, shape = np.random.default_rng(seed), np.random.default_rng(99)
    latent = rng.standard_normal((count, 12))
    rows = []
    for _ in range(MODELS):
        one = np.tanh(latent @ shape.standard_normal((12, 8)) / 3) @ shape.standard_normal((8, PART))
        one += 0.1 * rng.standard_normal(one.shape)
        rows.append(one / np.linalg.norm(one, axis=1, keepdims=True))
    return np.concatenate(rows, axis=1).astype(np.float16)


def weighted(count: int, seed: int = 1) -> np.ndarray:
    """Queries that weigh the models by chance, few of them heavily."""
    rows = fused(count, seed).astype(np.float32).reshape(count, MODELS, PART)
    weights = np.random.default_rng(seed).dirichlet(np.full(MODELS, 0.5), count)
    return (rows * weights[:, :, None]).reshape(count, DIM).astype(np.float32)


PARTS = [slice(start, start + PART) for start in range(0, DIM, PART)]


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return fused(COUNT)


@pytest.fixture(scope="module")
def index(vectors: np.ndarray) -> ApproximateIndex:
    return ApproximateIndex.build(vectors, parts=PARTS)


def missed(index: ApproximateIndex, vectors: np.ndarray, queries: np.ndarray, k: int = 10) -> float:
    """Return the share of neighbours that are further than the true last one."""
    last = ExactIndex(vectors).search(queries, k)[1][:, -1:]
    return float(np.mean(index.search(queries, k)[1] > last + 1e-5))


def test_wide_vectors_are_found_by_their_leading_directions_under_any_weights(index, vectors):
    queries = weighted(200)
    assert index.form == "reduced"
    assert missed(index, vectors, queries) < 0.01
    rows, distances = index.search(queries, 10)
    exact = 1 - np.einsum("qd,qkd->qk", queries, vectors[rows].astype(np.float32))
    assert np.abs(distances - exact).max() < 1e-5
    assert (np.diff(distances, axis=1) >= 0).all()


def test_without_leading_directions_a_graph_holds_all_numbers():
    even = np.random.default_rng(0).standard_normal((2000, 300)).astype(np.float32)
    assert leading_directions(even) is None
    assert suits(even) == ("graph", None)


def test_directions_hold_what_they_should():
    rows = np.random.default_rng(0).standard_normal((3000, 320)) * np.geomspace(1, 0.02, 320)
    kept = leading_directions(rows.astype(np.float32))
    np.testing.assert_allclose(kept.T @ kept, np.eye(kept.shape[1]), atol=1e-4)
    held = [
        (rows @ kept[:, :count]).__pow__(2).sum() / (rows**2).sum() for count in (kept.shape[1], kept.shape[1] - 33)
    ]
    assert held[0] >= 0.95 > held[1]
    assert leading_directions(rows.astype(np.float32), 8).shape == (320, 8)


def test_a_tight_budget_gives_codes_and_one_too_tight_a_reason(vectors):
    graph = resident("reduced", COUNT, DIM, leading_directions(vectors).shape[1])
    tight = ApproximateIndex.build(vectors, parts=PARTS, memory=graph - 1)
    assert tight.form == "cells"
    assert missed(tight, vectors, weighted(200)) < 0.02
    with pytest.raises(InputError, match=r"5,000 vectors needs 1 MB at least: give it more than 0 MB"):
        ApproximateIndex.build(vectors, memory=1000)


@pytest.mark.parametrize("memory", [None, 700_000])
def test_what_is_saved_answers_alike_and_stays_in_its_file(vectors, tmp_path, memory):
    built = ApproximateIndex.build(vectors, parts=PARTS, memory=memory)
    path = tmp_path / "deep" / "photos.faiss"
    built.save(path)
    loaded, queries = ApproximateIndex.load(path), weighted(50)
    assert (loaded.form, loaded.dial, loaded.size, loaded.dim) == (built.form, built.dial, COUNT, DIM)
    for mine, theirs in zip(built.search(queries, 10), loaded.search(queries, 10), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    size = resident(built.form, COUNT, DIM, leading_directions(vectors).shape[1])
    assert path.stat().st_size == pytest.approx(size, rel=0.35)
    loaded.limit(1)  # every row that was read is given back
    np.testing.assert_array_equal(loaded.search(queries, 10)[0], built.search(queries, 10)[0])


def test_copies_of_wide_vectors_come_by_row(vectors):
    stored = vectors[:1000].copy()
    stored[[7, 90, 400]] = stored[3]
    rows, _ = ApproximateIndex.build(stored).search(stored[3:4].astype(np.float32), k=4)
    assert rows.tolist() == [[3, 7, 90, 400]]


def test_rows_are_written_as_faiss_writes_them(tmp_path, vectors):
    path = tmp_path / "photos.rows"
    write_rows(path, DIM, 100, iter([vectors[:60], vectors[60:100]]))
    theirs = faiss.IndexScalarQuantizer(DIM, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    theirs.is_trained = True
    theirs.add(vectors[:100].astype(np.float32))
    assert path.read_bytes() == faiss.serialize_index(theirs).tobytes()
    mapped = MappedRows.load(path)
    mapped.release()
    np.testing.assert_array_equal(np.concatenate([*mapped.pieces()]), vectors[:100])


def test_rows_that_are_not_all_there_are_refused(tmp_path, vectors):
    with pytest.raises(StorageError, match="was to hold 100 rows, and got 60"):
        write_rows(tmp_path / "a.rows", DIM, 100, iter([vectors[:60]]))
    assert not list(tmp_path.iterdir())
    write_rows(tmp_path / "a.rows", DIM, 60, iter([vectors[:60]]))
    (tmp_path / "a.rows").write_bytes((tmp_path / "a.rows").read_bytes()[:-1])
    with pytest.raises(StorageError, match="not a whole file of rows"):
        MappedRows.load(tmp_path / "a.rows")
    faiss.write_index(faiss.IndexFlatIP(4), str(tmp_path / "a.rows"))
    with pytest.raises(StorageError, match="another kind of index"):
        MappedRows.load(tmp_path / "a.rows")


def test_an_index_beside_other_rows_is_refused(index, vectors, tmp_path):
    path = tmp_path / "photos.faiss"
    index.save(path)
    write_rows(rows_beside(path), DIM, 60, iter([vectors[:60]]))
    with pytest.raises(StorageError, match="other rows"):
        ApproximateIndex.load(path)


def test_the_dial_is_the_least_that_finds_enough(vectors):
    asked: list[int] = []

    def search(queries: np.ndarray, k: int, dial: int) -> tuple[np.ndarray, np.ndarray]:
        asked.append(dial)
        rows, distances = ExactIndex(vectors).search(queries, k)
        return rows, (1 - distances) - (0.5 if dial < 192 else 0)  # a search that misses everything below 192

    assert tuned(search, "reduced", vectors, np.arange(COUNT), PARTS) == 192
    assert len(asked) <= 6
    assert tuned(lambda *given: (search(*given)[0], search(*given)[1] - 1), "graph", vectors, np.arange(COUNT)) == 576


def test_files_that_do_not_agree_are_built_again(tmp_path, vectors, monkeypatch):
    monkeypatch.setattr(disposable, "EXACT_BELOW", 100)
    asked: list[int] = []

    def source() -> np.ndarray:
        asked.append(1)
        return vectors

    first = open_or_build(tmp_path, "photos", 1, source, parts=PARTS)
    assert first.form == "reduced"
    open_or_build(tmp_path, "photos", 1, source)
    assert len(asked) == 1
    rows = bytearray((tmp_path / "photos.rows").read_bytes())
    rows[5000] ^= 1
    (tmp_path / "photos.rows").write_bytes(rows)
    open_or_build(tmp_path, "photos", 1, source)
    assert len(asked) == 2


def test_rows_that_cannot_be_written_leave_an_index_in_memory(tmp_path, vectors, monkeypatch, caplog):
    monkeypatch.setattr(disposable, "EXACT_BELOW", 100)
    old = vectors[::-1].copy()
    open_or_build(tmp_path, "photos", 1, lambda: old)  # as many rows, in another order

    def full(*_: object) -> int:
        raise StorageError("the disk is full")

    monkeypatch.setattr(disposable, "write_rows", full)
    index, queries = open_or_build(tmp_path, "photos", 2, lambda: vectors), weighted(50)
    assert missed(index, vectors, queries) < 0.02
    assert "stays in memory" in caplog.text
    assert open_or_build(tmp_path, "photos", 1, never).form == "reduced"  # what was there is as it was


def never() -> np.ndarray:
    raise AssertionError("the index should have been loaded")


def test_vectors_too_short_for_codes_are_refused_where_there_is_no_room():
    with pytest.raises(InputError, match="MB at least"):
        suits(np.ones((2000, 3), np.float32), memory=1000)


def test_a_budget_of_the_process_is_kept(tmp_path: Path, vectors, monkeypatch):
    monkeypatch.setattr(disposable, "EXACT_BELOW", 100)
    graph = resident("reduced", COUNT, DIM, leading_directions(vectors).shape[1])
    monkeypatch.setattr(disposable, "memory_left", lambda: graph // 2)
    assert open_or_build(tmp_path, "photos", 1, lambda: vectors).form == "cells"
    monkeypatch.setattr(disposable, "memory_left", lambda: None)
    assert open_or_build(tmp_path, "photos", 1, lambda: vectors).form == "cells"  # what is there and fits is taken
    monkeypatch.setattr(disposable, "memory_left", lambda: 1000)
    with pytest.raises(InputError, match="give it more than 0 MB of memory"):
        open_or_build(tmp_path, "photos", 1, lambda: vectors)


def test_the_budget_comes_from_the_environment(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert memory_left() is None
    monkeypatch.setenv(VARIABLE, "64GB")
    assert 60 * 10**9 < memory_left() < 64 * 10**9
    for wrong in ("much", "0", "-1GB", "1 PB"):
        with pytest.raises(InputError, match="no size of memory"):
            parse_bytes(wrong)


def test_every_form_has_its_dials():
    for form, found in forms.DIALS.items():
        assert list(found) == sorted(found)
        assert resident(form, 1000, 768, 256) > 0

from __future__ import annotations

import faiss
import numpy as np
import pytest

from lookalike.core.errors import InputError, StorageError
from lookalike.search import filling
from lookalike.search.approximate import ApproximateIndex
from lookalike.search.exact import ExactIndex


def curved(count: int, dim: int = 32, seed: int = 0) -> np.ndarray:
    """Unit rows on a curved surface of 8 dimensions: neighbours mean something there."""
    shape = np.random.default_rng(99)
    latent = np.random.default_rng(seed).standard_normal((count, 8))
    rows = np.tanh(latent @ shape.standard_normal((8, dim)) / 3).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return curved(6000)


@pytest.fixture(scope="module")
def index(vectors: np.ndarray) -> ApproximateIndex:
    return ApproximateIndex.build(vectors)


def recall(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean([len(set(a) & set(b)) for a, b in zip(found, truth, strict=True)])) / truth.shape[1]


def test_almost_every_neighbour_is_found_and_distances_are_right(index, vectors):
    queries = curved(200, seed=1)
    rows, distances = index.search(queries, k=10)
    truth, _ = ExactIndex(vectors).search(queries, k=10)
    assert recall(rows, truth) > 0.99
    exact = 1 - np.einsum("qd,qkd->qk", queries, vectors[rows])
    assert np.abs(distances - exact).max() < 2e-4
    assert (np.diff(distances, axis=1) >= 0).all()
    assert (rows.dtype, distances.dtype) == (np.int64, np.float32)


def test_a_reweighted_query_is_a_maximum_inner_product_search():
    first, second = curved(4000, 16, seed=2), curved(4000, 24, seed=3)
    stored = np.concatenate([first, second], axis=1)
    weights = np.random.default_rng(4).dirichlet((1, 1), size=100).astype(np.float32)
    queries = np.concatenate([weights[:, :1] * first[:100], weights[:, 1:] * second[:100]], axis=1)
    rows, _ = ApproximateIndex.build(stored).search(queries, k=10)
    assert recall(rows, ExactIndex(stored).search(queries, k=10)[0]) > 0.99


def test_many_neighbours_are_found_as_well_as_few(index, vectors):
    queries = curved(20, seed=6)
    rows, _ = index.search(queries, k=300)
    assert recall(rows, ExactIndex(vectors).search(queries, k=300)[0]) > 0.99


def test_a_wider_beam_finds_no_less(index, vectors):
    queries = curved(200, seed=7)
    truth, _ = ExactIndex(vectors).search(queries, k=10)
    narrow, wide = (recall(index.search(queries, 10, dial=beam)[0], truth) for beam in (10, 400))
    assert narrow < wide
    assert wide > 0.995


def test_equal_vectors_come_by_row():
    stored = curved(500)
    stored[[7, 90, 400]] = stored[3]
    rows, distances = ApproximateIndex.build(stored).search(stored[3:4], k=4)
    assert rows.tolist() == [[3, 7, 90, 400]]
    assert len(set(distances[0])) == 1


@pytest.mark.parametrize("distinct", [60, 300, 3000])
def test_copies_do_not_hide_the_others(distinct, tmp_path):
    stored = np.random.default_rng(0).permutation(np.repeat(curved(distinct), 6000 // distinct, axis=0))
    queries = curved(200, seed=8)
    truth, exact = ExactIndex(stored.astype(np.float16)).search(queries, k=10)
    built = ApproximateIndex.build(stored)
    rows, distances = built.search(queries, k=10)
    assert recall(rows, truth) > 0.98
    assert np.mean(np.abs(distances - exact) < 2e-4) > 0.99
    built.save(tmp_path / "photos.faiss")
    loaded = ApproximateIndex.load(tmp_path / "photos.faiss")
    assert loaded.size == built.size == 6000
    np.testing.assert_array_equal(loaded.search(queries, k=10)[0], rows)


def test_one_picture_alone_many_times():
    index = ApproximateIndex.build(np.repeat(curved(1), 500, axis=0))
    rows, distances = index.search(curved(1), k=4)
    assert rows.tolist() == [[0, 1, 2, 3]]
    assert np.abs(distances).max() < 2e-4
    assert index.search(curved(1), k=600)[0][0].tolist() == [*range(500), *[-1] * 100]


def test_fewer_vectors_than_asked_for_are_padded():
    small = ApproximateIndex.build(np.eye(3, dtype=np.float16))
    rows, distances = small.search(np.array([[0, 1, 0]], dtype=np.float32), k=5)
    assert rows.tolist() == [[1, 0, 2, -1, -1]]
    assert distances.tolist() == [[0, 1, 1, np.inf, np.inf]]


def test_an_empty_index_is_answered():
    empty = ApproximateIndex.build(np.empty((0, 4), dtype=np.float32))
    assert (empty.size, empty.dim) == (0, 4)
    rows, distances = empty.search(np.ones((2, 4), dtype=np.float32), k=2)
    assert rows.tolist() == [[-1, -1], [-1, -1]]
    assert np.isinf(distances).all()


def test_half_precision_input_gives_the_same_graph_as_its_float32(vectors):
    half = vectors[:1000].astype(np.float16)
    pair = [ApproximateIndex.build(rows, threads=1) for rows in (half, half.astype(np.float32))]
    files: list[list[bytes]] = [[], []]
    for built, file in zip(pair, files, strict=True):
        built.write(file.append)
    assert b"".join(files[0]) == b"".join(files[1])


def test_building_reports_every_chunk(monkeypatch):
    steps = []
    monkeypatch.setattr(filling, "ROWS_AT_ONCE", 400)
    built = ApproximateIndex.build(curved(1000), steps.append)
    assert [(step.done, step.total) for step in steps] == [(0, 1000), (400, 1000), (800, 1000), (1000, 1000)]
    assert built.search(curved(1000)[[0, 399, 400, 999]], k=1)[0].ravel().tolist() == [0, 399, 400, 999]


def test_a_batch_is_answered_in_its_own_order(index):
    queries = curved(300, seed=10)
    rows, distances = index.search(queries, k=5)
    alone = [index.search(query[None], k=5) for query in queries]
    np.testing.assert_array_equal(rows, np.concatenate([found[0] for found in alone]))
    np.testing.assert_array_equal(distances, np.concatenate([found[1] for found in alone]))


def test_the_thread_count_of_faiss_is_left_as_it_was(index):
    before = faiss.omp_get_max_threads()
    index.search(curved(5), k=2, threads=before + 1)
    ApproximateIndex.build(curved(50), threads=before + 1)
    assert faiss.omp_get_max_threads() == before


def test_what_is_saved_is_loaded_and_answers_alike(index, tmp_path):
    path = tmp_path / "deep" / "photos.faiss"
    index.save(path)
    loaded = ApproximateIndex.load(path)
    queries = curved(50, seed=9)
    for mine, theirs in zip(index.search(queries, 10), loaded.search(queries, 10), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert (loaded.size, loaded.dim) == (6000, 32)
    assert [file.name for file in path.parent.iterdir()] == ["photos.faiss"]


def test_the_file_is_at_most_1_3_times_the_raw_vectors_in_256_dimensions(tmp_path):
    path = tmp_path / "photos.faiss"
    ApproximateIndex.build(curved(2000, dim=256)).save(path)
    assert path.stat().st_size < 1.3 * 2000 * 256 * 2


def test_files_of_another_kind_are_refused(index, tmp_path):
    whole, other = tmp_path / "whole.faiss", tmp_path / "other.faiss"
    index.save(whole)
    other.write_bytes(whole.read_bytes()[:5000])
    with pytest.raises(StorageError, match="not a whole index file"):
        ApproximateIndex.load(other)
    with pytest.raises(StorageError, match="not a whole index file"):
        ApproximateIndex.load(tmp_path / "absent.faiss")
    faiss.write_index(faiss.IndexFlatIP(4), str(other))
    with pytest.raises(StorageError, match="another kind of index: IndexFlatIP"):
        ApproximateIndex.load(other)


def test_saving_where_nothing_can_be_written_is_a_storage_error(index, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot write"):
        index.save(tmp_path / "file" / "photos.faiss")


@pytest.mark.parametrize("queries", [np.ones((1, 5), np.float32), np.full((1, 32), np.inf, np.float32)])
def test_queries_that_do_not_fit_are_refused(index, queries):
    with pytest.raises(InputError, match="the queries"):
        index.search(queries, 3)

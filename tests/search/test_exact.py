from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.core.errors import InputError
from lookalike.search import exact
from lookalike.search.exact import ExactIndex
from lookalike.search.protocol import ranked


def unit_rows(count: int, dim: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def plain_search(vectors: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The rule, word for word."""
    rows = np.full((len(queries), k), -1, dtype=np.int64)
    distances = np.full((len(queries), k), np.inf, dtype=np.float32)
    for number, query in enumerate(queries.astype(np.float64)):
        apart = (1 - (vectors.astype(np.float64) * query).sum(axis=1)).astype(np.float32)
        order = sorted(range(len(vectors)), key=lambda row: (apart[row], row))[:k]
        rows[number, : len(order)] = order
        distances[number, : len(order)] = apart[order]
    return rows, distances


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 90),
    dim=st.integers(1, 9),
    k=st.integers(1, 100),
    copies=st.integers(1, 6),
    half=st.booleans(),
    products=st.sampled_from([1, 40, 500, 4_000_000]),
    seed=st.integers(0, 1000),
)
def test_search_is_the_plain_rule_whatever_the_blocks(count, dim, k, copies, half, products, seed):
    # Copies of rows, in a random order, put ties on every boundary.
    vectors = np.repeat(unit_rows(count, dim, seed), copies, axis=0)
    vectors = np.random.default_rng(seed).permutation(vectors)
    vectors = vectors.astype(np.float16 if half else np.float32)
    queries = np.concatenate([3 * unit_rows(3, dim, seed + 1), vectors[:2].astype(np.float32)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "PRODUCTS_PER_BLOCK", products)
        patch.setattr(exact, "QUERY_BLOCK", 2)
        rows, distances = ExactIndex(vectors).search(queries, k)
    expected_rows, expected_distances = plain_search(vectors, queries, k)
    # Where a plain sum and a pairwise sum differ in the last bit, distances may differ by it; ties may not.
    np.testing.assert_allclose(distances, expected_distances, rtol=0, atol=3e-7)
    np.testing.assert_array_equal(rows, expected_rows)


def test_copies_tie_and_the_lower_row_comes_first_in_many_blocks():
    vectors = np.tile(unit_rows(1, 64), (50_000, 1))
    vectors[10_001] = vectors[33_333] = unit_rows(1, 64, seed=5)
    rows, distances = ExactIndex(vectors).search(vectors[33_333:33_334], k=5)
    assert rows.tolist() == [[10_001, 33_333, 0, 1, 2]]
    assert distances[0, 0] == distances[0, 1]
    assert distances[0, 2] == distances[0, 4]


def test_a_stored_vector_is_its_own_neighbour_at_distance_zero():
    vectors = unit_rows(3000, 96)
    rows, distances = ExactIndex(vectors).search(vectors[:600], k=1)
    assert rows.ravel().tolist() == list(range(600))
    assert np.abs(distances).max() < 1e-6


def test_reweighting_the_query_is_the_weighted_sum_of_the_models_distances():
    first, second = unit_rows(400, 8, seed=1), unit_rows(400, 16, seed=2)
    index = ExactIndex(np.concatenate([first, second], axis=1))
    query = np.concatenate([0.8 * first[:1], 0.2 * second[:1]], axis=1)
    rows, distances = index.search(query, k=400)
    apart = 0.8 * (1 - first @ first[0]) + 0.2 * (1 - second @ second[0])
    np.testing.assert_allclose(distances[0], apart[rows[0]], atol=1e-6)
    assert rows[0, 0] == 0


def test_fewer_vectors_than_asked_for_are_padded():
    index = ExactIndex(np.eye(3, dtype=np.float16))
    rows, distances = index.search(np.array([[0, 1, 0]], dtype=np.float32), k=5)
    assert rows.tolist() == [[1, 0, 2, -1, -1]]
    assert distances.tolist() == [[0, 1, 1, np.inf, np.inf]]
    assert rows.dtype == np.int64
    assert distances.dtype == np.float32


def test_an_empty_index_and_no_queries_are_answered():
    empty = ExactIndex(np.empty((0, 4), dtype=np.float32))
    assert (empty.size, empty.dim) == (0, 4)
    assert empty.search(np.ones((2, 4), dtype=np.float32), k=2)[0].tolist() == [[-1, -1], [-1, -1]]
    rows, distances = ExactIndex(unit_rows(5, 4)).search(np.empty((0, 4), dtype=np.float32), k=2)
    assert rows.shape == distances.shape == (0, 2)


@pytest.mark.parametrize(
    ("queries", "k", "message"),
    [
        (np.ones((1, 4), dtype=np.float32), 0, "k is 0"),
        (np.ones((1, 5), dtype=np.float32), 1, r"shape \(1, 5\): the index needs \(Q, 4\)"),
        (np.ones(4, dtype=np.float32), 1, r"shape \(4,\)"),
        (np.full((1, 4), np.nan, dtype=np.float32), 1, "not finite"),
    ],
)
def test_queries_that_do_not_fit_are_refused(queries, k, message):
    with pytest.raises(InputError, match=message):
        ExactIndex(unit_rows(5, 4)).search(queries, k)


@pytest.mark.parametrize("vectors", [np.ones(3, np.float32), np.ones((3, 0), np.float32), np.ones((3, 2))])
def test_vectors_that_do_not_fit_are_refused(vectors):
    with pytest.raises(InputError, match="an index needs"):
        ExactIndex(vectors)


def test_ranked_orders_by_distance_then_row_and_pads():
    rows = np.array([[5, -1, 3, 4]])
    distances = np.array([[0.5, -9, 0.5, 0.25]], dtype=np.float32)
    best, apart = ranked(rows, distances, k=6)
    assert best.tolist() == [[4, 3, 5, -1, -1, -1]]
    assert apart.tolist() == [[0.25, 0.5, 0.5, np.inf, np.inf, np.inf]]

import itertools
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lookalike.core.errors import InputError
from lookalike.core.vectors import unit_rows
from lookalike.metrics import asymmetric
from lookalike.metrics.asymmetric import (
    asymmetric_recall_at_k,
    asymmetric_recall_chance,
    match_ranks,
    match_ranks_of_vectors,
)


def plain_recall(distances: np.ndarray, k: int) -> float:
    n = len(distances)
    hits = [
        i in sorted(range(n), key=lambda j: distances[i, j])[:k]
        or i in sorted(range(n), key=lambda j: distances[j, i])[:k]
        for i in range(n)
    ]
    return sum(hits) / n


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_matches_a_plain_loop_without_ties(n: int) -> None:
    distances = np.random.default_rng(n).random((n, n)) - 0.3 * np.eye(n)
    for k in range(1, n + 1):
        assert asymmetric_recall_at_k(distances, k) == pytest.approx(plain_recall(distances, k))


@given(hnp.arrays(np.float64, (4, 4), elements=st.sampled_from([0.0, 0.5, 1.0])), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_ties_are_the_mean_over_all_orders(distances: np.ndarray, k: int) -> None:
    found = match_ranks(distances).directed_hits(k)
    for direction, table in enumerate((distances, distances.T)):
        for i in range(4):
            hits = [
                i in order[:k]
                for order in itertools.permutations(range(4))
                if all(table[i, a] <= table[i, b] for a, b in pairwise(order))
            ]
            assert found[direction, i] == pytest.approx(np.mean(hits))


@given(hnp.arrays(np.float64, (6, 6), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
@settings(max_examples=40, deadline=None)
def test_grows_with_k_to_one_and_beats_each_direction(distances: np.ndarray) -> None:
    ranks = match_ranks(distances)
    recalls = [ranks.hits(k).mean() for k in range(1, 7)]
    assert all(less <= more + 1e-12 for less, more in pairwise(recalls))
    assert recalls[-1] == 1
    assert (ranks.hits(2) >= ranks.directed_hits(2).max(axis=0) - 1e-12).all()


def test_swapping_sides_and_moving_pairs_change_nothing() -> None:
    distances = np.random.default_rng(0).integers(0, 9, (12, 12)).astype(float)
    order = np.random.default_rng(1).permutation(12)
    expected = asymmetric_recall_at_k(distances, 3)
    assert asymmetric_recall_at_k(distances.T, 3) == pytest.approx(expected)
    assert asymmetric_recall_at_k(distances[np.ix_(order, order)], 3) == pytest.approx(expected)


def test_a_collapsed_model_wins_no_more_than_chance() -> None:
    zeros = np.zeros((50, 8), np.float32)
    for k in (1, 5, 50):
        collapsed = match_ranks_of_vectors(zeros, zeros).hits(k).mean()
        assert collapsed == pytest.approx(1 - (1 - k / 50) ** 2)
        assert asymmetric_recall_at_k(np.ones((50, 50)), k) == pytest.approx(collapsed)


def test_zero_rows_among_good_ones_win_nothing() -> None:
    eye = np.eye(20)
    left = np.where(np.arange(20)[:, None] < 5, 0, eye)
    hits = match_ranks_of_vectors(left, eye).hits(1)
    assert (hits[5:] == 1).all()
    assert hits[:5] == pytest.approx(1 - (1 - 1 / 20) ** 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_of_vectors_give_what_the_matrix_gives(monkeypatch: pytest.MonkeyPatch, dtype: type) -> None:
    rng = np.random.default_rng(2)
    left = unit_rows(rng.normal(size=(60, 9)).astype(np.float32)).astype(dtype)
    right = unit_rows((left + rng.normal(size=(60, 9)) / 2).astype(np.float32)).astype(dtype)
    right[7] = right[8]  # the same picture twice is a tie, whatever the rounding
    ties = np.round(1 - left.astype(float) @ right.T.astype(float), 5)
    monkeypatch.setattr(asymmetric, "BLOCK", 7 * 60)
    blocked = match_ranks_of_vectors(left, right)
    monkeypatch.undo()
    for found in (blocked, match_ranks_of_vectors(left, right)):
        np.testing.assert_array_equal(found.closer[:, 7:9], match_ranks(ties).closer[:, 7:9])
        np.testing.assert_array_equal(found.tied[0, 7:9], [1, 1])
        np.testing.assert_array_equal(found.closer, blocked.closer)
        np.testing.assert_array_equal(found.tied, blocked.tied)
    assert blocked.hits(1).mean() == pytest.approx(asymmetric_recall_at_k(ties, 1))


@pytest.mark.parametrize(("n", "k"), [(4, 1), (12, 1), (12, 3), (12, 12)])
def test_chance_matches_simulation(n: int, k: int) -> None:
    rng = np.random.default_rng(0)
    trials = 20_000 // n
    hits = np.concatenate([match_ranks(rng.random((n, n))).hits(k) for _ in range(trials)])
    error = max(hits.std(), 1e-9) / np.sqrt(len(hits))
    assert abs(hits.mean() - asymmetric_recall_chance(n, k)) <= 4 * error + 1e-12


@pytest.mark.parametrize(("n", "k"), [(1049, 1), (1049, 5), (20_000, 50), (10, 9), (3, 2)])
def test_chance_is_between_one_direction_and_two_independent_ones(n: int, k: int) -> None:
    chance = asymmetric_recall_chance(n, k)
    assert k / n < chance < 1 - (1 - k / n) ** 2
    if k == 1:
        assert chance == pytest.approx(2 / n - 1 / (2 * n - 1))


def test_bad_input_is_named() -> None:
    with pytest.raises(InputError, match="square"):
        asymmetric_recall_at_k(np.zeros((2, 3)), 1)
    with pytest.raises(InputError, match="row 1 holds NaN"):
        match_ranks([[0, 0], [0, np.nan]])
    with pytest.raises(InputError, match="k: 3"):
        match_ranks(np.eye(2)).hits(3)
    with pytest.raises(InputError, match="k: 0"):
        asymmetric_recall_chance(5, 0)
    with pytest.raises(InputError, match="row 1 has norm 2"):
        match_ranks_of_vectors([[1, 0], [0, 2]], np.eye(2))
    with pytest.raises(InputError, match="left: row 0 is not finite"):
        match_ranks_of_vectors([[np.nan, 0], [0, 1]], np.eye(2))
    with pytest.raises(InputError, match="right: shape"):
        match_ranks_of_vectors(np.eye(2), np.eye(3))

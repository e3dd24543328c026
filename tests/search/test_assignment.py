"""The assignment equals the best of all, tried one by one, and keeps its promises on larger ones."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.core.errors import InputError
from lookalike.search.assignment import assign


def best_sum(rows: np.ndarray, gains: np.ndarray) -> float:
    """Try every choice of a column, or of none, for every query."""
    best = 0.0
    for choice in product(range(-1, rows.shape[1]), repeat=len(rows)):
        taken = [int(rows[query, column]) for query, column in enumerate(choice) if column >= 0]
        if -1 not in taken and len(set(taken)) == len(taken):
            best = max(best, sum(gains[query, column] for query, column in enumerate(choice) if column >= 0))
    return best


def draw(seed: int, queries: int, targets: int, k: int, whole: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.choice(targets, k, replace=False) for _ in range(queries)])
    rows[rng.random(rows.shape) < 0.15] = -1
    gains = rng.normal(0.5, 2, rows.shape)
    return rows, gains.round() if whole else gains


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(3, 6), st.integers(1, 3), st.booleans())
@settings(deadline=None, max_examples=60)
def test_the_sum_is_the_best_there_is(seed: int, queries: int, targets: int, k: int, whole: bool) -> None:
    rows, gains = draw(seed, queries, targets, k, whole)
    chosen = assign(rows, gains)
    kept = chosen >= 0
    taken = rows[kept, chosen[kept]]
    assert (taken >= 0).all()
    assert len(set(taken.tolist())) == len(taken)
    assert (gains[kept, chosen[kept]] > 0).all()
    assert gains[kept, chosen[kept]].sum() == pytest.approx(best_sum(rows, gains), abs=1e-4)
    assert np.array_equal(assign(rows, gains), chosen)


def test_parts_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred small problems in one: solved together or apart, the sum is that of the best of each."""
    problems = [draw(seed, 3, 4, 2) for seed in range(200)]
    rows = np.concatenate([np.where(found >= 0, found + 4 * number, -1) for number, (found, _) in enumerate(problems)])
    gains = np.concatenate([gains for _, gains in problems])
    expected = sum(best_sum(*problem) for problem in problems)
    for size in (1, 7, 10**6):
        monkeypatch.setattr("lookalike.search.assignment.PART", size)
        chosen = assign(rows, gains)
        kept = chosen >= 0
        assert gains[kept, chosen[kept]].sum() == pytest.approx(expected, abs=1e-3)


def test_a_better_whole_is_worth_a_worse_part() -> None:
    """Taking the nearest first would leave the second query without a partner."""
    rows, gains = np.array([[7, 3], [7, -1]]), np.array([[5.0, 4.0], [4.5, 9.0]])
    assert assign(rows, gains).tolist() == [1, 0]


def test_many_queries_are_quick_and_one_to_one() -> None:
    rng = np.random.default_rng(0)
    rows = (np.arange(4_000)[:, None] + rng.integers(0, 40, (1, 10)) * np.arange(10)) % 4_000
    rows = np.array([row if len(set(row)) == 10 else (row[0] + np.arange(10)) % 4_000 for row in rows])
    chosen = assign(rows, rng.normal(size=rows.shape))
    kept = chosen >= 0
    assert np.bincount(rows[kept, chosen[kept]]).max() == 1
    assert kept.mean() > 0.9


def test_nothing_to_gain_and_infinite_gains() -> None:
    assert assign(np.array([[0], [1]]), np.array([[-1.0], [0.0]])).tolist() == [-1, -1]
    assert assign(np.zeros((0, 3), np.int64), np.zeros((0, 3))).shape == (0,)
    assert assign(np.array([[0, 1], [0, 1]]), np.array([[np.inf, 1.0], [np.inf, -np.inf]])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("rows", "gains", "message"),
    [
        ([[0, 1]], [[1.0]], "shape"),
        ([[0], [1]], [[1.0], [np.nan]], "query 1 hold NaN"),
        ([[0, 1], [2, 2]], [[1.0, 1.0], [1.0, 1.0]], "twice for query 1"),
    ],
)
def test_bad_input_is_one_clear_line(rows: list[list[int]], gains: list[list[float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        assign(np.array(rows), np.array(gains))

"""Average precision of one list against a plain loop, its ties and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.core.errors import InputError
from lookalike.metrics.match_precision import pooled_average_precision


def plain(scores: np.ndarray, right: np.ndarray, partners: np.ndarray) -> float:
    listed = [(s, bool(r)) for s, r in zip(scores.ravel(), right.ravel(), strict=True) if s > -np.inf]
    total = 0.0
    for score, hit in listed:
        if hit:
            believed = [good for other, good in listed if other >= score]
            total += sum(believed) / len(believed)
    return total / partners.sum()


@pytest.mark.parametrize("seed", range(5))
def test_it_equals_a_plain_loop_with_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 6, (30, 3)).astype(float)
    scores[rng.random(scores.shape) < 0.2] = -np.inf
    right = (rng.random(scores.shape) < 0.3) & (scores > -np.inf)
    partners = right.sum(axis=1) + rng.integers(0, 2, 30)
    found = pooled_average_precision(scores, right, partners)
    assert found.value == pytest.approx(plain(scores, right, partners), abs=1e-12)
    assert found.low <= found.value <= found.high
    assert pooled_average_precision(scores, right, partners) == found


def test_a_confident_answer_to_a_query_without_a_partner_costs() -> None:
    right = [[True], [True], [False]]
    humble = pooled_average_precision([[0.9], [0.8], [0.1]], right, [1, 1, 0])
    boastful = pooled_average_precision([[0.9], [0.8], [0.99]], right, [1, 1, 0])
    assert humble.value == 1.0
    assert boastful.value == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_more_queries_narrow_the_interval() -> None:
    rng = np.random.default_rng(0)
    scores, right = rng.random((40, 2)), rng.random((40, 2)) < 0.5
    few = pooled_average_precision(scores, right, np.full(40, 2))
    many = pooled_average_precision(np.tile(scores, (9, 1)), np.tile(right, (9, 1)), np.full(360, 2))
    assert many.high - many.low < 0.6 * (few.high - few.low)


def test_bad_input_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="row 1 holds NaN"):
        pooled_average_precision([[0.1], [np.nan]], [[True], [False]], [1, 0])
    with pytest.raises(InputError, match="no query has one"):
        pooled_average_precision([[0.1]], [[False]], [0])
    with pytest.raises(InputError, match="do not fit"):
        pooled_average_precision([[0.1]], [[False]], [1, 1])

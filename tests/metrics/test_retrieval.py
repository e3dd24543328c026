import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lookalike.core.errors import InputError
from lookalike.metrics import ranks
from lookalike.metrics.retrieval import (
    average_precision_at_k,
    hit_at_k,
    mean_average_precision_at_k,
    mean_over_queries,
    ndcg_at_k,
    precision_at_k,
    recall_at_k,
)

ITEMS = 5


def plain(measure: str, gains: tuple, k: int) -> float:
    """One query, one order of the items, as the formulas are printed."""
    top = gains[:k]
    if measure == "recall":
        return sum(top) / sum(gains)
    if measure == "precision":
        return sum(top) / k
    if measure == "hit":
        return float(any(top))
    if measure == "ndcg":
        value, best = (
            sum(gain / math.log2(rank + 2) for rank, gain in enumerate(order[:k]))
            for order in (gains, sorted(gains, reverse=True))
        )
        return value / best
    precisions = [sum(gains[: rank + 1]) / (rank + 1) for rank in range(k) if gains[rank]]
    if measure == "found":
        return sum(precisions) / max(sum(top), 1)
    return sum(precisions) / min(k, sum(gains))


MEASURES = {
    "recall": recall_at_k,
    "precision": precision_at_k,
    "hit": hit_at_k,
    "ap": average_precision_at_k,
    "ndcg": ndcg_at_k,
}


def orders(distances: np.ndarray) -> list[tuple[int, ...]]:
    return [
        order
        for order in itertools.permutations(range(len(distances)))
        if all(distances[i] <= distances[j] for i, j in itertools.pairwise(order))
    ]


@given(
    hnp.arrays(np.float64, (2, ITEMS), elements=st.sampled_from([0.0, 1.0])).filter(lambda t: t.any(axis=1).all()),
    hnp.arrays(np.float64, (2, ITEMS), elements=st.sampled_from([0.1, 0.2, 0.3])),
    st.integers(1, ITEMS),
)
@settings(max_examples=40, deadline=None)
def test_every_measure_is_the_mean_over_all_orders_of_ties(relevance: np.ndarray, near: np.ndarray, k: int) -> None:
    for name, measure in MEASURES.items():
        gains = relevance * [1, 2, 3, 1, 2] if name == "ndcg" else relevance
        expected = [
            np.mean([plain(name, tuple(gains[query][list(order)]), k) for order in orders(near[query])])
            for query in range(2)
        ]
        np.testing.assert_allclose(measure(gains, k, near), expected, atol=1e-12)
    worst = [
        plain("found", tuple(relevance[query][np.lexsort((relevance[query], near[query]))]), k) for query in range(2)
    ]
    np.testing.assert_allclose(average_precision_at_k(relevance, k, near, divide_by="found"), worst, atol=1e-12)


@given(hnp.arrays(np.float64, (3, 6), elements=st.sampled_from([0.0, 1.0])), st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_a_ranked_list_is_a_row_of_rising_distances(relevance: np.ndarray, k: int) -> None:
    order = np.random.default_rng(0).permutation(6)
    rising = np.broadcast_to(np.argsort(order).astype(float), (3, 6))
    for measure in MEASURES.values():
        np.testing.assert_allclose(measure(relevance[:, order], k), measure(relevance, k, rising))
        np.testing.assert_allclose(measure(relevance, k), measure(relevance[::-1], k)[::-1])


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    relevance, near = rng.random((30, 20)) < 0.3, rng.integers(0, 6, (30, 20))
    whole = [measure(relevance, 7, near) for measure in MEASURES.values()]
    monkeypatch.setattr(ranks, "BLOCK", 100)
    np.testing.assert_array_equal(whole, [measure(relevance, 7, near) for measure in MEASURES.values()])


def test_ndcg_agrees_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    gains, near = rng.integers(0, 4, (50, 12)).astype(float), rng.integers(0, 5, (50, 12)).astype(float)
    for k in (1, 3, 12):
        assert np.nanmean(ndcg_at_k(gains, k, near)) == pytest.approx(metrics.ndcg_score(gains, -near, k=k))


def test_average_precision_agrees_with_scikit_learn_without_ties() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    relevance, near = rng.random((20, 30)) < 0.2, rng.random((20, 30))
    relevance[:, 0] = True
    expected = [metrics.average_precision_score(*pair) for pair in zip(relevance, -near, strict=True)]
    np.testing.assert_allclose(average_precision_at_k(relevance, 30, near), expected)


def test_lists_cut_short_know_what_they_lack() -> None:
    assert recall_at_k([[1, 0, 1]], 3, relevant=[8]) == [0.25]
    assert average_precision_at_k([[1, 0, 0]], 3, relevant=[3]) == pytest.approx([1 / 3])
    assert ndcg_at_k([[1, 0]], 2, ideal_gains=[[1, 1, 0, 0]]) == pytest.approx([1 / (1 + 1 / math.log2(3))])


def test_a_query_without_relevant_items_is_left_out() -> None:
    relevance = [[0, 0], [0, 1]]
    for measure in (recall_at_k, hit_at_k, average_precision_at_k, ndcg_at_k):
        assert np.isnan(measure(relevance, 1)).tolist() == [True, False]
    assert precision_at_k(relevance, 2).tolist() == [0, 0.5]
    assert mean_average_precision_at_k(relevance, 2) == 0.5
    assert math.isnan(mean_average_precision_at_k([[0, 0]], 2))
    assert np.isnan(average_precision_at_k([[0, 0]], 1, divide_by="found")).all()
    assert average_precision_at_k([[0, 1]], 1, divide_by="found") == [0]


def test_infinity_excludes_the_query_itself() -> None:
    assert hit_at_k([[0, 1, 0]], 1, [[np.inf, 0.2, 0.4]]) == [1]


def test_mean_over_queries_clusters() -> None:
    values = [1.0, 1.0, 0.0, 0.0, np.nan, 1.0]
    found = mean_over_queries(values, ["r", "r", "s", "s", "s", "t"])
    assert (found.value, found.n, found.clusters) == (0.6, 5, 3)
    assert found.low <= 0.6 <= found.high
    with pytest.raises(InputError, match="no query"):
        mean_over_queries([np.nan])
    with pytest.raises(InputError, match="clusters"):
        mean_over_queries([1.0, 0.0], ["r"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: recall_at_k([[1, 0]], 3), "k: 3 is not in 1 to 2"),
        (lambda: recall_at_k([[1, 0]], 0), "k: 0"),
        (lambda: recall_at_k([[1, 0], [0, 2]], 1), "row 1 holds something other"),
        (lambda: recall_at_k([[1, 0]], 1, [[1, 2, 3]]), r"shape \(1, 3\)"),
        (lambda: recall_at_k([[1, 0], [1, 0]], 1, [[1, 2], [np.nan, 3]]), "row 1 holds NaN"),
        (lambda: recall_at_k([[1, 1]], 1, relevant=[1]), "no less than"),
        (lambda: ndcg_at_k([[1, -1]], 1), "not negative"),
        (lambda: ndcg_at_k([[1, 1]], 1, ideal_gains=[[1], [1]]), "2 rows for 1"),
        (lambda: average_precision_at_k([[1, 0]], 1, divide_by="all"), "neither"),
    ],
)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()  # type: ignore[operator]

"""Places of matches: a plain loop over all orders of ties, and the metrics that sort."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.core.errors import InputError
from lookalike.metrics import places
from lookalike.metrics.places import Places, places_of_matches
from lookalike.metrics.retrieval import average_precision_at_k, hit_at_k

levels = st.integers(1, 7).flatmap(
    lambda items: st.lists(st.lists(st.integers(0, 3), min_size=items, max_size=items), min_size=1, max_size=6)
)


def placed(table: list[list[int]], matches: list[int]) -> Places:
    """Lay a table of similarities out as vectors: items are unit rows, a query's numbers its products with them."""
    return places_of_matches(np.array(table, np.float32), np.eye(len(table[0]), dtype=np.float32), matches)


@settings(max_examples=40, deadline=None)
@given(levels, st.data())
def test_ties_count_as_the_mean_over_all_their_orders(table: list[list[int]], data: st.DataObject) -> None:
    items = len(table[0])
    matches = [data.draw(st.integers(0, items - 1)) for _ in table]
    found = placed(table, matches)
    for query, (row, match) in enumerate(zip(table, matches, strict=True)):
        ranks = []
        for order in permutations(range(items)):
            ranked = sorted(order, key=lambda item: -row[item])  # stable: ties stay in this order
            ranks.append(ranked.index(match) + 1)
        for k in range(1, items + 2):
            assert found.hits(k)[query] == pytest.approx(np.mean([rank <= k for rank in ranks]))
        assert found.precisions()[query] == pytest.approx(np.mean([1 / rank for rank in ranks]))


def test_it_agrees_with_the_metrics_that_sort_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(70, 5)).astype(np.float32)
    gallery[10:20] = gallery[0]
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    matches = rng.integers(70, size=50)
    matches[:10] = 15
    queries = gallery[matches] + 0.5 * rng.normal(size=(50, 5)).astype(np.float32)
    queries[:3] = gallery[15]
    # The same numbers for the same rows, which one product of matrices does not promise.
    distances = 1 - np.round(queries.astype(float) @ gallery.T.astype(float), 7)
    relevance = np.arange(70) == matches[:, None]
    for block in (1, 200, 1 << 22):
        monkeypatch.setattr(places, "BLOCK", block)
        found = places_of_matches(queries, gallery, matches)
        for k in (1, 5, 15, 70):
            np.testing.assert_allclose(found.hits(k), hit_at_k(relevance, k, distances))
        np.testing.assert_allclose(found.precisions(), average_precision_at_k(relevance, 70, distances))
    assert set(found.tied[:10].tolist()) == {10}


def test_a_collapsed_model_gets_chance() -> None:
    found = placed([[1] * 20] * 3, [0, 7, 19])
    np.testing.assert_allclose(found.hits(5), 0.25)
    np.testing.assert_allclose(found.precisions(), np.mean(1 / np.arange(1, 21)))


def test_what_does_not_fit_is_refused() -> None:
    rows = np.eye(3, dtype=np.float32)
    with pytest.raises(InputError, match="do not fit"):
        places_of_matches(rows, rows[:, :2], [0, 1, 2])
    with pytest.raises(InputError, match="do not fit"):
        places_of_matches(rows, rows, [0, 1])
    with pytest.raises(InputError, match="not all among the 3 items"):
        places_of_matches(rows, rows, [0, 1, 3])
    with pytest.raises(InputError, match="k: 0"):
        placed([[1, 2]], [0]).hits(0)

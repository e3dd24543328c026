"""Pages and filtered rows of an index, and several pictures as one query, against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.core.errors import InputError
from lookalike.core.vectors import unit_rows
from lookalike.search.approximate import ApproximateIndex
from lookalike.search.exact import ExactIndex
from lookalike.search.masked import among_rows, page_of
from lookalike.search.references import combine_references

VECTORS = unit_rows(np.random.default_rng(0).normal(size=(400, 8)))
VECTORS[100:130] = VECTORS[100]  # many equal distances
QUERIES = unit_rows(np.random.default_rng(1).normal(size=(5, 8)))
EXACT, GRAPH = ExactIndex(VECTORS), ApproximateIndex.build(VECTORS, threads=1)


def nearest(wanted: np.ndarray, q: int) -> list[int]:
    """Rows in the order of distance, then of their number, as the exact index rounds."""
    apart = (1 - (QUERIES[q].astype(np.float64) * VECTORS).sum(axis=1)).astype(np.float32)
    return [row for row in np.lexsort((np.arange(len(VECTORS)), apart)).tolist() if wanted[row]]


@settings(deadline=None, max_examples=15)
@given(st.floats(0, 1), st.integers(1, 450), st.integers(0, 5))
def test_any_share_of_rows_is_searched_right(share: float, k: int, seed: int) -> None:
    wanted = np.random.default_rng(seed).random(len(VECTORS)) < share
    for index in (EXACT, GRAPH):
        rows, distances = among_rows(index.search, QUERIES, k, wanted)
        assert rows.shape == distances.shape == (len(QUERIES), k)
        for q in range(len(QUERIES)):
            expected = nearest(wanted, q)[:k]
            found = rows[q][rows[q] >= 0].tolist()
            assert len(found) == len(expected)
            assert wanted[found].all()
            if index is EXACT:
                assert found == expected
            else:
                apart = 1 - VECTORS @ QUERIES[q]
                np.testing.assert_allclose(apart[found], apart[expected], atol=1e-3)
            assert np.isinf(distances[q, len(found) :]).all()


@settings(deadline=None, max_examples=8)
@given(st.integers(7, 60), st.integers(0, 5))
def test_pages_have_no_gaps_and_repeat_nothing(k: int, seed: int) -> None:
    wanted = np.random.default_rng(seed).random(len(VECTORS)) < 0.5
    for index, exact in ((EXACT, True), (GRAPH, False)):
        size = int(wanted.sum())
        pages = [
            page_of(lambda depth, index=index: among_rows(index.search, QUERIES, depth, wanted), size, k, offset, exact)
            for offset in range(0, size + k, k)
        ]
        rows, distances = (np.hstack(part) for part in zip(*pages, strict=True))
        for q in range(len(QUERIES)):
            listed = rows[q][rows[q] >= 0].tolist()
            assert sorted(listed) == np.flatnonzero(wanted).tolist()
            if exact:
                assert listed == nearest(wanted, q)
                assert (np.diff(distances[q, : len(listed)]) >= 0).all()


class Forgetful:
    """An index that misses the two nearest unless it is asked for many."""

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        rows, distances = EXACT.search(queries, len(VECTORS))
        missed = 0 if k > 20 else 2
        return rows[:, missed : missed + k], distances[:, missed : missed + k]


def test_what_was_missed_at_first_comes_late_and_once() -> None:
    index = Forgetful()
    pages = [page_of(lambda depth: index.search(QUERIES, depth), 400, 10, offset, False)[0] for offset in (0, 10, 20)]
    everything = nearest(np.ones(len(VECTORS), bool), 0)
    assert pages[0][0].tolist() == everything[2:12]
    assert pages[1][0].tolist() == [*everything[:2], *everything[12:20]]
    assert pages[2][0].tolist() == everything[20:30]


def test_pages_beyond_the_end_are_empty_and_wrong_ones_errors() -> None:
    rows, distances = page_of(lambda depth: EXACT.search(QUERIES, depth), 400, 5, 398, True)
    assert (rows >= 0).sum(axis=1).tolist() == [2] * 5
    assert (page_of(lambda depth: EXACT.search(QUERIES, depth), 400, 5, 4000, True)[0] == -1).all()
    assert np.isinf(distances[:, 2:]).all()
    for k, offset in ((0, 0), (1, -1)):
        with pytest.raises(InputError, match="at least"):
            page_of(lambda depth: EXACT.search(QUERIES, depth), 400, k, offset, True)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 4), st.integers(0, 3), st.floats(0, 2), st.integers(0, 9))
def test_one_query_orders_as_the_mean_of_the_distances_does(
    liked: int, unliked: int, against: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    dims = (6, 9, 4)
    pictures = [unit_rows(rng.normal(size=(liked + unliked, dim))) for dim in dims]
    weights = rng.exponential(size=(liked + unliked, 3)) ** 2
    images = [unit_rows(rng.normal(size=(50, dim))).astype(np.float64) for dim in dims]
    directions, made = combine_references(pictures, weights, liked, against)
    # By the definition: the weighted distance from every picture, one by one.
    apart = np.zeros((liked + unliked, 50))
    for number, (rows, own) in enumerate(zip(pictures, images, strict=True)):
        apart += weights[:, [number]] * (1 - rows.astype(np.float64) @ own.T)
    mean = apart[:liked].mean(axis=0) - (against * apart[liked:].mean(axis=0) if unliked else 0)
    combined = sum(w * (1 - own @ one[0]) for w, own, one in zip(made, images, directions, strict=True))
    assert isinstance(combined, np.ndarray)
    slope = np.polyfit(mean, combined, 1)
    np.testing.assert_allclose(np.polyval(slope, mean), combined, atol=1e-5)
    assert slope[0] > 0
    assert made.sum() == pytest.approx(weights[:liked].sum(axis=1).mean())
    assert combined.min() >= -1e-6
    np.testing.assert_allclose([np.linalg.norm(one) for one in directions], 1, atol=1e-5)


def test_one_liked_picture_stays_as_it_is() -> None:
    directions, weights = combine_references([VECTORS[:1], VECTORS[1:2]], [[0.25, 0.75]], 1)
    np.testing.assert_allclose(directions[0], VECTORS[:1], atol=1e-7)
    np.testing.assert_allclose(weights, [0.25, 0.75])


@pytest.mark.parametrize(
    ("rows", "liked", "against", "message"),
    [
        ([0, 0], 1, 1.0, "nothing is left"),
        ([0, 1], 0, 0.5, "must be liked"),
        ([0, 1], 1, -0.5, "at least 0"),
        ([0, 1], 1, float("nan"), "at least 0"),
    ],
)
def test_pictures_that_make_no_query(rows: list[int], liked: int, against: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        combine_references([VECTORS[rows]], np.ones((2, 1)), liked, against)

"""Pictures by thing, and what is drawn of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.training.things import Pairing, Things, batches


def some_things(counts: list[int], seed: int = 0) -> tuple[Things, np.ndarray]:
    """Things of so many pictures, each paired with the first, at rows in an order of chance."""
    rng = np.random.default_rng(seed)
    thing = np.repeat(np.arange(len(counts)), counts)
    rows = rng.permutation(len(thing))
    first = np.repeat(np.cumsum([0, *counts[:-1]]), counts)
    paired = first != np.arange(len(thing))
    shown = np.empty(len(thing), np.int64)
    shown[rows] = 3 * thing + 1  # numbers need not follow each other
    return Things.of(rows[first[paired]], rows[paired], shown), shown


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(2, 6), min_size=2, max_size=8), st.sampled_from(["any", "given"]), st.integers(0, 99))
def test_what_is_drawn_shows_one_thing_in_two_pictures(counts: list[int], pairing: Pairing, seed: int) -> None:
    things, shown = some_things(counts, seed)
    assert len(things) == len(counts)
    assert np.unique(things.members).tolist() == list(range(sum(counts)))
    rng, numbers = np.random.default_rng(seed), np.random.default_rng(seed).permutation(len(counts))
    known = set(zip(things.left.tolist(), things.right.tolist(), strict=True))
    for _ in range(20):
        left, right = things.draw(numbers, pairing, rng)
        assert (left != right).all()
        assert (shown[left] == 3 * numbers + 1).all()
        assert (shown[right] == 3 * numbers + 1).all()
        if pairing == "given":
            assert set(zip(left.tolist(), right.tolist(), strict=True)) <= known
        assert (shown[things.draw_one(numbers, rng)] == 3 * numbers + 1).all()


def test_any_two_pictures_come_up_equally_often() -> None:
    things, _ = some_things([4, 2])
    left, right = things.draw(np.zeros(24_000, np.int64), "any", np.random.default_rng(0))
    table = np.zeros((6, 6))
    np.add.at(table, (left, right), 1)
    drawn = table[table > 0]
    assert len(drawn) == 12
    assert np.abs(drawn - 2000).max() < 200


def test_anchors_are_the_originals_of_views() -> None:
    things, _ = some_things([3, 5, 2])
    assert things.anchors().tolist() == [things.left[0], things.left[2], things.left[6]]


def test_some_things_without_some_pictures() -> None:
    things, _ = some_things([3, 5, 2])
    gone = np.array([things.right[1], things.right[3]])
    few = things.take(np.array([1, 0]), gone)
    assert [len(few.of_thing(number)) for number in range(2)] == [4, 2]
    assert set(few.of_thing(0).tolist()) == set(things.of_thing(1).tolist()) - set(gone.tolist())
    assert np.diff(few.pair_starts).tolist() == [3, 1]
    assert few.anchors().tolist() == things.anchors()[[1, 0]].tolist()
    assert not np.isin(few.right, gone).any()


@pytest.mark.parametrize(("whole", "sizes"), [(False, [4, 4, 3]), (True, [5, 5])])
def test_batches_deal_everything_once(whole: bool, sizes: list[int]) -> None:
    dealt = list(batches(np.arange(11), 5, whole, np.random.default_rng(0)))
    assert [len(one) for one in dealt] == sizes
    every = np.concatenate(dealt)
    assert len(set(every.tolist())) == sum(sizes)


def test_fewer_than_a_whole_batch_are_one_batch() -> None:
    assert [len(one) for one in batches(np.arange(3), 5, True, np.random.default_rng(0))] == [3]

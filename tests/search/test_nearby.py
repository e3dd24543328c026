from __future__ import annotations

import numpy as np
import pytest

from lookalike.search.copies import find_copies
from lookalike.search.nearby import nearby_order


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 1000, 5001])
def test_every_place_comes_once(count):
    points = np.random.default_rng(0).standard_normal((count, 5)).astype(np.float32)
    assert sorted(nearby_order(points)) == list(range(count))


def test_equal_points_come_to_an_end():
    assert sorted(nearby_order(np.zeros((1000, 3), np.float32), group=1)) == list(range(1000))


def test_what_is_side_by_side_is_near():
    points = np.random.default_rng(0).standard_normal((4000, 3)).astype(np.float32)
    side_by_side = points[nearby_order(points)]
    steps = [np.linalg.norm(np.diff(rows, axis=0), axis=1).mean() for rows in (points, side_by_side)]
    assert steps[1] < 0.25 * steps[0]


def test_copies_follow_their_vector_to_its_place():
    values = np.random.default_rng(0).integers(0, 40, (100, 1)).astype(np.float16)
    copies = find_copies(values)
    order = np.random.default_rng(1).permutation(len(copies.first))
    arranged = copies.arranged(order)
    np.testing.assert_array_equal(arranged.first, copies.first[order])
    np.testing.assert_array_equal(values[arranged.row], values[arranged.first[arranged.owner]])
    assert (np.diff(arranged.owner) >= 0).all()
    found = np.arange(len(order))[None]
    apart = np.abs(values[arranged.first, 0].astype(np.float32) - 7)[None]
    rows, _ = arranged.expand(found, apart, 100)
    expected = np.lexsort((np.arange(100), np.abs(values[:, 0].astype(np.float32) - 7)))
    np.testing.assert_array_equal(rows[0], expected)

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.search import copies as copies_module
from lookalike.search.copies import find_copies
from lookalike.search.protocol import ranked


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 12), st.booleans())
def test_expanding_the_distinct_neighbours_is_searching_all_rows(values, k, half):
    vectors = np.array(values, dtype=np.float16 if half else np.float32).reshape(-1, 1)
    copies = find_copies(vectors)
    distinct = len(set(values))
    if copies is None:
        assert distinct == len(values)
        return
    assert vectors[copies.first].ravel().tolist() == list(dict.fromkeys(values))
    assert sorted([*copies.first, *copies.row]) == list(range(len(values)))
    # Values 0 and 1, 2 and 3, ... are at equal distances: ties between groups of copies, too.
    apart = (vectors.T // 2).astype(np.float32)
    found, distances = ranked(np.arange(distinct)[None], apart[:, copies.first], k=distinct + 1)
    rows, near = copies.expand(found, distances, k)
    expected = ranked(np.arange(len(values))[None], apart, k)
    np.testing.assert_array_equal(rows, expected[0])
    np.testing.assert_array_equal(near, expected[1])


def test_rows_that_differ_in_one_bit_are_distinct():
    vectors = np.ones((5, 4), dtype=np.float16)
    vectors[3, 2] = np.nextafter(np.float16(1), np.float16(2))
    copies = find_copies(vectors)
    assert copies is not None
    assert copies.first.tolist() == [0, 3]
    assert copies.owner.tolist() == [0, 0, 0]
    assert copies.row.tolist() == [1, 2, 4]


def test_rows_that_meet_in_one_hash_are_told_apart(monkeypatch):
    honest = copies_module._hashes
    seeds = []

    def poor(vectors, seed):
        seeds.append(seed)
        return np.zeros(len(vectors), dtype=np.uint64) if seed == 0 else honest(vectors, seed)

    monkeypatch.setattr(copies_module, "_hashes", poor)
    copies = find_copies(np.array([[1], [2], [1]], dtype=np.float16))
    assert copies is not None
    assert copies.first.tolist() == [0, 1]
    assert seeds == [0, 1]

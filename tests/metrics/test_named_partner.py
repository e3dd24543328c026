"""Hits of named partners are those of the general formula, blocks and ties included."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.core.errors import InputError
from lookalike.core.vectors import unit_rows
from lookalike.metrics.named_partner import partner_hits
from lookalike.metrics.retrieval import hit_at_k


@pytest.mark.parametrize("seed", range(4))
def test_hits_equal_those_of_whole_rankings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Few bits: many targets are at the same distance.
    vectors = unit_rows(np.where(rng.random((90, 9)) < 0.5, 1, -1).astype(np.float32))
    queries, targets = vectors[:70], vectors[70:]
    partners = [rng.choice(20, rng.integers(1, 4), replace=False) for _ in range(70)]
    found = partner_hits(queries, targets, partners, 15)
    relevant = np.zeros((70, 20))
    for row, some in enumerate(partners):
        relevant[row, some] = 1
    distances = np.round(1 - queries.astype(np.float64) @ targets.T, 5)
    for k in range(1, 16):
        assert found[:, k - 1] == pytest.approx(hit_at_k(relevant, k, distances), abs=1e-9)
    assert (np.diff(found, axis=1) >= -1e-12).all()


def test_bad_input_is_one_clear_line() -> None:
    one = np.eye(2, dtype=np.float32)
    with pytest.raises(InputError, match="query 1 has none"):
        partner_hits(one, one, [np.array([0]), np.array([], np.int64)], 1)
    with pytest.raises(InputError, match="not between 1 and the 2 targets"):
        partner_hits(one, one, [np.array([0])] * 2, 3)

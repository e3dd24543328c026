"""Triplet and margin losses against plain loops; mined pairs within their bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from lookalike.core.errors import InputError  # noqa: E402
from lookalike.losses.margins import Bounds, margin_loss, mined_pairs, relaxing_bounds  # noqa: E402
from lookalike.losses.triplets import CLIPPED_AT, rank_hinge, semi_hard_triplet  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def drawn(n: int, length: int, seed: int) -> Any:
    rows = torch.randn(n, length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(rows)


def distances(rows: Any) -> Any:
    return torch.cdist(rows, rows)


def semi_hard_by_loop(rows: Any, labels: list[int], margin: float) -> float:
    n = len(labels)
    d2 = [[float(((rows[i] - rows[j]) ** 2).sum()) for j in range(n)] for i in range(n)]
    costs = []
    for i in range(n):
        negatives = [d2[i][k] for k in range(n) if labels[k] != labels[i]]
        for j in range(n):
            if j == i or labels[j] != labels[i] or not negatives:
                continue
            larger = [value for value in negatives if value > d2[i][j]]
            costs.append(max(0.0, margin + d2[i][j] - (min(larger) if larger else max(negatives))))
    return sum(costs) / len(costs) if costs else 0.0


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 14), st.integers(1, 5), st.integers(2, 4), st.floats(0, 1.5), st.integers(0, 99))
def test_semi_hard_is_that_of_a_plain_loop(n: int, things: int, length: int, margin: float, seed: int) -> None:
    rows = drawn(n, length, seed)
    labels = torch.randint(things, (n,), generator=torch.Generator().manual_seed(seed))
    expected = semi_hard_by_loop(rows, labels.tolist(), margin)
    assert float(semi_hard_triplet(rows, labels, margin)) == pytest.approx(expected, abs=1e-9)


def test_semi_hard_gradient_is_that_of_numerical_differences() -> None:
    rows, labels = drawn(8, 3, 1).requires_grad_(), torch.tensor([0, 0, 1, 1, 2, 2, 0, 3])
    assert torch.autograd.gradcheck(lambda x: semi_hard_triplet(x, labels), rows)


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]], ids=["one thing", "no partners"])
def test_batches_without_triplets_cost_nothing(labels: list[int]) -> None:
    rows = drawn(3, 3, 2).requires_grad_()
    loss = semi_hard_triplet(rows, torch.tensor(labels))
    loss.backward()
    assert float(loss.detach()) == 0
    assert not rows.grad.any()


def test_things_apart_by_the_margin_cost_nothing() -> None:
    rows = torch.eye(3).repeat_interleave(2, 0)
    labels = torch.arange(3).repeat_interleave(2)
    assert float(semi_hard_triplet(rows, labels, margin=1.0)) == 0
    assert float(semi_hard_triplet(rows, labels, margin=2.5)) == pytest.approx(0.5)


def test_rank_hinge_is_that_of_a_plain_loop() -> None:
    query, positive, negative = (drawn(9, 4, seed) for seed in (3, 4, 5))
    costs, gaps = [], []
    for q, p, n in zip(query, positive, negative, strict=True):
        costs.append(max(0.0, 1 + float(((q - p) ** 2).sum()) - float(((q - n) ** 2).sum())))
        q, p, n = ([min(max(v, CLIPPED_AT), 1 - CLIPPED_AT) for v in side.tolist()] for side in (q, p, n))
        near, far = (sum((a - b) ** 2 for a, b in zip(q, side, strict=True)) ** 0.5 for side in (p, n))
        gaps.append(1 + near - far)
    assert float(rank_hinge(query, positive, negative)) == pytest.approx(sum(costs) / 9)
    assert float(rank_hinge(query, positive, negative, published=True)) == pytest.approx(max(0.0, sum(gaps) / 9))


def test_the_published_hinge_lets_easy_triplets_pay_for_hard_ones() -> None:
    query, same = torch.eye(2)[[0, 0]], torch.eye(2)[[0, 1]]
    other = same.flip(0)
    assert float(rank_hinge(query, same, other, gap=0.1)) == pytest.approx((0 + 2.1) / 2)
    assert float(rank_hinge(query, same, other, gap=0.1, published=True)) == pytest.approx(0.1)
    query = query.clone().requires_grad_()
    rank_hinge(query, query.detach(), other, published=True).backward()
    assert torch.isfinite(query.grad).all()


def test_margin_loss_is_that_of_a_plain_loop() -> None:
    apart = torch.linspace(0, 2, 9, dtype=torch.float64)
    same = torch.tensor([True, False, True, False, False, True, True, False, False])
    pairs = zip(apart.tolist(), same.tolist(), strict=True)
    costs = [d**2 / 2 if alike else max(0.0, 0.8 - d) ** 2 / 2 for d, alike in pairs]
    assert float(margin_loss(apart, same, margin=0.8)) == pytest.approx(sum(costs) / 9)
    assert float(margin_loss(apart[:0], same[:0])) == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 6), st.integers(0, 99))
def test_bounds_relax_until_they_allow_all(positives: int, negatives: int, stages: int, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    positive, negative = torch.rand(positives, generator=rng), torch.rand(negatives, generator=rng)
    bounds = relaxing_bounds(positive, negative, stages)
    assert len(bounds) == stages
    assert [one.positive for one in bounds] == sorted(one.positive for one in bounds)
    assert [one.negative for one in bounds] == sorted((one.negative for one in bounds), reverse=True)
    assert bounds[-1] == Bounds(float(positive.max()), float(negative.min()))


def test_bounds_need_pairs_and_stages() -> None:
    some, none = torch.ones(2), torch.ones(0)
    with pytest.raises(InputError, match="at least 1 stage, not 0"):
        relaxing_bounds(some, some, 0)
    with pytest.raises(InputError, match="pairs of two things"):
        relaxing_bounds(some, none, 2)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.floats(0, 2), st.floats(0, 2), st.integers(0, 99))
def test_mined_pairs_keep_the_bounds(n: int, positive: float, negative: float, seed: int) -> None:
    rows, moved = drawn(n, 3, seed), drawn(n, 3, seed + 1)
    before, now = distances(rows), distances(moved)
    labels = torch.randint(3, (n,), generator=torch.Generator().manual_seed(seed))
    left, right, same = mined_pairs(before, now, labels, Bounds(positive, negative))
    expected = {(i, j) for i in range(n) for j in range(i + 1, n) if labels[i] == labels[j]}
    expected = {(i, j) for i, j in expected if before[i, j] <= positive}
    assert set(zip(left[same].tolist(), right[same].tolist(), strict=True)) == expected
    for i, j in zip(left[~same].tolist(), right[~same].tolist(), strict=True):
        allowed = [k for k in range(n) if labels[k] != labels[i] and before[i, k] >= negative]
        assert now[i, j] == min(now[i, k] for k in allowed)
    for i in set(range(n)) - set(left[~same].tolist()):
        assert not any(labels[k] != labels[i] and before[i, k] >= negative for k in range(n))

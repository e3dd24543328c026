"""The losses of a ranking head against textbook losses and plain loops, and what the published program's signs mean."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn.functional import cross_entropy  # noqa: E402

from lookalike.losses.ranking import order_triplet_loss, ranking_loss, squared_distances  # noqa: E402


def drawn(count: int = 40, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Squared distances to a and b, answers (order 0: a is closer), and margins."""
    rng = np.random.default_rng(seed)
    return rng.random(count), rng.random(count), rng.integers(0, 2, count), rng.uniform(0.2, 1.0, count)


def tensors(*columns: np.ndarray) -> list[torch.Tensor]:
    return [torch.tensor(column, dtype=torch.float64) for column in columns]


def test_the_cross_entropy_of_two_outputs_is_that_of_their_difference() -> None:
    rng = np.random.default_rng(1)
    logits, order = torch.tensor(rng.normal(size=(30, 2)) * 4), torch.tensor(rng.integers(0, 2, 30))
    found = ranking_loss(logits[:, 0] - logits[:, 1], (1 - order).double(), order.double())
    assert float(found) == pytest.approx(float(cross_entropy(logits, order)), rel=1e-9)


def test_soft_votes_are_so_many_hard_ones() -> None:
    rng = np.random.default_rng(2)
    odds, votes_a, votes_b = rng.normal(size=9), rng.integers(0, 5, 9), rng.integers(1, 5, 9)
    rows = np.repeat(np.arange(9), votes_a + votes_b)
    hard = np.concatenate([[1] * a + [0] * b for a, b in zip(votes_a, votes_b, strict=True)])
    soft = ranking_loss(*tensors(odds, votes_a, votes_b))
    assert float(soft) == pytest.approx(float(ranking_loss(*tensors(odds[rows], hard, 1 - hard))), rel=1e-9)


def test_a_head_that_is_sure_and_wrong_costs_what_it_says() -> None:
    one, none = torch.ones(1), torch.zeros(1)
    assert float(ranking_loss(torch.tensor([-200.0]), one, none)) == pytest.approx(200)
    assert float(ranking_loss(torch.tensor([200.0]), one, none)) == 0
    assert float(ranking_loss(none, one, one)) == pytest.approx(math.log(2))


def test_the_triplet_loss_is_that_of_the_published_program() -> None:
    """Mean of ``max(0, m - s (d2(R, id1) - d2(R, id2)))`` with ``s = 2 order - 1``."""
    near, far, order, margin = drawn()
    expected = 0.0
    for d1, d2, o, m in zip(near, far, order, margin, strict=True):
        sign = 2 * o - 1
        expected += max(0.0, m - sign * (d1 - d2)) / len(near)
    found = order_triplet_loss(*tensors(near, far, 1 - order, order, margin))
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_order_0_wants_a_closer() -> None:
    near, far, zero, one = (torch.tensor([x], requires_grad=x > 0) for x in (0.4, 0.5, 0.0, 1.0))
    order_triplet_loss(near, far, one.detach(), zero, 0.2).backward()
    assert (near.grad, far.grad) == (torch.tensor([1.0]), torch.tensor([-1.0]))


def test_the_triplet_loss_vanishes_just_where_the_gap_is_the_margin() -> None:
    one, none = torch.ones(1), torch.zeros(1)
    for gap, loss in ((0.59, 0.01), (0.6, 0.0), (0.61, 0.0)):
        found = order_triplet_loss(torch.tensor([0.1]), torch.tensor([0.1 + gap]), one, none, 0.6)
        assert float(found) == pytest.approx(loss, abs=1e-6)


def test_swapping_the_candidates_changes_neither_loss() -> None:
    near, far, order, margin = tensors(*drawn())
    votes = 3 * (1 - order) + 1, 2 * order
    assert float(order_triplet_loss(near, far, *votes, margin)) == pytest.approx(
        float(order_triplet_loss(far, near, *votes[::-1], margin)), rel=1e-12
    )
    odds = near - far
    assert float(ranking_loss(odds, *votes)) == pytest.approx(float(ranking_loss(-odds, *votes[::-1])), rel=1e-12)


def test_soft_votes_pull_both_ways_in_the_triplet_loss() -> None:
    near, far, _, margin = tensors(*drawn())
    one, none = torch.ones(len(near)), torch.zeros(len(near))
    for_a, for_b = (order_triplet_loss(near, far, *votes, margin) for votes in ((one, none), (none, one)))
    both = order_triplet_loss(near, far, 3 * one, one, margin)
    assert float(both) == pytest.approx(float((3 * for_a + for_b) / 4), rel=1e-9)


def test_distances_are_squared_and_of_rows_as_they_come() -> None:
    rng = np.random.default_rng(3)
    left, right = 5 * rng.normal(size=(2, 7, 4))
    found = squared_distances(*tensors(left, right)).numpy()
    np.testing.assert_allclose(found, [math.dist(one, other) ** 2 for one, other in zip(left, right, strict=True)])

"""The loss of judgments against a plain loop, and what flips, soft votes and margins do to it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from lookalike.losses.judgments import two_afc_loss  # noqa: E402


def answers(n: int, seed: int) -> tuple[Any, Any, Any, Any]:
    """Distances in [0, 2] and soft votes, float64."""
    rng = torch.Generator().manual_seed(seed)
    distance_a, distance_b = 2 * torch.rand(2, n, generator=rng, dtype=torch.float64)
    votes_a, votes_b = torch.randint(0, 5, (2, n), generator=rng).double()
    return distance_a, distance_b, votes_a + (votes_a + votes_b == 0), votes_b


def by_loop(distance_a: Any, distance_b: Any, votes_a: Any, votes_b: Any, scale: float, margin: Any) -> float:
    loss = 0.0
    for a, b, for_a, for_b, asked in zip(*(x.tolist() for x in (distance_a, distance_b, votes_a, votes_b, margin))):  # noqa: B905
        loss -= for_a * math.log(1 / (1 + math.exp(-scale * (b - a - asked))))
        loss -= for_b * math.log(1 / (1 + math.exp(-scale * (a - b - asked))))
    return loss / float(votes_a.sum() + votes_b.sum())


@pytest.mark.parametrize("scale", [0.5, 5.0, 15.0])
@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_agrees_with_a_plain_loop(scale: float, margin: float) -> None:
    rows = answers(40, seed=0)
    margins = torch.full((40,), margin, dtype=torch.float64) * torch.arange(40) / 20
    assert float(two_afc_loss(*rows, scale, margins)) == pytest.approx(by_loop(*rows, scale, margins))


def test_one_margin_serves_all_rows() -> None:
    rows = answers(9, seed=1)
    expected = by_loop(*rows, 5.0, torch.full((9,), 0.2))
    assert float(two_afc_loss(*rows, 5.0, 0.2)) == pytest.approx(expected, rel=1e-6)
    assert float(two_afc_loss(*rows, torch.tensor(5.0), torch.tensor(0.2))) == pytest.approx(expected, rel=1e-6)


def test_without_a_margin_it_is_the_likelihood_of_the_votes() -> None:
    distance_a, distance_b, votes_a, votes_b = rows = answers(30, seed=2)
    closer, votes = 7.0 * (distance_b - distance_a), votes_a + votes_b
    likelihood = torch.nn.functional.binary_cross_entropy_with_logits(closer, votes_a / votes, votes, reduction="sum")
    expected = likelihood / votes.sum()
    torch.testing.assert_close(two_afc_loss(*rows, 7.0), expected)


@pytest.mark.parametrize("scale", [0.1, 5.0, 1000.0])
def test_equal_distances_cost_the_logarithm_of_two(scale: float) -> None:
    distances, votes = torch.tensor([0.0, 0.7, 2.0]), torch.tensor([3.0, 0.0, 0.5])
    loss = two_afc_loss(distances, distances, votes, torch.tensor([0.0, 1.0, 0.5]), scale)
    assert float(loss) == pytest.approx(math.log(2))


def test_a_split_vote_weighs_both_sides() -> None:
    near, far = torch.tensor([0.2]), torch.tensor([0.9])
    one, none, half = torch.tensor([1.0]), torch.tensor([0.0]), torch.tensor([0.5])
    for_a, for_b = two_afc_loss(near, far, one, none, 4.0), two_afc_loss(near, far, none, one, 4.0)
    split = two_afc_loss(near, far, half, half, 4.0)
    torch.testing.assert_close(split, (for_a + for_b) / 2)
    assert float(for_a) < math.log(2) < float(split) < float(for_b)  # a split vote is best explained by a tie


def test_votes_count_as_so_many_rows() -> None:
    near, far = torch.tensor([0.2, 0.5]), torch.tensor([0.9, 0.4])
    counted = two_afc_loss(near, far, torch.tensor([3.0, 0.0]), torch.tensor([1.0, 2.0]), 4.0)
    rows = torch.tensor([0, 0, 0, 0, 1, 1])
    votes = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    torch.testing.assert_close(two_afc_loss(near[rows], far[rows], votes, 1 - votes, 4.0), counted)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.floats(0.1, 50), st.floats(0, 1), st.integers(0, 99))
def test_flipped_questions_cost_the_same(n: int, scale: float, margin: float, seed: int) -> None:
    distance_a, distance_b, votes_a, votes_b = rows = answers(n, seed)
    flipped = two_afc_loss(distance_b, distance_a, votes_b, votes_a, scale, margin)
    assert float(flipped) == pytest.approx(float(two_afc_loss(*rows, scale, margin)), abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.floats(0.1, 50), st.floats(0, 1), st.floats(0.01, 1), st.integers(0, 99))
def test_a_wider_margin_costs_more(n: int, scale: float, margin: float, more: float, seed: int) -> None:
    rows = answers(n, seed)
    assert float(two_afc_loss(*rows, scale, margin + more)) > float(two_afc_loss(*rows, scale, margin)) >= 0


def test_the_gradient_closes_in_on_the_chosen_candidate() -> None:
    distance_a, distance_b = (torch.tensor([0.5, 0.5], requires_grad=True) for _ in "ab")
    two_afc_loss(distance_a, distance_b, torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), 4.0).backward()
    # At a tie the logistic curve has slope 1/4 of the scale, here shared by two votes.
    torch.testing.assert_close(distance_a.grad, torch.tensor([1.0, -1.0]))
    torch.testing.assert_close(distance_b.grad, torch.tensor([-1.0, 1.0]))


def test_numerical_differences_confirm_the_gradient() -> None:
    distance_a, distance_b, votes_a, votes_b = answers(6, seed=3)
    scale = torch.tensor(5.0, dtype=torch.float64, requires_grad=True)
    margin = torch.full((6,), 0.2, dtype=torch.float64)
    leaves = distance_a.requires_grad_(), distance_b.requires_grad_(), scale
    assert torch.autograd.gradcheck(lambda a, b, s: two_afc_loss(a, b, votes_a, votes_b, s, margin), leaves)


def test_the_widest_gap_at_a_great_scale_overflows_nothing() -> None:
    distance_a = torch.tensor([0.0, 2.0], requires_grad=True)
    loss = two_afc_loss(distance_a, torch.tensor([2.0, 0.0]), torch.ones(2), torch.zeros(2), 1e4)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(1e4)  # nothing for the right answer, 2e4 for the wrong one
    assert torch.isfinite(distance_a.grad).all()

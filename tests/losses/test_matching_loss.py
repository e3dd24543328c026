"""The loss of pairs against a double loop and PyTorch's own cross-entropy, with its written-out gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from lookalike.losses.matching import SAFE_SCALE, symmetric_cross_entropy  # noqa: E402

SCALES = [0.5, 15.0, SAFE_SCALE, SAFE_SCALE + 0.1, 100.0]
"""On both sides of the scale where the formula changes."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def unit_sides(n: int, length: int, seed: int, kind: Any = None) -> tuple[Any, Any]:
    rows = torch.randn(2, n, length, generator=torch.Generator().manual_seed(seed), dtype=kind or torch.float64)
    left, right = torch.nn.functional.normalize(rows, dim=2)
    return left, right


def by_double_loop(left: Any, right: Any, scale: float) -> float:
    """Add up one number at a time."""
    n, loss = len(left), 0.0
    cosine = [[sum(a * b for a, b in zip(x, y, strict=True)) for y in right.tolist()] for x in left.tolist()]
    for i in range(n):
        row = sum(math.exp(scale * cosine[i][j]) for j in range(n))
        column = sum(math.exp(scale * cosine[j][i]) for j in range(n))
        loss -= 0.5 * math.log(math.exp(scale * cosine[i][i]) / row)
        loss -= 0.5 * math.log(math.exp(scale * cosine[i][i]) / column)
    return loss / n


def textbook(left: Any, right: Any, scale: Any) -> Any:
    similar, own = scale * left @ right.T, torch.arange(len(left))
    return (torch.nn.functional.cross_entropy(similar, own) + torch.nn.functional.cross_entropy(similar.T, own)) / 2


def gradients(loss: Callable[..., Any], *values: Any) -> tuple[Any, ...]:
    leaves = [value.clone().requires_grad_() for value in values]
    return torch.autograd.grad(loss(*leaves), leaves)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("n", [1, 2, 7])
def test_agrees_with_a_double_loop(n: int, scale: float) -> None:
    left, right = unit_sides(n, 4, seed=n)
    assert float(symmetric_cross_entropy(left, right, scale)) == pytest.approx(by_double_loop(left, right, scale))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("n", [1, 2, 30])
def test_values_and_gradients_are_those_of_cross_entropy(n: int, scale: float) -> None:
    left, right = unit_sides(n, 6, seed=10 + n)
    learned = torch.tensor(scale, dtype=torch.float64)
    torch.testing.assert_close(symmetric_cross_entropy(left, right, learned), textbook(left, right, learned))
    found, expected = (gradients(loss, left, right, learned) for loss in (symmetric_cross_entropy, textbook))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-12)
    fixed = gradients(lambda x, y: symmetric_cross_entropy(x, y, scale), left, right)
    torch.testing.assert_close(fixed, found[:2])


@pytest.mark.parametrize("scale", SCALES)
def test_float32_is_as_good_as_that_of_cross_entropy(scale: float) -> None:
    left, right = unit_sides(200, 16, seed=3, kind=torch.float32)
    exact = textbook(left.double(), right.double(), scale)
    assert float(symmetric_cross_entropy(left, right, scale)) == pytest.approx(float(exact), rel=1e-5)
    found = gradients(lambda x, y: symmetric_cross_entropy(x, y, scale), left, right)
    expected = gradients(lambda x, y: textbook(x.double(), y.double(), scale), left, right)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scale", [0.7, 15.0, 60.0])
def test_numerical_differences_confirm_the_gradient(scale: float) -> None:
    learned = torch.tensor(scale, dtype=torch.float64, requires_grad=True)
    left, right = unit_sides(5, 3, seed=4)
    leaves = left.requires_grad_(), right.requires_grad_(), learned
    assert torch.autograd.gradcheck(symmetric_cross_entropy, leaves)


def test_the_gradient_is_multiplied_by_what_comes_after() -> None:
    left, right = unit_sides(6, 3, seed=5)
    once = gradients(lambda x, y: symmetric_cross_entropy(x, y, 15.0), left, right)
    thrice = gradients(lambda x, y: 3 * symmetric_cross_entropy(x, y, 15.0), left, right)
    torch.testing.assert_close(thrice, tuple(3 * gradient for gradient in once))


def test_one_side_alone_can_be_learned() -> None:
    left, right = unit_sides(6, 3, seed=6)
    (alone,) = gradients(lambda x: symmetric_cross_entropy(x, right, 15.0), left)
    both = gradients(lambda x, y: symmetric_cross_entropy(x, y, 15.0), left, right)
    torch.testing.assert_close(alone, both[0])


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("n", [1, 2, 9])
def test_equal_rows_cost_the_logarithm_of_their_number(n: int, scale: float) -> None:
    row = torch.nn.functional.normalize(torch.tensor([[1.0, -2.0, 0.5]])).expand(n, 3)
    for right in (row, -row):  # all cosines 1, all -1
        assert float(symmetric_cross_entropy(row, right, scale)) == pytest.approx(math.log(n), abs=1e-5)


@pytest.mark.parametrize("scale", SCALES)
def test_opposite_vectors_overflow_nothing(scale: float) -> None:
    """Rows whose cosines reach from -1 to 1, the wrong ones among them the closest."""
    left = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])
    right = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    exact = by_double_loop(left.double(), right.double(), scale)
    assert float(symmetric_cross_entropy(left, right, scale)) == pytest.approx(exact, rel=1e-5)
    for gradient in gradients(lambda x, y: symmetric_cross_entropy(x, y, scale), left, right):
        assert torch.isfinite(gradient).all()


def test_orthonormal_matches_cost_nothing_at_a_high_scale() -> None:
    assert float(symmetric_cross_entropy(torch.eye(8), torch.eye(8), 200.0)) == pytest.approx(0, abs=1e-6)
    swapped = torch.eye(8).roll(1, 0)
    assert float(symmetric_cross_entropy(torch.eye(8), swapped, 200.0)) == pytest.approx(200, rel=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 6), st.floats(0.1, 80), st.integers(0, 99))
def test_neither_order_nor_side_matters(n: int, length: int, scale: float, seed: int) -> None:
    left, right = unit_sides(n, length, seed)
    loss = float(symmetric_cross_entropy(left, right, scale))
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    assert float(symmetric_cross_entropy(left[order], right[order], scale)) == pytest.approx(loss, abs=1e-9)
    assert float(symmetric_cross_entropy(right, left, scale)) == pytest.approx(loss, abs=1e-9)
    assert -1e-9 <= loss <= math.log(n) + 2 * scale

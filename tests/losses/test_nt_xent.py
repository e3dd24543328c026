"""NT-Xent against a double loop and PyTorch's own cross-entropy; its properties, its gradient, its memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from lookalike.core.errors import InputError  # noqa: E402
from lookalike.losses.contrastive import nt_xent, paired_targets  # noqa: E402

TEMPERATURES = [0.01, 0.05, 0.5, 3.0]
WAYS = [{}, {"chunk": 3}, {"kept": 0}, {"chunk": 3, "kept": 0}]
"""All at once or in chunks, keeping the similarities or computing them again."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def unit_rows(n: int, length: int, seed: int, kind: Any = None) -> Any:
    rows = torch.randn(n, length, generator=torch.Generator().manual_seed(seed), dtype=kind or torch.float64)
    return torch.nn.functional.normalize(rows)


def by_double_loop(rows: Any, targets: Any, temperature: float) -> float:
    """Add up one number at a time, as the formula stands."""
    listed, loss = rows.double().tolist(), 0.0
    for i, one in enumerate(listed):
        logits = [sum(a * b for a, b in zip(one, other, strict=True)) / temperature for other in listed]
        others = [logits[j] for j in range(len(listed)) if j != i]
        top = max(others)
        total = sum(math.exp(value - top) for value in others)
        loss -= logits[int(targets[i])] - top - math.log(total)
    return loss / len(listed)


def textbook(rows: Any, targets: Any, temperature: Any) -> Any:
    logits = (rows @ rows.T / temperature).masked_fill(torch.eye(len(rows), dtype=torch.bool), -torch.inf)
    return torch.nn.functional.cross_entropy(logits, targets)


def gradients(loss: Callable[..., Any], *values: Any) -> tuple[Any, ...]:
    leaves = [value.clone().requires_grad_() for value in values]
    return torch.autograd.grad(loss(*leaves), leaves)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("pairs", [1, 2, 7])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_agrees_with_a_double_loop(pairs: int, temperature: float, way: dict[str, int]) -> None:
    rows, targets = unit_rows(2 * pairs, 4, seed=pairs), paired_targets(pairs)
    exact = by_double_loop(rows, targets, temperature)
    assert float(nt_xent(rows, targets, temperature, **way)) == pytest.approx(exact, abs=1e-9)
    assert float(nt_xent(rows.float(), targets, temperature, **way)) == pytest.approx(exact, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_values_and_gradients_are_those_of_masked_cross_entropy(temperature: float, way: dict[str, int]) -> None:
    rows, targets = unit_rows(22, 6, seed=1), paired_targets(11)
    learned = torch.tensor(temperature, dtype=torch.float64)
    torch.testing.assert_close(nt_xent(rows, targets, learned, **way), textbook(rows, targets, learned))
    found = gradients(lambda x, t: nt_xent(x, targets, t, **way), rows, learned)
    expected = gradients(lambda x, t: textbook(x, targets, t), rows, learned)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_targets_need_not_come_in_pairs(way: dict[str, int]) -> None:
    """Several rows may want the same one, and some none."""
    rows, targets = unit_rows(7, 5, seed=2), torch.tensor([3, 3, 0, 1, 3, 6, 5])
    torch.testing.assert_close(nt_xent(rows, targets, 0.2, **way), textbook(rows, targets, 0.2))
    found = gradients(lambda x: nt_xent(x, targets, 0.2, **way), rows)
    torch.testing.assert_close(found, gradients(lambda x: textbook(x, targets, 0.2), rows))


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_part_of_the_rows_among_all(way: dict[str, int]) -> None:
    """The mean over parts is the loss of the whole, and so is the gradient: what processes rely on."""
    rows, targets, temperature = unit_rows(10, 4, seed=3), paired_targets(5), torch.tensor(0.1, dtype=torch.float64)

    def in_parts(all_rows: Any, learned: Any) -> Any:
        parts = [(0, 4), (4, 8), (8, 10)]
        losses = [
            (end - start) * nt_xent(all_rows[start:end], targets[start:end], learned, all_rows, start, **way)
            for start, end in parts
        ]
        return sum(losses) / 10

    torch.testing.assert_close(in_parts(rows, temperature), nt_xent(rows, targets, temperature))
    found = gradients(in_parts, rows, temperature)
    expected = gradients(lambda x, t: nt_xent(x, targets, t), rows, temperature)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_numerical_differences_confirm_the_gradient(way: dict[str, int]) -> None:
    rows = unit_rows(8, 3, seed=4).requires_grad_()
    temperature = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, t: nt_xent(x, paired_targets(4), t, **way), (rows, temperature))


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("pairs", [1, 2, 9])
def test_equal_similarities_cost_the_logarithm_of_the_others(pairs: int, temperature: float) -> None:
    rows = torch.nn.functional.normalize(torch.tensor([[1.0, -2.0, 0.5]])).expand(2 * pairs, 3)
    loss = float(nt_xent(rows, paired_targets(pairs), temperature))
    assert loss == pytest.approx(math.log(2 * pairs - 1), abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(1, 6), st.sampled_from(TEMPERATURES), st.integers(0, 99))
def test_order_and_halves_do_not_matter(pairs: int, length: int, temperature: float, seed: int) -> None:
    rows, targets = unit_rows(2 * pairs, length, seed), paired_targets(pairs)
    loss = float(nt_xent(rows, targets, temperature))
    order = torch.randperm(2 * pairs, generator=torch.Generator().manual_seed(seed))
    place = torch.empty_like(order)
    place[order] = torch.arange(2 * pairs)
    assert float(nt_xent(rows[order], place[targets[order]], temperature)) == pytest.approx(loss, abs=1e-8)
    assert float(nt_xent(rows.roll(pairs, 0), targets, temperature)) == pytest.approx(loss, abs=1e-8)
    assert -1e-8 <= loss <= math.log(2 * pairs - 1) + 2 / temperature


@pytest.mark.parametrize("pairs", [1, 4, 33])
def test_the_partner_of_the_partner_is_oneself(pairs: int) -> None:
    targets = paired_targets(pairs)
    assert targets[targets].tolist() == list(range(2 * pairs))
    assert targets.dtype == torch.int64


def test_wrong_targets_cost_more() -> None:
    left = unit_rows(6, 8, seed=5)
    rows = torch.nn.functional.normalize(torch.cat([left, left + 0.1 * unit_rows(6, 8, seed=6)]))
    right = float(nt_xent(rows, paired_targets(6), 0.05))
    wrong = float(nt_xent(rows, torch.cat([torch.arange(6).roll(1) + 6, torch.arange(6).roll(1)]), 0.05))
    assert right < 0.1
    assert wrong > right + 5


def test_a_row_that_is_its_own_target_is_refused() -> None:
    with pytest.raises(InputError, match="row 2 is its own target"):
        nt_xent(unit_rows(4, 3, 0), torch.tensor([1, 0, 2, 1]), 0.1)
    with pytest.raises(InputError, match="row 0 is its own target"):
        nt_xent(unit_rows(2, 3, 0), torch.tensor([2, 0]), 0.1, unit_rows(4, 3, 0), first=2)


@pytest.mark.parametrize("temperature", [0.01, 0.001])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_low_temperatures_give_numbers(temperature: float, way: dict[str, int]) -> None:
    """Where partners point away from each other and strangers fall together."""
    rows = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    targets = paired_targets(2)
    loss = nt_xent(rows, targets, temperature, **way)
    assert float(loss) == pytest.approx(2 / temperature, rel=1e-5)
    (gradient,) = gradients(lambda x: nt_xent(x, targets, temperature, **way), rows)
    assert torch.isfinite(gradient).all()


def test_autocast_does_not_lower_the_precision() -> None:
    rows, targets = unit_rows(32, 8, seed=7, kind=torch.float32), paired_targets(16)
    plain = nt_xent(rows, targets, 0.05)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert float(nt_xent(rows, targets, 0.05)) == float(plain)
        assert nt_xent(rows.bfloat16(), targets, 0.05).dtype == torch.float32


def test_the_gradient_is_multiplied_by_what_comes_after() -> None:
    rows, targets = unit_rows(6, 3, seed=8), paired_targets(3)
    once = gradients(lambda x: nt_xent(x, targets, 0.1), rows)
    thrice = gradients(lambda x: 3 * nt_xent(x, targets, 0.1), rows)
    torch.testing.assert_close(thrice, tuple(3 * gradient for gradient in once))


def test_only_a_chunk_of_similarities_is_held() -> None:
    """The largest tensor that is made for 3,000 rows in chunks of 100 has 100 x 3,000 numbers."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):  # type: ignore[misc]
        numbers = 0

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            made = function(*args, **(kwargs or {}))
            self.numbers = max([self.numbers, *(t.numel() for t in [made] if isinstance(t, torch.Tensor))])
            return made

    rows = unit_rows(3000, 8, seed=9, kind=torch.float32).requires_grad_()
    with Largest() as largest:
        nt_xent(rows, paired_targets(1500), 0.05, chunk=100, kept=0).backward()
    assert rows.grad.norm() > 0
    assert largest.numbers == 100 * 3000

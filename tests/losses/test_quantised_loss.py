"""Soft codes and the cross-quantised loss, against plain loops."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from lookalike.losses.quantised import cross_quantised, reconstruction_error, soft_codes  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def some(*shape: int, seed: int = 0) -> Any:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def soft_by_loop(x: Any, books: Any, sharpness: float) -> list[list[float]]:
    length, rows = books.shape[2], []
    for row in x.tolist():
        mixed = []
        for m, book in enumerate(books.tolist()):
            part = row[m * length : (m + 1) * length]
            weights = [
                math.exp(-sharpness * sum((a - b) ** 2 for a, b in zip(part, word, strict=True))) for word in book
            ]
            mixed += [
                sum(w * word[i] for w, word in zip(weights, book, strict=True)) / sum(weights) for i in range(length)
            ]
        rows.append(mixed)
    return rows


def loss_by_loop(x_a: Any, x_b: Any, z_a: Any, z_b: Any, temperature: float) -> float:
    def cosine(one: list[float], other: list[float]) -> float:
        dot = sum(a * b for a, b in zip(one, other, strict=True))
        return dot / math.hypot(*one) / math.hypot(*other)

    total, size = 0.0, len(x_a)
    for first, second in ((x_a, z_b), (x_b, z_a)):
        rows = first.tolist() + second.tolist()
        for i in range(2 * size):
            partner = (i + size) % (2 * size)
            negatives = [j for j in range(2 * size) if j not in (i, partner)]
            assert len(negatives) == 2 * size - 2
            above = math.exp(cosine(rows[i], rows[partner]) / temperature)
            total -= math.log(
                above / (above + sum(math.exp(cosine(rows[i], rows[j]) / temperature) for j in negatives))
            )
    return total / (2 * size)


@pytest.mark.parametrize("sharpness", [0.3, 5.0])
def test_soft_codes_agree_with_a_loop(sharpness: float) -> None:
    x, books = some(6, 12), some(3, 5, 4, seed=1)
    torch.testing.assert_close(
        soft_codes(x, books, sharpness), torch.tensor(soft_by_loop(x, books, sharpness)).double()
    )


def test_infinite_sharpness_gives_the_nearest_word() -> None:
    x, books = some(20, 12), some(3, 5, 4, seed=1)
    nearest = (x.reshape(20, 3, 1, 4) - books).square().sum(3).argmin(2)
    hard = books[torch.arange(3), nearest].reshape(20, 12)
    torch.testing.assert_close(soft_codes(x, books, 1e6), hard)
    assert soft_codes(x, books, 1e-9).allclose(books.mean(1).reshape(-1), atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_loss_agrees_with_a_double_loop(size: int) -> None:
    rows = [some(size, 6, seed=seed) for seed in range(4)]
    assert float(cross_quantised(*rows, 0.5)) == pytest.approx(loss_by_loop(*rows, 0.5), abs=1e-9)


def test_the_loss_is_the_same_for_swapped_views_other_orders_and_other_lengths() -> None:
    x_a, x_b, z_a, z_b = (some(7, 6, seed=seed) for seed in range(4))
    loss = cross_quantised(x_a, x_b, z_a, z_b, 0.5)
    torch.testing.assert_close(cross_quantised(x_b, x_a, z_b, z_a, 0.5), loss)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(9))
    torch.testing.assert_close(cross_quantised(x_a[order], x_b[order], z_a[order], z_b[order], 0.5), loss)
    torch.testing.assert_close(cross_quantised(3 * x_a, x_b, z_a / 7, z_b, 0.5), loss)
    wrong = torch.arange(7).roll(1)
    same = cross_quantised(x_a, x_a, x_a, x_a, 0.1)
    assert cross_quantised(x_a, x_a[wrong], x_a, x_a[wrong], 0.1) > same + 1


def test_gradients_reach_the_map_and_the_words() -> None:
    x, books = some(4, 4).requires_grad_(), some(2, 3, 2, seed=1).requires_grad_()

    def loss(x: Any, books: Any) -> Any:
        z = soft_codes(x, books, 1.0)
        return cross_quantised(x[:2], x[2:], z[:2], z[2:], 0.5) + reconstruction_error(x, z)

    assert torch.autograd.gradcheck(loss, (x, books))


def test_codes_that_lose_nothing_have_no_error() -> None:
    x = some(4, 3)
    assert float(reconstruction_error(x, x)) == 0
    assert float(reconstruction_error(x, torch.zeros_like(x))) == pytest.approx(1)

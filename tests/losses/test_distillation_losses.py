"""What a student is told by its teachers, against plain loops and by what must hold."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from lookalike.core.errors import InputError  # noqa: E402
from lookalike.losses.distillation import embedding_match, neighbour_match, relation_match  # noqa: E402

seeds = st.integers(0, 2**32 - 1)


def rows(seed: int, count: int = 7, dim: int = 4) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(count, dim))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def looped_neighbours(student: np.ndarray, teacher: np.ndarray, temperature: float) -> float:
    total, count = 0.0, len(student)
    for i in range(count):
        others = [j for j in range(count) if j != i]
        p, q = ([math.exp(row[i, j] / temperature) for j in others] for row in (teacher, student))
        p, q = [x / sum(p) for x in p], [x / sum(q) for x in q]
        total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return total / count


@given(seeds, seeds, st.floats(0.05, 2))
@settings(max_examples=25, deadline=None)
def test_losses_equal_plain_loops(one: int, other: int, temperature: float) -> None:
    s, t = rows(one), rows(other)
    similar, wanted = s @ s.T, t @ t.T
    found = float(embedding_match(torch.tensor(s), torch.tensor(t)))
    assert found == pytest.approx(np.mean([1 - s[i] @ t[i] for i in range(7)]), abs=1e-12)
    off = [(similar[i, j] - wanted[i, j]) ** 2 for i in range(7) for j in range(7) if i != j]
    assert float(relation_match(torch.tensor(similar), torch.tensor(wanted))) == pytest.approx(np.mean(off), abs=1e-12)
    ranked = float(neighbour_match(torch.tensor(similar), torch.tensor(wanted), temperature))
    assert ranked == pytest.approx(looped_neighbours(similar, wanted, temperature), abs=1e-9)
    assert ranked >= -1e-12


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_who_agrees_loses_nothing_and_the_diagonal_does_not_count(seed: int) -> None:
    s = torch.tensor(rows(seed))
    similar = s @ s.T
    shifted = similar + 3 * torch.eye(7, dtype=similar.dtype)
    assert float(embedding_match(s, s)) == pytest.approx(0, abs=1e-12)
    for loss in (relation_match, lambda a, b: neighbour_match(a, b, 0.1)):
        assert float(loss(similar, shifted)) == pytest.approx(0, abs=1e-12)
        assert float(loss(shifted, similar)) == pytest.approx(0, abs=1e-12)


def test_gradients_are_right() -> None:
    s = torch.tensor(rows(1, 5), requires_grad=True)
    t = torch.tensor(rows(2, 5))
    wanted = t @ t.T
    for loss in (
        lambda x: embedding_match(x, t),
        lambda x: relation_match(x @ x.T, wanted),
        lambda x: neighbour_match(x @ x.T, wanted, 0.2),
    ):
        assert torch.autograd.gradcheck(loss, (s,))


@pytest.mark.parametrize("loss", [relation_match, lambda a, b: neighbour_match(a, b, 0.1)])
def test_one_picture_has_no_relations(loss: object) -> None:
    with pytest.raises(InputError, match="two at least"):
        loss(torch.ones(1, 1), torch.ones(1, 1))  # type: ignore[operator]

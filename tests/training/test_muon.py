"""Muon: steps are orthogonal, as long as said, and remembered with those of the optimiser for the rest."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from lookalike.training.muon import Muon, orthogonal  # noqa: E402


@pytest.mark.parametrize("shape", [(5, 5), (4, 30), (30, 4), (1, 7)])
def test_singular_values_come_near_one_and_vectors_stay(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    kept = values > values[0] / 50  # what is hardly there comes up more slowly
    turned = torch.diagonal(left.T @ orthogonal(matrix) @ right.T)
    assert ((turned[kept] > 0.6) & (turned[kept] < 1.3)).all()
    others = left.T @ orthogonal(matrix) @ right.T - torch.diag(turned)
    assert others.abs().max() < 1e-4


def test_nothing_is_turned_into_nothing() -> None:
    assert not orthogonal(torch.zeros(3, 4)).any()


def test_step_is_as_a_plain_reckoning() -> None:
    draws = torch.Generator().manual_seed(1)
    weight = torch.nn.Parameter(torch.randn(6, 2, 3, 1, generator=draws))
    expected, mean = weight.detach().clone(), torch.zeros(6, 2, 3, 1)
    muon = Muon([weight], torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0), 0.1, 0.9, weight_decay=0.5)
    for _ in range(3):
        weight.grad = torch.randn(6, 2, 3, 1, generator=draws)
        mean = 0.9 * mean + 0.1 * weight.grad
        ahead = 0.1 * weight.grad + 0.9 * mean
        expected = expected * (1 - 0.1 * 0.5) - 0.1 * orthogonal(ahead.reshape(6, 6)).reshape(6, 2, 3, 1)
        muon.step()
        assert torch.allclose(weight, expected, atol=1e-5)


def test_long_matrices_step_further_down_than_across() -> None:
    tall, wide = (torch.nn.Parameter(torch.zeros(shape)) for shape in ((8, 2), (2, 8)))
    muon = Muon([tall, wide], torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0), lr=1.0)
    tall.grad = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    wide.grad = tall.grad.T.clone()
    muon.step()
    assert torch.allclose(tall, 2 * wide.T, atol=1e-5)


def test_rates_of_both_are_set_in_one_place_and_both_are_remembered() -> None:
    matrix, vector = torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(2))
    rest = torch.optim.AdamW([vector], lr=1.0)
    muon = Muon([matrix], rest, lr=1.0)
    matrix.grad, vector.grad = torch.ones(2, 2), torch.ones(2)
    for group in muon.param_groups:
        group["lr"] = 0.0
    muon.step()
    assert matrix.eq(1).all()
    assert vector.eq(1).all()
    assert set(muon.state[matrix]) == {"momentum"}
    assert {"exp_avg", "exp_avg_sq", "step"} <= set(muon.state[vector])
    muon.zero_grad()
    assert matrix.grad is None
    assert vector.grad is None


def test_a_network_learns_faster_than_by_adamw_alone() -> None:
    pictures = torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(2))

    def left(by_muon: bool) -> float:
        torch.manual_seed(3)
        network, teacher = (
            torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.Hardswish(), torch.nn.Conv2d(16, 16, 3))
            for _ in range(2)
        )
        with torch.no_grad():
            said = teacher(pictures)
        kernels = [value for value in network.parameters() if value.ndim == 4]
        rest = [value for value in network.parameters() if value.ndim < 4]
        adamw = torch.optim.AdamW(rest if by_muon else network.parameters(), lr=2e-3)
        optimiser = Muon(kernels, adamw) if by_muon else adamw
        for _ in range(40):
            loss = (network(pictures) - said).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return float(loss.detach() / said.var())

    assert left(True) < left(False)

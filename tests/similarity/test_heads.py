"""Ranking heads against plain loops, in NumPy and in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.similarity.heads import HEADS

IMAGES, LENGTH = 9, 4


def drawn(rows: int, head: str) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    places = np.array([rng.choice(IMAGES, 3, replace=False) for _ in range(rows)]).T
    weights = {name: rng.normal(size=value.shape) for name, value in HEADS[head].start(LENGTH, rng).items()}
    return rng.normal(size=(IMAGES, LENGTH)), places, weights


def plainly(head: str, z: np.ndarray, r: int, a: int, b: int, weights: dict[str, np.ndarray]) -> float:
    if head == "concatenated":
        outputs = weights["head"] @ np.concatenate([z[r], z[a], z[b]]) + weights["head_bias"]
        return float(outputs[0] - outputs[1])
    return sum(
        w * one * (other - third) for w, one, other, third in zip(weights["head"], z[r], z[a], z[b], strict=True)
    )


@pytest.mark.parametrize("rows", [3, 200], ids=["few-rows", "more-rows-than-pairs-of-images"])
@pytest.mark.parametrize("head", HEADS)
def test_log_odds_are_those_of_a_plain_loop(head: str, rows: int) -> None:
    z, places, weights = drawn(rows, head)
    expected = [plainly(head, z, *place, weights) for place in places.T]
    np.testing.assert_allclose(HEADS[head].formula(z, places, weights), expected, rtol=1e-9)
    torch = pytest.importorskip("torch")
    tensors = {name: torch.tensor(value) for name, value in weights.items()}
    found = HEADS[head].formula(torch.tensor(z), torch.tensor(places), tensors)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("head", HEADS)
def test_only_a_symmetric_head_changes_its_sign_with_the_sides(head: str) -> None:
    z, places, weights = drawn(20, head)
    one, turned = (HEADS[head].formula(z, places[order], weights) for order in ([0, 1, 2], [0, 2, 1]))
    assert np.allclose(one, -turned) == HEADS[head].symmetric


def test_the_antisymmetric_head_begins_as_the_cosine() -> None:
    z, places, _ = drawn(20, "antisymmetric")
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    start = HEADS["antisymmetric"].start(LENGTH, np.random.default_rng(0))
    r, a, b = (z[rows] for rows in places)
    expected = (r * a).sum(axis=1) - (r * b).sum(axis=1)
    np.testing.assert_allclose(HEADS["antisymmetric"].formula(z, places, start), expected, rtol=1e-9)


def test_the_concatenated_head_is_one_layer_with_two_outputs() -> None:
    start = HEADS["concatenated"].start(LENGTH, np.random.default_rng(0))
    assert {name: value.shape for name, value in start.items()} == {"head": (2, 3 * LENGTH), "head_bias": (2,)}
    bound = 1 / np.sqrt(3 * LENGTH)
    assert all(0 < np.abs(value).max() <= bound for value in start.values())

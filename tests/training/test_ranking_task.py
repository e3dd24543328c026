"""The task of a context model against plain PyTorch, and what a training loop does with where it began."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn.functional import cross_entropy, layer_norm, linear  # noqa: E402

from lookalike.similarity.forms import FORMS  # noqa: E402
from lookalike.similarity.heads import HEADS  # noqa: E402
from lookalike.training.adaptation import Trained, train_adaptation  # noqa: E402
from lookalike.training.plan import Plan, TripletOn, untold  # noqa: E402
from lookalike.training.ranking import RankingTask  # noqa: E402

IMAGES, ROWS, LENGTH, WIDTH = 14, 40, 5, 7


def drawn(rows: int = ROWS) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features, triplets (3, n), soft votes and margins."""
    rng = np.random.default_rng(0)
    triplets = np.array([rng.choice(IMAGES, 3, replace=False) for _ in range(rows)]).T
    features = rng.normal(size=(IMAGES, LENGTH)).astype(np.float32)
    return features, triplets, rng.random(rows), rng.random(rows), rng.uniform(0.2, 1, rows).astype(np.float32)


def weights_of(head: str, layer: bool = False) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    found = {**FORMS["residual"].start(WIDTH, LENGTH, rng), **HEADS[head].start(LENGTH, rng)}
    if layer:
        found |= {"gain": rng.uniform(0.5, 2, LENGTH), "shift": rng.normal(size=LENGTH)}
    noisy = {name: value + 0.2 * rng.normal(size=value.shape) for name, value in found.items()}
    return {name: value.astype(np.float32) for name, value in noisy.items()}


def plain_loss(z: Any, head: str, scale: float, weight: float, on: TripletOn, weights: dict[str, Any]) -> float:
    """Say the loss again, row by row, in PyTorch's own words."""
    _, triplets, votes_a, votes_b, margin = drawn()
    total, z = 0.0, torch.nn.functional.normalize(z) if on == "unit" else z
    seen = layer_norm(z, z.shape[1:], weights["gain"], weights["shift"]) if on == "layer" else z
    for (r, a, b), a_votes, b_votes, m in zip(triplets.T, votes_a, votes_b, margin, strict=True):
        if head == "concatenated":
            logits = linear(torch.cat([z[r], z[a], z[b]]), weights["head"], weights["head_bias"])
        else:
            logits = torch.stack([(weights["head"] * z[r]) @ z[a], (weights["head"] * z[r]) @ z[b]])
        gap = ((seen[r] - seen[a]) ** 2).sum() - ((seen[r] - seen[b]) ** 2).sum()
        for order, votes in ((0, a_votes), (1, b_votes)):
            entropy = cross_entropy(scale * logits[None], torch.tensor([order]))
            triplet = torch.relu(m - (2 * order - 1) * gap)
            total += votes * float(entropy + weight * triplet)
    return total / float(votes_a.sum() + votes_b.sum())


@pytest.mark.parametrize("on", ["unit", "plain", "layer"])
@pytest.mark.parametrize("head", ["antisymmetric", "concatenated"])
def test_the_loss_is_the_cross_entropy_and_a_share_of_the_triplet_loss(head: str, on: TripletOn) -> None:
    features, triplets, *columns = drawn()
    weights = {name: torch.tensor(value) for name, value in weights_of(head, layer=True).items()}
    x = torch.tensor(features)
    for weight in (0.0, 0.1, 2.0):
        task = RankingTask(list(triplets), *columns, HEADS[head].formula, weight, on)
        found = task.loss(lambda images: x[images], torch.arange(ROWS), 3.0, weights)
        assert float(found) == pytest.approx(plain_loss(x, head, 3.0, weight, on, weights), rel=1e-5)


def test_a_batch_is_the_loss_of_its_rows_alone() -> None:
    features, triplets, *columns = drawn()
    weights = {name: torch.tensor(value) for name, value in weights_of("antisymmetric").items()}
    formula, x = HEADS["antisymmetric"].formula, torch.tensor(features)
    some = np.array([3, 17, 4])
    whole = RankingTask(list(triplets), *columns, formula, 0.1, "unit")
    part = RankingTask(list(triplets[:, some]), *(column[some] for column in columns), formula, 0.1, "unit")
    both = [
        task.loss(lambda images: x[images], rows, 3.0, weights)
        for task, rows in ((whole, torch.tensor(some)), (part, torch.arange(3)))
    ]
    assert float(both[0]) == pytest.approx(float(both[1]), rel=1e-6)


def train(**changes: Any) -> Trained:
    features, triplets, *columns = drawn()
    plan: dict[str, Any] = {
        "epochs": 30,
        "batch": 0,
        "learning_rate": 0.02,
        "weight_decay": 0.0,
        "scale": 3.0,
        "learn_scale": False,
        "dropout": 0.0,
        "train_rows": np.arange(30),
        "validation_rows": np.arange(0),
        "patience": 3,
        "seed": 0,
    }
    task = RankingTask(list(triplets), *columns, HEADS["antisymmetric"].formula, 0.1, "unit")
    return train_adaptation(
        FORMS["residual"].formula, weights_of("antisymmetric"), [features], task, Plan(**{**plan, **changes}), untold
    )


def moved(trained: Trained) -> float:
    start = weights_of("antisymmetric")
    return sum(float(((trained.weights[name] - value) ** 2).sum()) for name, value in start.items())


def test_a_pull_keeps_weights_where_they_began() -> None:
    ways = [moved(train(pull=pull)) for pull in (0.0, 10.0, 1000.0)]
    assert ways[0] > 2 * ways[1] > 4 * ways[2] > 0


def test_more_rows_move_weights_further_against_the_same_pull() -> None:
    few, many = (moved(train(pull=20.0, train_rows=np.tile(np.arange(10), times))) for times in (1, 20))
    assert many > 2 * few


def test_the_told_loss_is_without_the_pull() -> None:
    first = [train(pull=pull, epochs=2).history[0]["loss"] for pull in (0.0, 1000.0)]
    assert first[0] == first[1]


def test_the_last_weights_are_kept_where_that_is_wanted() -> None:
    split = {"train_rows": np.arange(8), "validation_rows": np.arange(20, 40), "epochs": 40, "learning_rate": 0.1}
    best, last = train(**split), train(**split, keep="last")
    held = [epoch["validation_loss"] for epoch in last.history]
    assert len(last.history) == 40 > len(best.history)
    assert min(held) < held[-1]
    assert any((best.weights[name] != last.weights[name]).any() for name in best.weights)
    without = train(train_rows=np.arange(8), epochs=40, learning_rate=0.1)
    for name, value in without.weights.items():
        np.testing.assert_array_equal(value, last.weights[name])

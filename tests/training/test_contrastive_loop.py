"""The contrastive loop: beside a plain one, with every objective, and what it keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lookalike.losses.contrastive import nt_xent, paired_targets  # noqa: E402
from lookalike.similarity.projections import linear  # noqa: E402
from lookalike.training.contrastive import HeldThings, finding_loss, train_contrastive  # noqa: E402
from lookalike.training.contrastive_plan import ContrastivePlan  # noqa: E402
from lookalike.training.objectives import Classes, Curriculum, NTXent, Objective, SemiHard  # noqa: E402
from lookalike.training.plan import Epoch, untold  # noqa: E402
from lookalike.training.things import Things, batches  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

LATENT, NUISANCE, THINGS, PICTURES = 6, 10, 120, 4
NONE = np.zeros(0, np.int64)
PLAN = ContrastivePlan(
    epochs=8,
    batch=32,
    whole_batches=False,
    pairing="any",
    optimiser="adamw",
    learning_rate=0.02,
    weight_decay=0.0,
    cosine=True,
    pull=0.0,
    train_things=np.arange(90),
    held_things=np.arange(90, THINGS),
    patience=8,
    seed=0,
)


@pytest.fixture(scope="module")
def world() -> tuple[np.ndarray, Things]:
    """Pictures that share a latent with the others of their thing, under a larger nuisance of their own."""
    rng = np.random.default_rng(0)
    latent = np.repeat(rng.normal(size=(THINGS, LATENT)), PICTURES, axis=0)
    nuisance = 2 * rng.normal(size=(len(latent), NUISANCE))
    rows = np.hstack([latent + 0.1 * rng.normal(size=latent.shape), nuisance]).astype(np.float32)
    rows = rows @ np.linalg.qr(rng.normal(size=(16, 16)))[0].astype(np.float32)
    every = np.arange(len(rows))
    views = every[every % PICTURES > 0]
    return rows, Things.of(views - views % PICTURES, views, every // PICTURES)


def start(extra: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"map": np.eye(16, dtype=np.float32), **(extra or {})}


def trained(world: tuple[np.ndarray, Things], objective: Objective, plan: ContrastivePlan, **extra: Any) -> Any:
    rows, things = world
    held = HeldThings(rows, things, plan)
    return train_contrastive(linear, start(extra), rows, things, objective, plan, held, untold)


def found(world: tuple[np.ndarray, Things], weights: dict[str, Any]) -> float:
    loss = HeldThings(*world, PLAN).loss(linear, weights)
    assert loss is not None
    return loss


@pytest.mark.parametrize("loss", ["nt-xent", "semi-hard", "curriculum", "classes"])
def test_every_objective_finds_things_it_has_not_seen(world: tuple[np.ndarray, Things], loss: str) -> None:
    rows, things = world
    extra: dict[str, Any] = {}
    if loss == "curriculum":
        sides = things.draw(np.arange(90), "any", np.random.default_rng(0))
        objective: Objective = Curriculum(*(torch.from_numpy(rows[side]) for side in sides), 3, 1.0)
    elif loss == "classes":
        means = rows.reshape(THINGS, PICTURES, 16).mean(axis=1)
        objective, extra = Classes(), {"classes": means, "log_scale": np.array(2.0, np.float32)}
    else:
        objective = NTXent(0.1) if loss == "nt-xent" else SemiHard(1.0)
    plan = replace(PLAN, epochs=20, patience=20) if loss in ("classes", "curriculum") else PLAN
    done = trained(world, objective, plan, **extra)
    assert done.weights.keys() == start(extra).keys()
    assert found(world, done.weights) < 0.85 * found(world, start())
    losses = [one["validation_loss"] for one in done.history]
    assert found(world, done.weights) == pytest.approx(min(losses), rel=1e-5)


def test_steps_are_those_of_a_plain_loop(world: tuple[np.ndarray, Things]) -> None:
    """Gradient descent with momentum and decay, on the same batches, written without the loop's parts."""
    rows, things = world
    plan = replace(
        PLAN, epochs=3, optimiser="sgd", cosine=False, weight_decay=0.01, held_things=NONE, learning_rate=0.1
    )
    done = trained(world, NTXent(0.2), plan)
    network, rng = torch.nn.Linear(16, 16, bias=False), np.random.default_rng([0, 0])
    with torch.no_grad():
        network.weight.copy_(torch.eye(16))
    optimiser = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9, weight_decay=0.01)
    for _ in range(3):
        for numbers in batches(plan.train_things, plan.batch, False, rng):
            left, right = things.draw(numbers, "any", rng)
            mapped = torch.nn.functional.normalize(network(torch.from_numpy(rows[np.concatenate([left, right])])))
            loss = nt_xent(mapped, paired_targets(len(numbers)), 0.2)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    np.testing.assert_allclose(done.weights["map"], network.weight.detach().numpy(), atol=1e-5)
    assert [one["validation_loss"] for one in done.history] == [None] * 3


def test_the_same_seed_gives_the_same_weights(world: tuple[np.ndarray, Things]) -> None:
    plan = replace(PLAN, epochs=2)
    first, second = (trained(world, NTXent(0.1), plan).weights["map"] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (trained(world, NTXent(0.1), replace(plan, seed=1)).weights["map"] != first).any()


def test_what_does_harm_is_not_kept(world: tuple[np.ndarray, Things]) -> None:
    """The first weights stay, and it stops after its patience."""
    rows, things = world
    plan, told = replace(PLAN, patience=2), list[Epoch]()

    class Worse:
        """Held-out pictures that fare worse with every pass."""

        calls = 0

        def loss(self, formula: Any, weights: Any) -> float:
            self.calls += 1
            return float(self.calls)

    done = train_contrastive(linear, start(), rows, things, NTXent(0.1), plan, Worse(), told.append)
    np.testing.assert_array_equal(done.weights["map"], start()["map"])
    assert [one.epoch for one in told] == [1, 2]


def test_a_pull_holds_weights_near_their_start(world: tuple[np.ndarray, Things]) -> None:
    plan = replace(PLAN, held_things=NONE, epochs=3)
    free, held = (trained(world, NTXent(0.1), replace(plan, pull=pull)).weights["map"] for pull in (0.0, 1e5))
    assert np.abs(held - np.eye(16)).sum() < 0.9 * np.abs(free - np.eye(16)).sum()


def test_bounds_of_a_curriculum_relax_as_it_goes_on(world: tuple[np.ndarray, Things]) -> None:
    rows, things = world
    left, right = (torch.from_numpy(rows[side]) for side in things.draw(np.arange(90), "any", np.random.default_rng(0)))
    curriculum = Curriculum(left, right, 4, 1.0)
    stages = [curriculum.bounds(done) for done in (0.0, 0.24, 0.25, 0.5, 0.75, 0.999)]
    assert stages[0] == stages[1]
    assert stages[4] == stages[5]
    positive, negative = zip(*((one.positive, one.negative) for one in stages), strict=True)
    assert list(positive) == sorted(positive)
    assert list(negative) == sorted(negative, reverse=True)
    assert positive[0] < positive[2] < positive[5]


def test_finding_does_not_depend_on_how_far_distances_are_spread() -> None:
    rng = torch.Generator().manual_seed(0)
    sides = torch.randn(2, 50, 8, generator=rng)
    near = sides[0] + 0.5 * sides[1]
    exact, targets = finding_loss(near, sides[0], torch.arange(50)), torch.arange(50)
    assert finding_loss(3 * near, 0.1 * sides[0], targets) == pytest.approx(exact, rel=1e-5)
    assert finding_loss(near.flip(0), sides[0], targets) > exact
    assert exact < finding_loss(torch.ones(50, 8), sides[0], targets)

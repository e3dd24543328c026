"""The training loop against a plain PyTorch loop with textbook losses, and what it draws, stops and tells."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn.functional import binary_cross_entropy_with_logits, cosine_similarity, cross_entropy  # noqa: E402

from lookalike.core.lanes import in_lanes  # noqa: E402
from lookalike.similarity.forms import FORMS  # noqa: E402
from lookalike.training.adaptation import Trained, train_adaptation  # noqa: E402
from lookalike.training.plan import Epoch, Ops, Plan, untold  # noqa: E402
from lookalike.training.tasks import JudgmentTask, PairTask, Task  # noqa: E402
from lookalike.training.threads import share_of_threads  # noqa: E402

LENGTH, WIDTH = 6, 10
NONE = np.arange(0)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def a_plan(rows: int, **changes: Any) -> Plan:
    settings: dict[str, Any] = {
        "epochs": 5,
        "batch": 0,
        "learning_rate": 1e-2,
        "weight_decay": 0.02,
        "scale": 12.0,
        "learn_scale": True,
        "dropout": 0.0,
        "train_rows": np.arange(rows),
        "validation_rows": NONE,
        "patience": 3,
        "seed": 0,
    }
    return Plan(**{**settings, **changes})


def some_views(images: int, count: int = 2) -> list[np.ndarray]:
    views = np.random.default_rng(0).normal(size=(count, images, LENGTH)).astype(np.float32)
    return list(views / np.linalg.norm(views, axis=2, keepdims=True))


def some_judgments(images: int, rows: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """References and candidates, soft votes, margins."""
    rng = np.random.default_rng(1)
    triplets = np.array([rng.choice(images, 3, replace=False) for _ in range(rows)])
    return list(triplets.T), rng.random(rows), rng.random(rows), rng.random(rows) / 5


def start_of(form: str, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    # Away from the zeros some arrays start with: there, half of the gradients would be zero too.
    return {
        name: value + rng.normal(0, 0.1, value.shape).astype(np.float32)
        for name, value in FORMS[form].start(WIDTH, LENGTH, rng).items()
    }


def forward(form: str, x: Any, weights: Mapping[str, Any]) -> Any:
    """Say the published formulas again, in PyTorch's own words."""
    if form == "original":
        return torch.relu(torch.nn.functional.linear(x, weights["map"]))
    if form == "peterson":
        return x * torch.relu(weights["weights"])
    hidden = torch.relu(torch.nn.functional.linear(x, weights["inner"], weights["bias"]))
    return x + torch.nn.functional.linear(hidden, weights["outer"])


def pair_loss(mapped: Any, left: Any, right: Any, scale: Any) -> Any:
    similar = scale * cosine_similarity(mapped[left][:, None], mapped[right][None], dim=2)
    own = torch.arange(len(left))
    return (cross_entropy(similar, own) + cross_entropy(similar.T, own)) / 2


def judgment_loss(mapped: Any, images: Any, votes_a: Any, votes_b: Any, margin: Any, scale: Any) -> Any:
    reference, a, b = (mapped[rows] for rows in images)
    gap = cosine_similarity(reference, a) - cosine_similarity(reference, b)
    one, none = torch.ones(len(gap)), torch.zeros(len(gap))
    for_a = binary_cross_entropy_with_logits(scale * (gap - margin), one, reduction="none")
    for_b = binary_cross_entropy_with_logits(scale * (gap + margin), none, reduction="none")
    return (votes_a * for_a + votes_b * for_b).sum() / (votes_a + votes_b).sum()


def plain_loop(
    form: str, views: list[np.ndarray], loss_of: Any, plan: Plan
) -> tuple[dict[str, Any], float, list[float]]:
    weights = {name: torch.tensor(value, requires_grad=True) for name, value in start_of(form).items()}
    log_scale = torch.tensor(math.log(plan.scale), requires_grad=True)
    optimisers = [torch.optim.AdamW(list(weights.values()), lr=plan.learning_rate, weight_decay=plan.weight_decay)]
    if plan.learn_scale:  # a scale pulled towards 1 would be no regulariser
        optimisers.append(torch.optim.AdamW([log_scale], lr=plan.learning_rate, weight_decay=0.0))
    losses = []
    for _ in range(plan.epochs):
        loss = sum(loss_of(forward(form, torch.tensor(view), weights), log_scale.exp()) for view in views) / len(views)
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
        losses.append(loss.item())
    return {name: value.detach().numpy() for name, value in weights.items()}, log_scale.exp().item(), losses


def agrees(trained: Trained, expected: tuple[dict[str, Any], float, list[float]]) -> None:
    weights, scale, losses = expected
    assert trained.weights.keys() == weights.keys()
    for name, value in weights.items():
        np.testing.assert_allclose(trained.weights[name], value, atol=1e-5, err_msg=name)
        assert trained.weights[name].dtype == np.float32
    assert trained.scale == pytest.approx(scale, rel=1e-5)
    assert [epoch["loss"] for epoch in trained.history] == pytest.approx(losses, rel=1e-4)


@pytest.mark.parametrize("learn_scale", [True, False])
@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("form", ["original", "peterson", "residual"])
def test_pairs_as_a_plain_loop_would(form: str, views: int, learn_scale: bool) -> None:
    rows = some_views(40, views)
    left, right = np.random.default_rng(2).permutation(40).reshape(2, 20)
    plan = a_plan(20, learn_scale=learn_scale)
    trained = train_adaptation(FORMS[form].formula, start_of(form), rows, PairTask(left, right), plan, untold)
    agrees(trained, plain_loop(form, rows, lambda mapped, scale: pair_loss(mapped, left, right, scale), plan))
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]


@pytest.mark.parametrize(("images", "rows"), [(30, 50), (6, 80)], ids=["few-rows", "more-rows-than-pairs-of-images"])
@pytest.mark.parametrize("form", ["original", "peterson", "residual"])
def test_judgments_as_a_plain_loop_would(form: str, images: int, rows: int) -> None:
    views, answers = some_views(images), some_judgments(images, rows)
    tensors = [torch.tensor(column, dtype=torch.float32) for column in answers[1:]]
    plan = a_plan(rows, scale=4.0)
    trained = train_adaptation(FORMS[form].formula, start_of(form), views, JudgmentTask(*answers), plan, untold)
    expected = plain_loop(form, views, lambda mapped, scale: judgment_loss(mapped, answers[0], *tensors, scale), plan)
    agrees(trained, expected)
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]


def on_pairs(form: str = "residual", images: int = 40, views: int = 1, **changes: Any) -> Trained:
    task = PairTask(np.arange(images // 2), np.arange(images // 2, images))
    plan = a_plan(images // 2, **changes)
    return train_adaptation(FORMS[form].formula, start_of(form), some_views(images, views), task, plan, untold)


def same(one: Trained, other: Trained) -> bool:
    return one.history == other.history and all(
        np.array_equal(one.weights[name], other.weights[name]) for name in one.weights
    )


@pytest.mark.parametrize("changes", [{"dropout": 0.4}, {"batch": 7}, {"dropout": 0.4, "batch": 7}])
def test_chance_is_of_the_seed_alone(changes: dict[str, Any]) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = on_pairs(**changes)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert same(on_pairs(**changes), first)
    assert not same(on_pairs(**changes, seed=1), first)


def test_without_dropout_and_batches_the_seed_changes_nothing() -> None:
    assert same(on_pairs(seed=0), on_pairs(seed=1))


def test_what_is_given_stays_as_it_is() -> None:
    start, views = start_of("original"), some_views(10)
    before = [value.copy() for value in (*start.values(), *views)]
    train_adaptation(
        FORMS["original"].formula, start, views, PairTask(np.arange(5), np.arange(5, 10)), a_plan(5), untold
    )
    for value, old in zip((*start.values(), *views), before, strict=True):
        np.testing.assert_array_equal(value, old)


def test_the_loss_is_the_mean_over_views() -> None:
    first, second = some_views(20)
    task, plan = PairTask(np.arange(10), np.arange(10, 20)), a_plan(10, epochs=1)

    def loss(*views: np.ndarray) -> float:
        trained = train_adaptation(FORMS["original"].formula, start_of("original"), views, task, plan, untold)
        return float(trained.history[0]["loss"])

    assert loss(first) != pytest.approx(loss(second), rel=1e-3)
    assert loss(first, second) == pytest.approx((loss(first) + loss(second)) / 2, rel=1e-6)
    assert loss(first, first, second) == pytest.approx((2 * loss(first) + loss(second)) / 3, rel=1e-6)


@pytest.mark.parametrize("learning_rate", [1e-3, 2.0])
def test_a_learned_scale_stays_positive(learning_rate: float) -> None:
    trained = on_pairs(epochs=20, learning_rate=learning_rate)
    scales = [epoch["scale"] for epoch in trained.history]
    assert min(scales) > 0
    assert len(set(scales)) == 20
    assert trained.scale == scales[-1] != 12.0
    assert all(math.isfinite(epoch["loss"]) for epoch in trained.history)
    fixed = on_pairs(epochs=3, learn_scale=False)
    assert {epoch["scale"] for epoch in fixed.history} == {fixed.scale}
    assert fixed.scale == pytest.approx(12.0)


class Recorder:
    """A task that writes down the rows it is asked for, and whose loss is the angle between what it gets and a target.

    An image is one number, its target; the map turns by one learned angle, whatever the image.
    """

    def __init__(self) -> None:
        self.rows: list[list[int]] = []
        self.mapped: list[Any] = []

    def loss(self, embed: Any, rows: Any, scale: Any, weights: Any) -> Any:
        self.rows.append(rows.tolist())
        self.mapped.append(embed(rows))
        return 1 - self.mapped[-1][:, 0].mean()


def turn(x: Any, weights: Mapping[str, Any], ops: Ops) -> Any:
    apart = weights["angle"] - x[:, 0]
    return torch.stack([torch.cos(apart), torch.sin(apart)], dim=1)


def train_turn(targets: list[float], **changes: Any) -> tuple[Trained, Recorder]:
    task: Task = Recorder()
    start, views = {"angle": np.zeros(1, np.float32)}, [np.array(targets, np.float32)[:, None]]
    plan = a_plan(len(targets), **{"learning_rate": 0.05, "weight_decay": 0.0, "learn_scale": False, **changes})
    return train_adaptation(turn, start, views, task, plan, untold), task  # type: ignore[return-value]


def test_every_epoch_deals_all_rows_to_batches_of_about_one_size() -> None:
    _, task = train_turn([0.5] * 23, epochs=3, batch=5, train_rows=np.arange(3, 23))
    epochs = [task.rows[at : at + 4] for at in range(0, len(task.rows), 4)]
    assert len(epochs) == 3
    for batches in epochs:
        assert [len(batch) for batch in batches] == [5] * 4
        assert sorted(row for batch in batches for row in batch) == list(range(3, 23))
    assert epochs[0] != epochs[1]
    _, uneven = train_turn([0.5] * 23, epochs=1, batch=10)
    assert [len(batch) for batch in uneven.rows] == [8, 8, 7]
    _, whole = train_turn([0.5] * 23, epochs=2, batch=50)
    assert whole.rows == [list(range(23))] * 2


def test_early_stopping_gives_back_the_best_weights() -> None:
    """Training goes to 1.5; validation is best on the way, at 0.3."""
    split = {"train_rows": np.array([0, 1]), "validation_rows": np.array([2])}
    trained, task = train_turn([1.5, 1.5, 0.3], epochs=60, patience=4, **split)
    held = [epoch["validation_loss"] for epoch in trained.history]
    best = int(np.argmin(held))
    assert 3 <= best <= 9
    assert len(held) == best + 1 + 4
    assert 1 - math.cos(float(trained.weights["angle"][0]) - 0.3) == pytest.approx(held[best], abs=1e-6)
    assert task.rows == [[0, 1], [2]] * len(held)
    to_the_end, _ = train_turn([1.5, 1.5, 0.3], epochs=best + 3, patience=4, **split)
    np.testing.assert_array_equal(to_the_end.weights["angle"], trained.weights["angle"])
    all_rows, _ = train_turn([1.5, 1.5], epochs=60)
    assert len(all_rows.history) == 60
    assert float(all_rows.weights["angle"][0]) > 1.2


def test_patience_starts_anew_with_every_improvement() -> None:
    trained, _ = train_turn([0.5, 0.5], epochs=8, patience=1, train_rows=np.array([0]), validation_rows=np.array([1]))
    assert len(trained.history) == 8  # it improves every time, on the way to 0.5


def test_the_scale_of_the_best_epoch_comes_back_too() -> None:
    split = {"train_rows": np.arange(12), "validation_rows": np.arange(12, 20)}
    trained = on_pairs("original", epochs=40, learning_rate=0.1, patience=3, **split)
    held = [epoch["validation_loss"] for epoch in trained.history]
    assert len(held) < 40
    assert trained.scale == trained.history[int(np.argmin(held))]["scale"]


def test_dropout_leaves_out_its_share_and_scales_the_rest() -> None:
    task = Recorder()
    seen: list[Any] = []

    def dropped(x: Any, weights: Mapping[str, Any], ops: Ops) -> Any:
        seen.append(ops.drop(x).detach())
        return turn(x, weights, ops)

    start, views = {"angle": np.zeros(1, np.float32)}, [np.ones((4000, 3), np.float32)]
    plan = a_plan(3000, dropout=0.25, epochs=2, train_rows=np.arange(3000), validation_rows=np.arange(3000, 4000))
    train_adaptation(dropped, start, views, task, plan, untold)
    training, validation = seen[::2], seen[1::2]
    for rows in training:
        assert rows.unique().tolist() == pytest.approx([0, 4 / 3])
        assert float((rows == 0).float().mean()) == pytest.approx(0.25, abs=0.02)
    assert not torch.equal(*training)
    assert all((rows == 1).all() for rows in validation)


def test_every_epoch_is_told_as_it_stands_in_the_history() -> None:
    told: list[Epoch] = []
    split = {"train_rows": np.arange(12), "validation_rows": np.arange(12, 20)}
    plan = a_plan(20, epochs=3, batch=5, **split)
    task = PairTask(np.arange(20), np.arange(20, 40))
    trained = train_adaptation(
        FORMS["original"].formula, start_of("original"), some_views(40), task, plan, told.append, member=2
    )
    assert [asdict(epoch) for epoch in told] == trained.history
    assert [(epoch.member, epoch.epoch, epoch.epochs) for epoch in told] == [(2, 1, 3), (2, 2, 3), (2, 3, 3)]
    assert all(epoch.validation_loss is not None and epoch.validation_loss > 0 for epoch in told)
    without = on_pairs(epochs=2)
    assert [epoch["validation_loss"] for epoch in without.history] == [None, None]


def test_the_loss_told_is_the_mean_over_steps() -> None:
    """With a learning rate of next to nothing, that of every batch can be worked out."""
    targets = [0.0, 0.5, 1.0, 1.5]
    trained, task = train_turn(targets, epochs=2, batch=2, learning_rate=1e-12)
    assert [len(rows) for rows in task.rows] == [2] * 4
    expected = 1 - np.cos(targets).mean()
    assert [epoch["loss"] for epoch in trained.history] == pytest.approx([expected] * 2, abs=1e-6)


def test_a_lane_takes_its_share_of_threads_and_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(6)), raising=False)
    torch.set_num_threads(4)  # `one_thread` puts back what was there

    def work(_: int) -> int:
        with share_of_threads(), share_of_threads():
            return int(torch.get_num_threads())

    assert list(in_lanes(work, range(6), lanes=3)) == [2] * 6
    with ThreadPoolExecutor(1) as later:
        assert later.submit(torch.get_num_threads).result() == torch.get_num_threads() == 4
    with share_of_threads():
        assert torch.get_num_threads() == 4

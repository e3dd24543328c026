"""Fine-tuning on judgments: it learns, goes on where it was cut off, stops in time, and keeps what was asked for."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lookalike.core.errors import InputError, StorageError  # noqa: E402
from lookalike.core.progress import Progress  # noqa: E402
from lookalike.metrics.calibration import fit_temperature  # noqa: E402
from lookalike.similarity.heads import HEADS  # noqa: E402
from lookalike.training import finetune  # noqa: E402
from lookalike.training.checkpoints import Checkpoints, changing  # noqa: E402
from lookalike.training.finetune_settings import finetune_settings  # noqa: E402
from lookalike.training.finetuning import Finetuning  # noqa: E402
from lookalike.training.processes import Processes  # noqa: E402
from lookalike.training.questions import Finetuned, Questions, RankingEpoch, questions_of  # noqa: E402

Make = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("one_thread")
FAST = {"learning_rate": 0.01, "batch": 16, "least_area": 0.6}


class CutError(Exception):
    """Stands for the end of the process."""


def run_of(
    encoder: Any, world: Any, processes: Processes | None = None, rows: int | None = None, **given: Any
) -> Finetuning:
    settings = finetune_settings({**FAST, **given})
    head, split = HEADS[settings.head], world.judgments.split("reference", 4, 0)[0]
    train = split.train_rows[:rows]
    questions = questions_of(world.judgments, train, split.test_rows if settings.validation else train[:0])
    weights = head.start(encoder.spec.dim, np.random.default_rng(settings.seed))
    return Finetuning(encoder, head.formula, weights, world.files, questions, settings, processes or Processes())


def weights_of(run: Finetuning) -> dict[str, Any]:
    return {name: value.clone() for name, value in changing(run._network).items()}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    assert list(one) == list(other)
    return all(torch.equal(value, other[name]) for name, value in one.items())


def right(done: Finetuned, world: Any, which: str = "after") -> float:
    """Return the share of the judgments held out that distances agree with."""
    held, rows = getattr(done, which), world.judgments.split("reference", 4, 0)[0].test_rows
    return float(np.mean((held.distance_a < held.distance_b) == (world.judgments.votes_a[rows] > 0)))


@pytest.mark.parametrize(("kind", "depth"), [("conv", "full"), ("conv", "lora"), ("vit", "full")])
def test_people_who_go_by_colour_are_understood(toy: Make, world: Any, kind: str, depth: str) -> None:
    done = run_of(toy(kind), world, depth=depth, epochs=6).train()
    assert right(done, world, "before") < 0.55
    assert right(done, world) > 0.75
    assert done.history[done.kept - 1]["validation_loss"] == min(epoch["validation_loss"] for epoch in done.history)
    assert done.after is not None
    assert done.after.loss == pytest.approx(done.history[done.kept - 1]["validation_loss"], rel=1e-6)


def test_the_published_mode_learns_too(toy: Make, world: Any) -> None:
    done = run_of(toy(), world, mode="published", triplet_weight=1, epochs=4).train()
    assert done.kept == 4
    assert done.history[-1]["loss"] < done.history[0]["loss"] - 0.02
    assert right(done, world) > right(done, world, "before") + 0.15
    assert [epoch["scale"] for epoch in done.history] == [1.0] * 4


def test_what_is_told(toy: Make, world: Any) -> None:
    told: list[RankingEpoch] = []
    steps: list[Progress] = []
    run = run_of(toy(), world, epochs=2, rows=40)
    done = run.train(None, told.append, steps.append)
    assert [asdict(epoch) for epoch in told] == done.history
    assert [(epoch.epoch, epoch.epochs) for epoch in told] == [(1, 2), (2, 2)]
    assert [(step.done, step.total) for step in steps if step.stage == "training"] == [(n, 6) for n in range(1, 7)]
    assert told[0].scale != told[1].scale
    last, held = told[-1], run.answers(run._questions.validation_rows)
    assert held is not None
    assert last.validation_loss == pytest.approx(held.loss, rel=1e-6)
    votes = run._questions.votes_a[run._questions.validation_rows]
    assert last.accuracy == np.mean((held.squared_a < held.squared_b) == (votes > 0))
    assert last.head_accuracy == np.mean((held.log_odds > 0) == (votes > 0))
    np.testing.assert_allclose(held.squared_a, 2 * held.distance_a, atol=1e-5)  # embeddings of length 1
    assert run.answers(np.zeros(0, np.int64)) is None


@pytest.mark.parametrize("given", [{}, {"depth": "lora", "dropout": 0.2, "keep": "last"}, {"mode": "published"}])
def test_a_training_that_was_cut_off_goes_on_bit_by_bit(
    toy: Make, world: Any, tmp_path: Path, given: dict[str, Any]
) -> None:
    kind = "vit" if "depth" in given else "conv"
    given = {**given, "epochs": 2, "rows": 40, "batch": 40 if "mode" in given else 16, "checkpoint_minutes": 1e-9}
    whole = run_of(toy(kind), world, **given)
    expected = whole.train()
    folder, cuts = tmp_path / "checkpoints", iter([2, 4])

    def cut_at(step: int | None) -> Any:
        def tell(progress: Progress) -> None:
            if step is not None and progress.stage == "training" and progress.done == step:
                raise CutError

        return tell

    for step in cuts:
        with pytest.raises(CutError):
            run_of(toy(kind), world, **given).train(Checkpoints(folder, "this"), on_progress=cut_at(step))
    again = run_of(toy(kind), world, **given)
    steps: list[int] = []
    done = again.train(Checkpoints(folder, "this"), on_progress=lambda p: steps.append(p.done))
    assert steps[0] == 4  # the step that was cut off is taken again
    assert done.history == expected.history
    assert done.kept == expected.kept
    assert same(weights_of(again), weights_of(whole))
    finished = run_of(toy(kind), world, **given)
    assert finished.train(Checkpoints(folder, "this")).history == expected.history
    assert same(weights_of(finished), weights_of(whole))


def test_more_epochs_go_on_from_the_end(toy: Make, world: Any, tmp_path: Path) -> None:
    whole = run_of(toy(), world, epochs=3, rows=40, keep="last")
    expected = whole.train()
    run_of(toy(), world, epochs=2, rows=40, keep="last").train(Checkpoints(tmp_path / "c", "this"))
    again = run_of(toy(), world, epochs=3, rows=40, keep="last")
    done = again.train(Checkpoints(tmp_path / "c", "this"))
    assert [epoch["loss"] for epoch in done.history] == [epoch["loss"] for epoch in expected.history]
    assert same(weights_of(again), weights_of(whole))


def test_the_head_begins_as_sure_as_the_network_is_right(toy: Make, world: Any) -> None:
    suited, given = (run_of(toy(), world, epochs=1, keep="last", rows=48, scale=scale) for scale in (0, 3))
    done, other = suited.train(), given.train()
    assert done.before is not None
    assert other.before is not None
    first = done.before.log_odds[0] / (done.before.distance_b - done.before.distance_a)[0]  # with weights of 1
    assert (other.before.log_odds / (other.before.distance_b - other.before.distance_a))[0] == pytest.approx(
        3, rel=1e-3
    )
    rows = world.judgments.split("reference", 4, 0)[0].train_rows[:48]
    asked = run_of(toy(), world, scale=1).answers(rows)
    assert asked is not None
    votes = world.judgments.votes_a[rows], world.judgments.votes_b[rows]
    fitted = 1 / fit_temperature(asked.distance_a, asked.distance_b, *votes)
    assert first == pytest.approx(fitted if 1 <= fitted <= 100 else 1.0 if fitted < 1 else 10.0, rel=1e-3)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Give validation losses of a list: before training, then after every epoch; note the weights of each."""
    original = finetune.validate

    def play(*losses: float) -> list[dict[str, Any]]:
        seen: list[dict[str, Any]] = []
        left = iter(losses)

        def scripted(network: Any, *rest: Any) -> Any:
            seen.append({name: value.clone() for name, value in changing(network).items()})
            return replace(original(network, *rest), loss=next(left))

        monkeypatch.setattr(finetune, "validate", scripted)
        return seen

    return play


def test_it_stops_early_and_keeps_the_best(toy: Make, world: Any, script: Make) -> None:
    given = {"epochs": 9, "rows": 20, "patience": 2, "scale": 5}
    seen = script(2.0, 1.5, 1.0, 1.2, 1.1, 0.5)
    run = run_of(toy(), world, **given)
    done = run.train()
    assert [epoch["validation_loss"] for epoch in done.history] == [1.5, 1.0, 1.2, 1.1]
    assert done.kept == 2
    assert same(weights_of(run), seen[2])
    seen = script(2.0, 1.5, 1.0, 1.2, 1.1, 0.5)
    last = run_of(toy(), world, keep="last", **given)
    assert last.train().kept == 4
    assert same(weights_of(last), seen[4])


def test_what_training_makes_worse_is_not_kept(toy: Make, world: Any, script: Make) -> None:
    seen = script(1.0, 1.2, 1.1, 1.0)
    run = run_of(toy(), world, epochs=5, rows=20, patience=2, scale=5)
    done = run.train()
    assert (done.kept, len(done.history)) == (0, 2)
    assert same(weights_of(run), seen[0])
    assert not same(seen[0], seen[1])


def test_without_validation_it_goes_to_the_end(toy: Make, world: Any) -> None:
    done = run_of(toy(), world, epochs=2, rows=20, validation=0, keep="last").train()
    assert (done.kept, done.before, done.after) == (2, None, None)
    assert [epoch["validation_loss"] for epoch in done.history] == [None, None]


def test_encoder_and_head_have_rates_of_their_own(toy: Make, world: Any) -> None:
    def moved(**given: Any) -> tuple[bool, bool]:
        run = run_of(toy(), world, epochs=1, rows=16, keep="last", **given)
        before = weights_of(run)
        run.train()
        after = weights_of(run)
        inner, outer = ([n for n in before if n.startswith("encoder.") == own] for own in (True, False))
        step = [max(float((after[n] - before[n]).abs().max()) for n in names) for names in (inner, outer)]
        return step[0] > 1e-4, step[1] > 1e-4

    assert moved(learning_rate=0.01, head_learning_rate=1e-9) == (True, False)
    assert moved(learning_rate=1e-9, head_learning_rate=0.01) == (False, True)


def test_flipped_questions_are_trained_on_and_not_measured(toy: Make, world: Any) -> None:
    steps: list[Progress] = []
    run = run_of(toy(), world, epochs=1, rows=40, flips=True)
    done = run.train(on_progress=steps.append)
    assert max(step.done for step in steps if step.stage == "training") == 5  # 80 rows by 16
    assert done.after is not None
    assert len(done.after.log_odds) == len(run._questions.validation_rows)


def test_every_row_comes_once_in_an_epoch_in_another_order_and_in_views_of_its_own(
    toy: Make, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[Any] = []
    views: list[Any] = []
    original = finetune.question_loss

    def noting(answers: Any, questions: Questions, some: Any, weight: float) -> Any:
        rows.append(some)
        return original(answers, questions, some, weight)

    monkeypatch.setattr(finetune, "question_loss", noting)
    run = run_of(toy(), world, epochs=2, rows=40, batch=8)
    view = run._reader.view
    monkeypatch.setattr(run._reader, "view", lambda *asked: views.append((asked, view(*asked))) or views[-1][1])
    run.train()
    one, two = np.concatenate(rows[:5]), np.concatenate(rows[5:])
    assert [len(some) for some in rows] == [8] * 10
    assert sorted(one) == sorted(two) == sorted(run._questions.train_rows)
    assert one.tolist() != two.tolist()
    asked = [numbers for numbers, _ in views]
    assert len(set(asked)) == len(asked) == 240
    first = {numbers[0]: pixels for numbers, pixels in reversed(views)}
    again = [not np.array_equal(pixels, first[numbers[0]]) for numbers, pixels in views]
    assert np.mean(again) > 0.5


def test_a_loss_that_is_not_finite_is_told(toy: Make, world: Any) -> None:
    run = run_of(toy(), world, epochs=1, rows=16, scale=1)
    run._network.log_scale.data.fill_(float("nan"))
    with pytest.raises(InputError, match="not finite any more in epoch 1: lower learning_rate"):
        run.train()


def test_processes_need_a_question_each(toy: Make, world: Any) -> None:
    run = run_of(toy(), world, Processes(rank=0, count=4), epochs=1, rows=6, batch=3)
    with pytest.raises(InputError, match="4 processes for batches of 3 judgments"):
        run.train()
    with pytest.raises(InputError, match="no judgments to train on"):
        run_of(toy(), world, epochs=1, rows=0).train()


def test_checkpoints_of_another_training_and_damaged_ones_are_refused(
    toy: Make, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, given = tmp_path / "c", {"epochs": 1, "rows": 16}
    run_of(toy(), world, **given).train(Checkpoints(folder, "this"))
    with pytest.raises(InputError, match=r"another training: .* begin anew with --replace"):
        run_of(toy(), world, **given).train(Checkpoints(folder, "that"))
    with pytest.raises(InputError, match=r"cannot go on from .*damaged"):
        run_of(toy("vit"), world, **given).train(Checkpoints(folder, "this"))
    whole = (folder / "last.safetensors").read_bytes()

    def full_disk(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("lookalike.training.checkpoints.save_file", full_disk)
        with pytest.raises(StorageError, match="No space left"):
            run_of(toy(), world, epochs=2, rows=16).train(Checkpoints(folder, "this"))
    assert (folder / "last.safetensors").read_bytes() == whole
    assert sorted(path.name for path in folder.iterdir()) == ["best.safetensors", "last.safetensors"]
    (folder / "last.safetensors").write_bytes(whole[:-100])
    with pytest.raises(InputError, match=r"cannot go on from .*damaged.*begin anew with --replace"):
        run_of(toy(), world, **given).train(Checkpoints(folder, "this"))
    (folder / "last.safetensors").write_bytes(whole)
    (folder / "best.safetensors").unlink()
    with pytest.raises(InputError, match=r"cannot go on from .*best\.safetensors.*begin anew"):
        run_of(toy(), world, **given).train(Checkpoints(folder, "this"))
    Checkpoints(folder, "this").remove()
    assert not folder.exists()


def test_global_random_numbers_are_left_alone(toy: Make, world: Any) -> None:
    encoder = copy.copy(toy("vit"))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run_of(encoder, world, depth="lora", mode="published", epochs=1, rows=16).train()
    assert torch.equal(torch.rand(3), expected)

"""Training to match: it learns, goes on where it was cut off, and several processes see one batch."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from lookalike.core.errors import InputError  # noqa: E402
from lookalike.core.progress import Progress  # noqa: E402
from lookalike.losses.contrastive import nt_xent, paired_targets  # noqa: E402
from lookalike.training import matching_task  # noqa: E402
from lookalike.training.checkpoints import Checkpoints, changing  # noqa: E402
from lookalike.training.matching import Matching  # noqa: E402
from lookalike.training.matching_measures import Found  # noqa: E402
from lookalike.training.matching_objectives import Curriculum, NTXent, pixel_distances  # noqa: E402
from lookalike.training.matching_settings import matching_settings  # noqa: E402
from lookalike.training.matching_things import (  # noqa: E402
    dealt_things,
    pictured_things,
    queries_about,
)
from lookalike.training.processes import Processes, joined_processes  # noqa: E402
from lookalike.training.questions import Trained  # noqa: E402

Make = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("one_thread")

DARKER = {"area": None, "jitter": [0.7, 0, 0, 0], "jitter_share": 1, "grey": 0, "blur_share": 0}
FAST = {"learning_rate": 0.01, "head_learning_rate": 0.01, "batch": 24, "epochs": 8, "patience": 0}


class CutError(Exception):
    """Stands for the end of the process."""


def draw_squares(folder: Path, count: int = 60) -> list[Path]:
    """Draw pictures of four colours; of views, the light changes."""
    rng, files = np.random.default_rng(0), [folder / f"{number:02}.png" for number in range(count)]
    for file in files:
        small = Image.fromarray(rng.integers(0, 256, (2, 2, 3), np.uint8))
        aside = file.with_name(f"{file.stem}.{os.getpid()}.part.png")  # several processes make the same files
        small.resize((40, 40), Image.Resampling.NEAREST).save(aside)
        aside.replace(file)
    (folder / "darker.json").write_text(json.dumps(DARKER))
    return files


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_squares(tmp_path_factory.mktemp("squares"))


def run_of(
    encoder: Any, files: list[Path], processes: Processes | None = None, folds: int = 4, thing: Any = None, **given: Any
) -> Matching:
    settings = matching_settings({**FAST, "augmentation": str(files[0].parent / "darker.json"), **given})
    shown = np.arange(len(files)) if thing is None else thing
    things = dealt_things(pictured_things(shown), folds, settings.validation, settings.seed)
    return Matching([encoder], files, things, settings, processes or Processes())


def weights_of(run: Matching) -> dict[str, Any]:
    return {name: value.clone() for name, value in changing(run._network).items()}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    assert list(one) == list(other)
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize(
    "given",
    [
        {"learning_rate": 0.003},
        {"preset": "simclr", "dim": 16},
        {"preset": "deeprank", "learning_rate": 0.003},
        {"preset": "identical", "augmentation": "identical"},
    ],
)
def test_things_are_found_again_that_were_never_trained_on(
    toy: Make, squares: list[Path], given: dict[str, Any]
) -> None:
    run = run_of(toy(), squares, **given)
    before, done, after = run.found(plain=True), run.train(), run.found()
    assert before is not None
    assert after is not None
    assert len(after.first) == 15
    assert done.history[-1]["loss"] < done.history[0]["loss"]
    if "augmentation" not in given:  # a part of a picture says too little in a few steps
        assert after.first.mean() > before.first.mean()
        assert after.loss < before.loss - 0.2
        assert done.history[done.kept - 1]["validation_loss"] == min(one["validation_loss"] for one in done.history)
    assert (after.fifth >= after.first).all()


def test_a_head_on_frozen_networks_learns_as_published(toy: Make, squares: list[Path]) -> None:
    run = run_of(toy(), squares, preset="published", dim=16, hidden=32, augmentation="published", batch=16, epochs=6)
    seen: list[tuple[int, ...]] = []
    loss = matching_task._Matching.loss

    def noting(task: Any, spread: Any, pixels: Any, mine: Any, rows: Any, epoch: int) -> Any:
        seen.append(pixels.shape)
        for place, row in enumerate(mine):  # the first half is the pictures as they are
            np.testing.assert_array_equal(pixels[place], task._reader.whole(int(row)))
        return loss(task, spread, pixels, mine, rows, epoch)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(matching_task._Matching, "loss", noting)
        done = run.train()
    assert seen == [(32, 32, 32, 3)] * 12  # of 45 things two whole batches a pass, and 13 left out
    assert (done.kept, done.before, done.after) == (6, None, None)
    assert done.history[-1]["loss"] < done.history[0]["loss"]


@pytest.mark.parametrize(
    "given",
    [{"warmup": 0.2}, {"preset": "identical", "keep": "last"}, {"preset": "curriculum", "keep": "last"},
     {"preset": "published", "dim": 8, "hidden": 8, "augmentation": "published"}],
)  # fmt: skip
def test_a_training_that_was_cut_off_goes_on_bit_by_bit(
    toy: Make, squares: list[Path], tmp_path: Path, given: dict[str, Any]
) -> None:
    given = {**given, "epochs": 3, "batch": 16, "checkpoint_minutes": 1e-9}
    whole = run_of(toy(), squares, **given)
    expected = whole.train()
    steps = len(expected.history) * (2 if given.get("preset") == "published" else 3)

    def cut(progress: Progress) -> None:
        if progress.stage == "training" and progress.done == steps // 2:
            raise CutError

    with pytest.raises(CutError):
        run_of(toy(), squares, **given).train(Checkpoints(tmp_path / "c", "this"), on_progress=cut)
    again = run_of(toy(), squares, **given)
    taken: list[int] = []
    done = again.train(
        Checkpoints(tmp_path / "c", "this"),
        on_progress=lambda one: taken.append(one.done) if one.stage == "training" else None,
    )
    assert taken == list(range(steps // 2, steps + 1))
    assert done.history == expected.history
    assert same(weights_of(again), weights_of(whole))


def test_the_loss_is_that_of_the_pictures_side_by_side(toy: Make) -> None:
    z, things = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0)), torch.arange(5)
    rows = torch.nn.functional.normalize(z.flatten(0, 1))
    expected = nt_xent(rows, paired_targets(5), 0.1)
    torch.testing.assert_close(NTXent(0.1)(z, things, None, 0.0), expected)


def test_a_curriculum_takes_harder_pairs_stage_by_stage() -> None:
    rng = np.random.default_rng(0)
    things = torch.arange(20).repeat(2)
    base = rng.integers(0, 256, (20, 4, 4, 3))
    noise = rng.normal(0, np.linspace(2, 60, 20)[:, None, None, None], (2, 20, 4, 4, 3))
    pixels = torch.from_numpy(np.clip(base + noise, 0, 255).astype(np.uint8))
    objective = Curriculum(1.0, 4)
    objective.suit(pixels.flatten(0, 1), things)
    positive, negative = zip(*((one.positive, one.negative) for one in objective.bounds), strict=True)
    assert list(positive) == sorted(positive)
    assert list(negative) == sorted(negative, reverse=True)
    assert positive[0] < positive[-1]
    assert [objective.stage(share) for share in (0.0, 0.24, 0.25, 0.6, 0.99)] == [0, 0, 1, 2, 3]
    apart = pixel_distances(pixels.flatten(0, 1))
    by_hand = np.linalg.norm((pixels[0, 0].double() - pixels[1, 3].double()).numpy() / 255)
    assert float(apart[0, 23]) == pytest.approx(by_hand, rel=1e-4)
    z = torch.randn(2, 20, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    objective(z, torch.arange(20), pixels, 0.0).backward()
    easy = pixel_distances(pixels.flatten(0, 1))[torch.arange(20), torch.arange(20, 40)] <= positive[0]
    assert 0 < int(easy.sum()) < 20
    assert torch.isfinite(z.grad).all()
    assert float(z.grad.norm()) > 0


def test_two_pictures_of_a_thing_are_shown_and_the_last_is_looked_for(toy: Make, squares: list[Path]) -> None:
    thing = np.arange(60) // 3
    run = run_of(toy(), squares, thing=thing, validation=0, keep="last")
    things = run._things
    queries = queries_about(things, things.test, np.arange(20))
    assert not queries.viewed.any()
    assert set(queries.images) == {int(things.members[number][-1]) for number in things.test}
    assert len(queries.gallery) == 60 - len(things.test)
    task = matching_task._Matching(
        run._network, run._prepare, run._reader, things, run._objective, run._settings, Processes(), lambda _: None
    )
    asked: list[int] = []
    task._reader.view = lambda image, *rest: asked.append(image)  # type: ignore[assignment]
    for epoch in range(1, 30):
        for slot in (0, 1):
            task.view(2, slot, epoch)
    pairs = np.array(asked).reshape(-1, 2)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert set(pairs.ravel()) == {6, 7, 8}


def test_answers_are_those_of_a_plain_search(toy: Make, squares: list[Path]) -> None:
    encoder, thing = toy(), np.arange(60) // 2
    run = run_of(encoder, squares, thing=thing)
    found = run.found()
    assert isinstance(found, Found)
    pictures = np.stack([run._reader.whole(image) for image in range(60)])
    z = encoder.forward(pictures).astype(float)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    looked = [int(run._things.members[number][-1]) for number in run._things.test]
    gallery, losses = [image for image in range(60) if image not in looked], []
    for place, image in enumerate(looked):
        order = sorted(gallery, key=lambda other: -float(z[image] @ z[other]))
        assert found.first[place] == (thing[order[0]] == thing[image])
        weights = np.exp(z[gallery] @ z[image] / 0.05)
        losses.append(-np.log(weights[thing[gallery] == thing[image]].sum() / weights.sum()))
    assert found.loss == pytest.approx(np.mean(losses), rel=1e-3)


def test_things_are_dealt_once_and_alike() -> None:
    members = [np.array([number]) for number in range(50)]
    one, other = (dealt_things(members, 5, 0.25, seed) for seed in (0, 1))
    assert (len(one.test), len(one.validation), len(one.train)) == (10, 10, 30)
    assert sorted([*one.train, *one.validation, *one.test]) == list(range(50))
    assert one.test.tolist() != other.test.tolist()
    assert dealt_things(members, 5, 0.25, 0).train.tolist() == one.train.tolist()
    with pytest.raises(InputError, match="5 things are too few"):
        dealt_things(members[:5], 5, 0.2, 0)


PROGRAM = """
import json, sys
from pathlib import Path
import torch

tests, folder = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(tests))
from conftest import make_toy
from lookalike.training.processes import joined_processes
from test_matching_loop import draw_squares, in_processes

torch.set_num_threads(1)
with joined_processes("cpu") as processes:
    in_processes(make_toy(folder), draw_squares(folder), processes)
"""


def in_processes(encoder: Any, files: list[Path], processes: Processes) -> tuple[Matching, Trained[Found]]:
    run = run_of(encoder, files[:40], processes, epochs=2, batch=12, keep="last", folds=4, optimiser="sgd")
    done = run.train()
    held = done.after.first.tolist() if done.after is not None else []
    (files[0].parent / f"{processes.rank}.json").write_text(json.dumps([processes.count, done.history, held]))
    return run, done


def test_two_processes_hold_their_pictures_against_each_other(
    toy: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    group = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    asked = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(two)]
    beside = {**os.environ, "OMP_NUM_THREADS": "1", **group, "RANK": "1", "LOCAL_RANK": "1"}
    files = [draw_squares(folder) for folder in (one, two)]
    other = subprocess.Popen(asked, env=beside)
    whole, expected = in_processes(toy(), files[0], Processes())
    for name, value in {**group, "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with joined_processes("cpu") as processes:
        both, done = in_processes(toy(), files[1], processes)
    assert other.wait(120) == 0
    told = [json.loads((two / f"{rank}.json").read_text()) for rank in "01"]
    assert told[0] == told[1]
    assert told[0][0] == 2
    for alone, together in zip(expected.history, done.history, strict=True):
        assert together == pytest.approx(alone, rel=1e-4)
    for name, value in weights_of(both).items():
        torch.testing.assert_close(value, weights_of(whole)[name], rtol=1e-3, atol=1e-5)

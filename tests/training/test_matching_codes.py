"""Codes that a network learns along with: the loss, the quantizer that comes out, and going on where it was cut off."""

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
from numpy.typing import NDArray
from PIL import Image

torch = pytest.importorskip("torch")

from lookalike import load_encoder  # noqa: E402
from lookalike.core.features import Features  # noqa: E402
from lookalike.core.progress import Progress, silent  # noqa: E402
from lookalike.core.vectors import unit_rows  # noqa: E402
from lookalike.jobs.matching_codes import begun_codes, trained_codes  # noqa: E402
from lookalike.judgments.pairs import Pairs  # noqa: E402
from lookalike.search.codebooks import table_distances  # noqa: E402
from lookalike.similarity.quantizer import QuantizerModel  # noqa: E402
from lookalike.training.checkpoints import Checkpoints, changing  # noqa: E402
from lookalike.training.matching import Matching  # noqa: E402
from lookalike.training.matching_objectives import CrossQuantised  # noqa: E402
from lookalike.training.matching_settings import MatchingSettings, matching_settings  # noqa: E402
from lookalike.training.matching_task import _Matching, learning_rate_factor  # noqa: E402
from lookalike.training.matching_things import dealt_things, pictured_things  # noqa: E402
from lookalike.training.processes import Processes  # noqa: E402
from lookalike.training.quantizer import rising_factor  # noqa: E402

Make = Callable[..., Any]
Array = NDArray[Any]
pytestmark = pytest.mark.usefixtures("one_thread")

DARKER = {"area": None, "jitter": [0.7, 0, 0, 0], "jitter_share": 1, "grey": 0, "blur_share": 0}
SMALL = {"preset": "quantized", "books": 4, "words": 8, "dim": 24, "batch": 20, "epochs": 4, "patience": 0}
SMALL |= {"learning_rate": 0.001, "head_learning_rate": 0.001}
PUBLISHED = {"mode": "published", "learning_rate": 0.003, "head_learning_rate": 0.003}


class CutError(Exception):
    """Stands for the end of the process."""


@pytest.fixture(scope="session")
def patches(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Pictures of nine colours; of views, the light changes."""
    folder = tmp_path_factory.mktemp("patches")
    rng, files = np.random.default_rng(1), [folder / f"{number:02}.png" for number in range(60)]
    for file in files:
        Image.fromarray(rng.integers(0, 256, (3, 3, 3), np.uint8)).resize((42, 42), Image.Resampling.NEAREST).save(file)
    (folder / "darker.json").write_text(json.dumps(DARKER))
    return files


def run_of(encoders: list[Any], files: list[Path], **given: Any) -> tuple[Matching, MatchingSettings, QuantizerModel]:
    settings = matching_settings({**SMALL, "augmentation": str(files[0].parent / "darker.json"), **given})
    things = dealt_things(pictured_things(np.arange(len(files))), 4, settings.validation, settings.seed)
    run = Matching(encoders, files, things, settings, Processes())
    assert run.codes is not None
    return run, settings, begun_codes(run, run.codes, settings, things.train, silent)


def loss_by_loop(f: Array, held: dict[str, Array], sharpness: float, settings: MatchingSettings) -> float:
    """Features (2 B, D) of two views to the loss, a row, a book and a word at a time."""

    def unit(row: Array) -> Array:
        return row if settings.mode == "published" else row / np.linalg.norm(row)

    def cosine(one: Array, other: Array) -> float:
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    x, z, size = [], [], len(f) // 2
    for row in f.astype(np.float64):
        x.append(unit(held["map"].astype(np.float64) @ unit(row) + held["shift"]))
        mixed = []
        for part, book in zip(
            np.split(x[-1], len(held["codebooks"])), held["codebooks"].astype(np.float64), strict=True
        ):
            shares = np.array([np.exp(-sharpness * sum((part - word) ** 2)) for word in book])
            mixed.append(sum(share * word for share, word in zip(shares / shares.sum(), book, strict=True)))
        z.append(np.concatenate(mixed))
    total = 0.0
    for rows in ([*x[:size], *z[size:]], [*x[size:], *z[:size]]):
        for i in range(2 * size):
            alike = {j: np.exp(cosine(rows[i], rows[j]) / settings.temperature) for j in range(2 * size) if j != i}
            total -= np.log(alike[(i + size) % (2 * size)] / sum(alike.values())) / (2 * size)
    lost = sum(np.sum((one - other) ** 2) for one, other in zip(x, z, strict=True)) / sum(np.sum(one**2) for one in x)
    return float(total + settings.reconstruction * lost)


@pytest.mark.parametrize("more", [{}, {"reconstruction": 0.0}, PUBLISHED])
def test_the_loss_of_a_batch_is_that_of_a_plain_loop(toy: Make, patches: list[Path], more: dict[str, Any]) -> None:
    run, settings, begun = run_of([toy()], patches, **more)
    assert run.codes is not None
    task = _Matching(
        run._network, run._prepare, run._reader, run._things, run._objective, settings, Processes(), silent
    )
    task.learning(1)
    rows = task.batches(1)[0][:6]
    pixels = np.stack([task.view(int(row), slot, 1) for slot in range(2) for row in rows])
    task.network.eval()
    loss = task.loss(task.network, pixels, rows, rows, 1)
    with torch.inference_mode():
        features = task.network.features(run._prepare(pixels)).numpy()
    assert features.shape == (12, 12)
    expected = loss_by_loop(features, run.codes.weights(), begun.sharpness_, settings)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-4)
    loss.backward()
    assert all(bool(value.grad.abs().sum() > 0) for value in (run.codes.map, run.codes.shift, run.codes.codebooks))
    assert all(value.grad is not None for value in task.network.trained().values())


@pytest.mark.parametrize("networks", [1, 2])
def test_codes_begin_as_a_quantizer_of_frozen_features(toy: Make, patches: list[Path], networks: int) -> None:
    run, _, begun = run_of([toy()] * networks, patches)
    assert run.codes is not None
    images = run._things.train
    rows = run.beneath(images)
    left, right = ([f"{image}{side}" for image in images] for side in ("", " again"))
    features = Features(np.array(left + right), np.tile(unit_rows(rows), (2, 1)))
    frozen = QuantizerModel(books=4, words=8, length=6, epochs=0).fit(Pairs.from_ids(left, right), features)
    np.testing.assert_allclose(begun.mapped(rows), frozen.mapped(unit_rows(rows)), atol=1e-5)
    np.testing.assert_allclose(begun.codebooks_, frozen.codebooks_, atol=1e-5)
    assert begun.sharpness_ == pytest.approx(frozen.sharpness_, rel=1e-3)
    assert float(run.codes.sharpness) == pytest.approx(begun.sharpness_)
    with torch.inference_mode():
        np.testing.assert_allclose(run.codes.mapped(torch.from_numpy(rows)), begun.mapped(rows), atol=1e-5)
    assert begun.bits_ == 12


@pytest.mark.parametrize("more", [{}, {"depth": "lora", "learning_rate": 0.003}, PUBLISHED])
def test_the_kept_quantizer_tells_what_the_network_does(
    toy: Make, patches: list[Path], tmp_path: Path, more: dict[str, Any]
) -> None:
    encoder = toy(kind="vit" if "depth" in more else "conv")
    run, settings, begun = run_of([encoder], patches, **{"epochs": 8, **more})
    before = run.found()
    first = begun.codebooks_.copy()
    done = run.train()
    assert run.codes is not None
    model = trained_codes(begun, run.codes, settings.epochs)
    assert done.history[-1]["loss"] < done.history[0]["loss"]
    assert done.kept
    assert not np.array_equal(first, model.codebooks_)
    run.export(tmp_path / "net.onnx")
    exported = load_encoder(f"onnx:{tmp_path / 'net.onnx'}")
    assert exported.dim == run.dim == model.n_features_in_
    features = exported.encode(patches)
    pixels = np.stack([run._reader.whole(image) for image in range(len(patches))])
    network = run._network.eval()
    with torch.inference_mode():
        x = run.codes.mapped(network.features(run._prepare(pixels)))
        parts = x.reshape(len(x), 4, 1, 6)
        apart = (parts - run.codes.codebooks).square().sum(3)
    np.testing.assert_allclose(model.mapped(features), x, rtol=1e-3, atol=1e-4)
    codes, nearest = model.codes(features), apart.argmin(2).numpy()
    two = apart.sort(2).values[:, :, :2].numpy()
    clear = two[:, :, 1] - two[:, :, 0] > 1e-3 * two[:, :, 1]
    assert clear.mean() > 0.95
    np.testing.assert_array_equal(codes[clear], nearest[clear])
    # What is measured is what a search finds: x of a query, looked up by codes.
    likeness = run.codes.compared(x, x)(slice(0, 7)).numpy()
    np.testing.assert_allclose(
        1 - likeness, table_distances(model.tables(features[:7]), codes) / 2, rtol=1e-2, atol=1e-3
    )
    after = run.found()
    assert before is not None
    assert after is not None
    assert len(after.first) == 15
    if not more:
        assert after.loss < before.loss - 0.05


@pytest.mark.parametrize("more", [{}, {**PUBLISHED, "keep": "last"}])
def test_codes_that_were_cut_off_go_on_bit_by_bit(
    toy: Make, patches: list[Path], tmp_path: Path, more: dict[str, Any]
) -> None:
    given = {**more, "batch": 18, "checkpoint_minutes": 1e-9}
    whole, *_ = run_of([toy()], patches, **given)
    expected = whole.train()
    seen: list[int] = []

    def cut(progress: Progress) -> None:
        if progress.stage == "training":
            seen.append(progress.done)
            if len(seen) == 3:
                raise CutError

    with pytest.raises(CutError):
        run_of([toy()], patches, **given)[0].train(Checkpoints(tmp_path / "c", "this"), on_progress=cut)
    again, *_ = run_of([toy()], patches, **given)
    done = again.train(Checkpoints(tmp_path / "c", "this"))
    assert seen == [1, 2, 3]
    assert done.history == expected.history
    left, right = (changing(run._network) for run in (whole, again))
    assert {"joined.head.codebooks", "joined.head.map", "joined.head.sharpness", "joined.head.mean"} <= set(left)
    assert all(torch.equal(value, right[name]) for name, value in left.items())


def test_the_published_rate_rises_again() -> None:
    settings = matching_settings({"preset": "quantized", "mode": "published", "epochs": 60})
    factors = [learning_rate_factor(settings, 20 * epoch + 7, 20 * 60) for epoch in range(60)]
    assert factors == [rising_factor(epoch, 20) for epoch in range(60)]
    assert factors[:11] == [1.0] * 11
    assert factors[30] == pytest.approx(0)
    assert factors[50] == pytest.approx(1)


PROGRAM = """
import sys, torch
from torch import distributed
from lookalike.training.matching_objectives import CrossQuantised

torch.set_num_threads(1)
distributed.init_process_group("gloo")
rank = distributed.get_rank()
z = torch.load(sys.argv[1], weights_only=True).requires_grad_()
loss = CrossQuantised(0.5, reconstruction=0.7)(z[:, rank::2], torch.arange(3), None, 0.0)
loss.backward()
for tensor in (loss.detach(), z.grad):
    distributed.all_reduce(tensor)
    tensor /= 2
if rank == 0:
    torch.save([loss.detach(), z.grad], sys.argv[1])
distributed.destroy_process_group()
"""


def test_two_processes_ask_what_one_asks(tmp_path: Path) -> None:
    z = torch.randn(2, 6, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.save(z, tmp_path / "z.pt")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    beside = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    asked = [sys.executable, "-c", PROGRAM, str(tmp_path / "z.pt")]
    both = [subprocess.Popen(asked, env={**beside, "RANK": rank}) for rank in "01"]
    assert [one.wait(120) for one in both] == [0, 0]
    loss, gradient = torch.load(tmp_path / "z.pt", weights_only=True)
    z.requires_grad_()
    expected = CrossQuantised(0.5, reconstruction=0.7)(z, torch.arange(6), None, 0.0)
    expected.backward()
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(gradient, z.grad)

"""Distilling on the command line, and what then takes the student."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from lookalike import load_encoder  # noqa: E402
from lookalike.core.errors import InputError  # noqa: E402
from lookalike.core.progress import Progress, silent  # noqa: E402
from lookalike.jobs.train_distilled import train_distilled  # noqa: E402

Run = Callable[..., tuple[int, str, str]]

STUDENT = "plain:tiny[stages.2,top,size=32,dim=24]"
FAST = ("--student", STUDENT, "--views", 2, "--set", "batch=12", "--set", "hidden=16", "--set", "dim=8")


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """24 pictures, a copy of one, and a file that is none; four of them lie in a folder apart, too."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    rng, folder, apart = np.random.default_rng(0), tmp_path / "photos", tmp_path / "apart"
    folder.mkdir()
    apart.mkdir()
    for number in range(24):
        pixels, path = rng.integers(0, 256, (2, 2, 3), np.uint8), folder / f"{number:02}.png"
        Image.fromarray(pixels).resize((40, 40), Image.Resampling.NEAREST).save(path)
        if number < 4:
            (apart / f"test{number}.png").write_bytes(path.read_bytes())
    (folder / "copy.png").write_bytes((folder / "09.png").read_bytes())
    return folder


def test_from_photographs_to_search(lookalike: Run, photos: Path) -> None:
    (photos / "bad.jpg").write_text("no picture")
    train = ("train", "distill", photos, "--name", "small", "--teacher", "classic", *FAST, "--epochs", 3)
    more = ("--apart", "apart", "--set", "validation=0.2", "--plot", "losses.svg", "--save-weights", "w.safetensors")
    code, out, err = lookalike(*train, *more, "--json", "--quiet")
    assert err == ""
    made = json.loads(out)
    assert code == 1
    assert [entry["path"] for entry in made["rejected"]] == ["bad.jpg"]
    assert (made["copies"], made["known"], made["pictures"], made["validation"]) == (1, 4, 16, 4)
    assert (made["teachers"], made["dim"], made["taps"], len(made["history"])) == (["classic"], 8, 80, 3)
    assert list(made["after"]["cosine"]) == ["classic"]
    assert Path("losses.svg").read_text().count("<path") > 4
    assert not Path(".lookalike/checkpoints/small").exists()
    encoder, taps = load_encoder(made["encoder"]), load_encoder(made["encoder"] + "[taps]")
    assert (encoder.dim, taps.dim, encoder.spec.input_size) == (8, 80, (32, 32))
    again = load_encoder(STUDENT, "w.safetensors")
    one = photos / "05.png"
    np.testing.assert_allclose(again.encode([one]), taps.encode([one]), rtol=1e-3, atol=1e-4)
    _, out, _ = lookalike("models")
    assert "small  distilled network (1 teacher), from 16 pictures" in out
    assert "cosine with its teachers" in out
    lookalike("index", photos, "--encoder", made["encoder"], "--quiet")
    # Three passes tell hardly any pictures apart: it is at distance 0, and others are all but that near.
    code, out, _ = lookalike("search", one, "--model", "small", "-k", 24, "--json", "--quiet")
    distances = {hit["image"]: hit["distance"] for hit in json.loads(out)["results"]}
    assert (code, len(distances)) == (0, 24)
    assert distances["05.png"] == pytest.approx(0, abs=1e-3)
    code, _, err = lookalike(*train)
    assert (code, err) == (2, "lookalike: there is a model 'small': choose another name, or --replace it\n")


def test_on_the_screen_from_where_another_training_ended(lookalike: Run, photos: Path) -> None:
    train = (
        "train",
        "distill",
        photos,
        "--teacher",
        "classic",
        *FAST,
        "--epochs",
        1,
        "--set",
        "validation=0.2",
        "--quiet",
    )
    lookalike(*train, "--name", "first", "--save-weights", "first.safetensors")
    code, out, _ = lookalike(*train, "--name", "second", "--weights", "first.safetensors")
    assert code == 0
    assert "numbers trained on 19 pictures in 1 passes" in out
    assert "cosine with classic" in out
    assert "(with [taps] behind it: 80 numbers)" in out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--student", "classic"), "classic cannot be trained"),
        (("--set", "vews=3"), "'vews'"),
        (("--teacher", "classic"), "classic is a teacher twice"),
        (("--apart", "photos"), "nothing is left to learn from"),
        (("--save-weights", "w.pth"), "weights are written as .safetensors"),
        (("--set", "learns=summit"), "learns=summit leaves the network as it is: give its weights"),
        (("--onward", "photos/00.png"), "--onward goes on above a network: give its weights"),
        (("--onward", "none.onnx"), "none.onnx: no such file"),
    ],
)
def test_what_cannot_be_is_refused(lookalike: Run, photos: Path, more: tuple[str, str], message: str) -> None:
    code, _, err = lookalike("train", "distill", photos, "--name", "x", "--teacher", "classic", *FAST, *more)
    assert code == 2
    assert message in err
    assert err.splitlines()[-1].startswith("lookalike: ")
    assert not list(Path(".lookalike/models").glob("*")) if Path(".lookalike/models").exists() else True


def test_a_training_that_was_cut_off_may_have_another_end(photos: Path) -> None:
    given = {"batch": 12, "hidden": 16, "dim": 8, "views": 2, "epochs": 50, "checkpoint_minutes": 1e-9}

    def cut(step: Progress) -> None:
        if step.stage == "training" and step.done == 5:
            raise KeyboardInterrupt

    def train(**more: Any) -> Any:
        on_progress = more.pop("on_progress", silent)
        resume = more.pop("resume", True)
        return train_distilled(
            Path("w"), photos, "small", ["classic"], STUDENT, None, (), {**given, **more}, None, "cpu", resume,
            on_progress=on_progress,
        )  # fmt: skip

    with pytest.raises(KeyboardInterrupt):
        train(on_progress=cut)
    with pytest.raises(InputError, match="go on with --resume, or begin anew with --replace"):
        train(resume=False)
    with pytest.raises(InputError, match="is of another training"):
        train(matrix_rate=0.03)
    done = train(epochs=4, cooldown=1)
    assert [one["epoch"] for one in done.history] == [1, 2, 3, 4]


def test_what_lies_above_the_taps_is_taught_alone(lookalike: Run, photos: Path) -> None:
    train = ("train", "distill", photos, "--teacher", "classic", *FAST, "--set", "validation=0.2", "--json", "--quiet")
    _, out, _ = lookalike(*train, "--name", "first", "--save-weights", "first.safetensors", "--epochs", 2)
    first = json.loads(out)
    more = ("--weights", "first.safetensors", "--onward", first["encoder"].removeprefix("onnx:"))
    more += ("--set", "learns=summit", "--set", "copies=2", "--set", "learning_rate=0.01", "--epochs", 30)
    code, out, _ = lookalike(*train, "--name", "second", *more)
    second = json.loads(out)
    assert (code, len(second["history"])) == (0, 30)
    # The layers above 80 taps to 16 and 8 numbers, and the head of the teacher.
    assert second["trained"] < first["trained"]
    assert second["after"]["loss"] < second["before"]["loss"] < first["before"]["loss"]
    one = [photos / "05.png"]
    taps = [load_encoder(f"{made['encoder']}[taps]").encode(one) for made in (first, second)]
    np.testing.assert_allclose(taps[0], taps[1], atol=1e-5)
    assert np.abs(load_encoder(first["encoder"]).encode(one) - load_encoder(second["encoder"]).encode(one)).max() > 1e-3

"""Training a network to match on the command line, and what then takes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from lookalike import load_encoder  # noqa: E402
from lookalike.encoders.torch_import import import_torchvision  # noqa: E402
from lookalike.similarity.quantizer import QuantizerModel  # noqa: E402
from lookalike.similarity.saving import load_model  # noqa: E402
from lookalike.training import matching_objectives  # noqa: E402

Run = Callable[..., tuple[int, str, str]]

RESNET = "timm:resnet18[channels=[8,8,16,16],size=32,stem_width=8]"
FAST = ("--set", "batch=12", "--set", "learning_rate=0.003", "--augmentation", "light.json", "--json", "--quiet")


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """30 pictures, a copy of one, and a file that is none; views of which the light changes."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    rng, folder = np.random.default_rng(0), tmp_path / "photos"
    folder.mkdir()
    for number in range(30):
        pixels = rng.integers(0, 256, (2, 2, 3), np.uint8)
        Image.fromarray(pixels).resize((40, 40), Image.Resampling.NEAREST).save(folder / f"{number:02}.png")
    (folder / "copy.png").write_bytes((folder / "00.png").read_bytes())
    (tmp_path / "light.json").write_text(
        '{"area": null, "jitter": [0.6, 0, 0, 0], "jitter_share": 1, "grey": 0, "blur_share": 0}'
    )
    import_torchvision()
    from lookalike.encoders.name import parse_name
    from lookalike.encoders.timm import architecture

    torch.manual_seed(0)
    torch.save(architecture(parse_name(RESNET)).build().state_dict(), tmp_path / "net.pth")
    return folder


def test_from_photographs_to_search(lookalike: Run, photos: Path) -> None:
    (photos / "bad.jpg").write_text("no picture")
    train = ("train", "matcher", photos, "--name", "copies", "--encoder", RESNET, "--weights", "net.pth", "--epochs", 3)
    code, out, _ = lookalike(
        *train, *FAST, "--plot", "losses.svg", "--tensorboard", "logs", "--save-weights", "w.safetensors"
    )
    made = json.loads(out)
    assert code == 1
    assert [entry["path"] for entry in made["rejected"]] == ["bad.jpg"]
    assert (made["copies"], made["things"], made["validation"], made["tested"], made["images"]) == (1, 19, 5, 6, 24)
    assert (made["settings"]["loss"], made["settings"]["depth"], made["dim"]) == ("nt-xent", "full", 16)
    measured = made["measured"]
    assert list(measured["model"]) == list(measured["plain"]) == ["recall@1", "recall@5"]
    assert measured["model"]["recall@1"]["value"] - measured["plain"]["recall@1"]["value"] == pytest.approx(
        measured["gain"]["value"]
    )
    assert measured["tested"] == 6
    assert Path("losses.svg").read_text().count("<path") > 4
    assert list(Path("logs").glob("events.out.tfevents.*"))
    assert not Path(".lookalike/checkpoints/copies").exists()
    encoder = load_encoder(made["encoder"])
    tuned = load_encoder(RESNET, "w.safetensors")
    one = photos / "03.png"
    np.testing.assert_allclose(tuned.encode([one]), encoder.encode([one]), rtol=1e-3, atol=1e-4)
    code, out, _ = lookalike("models")
    assert "copies  fine-tuned network (full), from 24 things" in out
    lookalike("index", photos, "--encoder", made["encoder"], "--quiet")
    code, out, _ = lookalike("search", one, "--model", "copies", "-k", 1, "--json", "--quiet")
    assert (code, json.loads(out)["results"][0]["image"]) == (0, "03.png")
    code, _, err = lookalike(*train, *FAST)
    assert (code, err) == (2, "lookalike: there is a model 'copies': choose another name, or --replace it\n")


def test_several_networks_under_a_head_cut_off_and_resumed(
    lookalike: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = f"{RESNET}@net.pth"
    train = ("train", "matcher", photos, "--encoder", named, "--encoder", named, "--preset", "published", *FAST)
    train += ("--set", "dim=10", "--set", "hidden=12", "--epochs", 3, "--set", "checkpoint_minutes=1e-9")
    whole = json.loads(lookalike(*train, "--name", "whole")[1])
    assert (whole["dim"], whole["settings"]["mode"], whole["trained"]) == (10, "published", 32 * 12 + 12 + 12 * 10 + 10)
    assert len(whole["bases"]) == 2
    original, steps = matching_objectives.NTXent.__call__, iter(range(3))

    def cut(*arguments: object) -> object:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(matching_objectives.NTXent, "__call__", cut)
        assert lookalike(*train, "--name", "cut")[0] == 130
    code, _, err = lookalike(*train, "--name", "cut")
    assert code == 2
    assert "a training of 'cut' was cut off: go on with --resume, or begin anew with --replace" in err
    code, _, err = lookalike(*train, "--name", "cut", "--resume", "--seed", 1)
    assert code == 2
    assert "another training" in err
    code, out, _ = lookalike(*train, "--name", "cut", "--resume")
    resumed = json.loads(out)
    assert code == 0
    assert resumed["history"] == whole["history"]
    assert resumed["measured"] == whole["measured"]
    pictures = [photos / "00.png", photos / "01.png"]
    np.testing.assert_array_equal(*(load_encoder(made["encoder"]).encode(pictures) for made in (whole, resumed)))


def test_pairs_say_what_shows_the_same(lookalike: Run, photos: Path) -> None:
    rows = ["left,right", *(f"{number:02}.png,{number + 1:02}.png" for number in range(0, 24, 2))]
    Path("pairs.csv").write_text("\n".join(rows) + "\n")
    train = ("train", "matcher", photos, "--name", "pairs", "--encoder", RESNET, "--weights", "net.pth", "--epochs", 1)
    code, out, _ = lookalike(*train, *FAST, "--pairs", "pairs.csv", "--no-measure")
    made = json.loads(out)
    assert code == 0
    assert (made["things"] + made["validation"], made["images"], made["measured"]) == (18, 30, None)
    code, out, _ = lookalike(*train, "--replace", "--set", "batch=12", "--quiet")
    assert code == 0
    assert "numbers trained on" in out
    assert "gain" in out


def test_a_network_learns_codes_and_a_search_uses_them(lookalike: Run, photos: Path) -> None:
    train = ("train", "matcher", photos, "--name", "codes", "--encoder", RESNET, "--weights", "net.pth", "--epochs", 6)
    train += ("--preset", "quantized", "--bits", 24, "--set", "dim=24")
    made = json.loads(lookalike(*train, *FAST)[1])
    assert (made["bits"], made["dim"], made["settings"]["loss"]) == (24, 16, "cross-quantised")
    assert (made["settings"]["books"], made["settings"]["words"], made["settings"]["dim"]) == (3, 256, 24)
    assert made["codes"]["model"] == made["measured"]["model"]
    assert made["codes"]["tested"] == 6
    model = load_model(made["path"])
    assert isinstance(model, QuantizerModel)
    assert model.has_seen([f"{number:02}.png" for number in range(30)]).sum() == 24
    features = load_encoder(made["encoder"]).encode(sorted(photos.glob("*.png")))
    assert model.codes(features).shape == (31, 3)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-4)
    lookalike("index", photos, "--encoder", made["encoder"], "--quiet")
    one = photos / "03.png"
    found = json.loads(lookalike("search", one, "--model", "codes", "-k", 31, "--json", "--quiet")[1])
    assert found["bytes_per_image"] == 3
    assert len({hit["image"] for hit in found["results"]}) == 31
    stands = np.square(model.mapped(features[3:4]) - stood_for(model, features)).sum(axis=1) / 2
    assert [hit["distance"] for hit in found["results"]] == pytest.approx(np.sort(stands), abs=1e-3)
    code, out, _ = lookalike("models")
    assert (code, "codes  fine-tuned network (full), from 24 things" in out) == (0, True)
    code, out, _ = lookalike("match", photos, photos, "--model", "codes", "-k", 1, "--json", "--quiet")
    assert code == 0
    assert len(json.loads(out)["matches"]) == 31
    code, out, _ = lookalike(*train, *FAST[:-2], "--quiet", "--replace", "--set", "words=4", "--mode", "corrected")
    assert code == 0
    assert "found by codes of 6 bits" in out
    assert "codes as they began" in out
    assert "features as they came" in out


def stood_for(model: QuantizerModel, features: np.ndarray) -> np.ndarray:
    """Return what codes stand for, as long as it is."""
    codes = model.codes(features)
    return np.concatenate([model.codebooks_[book][codes[:, book]] for book in range(codes.shape[1])], axis=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--encoder", "classic"], "classic cannot be trained"),
        (["--encoder", RESNET, "--encoder", RESNET, "--weights", "net.pth"], "write NAME@FILE each"),
        (["--preset", "moco"], "preset"),
        (["--set", "temperatur=1"], "did you mean temperature?"),
        (["--augmentation", "none.json"], "none.json"),
        (["--no-measure", "--folds", "3"], "--folds says how to measure"),
        (["--plot", "x.txt"], "a plot is written as"),
        (["--pairs", "none.csv"], "none.csv"),
        (["--set", "validation=0.95"], "too few"),
        (["--preset", "quantized", "--bits", "12"], "--bits takes a multiple of 8, not 12"),
        (["--preset", "quantized", "--bits", "32", "--mode", "published"], "--set books=8 has 32 bits"),
        (["--preset", "quantized", "--set", "dim=100"], "does not divide into 8 books"),
        (["--preset", "quantized", "--depth", "frozen"], "lookalike train quantizer"),
        (["--bits", "32"], "--bits is for codes: give --preset quantized"),
        (["--set", "books=4"], "books is for codes"),
    ],
)
def test_wrong_arguments_get_one_line(lookalike: Run, photos: Path, options: list[str], message: str) -> None:
    given = [] if "--encoder" in options else ["--encoder", f"{RESNET}@net.pth"]
    code, out, err = lookalike("train", "matcher", photos, "--name", "copies", *given, "--quiet", *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not Path(".lookalike/models").exists()

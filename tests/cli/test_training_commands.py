"""Training, models and their evaluation on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike import load_model
from lookalike.jobs import reproduce_tll as reproduce_job

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def pair_folder(tmp_path: Path) -> Path:
    """Pairs that share a layout and differ in a colour cast."""
    folder, rng = tmp_path / "pairs", np.random.default_rng(0)
    for number in range(24):
        coarse = rng.integers(40, 200, (5, 5, 3)).astype(np.float64)
        for side in ("left", "right"):
            cast = np.clip(coarse * rng.uniform(0.4, 1.3, 3) + rng.uniform(-30, 30, 3), 0, 255).astype(np.uint8)
            path = folder / side / f"{number:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(cast).resize((64, 64), Image.Resampling.BICUBIC).save(path)
    return folder


@pytest.fixture
def judged(lookalike: Run, photos: Path, tmp_path: Path) -> Path:
    """A workspace with 120 answers about 24 photos."""
    rng, names = np.random.default_rng(1), sorted(path.relative_to(photos) for path in photos.rglob("*.jpg"))
    rows = ["reference,a,b,votes_a,votes_b"]
    for _ in range(120):
        r, a, b = rng.choice(len(names), 3, replace=False)
        rows.append(f"{names[r]},{names[a]},{names[b]},{rng.integers(1, 4)},{rng.integers(0, 2)}")
    (tmp_path / "answers.csv").write_text("\n".join(rows) + "\n")
    assert lookalike("import", "csv", tmp_path / "answers.csv", "--images", photos, "--quiet")[0] == 0
    return tmp_path / ".lookalike"


def test_pairs_from_training_to_evaluation(lookalike: Run, pair_folder: Path, network: Path) -> None:
    options = ("--pairs", pair_folder, "--encoder", "classic", "--encoder", f"onnx:{network}", "--flips", "--runs", 3)
    code, out, _ = lookalike("train", "adaptation", "--name", "looks", *options, "--set", "shrinkage=0.3", "--json")
    trained = json.loads(out)
    assert code == 0
    assert (trained["learned_from"], trained["examples"], trained["images"]) == ("pairs", 24, 48)
    assert (trained["settings"]["form"], trained["settings"]["shrinkage"]) == ("within", 0.3)
    measured = trained["measured"]
    assert (measured["divisions"], measured["test"], measured["train"]) == (3, 6, 18)
    assert list(measured["model"]) == list(measured["plain"]) == ["aR@1", "aR@3", "aR@5"]
    model = load_model(trained["path"])
    assert model.n_features_in_ == trained["dim"]
    assert model.has_seen(["left/00.png", "elsewhere.png"]).tolist() == [True, False]

    code, out, _ = lookalike("evaluate", "--model", "looks", "--pairs", pair_folder, "--json")
    rows = {row["model"]: row for row in json.loads(out)["rows"]}
    assert code == 0
    assert rows["looks"]["seen"] == 1.0
    assert rows[f"classic + onnx:{network}"]["seen"] == 0.0
    assert rows["looks"]["accuracy"] > rows[f"classic + onnx:{network}"]["accuracy"]
    code, out, _ = lookalike("evaluate", "--model", trained["path"], "--encoder", "classic", "--pairs", pair_folder)
    assert code == 0
    assert "looks was fitted on images of 100% of these pairs" in " ".join(out.split())


def test_judgments_from_training_to_evaluation(lookalike: Run, judged: Path, tmp_path: Path) -> None:
    options = ("--form", "residual", "--by", "reference")
    options += ("--set", "epochs=2", "--set", "members=2", "--set", "reduce=8")
    logs, plot = tmp_path / "logs", tmp_path / "losses.svg"
    code, out, _ = lookalike(
        "train", "adaptation", "--name", "taste", *options, "--tensorboard", logs, "--plot", plot, "--json"
    )
    trained = json.loads(out)
    assert code == 0
    assert (trained["learned_from"], trained["examples"], trained["encoders"]) == ("judgments", 120, ["compact"])
    assert (trained["measured"]["divisions"], trained["measured"]["tested"]) == (5, 120)
    assert list(trained["measured"]["model"]) == ["votes", "majorities"]
    assert {(entry["member"], entry["epoch"]) for entry in trained["history"]} == {(0, 1), (0, 2), (1, 1), (1, 2)}
    assert list(logs.glob("events.out.tfevents.*"))
    assert plot.read_text().count("<path") > 4
    assert Path(trained["path"]) == Path(".lookalike/models/taste.safetensors")
    assert len(list((judged / "runs").glob("*-train-adaptation.json"))) == 1

    code, out, _ = lookalike("models")
    assert code == 0
    assert "taste  adaptation: residual, from 120 judgments" in out
    code, out, _ = lookalike("models", "--json")
    [card] = json.loads(out)["models"]
    assert (card["name"], card["measured"]["how"]["by"]) == ("taste", "reference")

    code, out, _ = lookalike("evaluate", "--model", "taste", "--json")
    rows = {row["model"]: row for row in json.loads(out)["rows"]}
    assert set(rows) == {"taste", "compact"}
    assert rows["taste"]["seen"] == 1.0


def test_search_and_compare_by_a_model(lookalike: Run, judged: Path, photos: Path, tmp_path: Path) -> None:
    train = ("train", "adaptation", "--name", "taste", "--set", "epochs=2", "--set", "members=1", "--by", "reference")
    trained = json.loads(lookalike(*train, "--json")[1])
    lookalike("index", photos, "--quiet")
    query = photos / "a" / "000.jpg"
    code, out, _ = lookalike("search", query, "--model", "taste", "-k", 30, "--sheet", tmp_path / "s.png", "--json")
    hits = json.loads(out)["results"]
    assert code == 0
    assert (tmp_path / "s.png").is_file()
    assert len(hits) == 24
    assert hits[0]["image"] == "a/000.jpg"
    assert hits[0]["distance"] == pytest.approx(0, abs=5e-4)  # what is searched is kept in float16
    assert [hit["distance"] for hit in hits] == sorted(hit["distance"] for hit in hits)
    for hit in (hits[1], hits[-1]):
        pair = (query, photos / hit["image"], photos / hits[5]["image"], "--model", "taste", "--json")
        found = json.loads(lookalike("compare", *pair)[1])
        assert found["distance_a"] == pytest.approx(hit["distance"], abs=5e-4)
        assert found["distance_b"] == pytest.approx(hits[5]["distance"], abs=5e-4)
        gap = found["distance_a"] - found["distance_b"]
        temperature = trained["measured"]["temperature"] or 0.1
        assert found["probability_a"] == pytest.approx(1 / (1 + np.exp(gap / temperature)), abs=1e-4)
    code, _, err = lookalike("compare", query, query, query, "--model", "taste", "--encoder", "classic")
    assert (code, err.count("\n")) == (2, 1)
    (photos / "a" / "003.jpg").unlink()
    assert len(json.loads(lookalike("search", query, "--model", "taste", "-k", 30, "--json")[1])["results"]) == 23
    assert lookalike("search", tmp_path / "none.jpg", "--model", "taste")[0] == 2


def test_a_model_is_replaced_only_if_told(lookalike: Run, judged: Path) -> None:
    train = ("train", "adaptation", "--name", "plain", "--form", "identity", "--no-measure", "--quiet")
    code, out, _ = lookalike(*train, "--json")
    assert (code, json.loads(out)["measured"]) == (0, None)
    before = (judged / "models" / "plain.safetensors").read_bytes()
    code, _, err = lookalike(*train, "--set", "reduce=4")
    assert (code, err) == (2, "lookalike: there is a model 'plain': choose another name, or --replace it\n")
    assert (judged / "models" / "plain.safetensors").read_bytes() == before
    assert lookalike(*train, "--set", "reduce=4", "--replace")[0] == 0
    assert load_model(judged / "models" / "plain").settings_["reduce"] == 4  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "epochs"], "--set takes NAME=VALUE, not 'epochs'"),
        (["--set", "epoch=3"], "AdaptationModel has no parameter 'epoch'"),
        (["--set", "epochs=many"], "epochs is a whole number, not 'many'"),
        (["--set", "epochs=0"], "epochs is at least 1, not 0"),
        (["--form", "residul"], "did you mean residual?"),
        (["--form", "within"], "learns from pairs alone"),
        (["--runs", "3"], "--runs is for pairs: give --pairs PATH too"),
        (["--pairs", "nowhere", "--by", "image"], "--by is for judgments: leave it out with --pairs"),
        (["--no-measure", "--folds", "3"], "--folds says how to measure"),
        (["--by", "row"], "not by 'row'"),
        (["--form", "identity", "--plot", "x.png"], "without passes"),
        (["--plot", "x.txt"], "a plot is written as"),
        (["--encoder", "clasic"], "did you mean classic?"),
        (["--encoder", "classic", "--features", "two"], "not both"),
        (["--source", "other.csv"], "no judgments of that source or context"),
    ],
)
def test_wrong_arguments_get_one_line(lookalike: Run, judged: Path, options: list[str], message: str) -> None:
    code, out, err = lookalike("train", "adaptation", "--name", "taste", "--set", "epochs=1", *options, "--quiet")
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not (judged / "models").exists()


def test_names_that_cannot_be_used(lookalike: Run, judged: Path) -> None:
    for name, message in (("../up", "cannot name a model"), ("classic", "is the name of an encoder")):
        code, _, err = lookalike("train", "adaptation", "--name", name, "--quiet")
        assert code == 2
        assert message in err
    code, _, err = lookalike("evaluate", "--model", "taste")
    assert code == 2
    assert "has no models: run `lookalike train adaptation --name taste` first" in err
    assert "no models yet" in lookalike("models")[1]


def test_a_model_refuses_features_of_another_network(
    lookalike: Run, judged: Path, network: Path, make_network: Callable[..., Path]
) -> None:
    train = ("train", "adaptation", "--name", "plain", "--form", "identity", "--no-measure", "--quiet")
    assert lookalike(*train, "--encoder", f"onnx:{network}")[0] == 0
    make_network(network, dim=8, size=24)
    code, _, err = lookalike("evaluate", "--model", "plain", "--quiet")
    assert code == 2
    assert "was trained on other features" in err
    code, _, err = lookalike("evaluate", "--model", "plane", "--quiet")
    assert "did you mean plain?" in err


def test_the_published_experiment(
    lookalike: Run, pair_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reproduce_job, "COMPONENTS", 16)
    names = [f"{number:02}.png" for number in range(20)]
    (tmp_path / "TLL_obj.csv").write_text(
        ",TLL_obj\n" + "".join(f"{row},{name}\n" for row, name in enumerate(names * 2))
    )
    options = ("--images", pair_folder, "--encoder", "classic", "--runs", 2, "--epochs", 3)
    code, out, _ = lookalike(
        "reproduce", "tll", *options, "--list", tmp_path / "TLL_obj.csv", "--plot", tmp_path / "p.png", "--json"
    )
    found = json.loads(out)
    assert code == 0
    assert (found["pairs"], found["runs"], found["epochs"], found["encoders"]) == (20, 2, 3, ["classic"])
    assert list(found["rows"]) == ["features", "components", "peterson", "original", "ours"]
    assert {(row["test"], row["train"]) for row in found["rows"].values()} == {(5, 15)}
    assert found["rows"]["features"]["gain"]["value"] == 0
    with Image.open(tmp_path / "p.png") as drawn:
        assert drawn.width > 400
    code, out, _ = lookalike("reproduce", "tll", *options)
    assert "ReLU(W x) (the published form)" in out
    assert "24 pairs" in out
    code, _, err = lookalike("reproduce", "tll", *options, "--encoder", "classic", "--weights", "x.pth")
    assert (code, err.count("\n")) == (2, 1)


def test_without_weights_the_published_encoder_says_what_to_fetch(
    lookalike: Run, pair_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path / "weights"))
    monkeypatch.setenv("LOOKALIKE_OFFLINE", "1")
    code, _, err = lookalike("reproduce", "tll", "--images", pair_folder, "--quiet")
    assert code == 2
    assert "openclip--resnet50x4_clip.openai.safetensors" in err or "open_clip_model.safetensors" in err
    assert err.count("\n") == 1

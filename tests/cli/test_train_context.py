"""``lookalike train context`` and ``lookalike train global``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from lookalike import load_model
from lookalike.jobs.models import list_models

Run = Callable[..., tuple[int, str, str]]
QUICK = ("--set", "epochs=2", "--set", "members=1", "--set", "reduce=8")


@pytest.fixture
def judged(lookalike: Run, photos: Path, tmp_path: Path) -> Path:
    """A workspace with 240 answers about 24 photos in two contexts, and some in none."""
    rng, names = np.random.default_rng(1), sorted(path.relative_to(photos) for path in photos.rglob("*.jpg"))
    rows = ["reference,a,b,votes_a,votes_b,context"]
    for number in range(240):
        context = ("sea", "old town", "")[number % 3]
        some = {"sea": names[:14], "old town": names[10:], "": names}[context]
        r, a, b = rng.choice(len(some), 3, replace=False)
        rows.append(f"{some[r]},{some[a]},{some[b]},{rng.integers(1, 4)},{rng.integers(0, 2)},{context}")
    (tmp_path / "answers.csv").write_text("\n".join(rows) + "\n")
    assert lookalike("import", "csv", tmp_path / "answers.csv", "--images", photos, "--quiet")[0] == 0
    return tmp_path / ".lookalike"


def test_a_global_model_and_context_models_that_start_from_it(lookalike: Run, judged: Path) -> None:
    code, out, _ = lookalike("train", "global", "--name", "all", "--by", "reference", *QUICK, "--json")
    [whole] = json.loads(out)["models"]
    assert code == 0
    assert (whole["name"], whole["context"], whole["examples"], whole["images"]) == ("all", None, 240, 24)
    assert (whole["measured"]["tested"], whole["measured"]["start"], whole["measured"]["over_start"]) == (
        240,
        None,
        None,
    )

    code, out, _ = lookalike("train", "context", "--from", "all", "--by", "reference", "--json")
    made = json.loads(out)
    assert code == 0
    assert (made["encoders"], made["started_from"], made["log_loss"]) == (["compact"], "all", None)
    assert [(one["name"], one["context"], one["examples"]) for one in made["models"]] == [
        ("old-town", "old town", 80),
        ("sea", "sea", 80),
    ]
    for one in made["models"]:
        measured = one["measured"]
        assert measured["tested"] == 80
        assert {"votes", "majorities"} == set(measured["model"]) == set(measured["plain"])
        gain = measured["model"]["votes"]["value"] - measured["start"]["value"]
        assert measured["over_start"]["value"] == pytest.approx(gain)
        assert 0 <= measured["head"]["low"] <= measured["head"]["value"] <= 1
        assert one["settings"]["epochs"] == 2
        assert {entry["epoch"] for entry in one["history"]} == {1, 2}
        model = load_model(one["path"])
        assert model.has_seen(["a/000.jpg"]).all()  # by the global one, if not by itself
    cards = list_models(judged)
    assert set(cards) == {"all", "old-town", "sea"}
    assert cards["sea"]["about"]["started_from"] == "all"
    assert cards["sea"]["about"]["what"]["context"] == "sea"
    assert cards["sea"]["parameters"]["start"] is None
    assert cards["sea"]["about"]["measured"]["how"] == {"by": "reference", "folds": 5, "seed": 0}
    assert cards["sea"]["about"]["history"]
    assert len(list((judged / "runs").glob("*-train-context.json"))) == 2

    code, out, _ = lookalike("models")
    assert code == 0
    assert "sea  context, from 80 judgments" in out
    code, out, _ = lookalike("evaluate", "--model", "sea", "--model", "all", "--context", "sea", "--json")
    rows = {row["model"]: row for row in json.loads(out)["rows"]}
    assert code == 0
    assert set(rows) == {"sea", "all", "compact"}


def test_measuring_by_image_counts_only_what_no_model_met(lookalike: Run, judged: Path) -> None:
    lookalike("train", "global", "--name", "all", "--no-measure", *QUICK, "--quiet")
    made = json.loads(lookalike("train", "context", "--name", "own", "--from", "all", "--folds", 2, "--json")[1])
    assert [one["name"] for one in made["models"]] == ["own.old-town", "own.sea"]
    tested = [0 if one["measured"] is None else one["measured"]["tested"] for one in made["models"]]
    assert all(count < 40 for count in tested)


def test_one_context_with_logs_and_a_plot(lookalike: Run, judged: Path, tmp_path: Path) -> None:
    logs, plot = tmp_path / "logs", tmp_path / "losses.svg"
    options = ("--context", "sea", "--no-measure", "--tensorboard", logs, "--plot", plot, *QUICK)
    code, out, _ = lookalike("train", "context", *options, "--set", "members=2")
    assert code == 0
    assert "sea" in out
    assert "nothing was measured" in out
    assert "old-town" not in out
    assert list((logs / "sea").glob("events.out.tfevents.*"))
    assert plot.read_text().count("<path") > 4


def test_discovered_contexts_are_named_by_their_images(lookalike: Run, judged: Path) -> None:
    options = ("--discover", "--count", 1, "--count", 2, "--name", "found", "--no-measure", *QUICK)
    code, out, _ = lookalike("train", "context", *options, "--json")
    made = json.loads(out)
    assert code == 0
    assert set(made["log_loss"]) == {"1", "2"}
    best = min(made["log_loss"], key=lambda count: made["log_loss"][count])
    assert len(made["models"]) == int(best)
    assert sum(one["examples"] for one in made["models"]) == 240
    about = list_models(judged)[made["models"][0]["name"]]["about"]
    assert about["discovered"]["log_loss"] == made["log_loss"]
    assert all(image.endswith(".jpg") for image in about["discovered"]["typical"])
    code, out, _ = lookalike("train", "context", "--discover", "--count", 2, "--no-measure", *QUICK)
    assert code == 0
    assert "log loss" not in out


def test_the_published_mode(lookalike: Run, judged: Path) -> None:
    code, out, _ = lookalike(
        "train", "context", "--mode", "published", "--context", "sea", "--set", "epochs=1", "--no-measure", "--json"
    )
    settings = json.loads(out)["models"][0]["settings"]
    assert code == 0
    assert (settings["mode"], settings["head"], settings["batch"]) == ("published", "concatenated", 8)


def test_models_are_replaced_only_if_told(lookalike: Run, judged: Path) -> None:
    train = ("train", "context", "--context", "sea", "--no-measure", *QUICK, "--quiet")
    assert lookalike(*train)[0] == 0
    before = (judged / "models" / "sea.safetensors").read_bytes()
    code, _, err = lookalike(*train, "--seed", 3)
    assert (code, err) == (2, "lookalike: there is a model 'sea': choose another name, or --replace it\n")
    assert (judged / "models" / "sea.safetensors").read_bytes() == before
    assert lookalike(*train, "--seed", 3, "--replace")[0] == 0
    assert (judged / "models" / "sea.safetensors").read_bytes() != before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--context", "see"], "there is no context 'see': did you mean sea?"),
        (["--discover", "--context", "sea"], "leave it out with --discover"),
        (["--count", "3"], "give --discover too"),
        (["--from", "nothing"], "has no models"),
        (["--name", "../up"], "makes no name of a model"),
        (["--no-measure", "--folds", "3"], "--folds says how to measure"),
        (["--no-measure", "--by", "image"], "--by says how to measure"),
        (["--by", "row"], "not by 'row'"),
        (["--set", "epochs"], "--set takes NAME=VALUE"),
        (["--set", "epoch=3"], "ContextModel has no parameter 'epoch'"),
        (["--set", "start=all"], "given as --from MODEL"),
        (["--set", "width=0"], "width is at least 1, not 0"),
        (["--mode", "publishd"], "did you mean published?"),
        (["--encoder", "clasic"], "did you mean classic?"),
        (["--encoder", "classic", "--features", "two"], "not both"),
        (["--source", "other.csv"], "no judgments of that source"),
        (["--plot", "x.txt"], "a plot is written as"),
    ],
)
def test_wrong_arguments_get_one_line(lookalike: Run, judged: Path, options: list[str], message: str) -> None:
    code, out, err = lookalike("train", "context", *options, "--quiet")
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not (judged / "models").exists()


def test_what_cannot_be_started_from(lookalike: Run, judged: Path, network: Path) -> None:
    lookalike("train", "adaptation", "--name", "plain", "--form", "identity", "--no-measure", "--quiet")
    code, _, err = lookalike("train", "context", "--from", "plain", "--quiet")
    assert (code, err.count("\n")) == (2, 1)
    assert "'plain' is no context model" in err
    lookalike("train", "global", "--name", "sea", "--no-measure", *QUICK, "--quiet")
    code, _, err = lookalike("train", "context", "--from", "sea", "--quiet")
    assert code == 2
    assert "'sea' is the model to start from" in err
    code, _, err = lookalike("train", "context", "--name", "x", "--from", "sea", "--encoder", f"onnx:{network}")
    assert code == 2
    assert "takes features of compact: leave out others" in err
    code, _, err = lookalike("train", "context", "--name", "x", "--from", "sea", "--set", "width=7", "--quiet")
    assert code == 2
    assert "width is that of the model to start from" in err


def test_judgments_without_contexts(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    rows = ["reference,a,b,votes_a,votes_b", "a/000.jpg,b/001.jpg,c/002.jpg,1,0"]
    (tmp_path / "answers.csv").write_text("\n".join(rows) + "\n")
    lookalike("import", "csv", tmp_path / "answers.csv", "--images", photos, "--quiet")
    code, _, err = lookalike("train", "context", "--quiet")
    assert (code, err.count("\n")) == (2, 1)
    assert "name no contexts: import them with a column `context`, or find some with --discover" in err

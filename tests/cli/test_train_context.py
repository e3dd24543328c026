"""Global and context models on the command line, from answers to an evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lookalike import load_model
from lookalike.similarity.context import ContextModel

Run = Callable[..., tuple[int, str, str]]
SMALL = ("--set", "epochs=3", "--set", "members=1", "--set", "reduce=16")


@pytest.fixture
def answered(lookalike: Run, world: Path) -> Path:
    """A workspace in the current folder with both imports."""
    for name in ("known", "new"):
        assert lookalike("import", "csv", world / f"{name}.csv", "--images", world / "photos", "--quiet")[0] == 0
    return world


def test_a_global_model_and_context_models_started_from_it(lookalike: Run, answered: Path, tmp_path: Path) -> None:
    known, new = ("--source", answered / "known.csv"), ("--source", answered / "new.csv")
    code, out, _ = lookalike("train", "global", "--name", "all", *known, *SMALL, "--by", "reference", "--json")
    assert code == 0
    (whole,) = json.loads(out)["models"]
    assert (whole["name"], whole["context"], whole["examples"]) == ("all", None, 240)
    assert set(whole["measured"]["model"]) >= {"votes"}
    assert 0 <= whole["measured"]["head"]["value"] <= 1

    plot = tmp_path / "losses.png"
    code, out, _ = lookalike(
        "train", "context", "--from", "all", *known, "--by", "reference", "--folds", 3, "--plot", plot, "--json"
    )
    assert code == 0
    made = json.loads(out)
    models = {one["name"]: one for one in made["models"]}
    assert list(models) == ["city", "ocean"]
    assert made["started_from"] == "all"
    assert {one["examples"] for one in models.values()} == {120}
    assert models["city"]["measured"]["start"] is not None
    assert plot.stat().st_size > 1000
    model = load_model(models["city"]["path"])
    assert isinstance(model, ContextModel)
    assert model.start is None
    assert model.settings_["reduce"] == 16
    assert not np.array_equal(model.members_[0]["outer"], load_model(whole["path"]).members_[0]["outer"])

    code, out, _ = lookalike("evaluate", "--model", "all", "--model", "city", *new, "--json")
    rows = {row["model"]: row for row in json.loads(out)["rows"]}
    assert code == 0
    assert set(rows) == {"all", "city", "classic"}
    assert rows["city"]["seen"] == 0
    code, out, _ = lookalike("models")
    assert "city" in out


def test_contexts_are_found_where_none_are_named(lookalike: Run, answered: Path) -> None:
    options = ("--source", answered / "known.csv", "--discover", "--no-measure", "--name", "found")
    code, out, _ = lookalike("train", "context", *options, *SMALL, "--json")
    assert code == 0
    made = json.loads(out)
    assert len(made["models"]) >= 1
    assert all(one["name"].startswith("found.") for one in made["models"])
    assert sum(one["examples"] for one in made["models"]) == 240


def test_what_cannot_be_trained_is_one_clear_line(lookalike: Run, answered: Path) -> None:
    for arguments, words in (
        (("train", "context", "--context", "oceen"), "did you mean ocean?"),
        (("train", "context", "--from", "nothing"), "nothing"),
        (("train", "context", "--set", "depth=3"), "depth"),
        (("train", "global", "--name", "classic"), "'classic' is the name of an encoder"),
        (("train", "global", "--name", "all", "--set", "epochs=-1"), "epochs is"),
    ):
        code, _, err = lookalike(*arguments, "--quiet")
        assert (code, err.count("\n")) == (2, 1), arguments
        assert words in err

"""Ensembles on the command line: combined, evaluated, searched with, compared by, reported on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Run = Callable[..., tuple[int, str, str]]
CONTEXTS = ("ocean", "city")


@pytest.fixture
def trained(lookalike: Run, world: Path) -> Path:
    """A workspace in the current folder with both imports, and a model per context."""
    for name in ("known", "new"):
        assert lookalike("import", "csv", world / f"{name}.csv", "--images", world / "photos", "--quiet")[0] == 0
    for context in CONTEXTS:
        options = ("--context", context, "--source", world / "known.csv", "--form", "residual", "--no-measure")
        small = ("--set", "epochs=4", "--set", "members=1", "--set", "reduce=16")
        assert lookalike("train", "adaptation", "--name", context, *options, *small, "--quiet")[0] == 0
    assert lookalike("index", world / "photos", "--quiet")[0] == 0
    return Path(".lookalike")


def test_models_are_combined_measured_and_used(lookalike: Run, world: Path, trained: Path) -> None:
    known, new = ("--source", world / "known.csv"), ("--source", world / "new.csv")
    code, out, _ = lookalike("combine", "vote", "gate", "--member", "ocean", "--member", "city",
                             "--member", "compact", *known, "--by", "reference", "--folds", 3, "--json")  # fmt: skip
    made = {one["name"]: one for one in json.loads(out)["ensembles"]}
    assert code == 0
    assert list(made) == ["vote", "gate"]
    gate = made["gate"]
    assert (gate["kind"], gate["judgments"], list(gate["members"])) == ("gate", 240, ["ocean", "city", "compact"])
    assert sum(gate["members"].values()) == pytest.approx(1, abs=1e-5)
    rows = {row["model"]: row for row in gate["measured"]["rows"]}
    assert set(rows) == {"gate", "ocean", "city", "compact"}
    assert rows["gate"]["accuracy"] > 0.6
    assert set(rows["gate"]["by_context"]) == set(CONTEXTS)
    assert 0 <= gate["calibration_error"] < 0.5

    code, out, _ = lookalike("evaluate", "--model", "gate", "--model", "vote", *new, "--json")
    rows = {row["model"]: row for row in json.loads(out)["rows"]}
    assert code == 0
    assert set(rows) == {"gate", "vote", "compact"}
    assert rows["gate"]["seen"] == 0

    query = min((world / "photos" / "ocean").glob("*.jpg"))
    code, out, _ = lookalike("search", query, "--model", "gate", "-k", 5, "--json")
    hits = json.loads(out)["results"]
    assert code == 0
    assert hits[0]["image"] == f"ocean/{query.name}"
    assert hits[0]["distance"] == pytest.approx(0, abs=1e-4)
    assert [hit["distance"] for hit in hits] == sorted(hit["distance"] for hit in hits)
    other = max((world / "photos" / "city").glob("*.jpg"))
    code, out, _ = lookalike("compare", query, query, other, "--model", "gate", "--json")
    assert json.loads(out)["closer"] == "a"
    assert json.loads(out)["probability_a"] > 0.5

    code, _, err = lookalike("search", query, "--model", "vote", "--quiet")
    assert (code, err.count("\n")) == (2, 1)
    assert "a vote has no" in err
    code, _, err = lookalike("combine", "gate", *known, "--quiet")
    assert "there is a model 'gate': choose another name, or --replace it" in err
    code, _, err = lookalike("combine", "grid", "--member", "gate", "--quiet")
    assert "'gate' is an ensemble" in err
    code, out, _ = lookalike("models")
    assert "its best member," in out


def test_a_report_on_new_answers_and_on_known_ones(lookalike: Run, world: Path, trained: Path) -> None:
    combined = lookalike("combine", "gate", "--source", world / "known.csv", "--folds", 3, "--no-measure", "--quiet")
    assert combined[0] == 0
    code, out, _ = lookalike("report", "new.html", "--source", world / "new.csv", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["kinds"] == {"compact": "encoder", "city": "adaptation model", "ocean": "adaptation model",
                              "gate": "ensemble: gate"}  # fmt: skip
    assert "as they are" in found["how"]
    page = Path("new.html").read_text(encoding="utf-8")
    assert "Whom the ensemble trusts" in page
    assert "Where it is sure and wrong" in page
    assert page.count("data:image/jpeg;base64,") > 20

    code, out, _ = lookalike("report", "known.html", "--source", world / "known.csv", "--folds", 3, "--json")
    found = json.loads(out)
    assert code == 0
    assert set(found["kinds"]) == {"compact", "city", "ocean", "vote", "grid", "mlp", "gate"}
    assert "fitted anew" in found["how"]
    assert all(row["seen"] == 0 for row in found["rows"])
    code, _, err = lookalike("report", "known.pdf", "--quiet")
    assert (code, err.count("\n")) == (2, 1)


def test_wrong_ways_to_combine(lookalike: Run, tmp_path: Path) -> None:
    code, _, err = lookalike("combine", "mean", "--quiet")
    assert (code, err) == (2, "lookalike: models are combined by vote, grid, mlp or gate, not by 'mean'\n")
    code, _, err = lookalike("combine", "vote", "gate", "--name", "both", "--quiet")
    assert "--name is for one ensemble" in err
    code, _, err = lookalike("combine", "gate", "--name", "compact", "--quiet")
    assert "'compact' is the name of an encoder" in err
    assert np.size(list(tmp_path.glob("*.html"))) == 0

"""Search by ensembles: the fused vectors of their models are made once, and followed as the folder changes."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.core.workspace import Workspace
from lookalike.embedding.collection import Collection
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_sets import encode_set
from lookalike.ensembles.weighted import WeightedEnsemble
from lookalike.jobs import fused_models
from lookalike.jobs.models import open_model
from lookalike.search import fused_reduction
from lookalike.search.fused_table import FusedTable

Run = Callable[..., tuple[int, str, str]]
SMALL = ("--set", "epochs=3", "--set", "members=1", "--set", "reduce=16", "--no-measure", "--quiet")
HELD = Path(".lookalike")


@pytest.fixture
def photos(lookalike: Run, tmp_path: Path) -> Path:
    """A folder of 30 photographs in a workspace with two models and two ensembles of them."""
    rng, folder = np.random.default_rng(0), tmp_path / "photos"
    folder.mkdir()
    for number in range(30):
        coarse = rng.integers(0, 255, (6, 6, 3), np.uint8)
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(folder / f"{number:02}.png")
    rows = ["reference,a,b,votes_a,votes_b"]
    for _ in range(150):
        r, a, b = rng.choice(30, 3, replace=False)
        rows.append(f"{r:02}.png,{a:02}.png,{b:02}.png,{rng.integers(1, 4)},{rng.integers(0, 2)}")
    Path("answers.csv").write_text("\n".join(rows) + "\n")
    assert lookalike("import", "csv", "answers.csv", "--images", folder, "--quiet")[0] == 0
    for name, form in (("one", "residual"), ("two", "identity")):
        assert lookalike("train", "adaptation", "--name", name, "--form", form, *SMALL)[0] == 0
    for kind in ("gate", "grid"):
        both = ("--member", "one", "--member", "two")
        assert lookalike("combine", kind, *both, "--folds", 3, "--no-measure", "--quiet")[0] == 0
    assert lookalike("index", folder, "--quiet")[0] == 0
    return folder


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Which images were asked for features of, search by search."""
    asked: list[list[str]] = []
    features = fused_models.model_features

    def told(workspace, named, images, *rest):
        asked.append(sorted(images))
        return features(workspace, named, images, *rest)

    monkeypatch.setattr(fused_models, "model_features", told)
    return asked


def groups() -> list[str]:
    return [name for name in FusedTable.names(str(HELD / "collection")) if name.startswith(fused_models.PREFIX)]


def found(lookalike: Run, *arguments: object) -> dict[str, object]:
    code, out, err = lookalike("search", *arguments, "--json")
    assert (code, err) == (0, ""), err
    return json.loads(out)


def by_definition(name: str, query: Path, photos: Path) -> dict[str, float]:
    """The ensemble's own distance to every photograph, without fused vectors."""
    named = open_model(Workspace(HELD), name)
    encoders = [load_encoder(one) for one in named.features.encoders]
    paths = sorted(photos.glob("*.png"))
    asked, rows = encode_set(encoders, [query]), encode_set(encoders, paths)
    model = named.model
    assert isinstance(model, WeightedEnsemble)
    distances = model.offset(asked)[0] - model.transform(rows) @ model.query(asked)[0]
    return {path.name: float(at) for path, at in zip(paths, distances, strict=True)}


def test_ensembles_of_the_same_models_share_their_vectors(
    lookalike: Run, photos: Path, encoded: list[list[str]]
) -> None:
    query = photos / "03.png"
    for name in ("gate", "grid"):
        data = found(lookalike, query, "--ensemble", name, "-k", 40, "--explain", "--quiet")
        expected = by_definition(name, query, photos)
        hits = data["results"]
        assert hits[0]["image"] == "03.png"
        assert len(hits) == 30
        np.testing.assert_allclose([hit["distance"] for hit in hits], [expected[h["image"]] for h in hits], atol=5e-4)
        assert set(data["weights"]) == {"one", "two"}
        assert sum(data["weights"].values()) == pytest.approx(1, abs=1e-5)
        for hit in hits[1:]:
            assert sum(hit["shares"].values()) == pytest.approx(1, abs=1e-5)
    assert [len(images) for images in encoded] == [30]
    alone = found(lookalike, query, "--model", "two", "-k", 3, "--explain", "--quiet")
    assert alone["weights"] == {"two": 1}
    assert len(groups()) == len(encoded) == 1
    code, out, _ = lookalike("search", query, "--ensemble", "gate", "-k", 2, "--explain")
    assert code == 0
    assert "share of the distance" in out
    assert "weights for this picture: " in out


def test_only_what_is_new_or_changed_is_encoded_and_what_is_gone_is_dropped(
    lookalike: Run, photos: Path, encoded: list[list[str]]
) -> None:
    query = photos / "00.png"
    found(lookalike, query, "--ensemble", "gate", "--quiet")
    Image.open(photos / "04.png").rotate(90).save(photos / "05.png")
    Image.open(photos / "04.png").save(photos / "new.png")
    (photos / "06.png").unlink()
    (photos / "07.png").write_text("no picture")
    assert lookalike("index", photos, "--quiet")[0] == 1
    (photos / "08.png").write_text("spoiled since")
    alone = found(lookalike, photos / "04.png", "--model", "one", "-k", 40, "--quiet")
    assert encoded[1] == ["05.png", "08.png", "new.png"]
    images = [hit["image"] for hit in alone["results"]]
    assert set(images[:2]) == {"04.png", "new.png"}
    assert len(images) == 28
    assert not {"06.png", "07.png", "08.png"} & set(images)
    assert len(groups()) == 1  # the ensemble, which was not asked, has filled the group for all its models
    for name in ("07.png", "08.png"):
        (photos / name).unlink()
    expected = by_definition("gate", query, photos)
    again = found(lookalike, query, "--ensemble", "gate", "-k", 40, "--quiet")["results"]
    np.testing.assert_allclose([hit["distance"] for hit in again], [expected[h["image"]] for h in again], atol=5e-4)


def test_a_model_that_was_trained_anew_gets_new_vectors(lookalike: Run, photos: Path, encoded: list[list[str]]) -> None:
    query = photos / "00.png"
    found(lookalike, query, "--ensemble", "gate", "--quiet")
    before = groups()
    options = ("--name", "one", "--form", "residual", "--replace", "--set", "seed=5")
    assert lookalike("train", "adaptation", *options, *SMALL)[0] == 0
    found(lookalike, query, "--model", "one", "--quiet")
    assert len(encoded) == 2
    assert set(before) < set(groups())  # the ensembles still hold the old model
    for kind in ("gate", "grid"):
        members = ("--member", "one", "--member", "two", "--replace")
        assert lookalike("combine", kind, *members, "--folds", 3, "--no-measure", "--quiet")[0] == 0
    data = found(lookalike, query, "--ensemble", "gate", "-k", 40, "--quiet")["results"]
    expected = by_definition("gate", query, photos)
    np.testing.assert_allclose([hit["distance"] for hit in data], [expected[h["image"]] for h in data], atol=5e-4)
    assert not set(before) & set(groups())


def test_many_images_are_reduced_to_the_budget(lookalike: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    query = photos / "00.png"
    found(lookalike, query, "--ensemble", "gate", "--quiet")
    whole = groups()
    monkeypatch.setattr(fused_models, "EXACT_BELOW", 30)
    monkeypatch.setattr(fused_models, "BUDGET", 20)
    monkeypatch.setattr(fused_reduction, "SAMPLE_AT_LEAST", 30)
    data = found(lookalike, query, "--ensemble", "gate", "-k", 40, "--quiet")["results"]
    (made,) = groups()
    assert made not in whole
    layout = FusedTable.open(str(HELD / "collection"), made).layout
    assert sum(model.kept for model in layout.models) <= 20
    assert max(model.max_error for model in layout.models) > 0
    expected = by_definition("gate", query, photos)
    apart = [abs(hit["distance"] - expected[hit["image"]]) for hit in data]
    assert data[0]["image"] == "00.png"
    assert np.mean(apart) < 0.1


def test_wrong_questions_are_one_line(lookalike: Run, photos: Path) -> None:
    code, _, err = lookalike("search", photos / "00.png", "--explain")
    assert (code, err.count("\n")) == (2, 1)
    assert "give --ensemble as well" in err
    code, _, err = lookalike("search", photos / "00.png", "--ensemble", "gat")
    assert (code, err) == (2, "lookalike: there is no model 'gat': did you mean gate?\n")
    code, _, err = lookalike("search", photos / "00.png", "--ensemble", "gate", "--encoder", "classic")
    assert (code, err.count("\n")) == (2, 1)


def test_a_workspace_of_vectors_alone_says_so(lookalike: Run, tmp_path: Path) -> None:
    Collection.create(tmp_path / "given").add_vectors(["x", "y"], {"m": [[1.0, 0.0], [0.0, 1.0]]})
    (tmp_path / "photos").mkdir()
    code, _, err = lookalike("index", tmp_path / "photos", "--workspace", tmp_path / "given")
    assert (code, err.count("\n")) == (2, 1)
    assert "holds vectors alone, made elsewhere" in err
    code, _, err = lookalike("serve", "--workspace", tmp_path / "given", "--port", 0)
    assert (code, err.count("\n")) == (2, 1)
    assert "holds vectors alone" in err

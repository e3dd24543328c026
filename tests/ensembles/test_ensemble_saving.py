"""Ensembles on disk: what comes back, and one clear error for every way in which a file can be wrong."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load as read
from safetensors.numpy import save

import lookalike
from lookalike.core.errors import InputError, StorageError
from lookalike.core.version import __version__
from lookalike.ensembles.base import Ensemble
from lookalike.ensembles.gate import GateEnsemble
from lookalike.ensembles.grid import GridEnsemble
from lookalike.ensembles.kinds import ENSEMBLES
from lookalike.ensembles.mlp import MLPEnsemble
from lookalike.ensembles.saving import load, load_ensemble, save_ensemble
from lookalike.ensembles.vote import VoteEnsemble
from lookalike.similarity.adaptation import AdaptationModel
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.saving import card_of, load_model, save_model
from lookalike.similarity.selected import SelectedModel

sys.path.insert(0, str(Path(__file__).parent))
from ensemble_cases import some_judgments, some_models

JUDGMENTS, FEATURES = some_judgments(count=40)
MODELS = some_models(JUDGMENTS, FEATURES)
FITTED: dict[str, Ensemble] = {
    "vote": VoteEnsemble(MODELS),
    "grid": GridEnsemble(MODELS, bandwidth=0.4),
    "grid-published": GridEnsemble(MODELS, "published"),
    "mlp": MLPEnsemble(MODELS, dim=2, sharpness=5.0, folds=2),
    "mlp-published": MLPEnsemble(MODELS, "published", dim=2),
    "gate": GateEnsemble(MODELS, dim=2, hidden=2, folds=2),
}
for ensemble in FITTED.values():
    ensemble.fit(JUDGMENTS, FEATURES)


def change_card(path: Path, **entries: Any) -> None:
    card = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**card, **entries}))


def change_arrays(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    arrays = read(path.read_bytes())
    change(arrays)
    content = save(arrays)
    path.write_bytes(content)
    change_card(path, sha256=hashlib.sha256(content).hexdigest())


def refused(path: Path, words: str = "", how: Callable[[Path], Any] = load_ensemble) -> str:
    with pytest.raises(InputError) as caught:
        how(path)
    line = str(caught.value)
    assert str(path.with_suffix("")) in line
    assert "\n" not in line
    assert words in line
    return line


def test_the_card_says_what_the_ensemble_is_and_what_is_in_it(tmp_path: Path) -> None:
    inside = AdaptationModel("identity", reduce=4).fit(JUDGMENTS, FEATURES)
    members = [inside, SelectedModel(AdaptationModel("identity", reduce=2), (0, 5)).fit(JUDGMENTS, FEATURES)]
    made = GridEnsemble(members, "published", columns=(0, 4), pca_ids=np.array(["000.jpg", "001.jpg", "009.jpg"]))
    made.fit(JUDGMENTS, FEATURES)
    path = save_ensemble(made, tmp_path / "all", {"encoders": ["classic"], "n": np.int64(3)})
    assert path == tmp_path / "all.safetensors"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["all.json", "all.safetensors"]
    card = card_of(path)
    assert (card["format"], card["model"], card["lookalike"]) == (1, "grid", __version__)
    assert card["about"] == {"encoders": ["classic"], "n": 3}
    assert card["parameters"] == {
        "mode": "published",
        "weighting": "thres",
        "threshold": None,
        "bandwidth": None,
        "columns": [0, 4],
        "pca_ids": ["000.jpg", "001.jpg", "009.jpg"],
    }
    assert [member["model"] for member in card["members"]] == ["adaptation", "selected"]
    assert card["members"][0]["parameters"] == inside.get_params()
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    names = set(read(path.read_bytes()))
    assert {"calibration", "temperature", "seen", "table", "model.0.seen", "model.1.seen", "model.1.columns"} <= names
    loaded = load_ensemble(path)
    np.testing.assert_array_equal(loaded.weights(FEATURES), made.weights(FEATURES))
    again = loaded.fresh().fit(JUDGMENTS, FEATURES)  # parameters come back as they may be given
    np.testing.assert_array_equal(again.weights(FEATURES), made.weights(FEATURES))


@pytest.mark.parametrize("name", FITTED)
def test_loaded_models_are_whole(tmp_path: Path, name: str) -> None:
    loaded = load_ensemble(save_ensemble(FITTED[name], tmp_path / name))
    for own, model in zip(loaded.models_, MODELS, strict=True):
        np.testing.assert_array_equal(own.transform(FEATURES), model.transform(FEATURES))
        np.testing.assert_array_equal(own.seen_, model.seen_)
        np.testing.assert_array_equal(own.asked_, model.asked_)
        assert own.was_asked(JUDGMENTS).all()
    assert loaded.models == list(loaded.models_)


def test_whatever_stands_there_is_loaded(tmp_path: Path) -> None:
    ensemble, model = save_ensemble(FITTED["gate"], tmp_path / "many"), save_model(MODELS[0], tmp_path / "one")
    assert isinstance(load(ensemble), GateEnsemble)
    assert isinstance(load(model), SelectedModel)
    assert lookalike.load_ensemble is load_ensemble
    refused(ensemble, "holds an ensemble, not one model: read it with lookalike.load_ensemble", load_model)
    refused(model, "holds one model, not an ensemble: read it with lookalike.load_model")
    refused(tmp_path / "none.safetensors", "its card none.json is missing")
    refused(tmp_path / "none.safetensors", "its card none.json is missing", load)


def test_one_takes_the_place_of_another(tmp_path: Path) -> None:
    save_model(MODELS[0], tmp_path / "name")
    save_ensemble(FITTED["vote"], tmp_path / "name")
    assert isinstance(load(tmp_path / "name"), VoteEnsemble)
    save_model(MODELS[0], tmp_path / "name.safetensors")
    assert isinstance(load(tmp_path / "name.json"), SelectedModel)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("share", [0.0, 0.4, 0.999])
def test_a_file_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    path = save_ensemble(FITTED["gate"], tmp_path / "all")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, "is not the file that its card describes")
    change_card(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    refused(path, "cannot be used")


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"format": 2}, "has format 2, this version reads 1"),
        ({"model": "gaet"}, "there is no ensemble 'gaet': did you mean gate?; a newer version of lookalike"),
        ({"model": ["gate"]}, "cannot be used"),
        ({"model": "mlp"}, "MLPEnsemble has no parameter 'hidden'"),
        ({"model": "vote", "parameters": {}}, ""),
        ({"parameters": {"depth": 3}}, "GateEnsemble has no parameter 'depth'"),
        ({"parameters": {"folds": 1}}, "folds at least 2"),
        ({"parameters": {"penalty": "x"}}, "cannot be used"),
        ({"parameters": {"columns": [0, 40], "place_by": "features"}}, "columns 0 to 40 are not among the 9"),
        ({"parameters": [1]}, "cannot be used"),
        ({"parameters": None}, "cannot be used"),
        ({"members": None}, "cannot be used"),
        ({"members": []}, "at least one model"),
        ({"members": [{"model": "identity", "parameters": {}}]}, "1 models do not fit a calibration of shape (3,)"),
        ({"members": [{"model": "hologram", "parameters": {}}] * 3}, "a newer version of lookalike may know it"),
        ({"members": [{"parameters": {}}] * 3}, "lacks 'model'"),
        ({"members": [3] * 3}, "cannot be used"),
        ({"sha256": "0"}, "is not the file that its card describes"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(tmp_path: Path, entries: dict[str, Any], words: str) -> None:
    path = save_ensemble(FITTED["gate"], tmp_path / "all")
    change_card(path, **entries)
    if entries.get("model") == "vote":  # it needs nothing that a gate has not
        assert isinstance(load_ensemble(path), VoteEnsemble)
    else:
        refused(path, words)


@pytest.mark.parametrize("name", FITTED)
def test_every_array_is_needed(tmp_path: Path, name: str) -> None:
    path = save_ensemble(FITTED[name], tmp_path / "all")
    names = list(read(path.read_bytes()))
    names.remove("asked")  # older versions did not write it
    assert len(names) > 3
    for array in names:
        save_ensemble(FITTED[name], path)
        change_arrays(path, lambda arrays: arrays.pop(array))  # noqa: B023 used at once
        line = refused(path, "cannot be used")
        assert array.rpartition(".")[2] in line
        if array.startswith("model.1."):
            assert "model 1 lacks" in line


def test_an_ensemble_of_an_older_version_remembers_what_its_models_were_asked(tmp_path: Path) -> None:
    path = save_ensemble(FITTED["vote"], tmp_path / "all")
    change_arrays(path, lambda arrays: arrays.pop("asked"))
    loaded = load_ensemble(path)
    known = np.any([model.was_asked(JUDGMENTS) for model in loaded.models_], axis=0)
    np.testing.assert_array_equal(loaded.was_asked(JUDGMENTS), known)
    assert known.any()


@pytest.mark.parametrize("name", FITTED)
def test_arrays_that_do_not_fit_together_are_refused(tmp_path: Path, name: str) -> None:
    path = save_ensemble(FITTED[name], tmp_path / "all")
    remembered = ("seen", "asked")
    names = [
        array
        for array, value in read(path.read_bytes()).items()
        if value.size > 1 and array.rpartition(".")[2] not in remembered
    ]
    for array in names:
        save_ensemble(FITTED[name], path)
        shorter = read(path.read_bytes())[array]
        shorter = shorter[(slice(1, None),) * shorter.ndim].copy()
        change_arrays(path, lambda arrays: arrays.update({array: shorter}))  # noqa: B023 used at once
        refused(path, "cannot be used")


def test_a_full_disk_leaves_the_old_ensemble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_ensemble(FITTED["gate"], tmp_path / "all")
    for writer in ("write_bytes", "write_text"):
        write = getattr(Path, writer)

        def half(self: Path, content: Any, write: Any = write, **options: Any) -> int:
            write(self, content[: len(content) // 2], **options)
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(Path, writer, half)
            with pytest.raises(StorageError, match="No space left on device"):
                save_ensemble(FITTED["vote"], path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["all.json", "all.safetensors"]
    assert isinstance(load_ensemble(path), GateEnsemble)


def test_what_could_not_be_loaded_again_is_not_saved(tmp_path: Path) -> None:
    class Mine(VoteEnsemble):
        """An ensemble of the user's own."""

    class Own(IdentityModel):
        """A model of the user's own."""

    with pytest.raises(InputError, match="Mine is not registered as an ensemble"):
        save_ensemble(Mine(MODELS).fit(JUDGMENTS, FEATURES), tmp_path / "mine")
    with pytest.raises(InputError, match="Own is not registered as a model"):
        save_ensemble(VoteEnsemble([Own.of(9)]).fit(JUDGMENTS, FEATURES), tmp_path / "mine")
    assert not list(tmp_path.iterdir())


def test_the_cards_of_all_kinds_are_json(tmp_path: Path) -> None:
    for name, made in FITTED.items():
        path = save_ensemble(made, tmp_path / name)
        card = json.loads(path.with_suffix(".json").read_text())
        assert card["model"] == name.partition("-")[0]
        assert ENSEMBLES[card["model"]] is type(made)
        assert "models" not in card["parameters"]

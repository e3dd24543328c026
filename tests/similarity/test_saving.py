"""Models on disk: what comes back, and one clear error for every way in which a file can be wrong."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from lookalike.core.errors import InputError, StorageError
from lookalike.core.version import __version__
from lookalike.similarity import forms
from lookalike.similarity.adaptation import AdaptationModel
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.model import SimilarityModel
from lookalike.similarity.saving import card_of, load_model, save_model

sys.path.insert(0, str(Path(__file__).parent))
from checks import some_pairs

needs_torch = pytest.mark.skipif(not find_spec("torch"), reason="needs PyTorch")
PAIRS, FEATURES = some_pairs()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    if not find_spec("torch"):
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def fitted(form: str = "within", **parameters: Any) -> AdaptationModel:
    return AdaptationModel(form, **{"reduce": 5, "width": 8, "epochs": 2, **parameters}).fit(PAIRS, FEATURES)


def same_transform(one: SimilarityModel, other: SimilarityModel) -> bool:
    return np.array_equal(one.transform(FEATURES), other.transform(FEATURES))


def change_card(path: Path, **entries: Any) -> None:
    card = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**card, **entries}))


def change_arrays(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the arrays of a saved model, and the card with them, so that both belong together."""
    arrays = load(path.read_bytes())
    change(arrays)
    content = save(arrays)
    path.write_bytes(content)
    change_card(path, sha256=hashlib.sha256(content).hexdigest())


def refused(path: Path, words: str = "") -> str:
    """Return the one line with which a model is refused; it names the file."""
    with pytest.raises(InputError) as caught:
        load_model(path)
    line = str(caught.value)
    assert str(path.with_suffix("")) in line
    assert "\n" not in line
    assert words in line
    return line


def test_the_card_says_what_the_model_is(tmp_path: Path) -> None:
    about = {"features": ["onnx:net.onnx"], "accuracy": {"value": 0.5, "n": np.int64(3)}, "name": "é"}
    path = save_model(fitted(shrinkage=0.25, seed=3), tmp_path / "looks", about)
    assert path == tmp_path / "looks.safetensors"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["looks.json", "looks.safetensors"]
    card = card_of(path)
    assert card["about"] == {"features": ["onnx:net.onnx"], "accuracy": {"value": 0.5, "n": 3}, "name": "é"}
    assert (card["format"], card["model"], card["lookalike"]) == (1, "adaptation", __version__)
    assert (
        card["parameters"]
        == AdaptationModel("within", reduce=5, width=8, epochs=2, shrinkage=0.25, seed=3).get_params()
    )
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_without_about_there_is_nothing_about_it(tmp_path: Path) -> None:
    assert card_of(save_model(fitted(), tmp_path / "looks"))["about"] == {}


def test_numbers_of_numpy_are_saved_as_numbers(tmp_path: Path) -> None:
    """Parameters from a grid, say."""
    model = fitted(reduce=np.int64(4), shrinkage=np.float64(0.25), whiten=np.bool_(True))
    loaded = load_model(save_model(model, tmp_path / "grid"))
    assert loaded.get_params() == model.get_params()
    assert same_transform(loaded, model)


def test_settings_stay_as_they_were_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later version may take other defaults."""
    model = AdaptationModel().fit(PAIRS, FEATURES)
    path = save_model(model, tmp_path / "old")
    entry = forms.FORMS["within"]
    monkeypatch.setitem(
        forms.FORMS, "within", forms.Form(entry.formula, entry.shapes, {"reduce": 3, "shrinkage": 0.9, "scale": 2.0})
    )
    loaded = load_model(path)
    assert isinstance(loaded, AdaptationModel)
    assert loaded.settings_ == model.settings_
    assert loaded.settings_["shrinkage"] == 0.5
    assert same_transform(loaded, model)


@needs_torch
def test_what_was_learned_comes_back(tmp_path: Path) -> None:
    model = fitted("residual", members=3, learn_scale=True, transductive=True)
    loaded = load_model(save_model(model, tmp_path / "learned"))
    assert isinstance(loaded, AdaptationModel)
    assert loaded.scale_ == model.scale_ != 15.0
    assert len(loaded.members_) == 3
    assert loaded.history_ == []
    assert same_transform(loaded, model)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("taste", "taste"),
        ("taste.safetensors", "taste"),
        ("taste.json", "taste"),
        ("taste.v1.2", "taste.v1.2"),
        ("taste.v1.2.safetensors", "taste.v1.2"),
        ("resnet18.onnx", "resnet18.onnx"),
        (".hidden", ".hidden"),
        ("new/folder/taste", "new/folder/taste"),
    ],
)
def test_names_with_dots_and_folders(tmp_path: Path, name: str, file: str) -> None:
    model = IdentityModel().fit(PAIRS, FEATURES)
    path = save_model(model, str(tmp_path / name))
    assert path == tmp_path / f"{file}.safetensors"
    assert path.is_file()
    assert (tmp_path / f"{file}.json").is_file()
    for given in (name, file, f"{file}.json", f"{file}.safetensors"):
        assert same_transform(load_model(tmp_path / given), model)
        assert card_of(str(tmp_path / given))["model"] == "identity"


def test_neighbouring_versions_do_not_meet(tmp_path: Path) -> None:
    plain, whitened = IdentityModel().fit(PAIRS, FEATURES), fitted()
    save_model(plain, tmp_path / "looks.1")
    save_model(whitened, tmp_path / "looks.2")
    assert same_transform(load_model(tmp_path / "looks.1"), plain)
    assert same_transform(load_model(tmp_path / "looks.2"), whitened)


def test_a_new_model_takes_the_place_of_the_old(tmp_path: Path) -> None:
    save_model(fitted(), tmp_path / "looks")
    new = IdentityModel().fit(PAIRS, FEATURES)
    path = save_model(new, tmp_path / "looks")
    assert same_transform(load_model(path), new)
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "nothing.safetensors", "its card nothing.json is missing")
    path = save_model(fitted(), tmp_path / "looks")
    path.unlink()
    refused(path, "cannot read the model")
    path = save_model(fitted(), tmp_path / "looks")
    path.with_suffix(".json").unlink()
    refused(path, "its card looks.json is missing")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_file_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    path = save_model(fitted(), tmp_path / "looks")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, "is not the file that its card describes")
    change_card(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    refused(path, "cannot be used")


def test_one_changed_bit_is_noticed(tmp_path: Path) -> None:
    path = save_model(fitted(), tmp_path / "looks")
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    refused(path, "is not the file that its card describes: it is damaged, or one of them was moved")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format": 1, "model": "adapt', "not a JSON file (line 1"),
        ("", "not a JSON file"),
        ("[1, 2]", "is not the card of a model"),
        ('{"dim": 3}', "is not the card of a model"),
        ("null", "is not the card of a model"),
    ],
)
def test_a_damaged_card_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = save_model(fitted(), tmp_path / "looks")
    path.with_suffix(".json").write_text(text)
    refused(path, words)
    with pytest.raises(InputError):
        card_of(path)


def test_a_card_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = save_model(fitted(), tmp_path / "looks")
    path.with_suffix(".json").write_bytes(b"\xff\xfe\x00\x01")
    refused(path, "it is not UTF-8 text")


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"format": 2}, "has format 2, this version reads 1"),
        ({"model": "adaptatoin"}, "there is no model 'adaptatoin': did you mean adaptation?; a newer version"),
        ({"model": "hologram"}, "a newer version of lookalike may know it"),
        ({"model": ["adaptation"]}, "cannot be used"),
        ({"parameters": {"depth": 3}}, "AdaptationModel has no parameter 'depth'"),
        ({"parameters": [1]}, "cannot be used"),
        ({"parameters": None}, "cannot be used"),
        ({"sha256": None}, "is not the file that its card describes"),
    ],
)
def test_a_card_of_another_version_is_refused(tmp_path: Path, entries: dict[str, Any], words: str) -> None:
    path = save_model(fitted(), tmp_path / "looks")
    change_card(path, **entries)
    refused(path, words)


def test_exchanged_files_are_refused(tmp_path: Path) -> None:
    one, two = save_model(fitted(), tmp_path / "one"), save_model(fitted(shrinkage=0.1), tmp_path / "two")
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    for path in (one, two):
        refused(path, "is not the file that its card describes")


def test_numbers_of_another_kind_of_model_are_refused(tmp_path: Path) -> None:
    path = save_model(IdentityModel().fit(PAIRS, FEATURES), tmp_path / "plain")
    change_card(path, model="adaptation")
    refused(path, "it lacks 'settings'")


FORMS = [
    pytest.param("within", {"whiten": True}),
    pytest.param("within", {"reduce": 0}),
    pytest.param("identity", {}),
    pytest.param("residual", {"members": 2}, marks=needs_torch),
    pytest.param("original", {"members": 2, "reduce": 0}, marks=needs_torch),
    pytest.param("peterson", {}, marks=needs_torch),
]


@pytest.mark.parametrize(("form", "parameters"), FORMS)
def test_every_array_is_needed(tmp_path: Path, form: str, parameters: dict[str, Any]) -> None:
    model = fitted(form, **parameters)
    path = save_model(model, tmp_path / "looks")
    names = list(load(path.read_bytes()))
    assert len(names) > 4
    for name in names:
        save_model(model, path)
        change_arrays(path, lambda arrays: arrays.pop(name))  # noqa: B023 used at once
        assert name.removeprefix("reduction.") in refused(path, "cannot be used")


@pytest.mark.parametrize(("form", "parameters"), FORMS)
def test_arrays_that_do_not_fit_together_are_refused(tmp_path: Path, form: str, parameters: dict[str, Any]) -> None:
    model = fitted(form, **parameters)
    path = save_model(model, tmp_path / "looks")
    names = [name for name, value in load(path.read_bytes()).items() if value.size > 1 and name != "seen"]
    for name in names:
        save_model(model, path)
        shorter = load(path.read_bytes())[name]
        shorter = shorter[(slice(1, None),) * shorter.ndim].copy()  # in every direction
        change_arrays(path, lambda arrays: arrays.update({name: shorter}))  # noqa: B023 used at once
        refused(path, "cannot be used")


def test_an_array_of_nothing_is_refused(tmp_path: Path) -> None:
    for name in ("gain", "scale", "n_features_in"):
        path = save_model(fitted(), tmp_path / "looks")
        change_arrays(path, lambda arrays: arrays.update({name: np.zeros(0)}))  # noqa: B023 used at once
        refused(path, "cannot be used")


def test_a_form_that_this_version_does_not_know_is_refused(tmp_path: Path) -> None:
    path = save_model(fitted(), tmp_path / "looks")

    def newer(arrays: dict[str, Any]) -> None:
        settings = {**json.loads(arrays["settings"].tobytes()), "form": "spiral"}
        arrays["settings"] = np.frombuffer(json.dumps(settings).encode(), np.uint8)

    change_arrays(path, newer)
    change_card(path, parameters={**card_of(path)["parameters"], "form": "spiral"})
    refused(path, "there is no form 'spiral'")
    assert "a newer version of lookalike may know it" in refused(path)


def test_strided_arrays_are_saved_as_they_read(tmp_path: Path) -> None:
    """Not as they lie in memory."""
    model = fitted()
    model.members_ = [{"turn": np.asfortranarray(np.arange(25, dtype=np.float32).reshape(5, 5))}]
    loaded = load_model(save_model(model, tmp_path / "looks"))
    np.testing.assert_array_equal(loaded.arrays()["member.0.turn"], model.members_[0]["turn"])


@pytest.mark.parametrize("writer", ["write_bytes", "write_text"])
def test_a_full_disk_leaves_the_old_model(tmp_path: Path, writer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of the two files does not fit."""
    old = fitted()
    path = save_model(old, tmp_path / "looks")
    write = getattr(Path, writer)

    def half(self: Path, content: Any, **options: Any) -> int:
        write(self, content[: len(content) // 2], **options)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, writer, half)
        with pytest.raises(StorageError, match=r"cannot write .*looks.*: No space left on device"):
            save_model(IdentityModel().fit(PAIRS, FEATURES), path)
        with pytest.raises(StorageError, match="No space left on device"):
            save_model(old, tmp_path / "first")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["looks.json", "looks.safetensors"]
    assert same_transform(load_model(path), old)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"cannot write .*file.looks"):
        save_model(fitted(), tmp_path / "file" / "looks")


def test_a_model_of_no_registered_kind_is_not_saved(tmp_path: Path) -> None:
    class Mine(IdentityModel):
        """A model of the user's own."""

    with pytest.raises(InputError, match="Mine is not registered as a model: it could not be loaded again"):
        save_model(Mine().fit(PAIRS, FEATURES), tmp_path / "mine")
    assert not list(tmp_path.iterdir())

"""Several encoders under one name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lookalike import load_encoder
from lookalike.core.errors import EncoderError, ImageDecodeError, InputError, UnknownNameError, WorkspaceError
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding import feature_sets
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.feature_sets import FeatureSet, compute_set, define, fingerprint, names, read, set_features
from lookalike.embedding.lens import Mirrored
from lookalike.images.folder import Rejected


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "w")


@pytest.fixture
def images(photos: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(photos.rglob("*.jpg"))}


def test_a_set_is_kept_under_its_name(workspace: Workspace, network: Path) -> None:
    assert names(workspace) == []
    made = define(workspace, "two", ["classic", f"onnx:{network}"])
    assert made.encoders == ("classic", f"onnx:{network}")
    define(workspace, "b.1_x-y", ["classic"])
    assert names(workspace) == ["b.1_x-y", "two"]
    assert read(workspace, "two") == made == define(workspace, "two", made.encoders)
    with pytest.raises(InputError, match="of other encoders"):
        define(workspace, "two", ["classic"])
    assert define(workspace, "two", ["classic"], replace=True) == read(workspace, "two")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b", "x" * 65])
def test_a_name_that_is_no_file_name_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a feature set"):
        define(workspace, name, ["classic"])
    with pytest.raises(InputError, match="cannot name a feature set"):
        read(workspace, name)


def test_sets_that_cannot_be_are_refused(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="stands twice"):
        define(workspace, "x", ["classic", "classic"])
    with pytest.raises(InputError, match="at least one encoder"):
        define(workspace, "x", [])
    with pytest.raises(EncoderError):
        define(workspace, "x", ["onnx:nowhere.onnx"])
    with pytest.raises(InputError, match="no feature sets"):
        read(workspace, "x")
    define(workspace, "taps", ["classic"])
    with pytest.raises(UnknownNameError, match="did you mean taps"):
        read(workspace, "tap")


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1}', '{"format": 1, "encoders": []}', '{"format": 9}'])
def test_a_damaged_set_says_so(workspace: Workspace, content: str) -> None:
    define(workspace, "x", ["classic"])
    (workspace.path / "features" / "sets" / "x.json").write_text(content)
    with pytest.raises(WorkspaceError, match=r"x\.json"):
        read(workspace, "x")


def test_features_stand_side_by_side_and_none_outweighs_the_others(
    workspace: Workspace, network: Path, images: dict[str, Path]
) -> None:
    chosen = FeatureSet("two", ("classic", f"onnx:{network}"))
    found = compute_set(workspace, chosen, images)
    parts = [load_encoder(name) for name in chosen.encoders]
    assert found.dims == {encoder.name: encoder.dim for encoder in parts}
    assert found.features.ids.tolist() == list(images)
    expected = np.hstack([unit_rows(encoder.encode(list(images.values()))) for encoder in parts])
    np.testing.assert_allclose(found.features.vectors, expected, atol=1e-5)
    np.testing.assert_array_equal(set_features(workspace, chosen, images).vectors, found.features.vectors)
    flipped = set_features(workspace, chosen, images, lens=Mirrored()).vectors
    assert flipped.shape == expected.shape
    assert not np.allclose(flipped, expected, atol=1e-3)


def test_taps_stay_as_their_encoder_scaled_them(
    workspace: Workspace, images: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for a torch network: the same numbers under a name that lists layers, and one that does not."""

    class Named(Encoder):
        def __init__(self, name: str) -> None:
            super().__init__(load_encoder("classic")._network)
            self._name = name

        @property
        def name(self) -> str:
            return self._name

    monkeypatch.setattr(feature_sets, "load_encoder", Named)
    raw = load_encoder("classic").encode(list(images.values()))
    for layers, expected in (("[layer3,layer4]", raw), ("[pool=gem]", unit_rows(raw)), ("", unit_rows(raw))):
        chosen = FeatureSet("x", (f"timm:resnet18{layers}@/nets/r18.pth",))
        np.testing.assert_allclose(set_features(workspace, chosen, images).vectors, expected, atol=1e-4)


def test_the_fingerprint_follows_the_weights_and_their_order(
    workspace: Workspace, make_network: Callable[..., Path], tmp_path: Path, images: dict[str, Path]
) -> None:
    one, other = make_network(tmp_path / "one.onnx"), make_network(tmp_path / "other.onnx", dim=6)
    chosen = FeatureSet("x", (f"onnx:{one}", "classic"))
    before = fingerprint(chosen)
    assert compute_set(workspace, chosen, images).fingerprint == before
    assert fingerprint(FeatureSet("y", chosen.encoders)) == before
    assert fingerprint(FeatureSet("x", chosen.encoders[::-1])) != before
    assert fingerprint(FeatureSet("x", chosen.encoders[:1])) != before
    one.write_bytes(other.read_bytes())
    assert fingerprint(chosen) != before


def test_images_that_cannot_be_read_are_left_out_of_every_part(
    workspace: Workspace, network: Path, images: dict[str, Path]
) -> None:
    images["007"].write_bytes(b"")
    chosen = FeatureSet("two", ("classic", f"onnx:{network}"))
    with pytest.raises(ImageDecodeError, match=r"007\.jpg"):
        compute_set(workspace, chosen, images)
    rejected: list[Rejected] = []
    found = compute_set(workspace, chosen, images, rejected=rejected)
    assert [entry.path for entry in rejected] == ["007"]
    good = {name: path for name, path in images.items() if name != "007"}
    assert found.features.ids.tolist() == list(good)
    np.testing.assert_allclose(found.features.vectors, set_features(workspace, chosen, good).vectors)


def test_an_image_that_only_the_second_encoder_refuses_is_left_out(
    workspace: Workspace, network: Path, images: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = Encoder.forward
    expected = set_features(workspace, FeatureSet("one", ("classic",)), images)

    def broken(self: Encoder, pixels: np.ndarray) -> np.ndarray:
        features = forward(self, pixels)
        if self.name != "classic":
            features[0] = np.inf
        return features

    monkeypatch.setattr(Encoder, "forward", broken)
    rejected: list[Rejected] = []
    found = compute_set(workspace, FeatureSet("two", ("classic", f"onnx:{network}")), images, rejected=rejected)
    assert 0 < len(rejected) < 24
    assert len(found.features) == 24 - len(rejected)
    classic = found.features.vectors[:, : found.dims["classic"]]
    np.testing.assert_allclose(classic, expected.vectors[expected.rows(found.features.ids)])


def test_a_set_of_one_encoder_in_json_is_plain(workspace: Workspace) -> None:
    define(workspace, "x", ["classic"])
    written = json.loads((workspace.path / "features" / "sets" / "x.json").read_text())
    assert written == {"format": 1, "name": "x", "encoders": ["classic"]}

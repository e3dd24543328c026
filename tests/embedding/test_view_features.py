"""Features of views beside those of their images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lookalike import load_encoder
from lookalike.core.errors import ImageDecodeError, InputError
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.feature_sets import FeatureSet, compute_set
from lookalike.embedding.lens import ViewLens
from lookalike.embedding.view_features import view_features, view_id
from lookalike.images.augmentation import AUGMENTATIONS
from lookalike.images.folder import Rejected

PLAN = AUGMENTATIONS["corrected"]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "w")


@pytest.fixture
def files(photos: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted(photos.rglob("*.jpg"))[:9]}


@pytest.fixture
def chosen(network: Path, make_network: Callable[..., Path], tmp_path: Path) -> FeatureSet:
    other = make_network(tmp_path / "nets" / "other.onnx", size=48, dim=5)
    return FeatureSet("two", (f"onnx:{network}", f"onnx:{other}"))


def test_images_and_views_stand_in_order_encoders_side_by_side(
    workspace: Workspace, files: dict[str, Path], chosen: FeatureSet
) -> None:
    found = view_features(workspace, chosen, files, PLAN, 3, seed=5)
    ids = list(files)
    assert found.features.ids.tolist() == [*ids, *(view_id(image, n) for n in (1, 2, 3) for image in ids)]
    assert found.features.vectors.dtype == np.float32
    encoders = [load_encoder(name) for name in chosen.encoders]
    assert found.dims == {encoder.name: encoder.dim for encoder in encoders}
    left = 0
    for encoder in encoders:
        for number in range(4):
            lens = ViewLens(PLAN, number, 5)
            shown = [lens.pixels(encoder, path) if number else encoder.pixels(path) for path in files.values()]
            block = found.features.vectors[number * 9 : (number + 1) * 9, left : left + encoder.dim]
            np.testing.assert_allclose(block, unit_rows(encoder.forward(np.stack(shown))), atol=1e-5)
        left += encoder.dim
    plain = compute_set(workspace, chosen, files)
    np.testing.assert_array_equal(found.plain.vectors, plain.features.vectors)
    assert found.plain.ids.tolist() == ids
    assert np.shares_memory(found.plain.vectors, found.features.vectors)
    assert (found.fingerprint, found.dims) == (plain.fingerprint, plain.dims)


def test_every_image_is_paired_with_each_of_its_views(
    workspace: Workspace, files: dict[str, Path], chosen: FeatureSet
) -> None:
    pairs = view_features(workspace, chosen, files, PLAN, 2).pairs
    assert len(pairs) == 18
    both = set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
    assert both == {(image, view_id(image, number)) for image in files for number in (1, 2)}
    assert len(np.unique(pairs.groups())) == 9
    assert dict(pairs.images) == files


def test_nothing_is_encoded_twice_and_more_views_keep_the_first(
    workspace: Workspace, files: dict[str, Path], chosen: FeatureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = view_features(workspace, chosen, files, PLAN, 1)
    encoded: list[int] = []
    forward = Encoder.forward
    monkeypatch.setattr(Encoder, "forward", lambda self, pixels: encoded.append(len(pixels)) or forward(self, pixels))
    again = view_features(workspace, chosen, files, PLAN, 1)
    assert encoded == []
    np.testing.assert_array_equal(again.features.vectors, few.features.vectors)
    some = dict(list(files.items())[::-2])
    more = view_features(workspace, chosen, some, PLAN, 2)
    assert sum(encoded) == 2 * len(some)
    for image in (*some, *(view_id(image, 1) for image in some)):
        rows = [found.features.vectors[found.features.rows([image])] for found in (few, more)]
        np.testing.assert_array_equal(*rows)


def test_an_image_that_an_encoder_cannot_use_in_a_view_is_left_out_with_all_its_views(
    workspace: Workspace, files: dict[str, Path], chosen: FeatureSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    files["broken.jpg"] = tmp_path / "broken.jpg"
    with pytest.raises(ImageDecodeError, match=r"broken\.jpg"):
        view_features(workspace, chosen, files, PLAN, 1)
    pixels = ViewLens.pixels

    def refusing(self: ViewLens, encoder: Encoder, path: str | Path) -> object:
        if self.number == 2 and Path(path).name == "003.jpg" and encoder.dim == 5:
            raise ImageDecodeError(path, "not in this view")
        return pixels(self, encoder, path)

    monkeypatch.setattr(ViewLens, "pixels", refusing)
    rejected: list[Rejected] = []
    found = view_features(workspace, chosen, files, PLAN, 2, rejected=rejected)
    assert [entry.path for entry in rejected] == ["broken.jpg", "003.jpg"]
    kept = [image for image in files if image not in ("broken.jpg", "003.jpg")]
    assert found.plain.ids.tolist() == kept
    assert len(found.features) == 3 * len(kept)
    assert len(found.pairs) == 2 * len(kept)
    assert np.isfinite(found.features.vectors).all()


def test_without_views_or_images_there_is_nothing_to_learn(
    workspace: Workspace, files: dict[str, Path], chosen: FeatureSet
) -> None:
    with pytest.raises(InputError, match="one view at least, not 0"):
        view_features(workspace, chosen, files, PLAN, 0)
    with pytest.raises(InputError, match="no images"):
        view_features(workspace, chosen, {}, PLAN, 1)

"""Lenses: what an encoder is shown, and that different sights have different names."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from lookalike import load_encoder
from lookalike.core.errors import ImageDecodeError
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.feature_cache import cached_features
from lookalike.embedding.lens import EditLens, Lens, Mirrored, ViewLens, chance
from lookalike.images.augmentation import AUGMENTATIONS, Augmentation
from lookalike.images.decode import decode, fit
from lookalike.images.edits import EDITS, STRENGTHS, edited

LENSES: list[Lens] = [
    Mirrored(),
    *(ViewLens(plan, number, seed) for plan, number, seed in product(AUGMENTATIONS.values(), (1, 2), (0, 1))),
    *(EditLens(edit, strength) for edit in EDITS for strength in STRENGTHS),
    EditLens("crop", "weak", seed=1),
]


@pytest.fixture
def encoder(network: Path) -> Encoder:
    return load_encoder(f"onnx:{network}")


def test_names_differ_and_can_be_folders() -> None:
    names = [lens.name for lens in LENSES]
    assert len(set(names)) == len(names)
    assert all(name.replace("_", "").isalnum() for name in names)
    assert ViewLens(Augmentation(), 12, 3).name != ViewLens(Augmentation(), 1, 23).name


@pytest.mark.parametrize("lens", LENSES, ids=lambda lens: lens.name)
def test_an_encoder_is_shown_pixels_of_its_size(lens: Lens, encoder: Encoder, photos: Path) -> None:
    path = photos / "a" / "000.jpg"
    pixels = lens.pixels(encoder, path)
    assert pixels.shape == (*encoder.spec.input_size, 3)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(lens.pixels(encoder, str(path)), pixels)


def test_a_mirrored_picture_is_the_plain_one_turned_around(encoder: Encoder, photos: Path) -> None:
    path = photos / "a" / "000.jpg"
    np.testing.assert_array_equal(Mirrored().pixels(encoder, path), encoder.pixels(path)[:, ::-1])


@pytest.mark.parametrize("resize", ["squash", "crop"])
def test_an_edited_copy_is_the_same_whatever_the_encoder_takes(
    resize: str, photos: Path, make_network: Callable[..., Path], tmp_path: Path
) -> None:
    path, lens = photos / "a" / "000.jpg", EditLens("rotate", "middle", seed=4)
    copy = edited(decode(path).image, "rotate", "middle", chance(4, "edit", "rotate", "middle", "000.jpg"))
    for size in (32, 64):
        card = {"input_size": size, "mean": [0.5] * 3, "std": [0.25] * 3, "resize": resize}
        encoder = load_encoder(f"onnx:{make_network(tmp_path / f'{size}.onnx', size=size, card=card)}")
        assert encoder.spec.resize == resize
        np.testing.assert_array_equal(lens.pixels(encoder, path), fit(copy, (size, size), resize))  # type: ignore[arg-type]


def test_chance_belongs_to_seed_number_and_name_and_to_nothing_else(encoder: Encoder, photos: Path) -> None:
    path, plan = photos / "a" / "000.jpg", AUGMENTATIONS["corrected"]
    moved = photos / "elsewhere" / "000.jpg"
    moved.parent.mkdir()
    shutil.copy(path, moved)
    renamed = shutil.copy(path, photos / "renamed.jpg")
    views = {
        (number, seed): ViewLens(plan, number, seed).pixels(encoder, path) for number, seed in product((1, 2), (0, 1))
    }
    assert len({view.tobytes() for view in views.values()}) == 4
    np.testing.assert_array_equal(ViewLens(plan, 1).pixels(encoder, moved), views[1, 0])
    assert (ViewLens(plan, 1).pixels(encoder, renamed) != views[1, 0]).any()
    draws = [int(chance(*words).integers(2**62)) for words in ((0, "a", 1), (0, "a", 2), (1, "a", 1), (0, "b", 1))]
    assert len(set(draws)) == 4


def test_features_under_every_lens_are_kept_apart(encoder: Encoder, photos: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    images = {path.stem: path for path in sorted(photos.rglob("*.jpg"))}
    stages: list[str] = []
    plan = AUGMENTATIONS["corrected"]
    for lens in (None, *LENSES[:3]):
        for _ in range(2):
            found = cached_features(workspace, encoder, images, lambda step: stages.append(step.stage), lens)
        shown = [encoder.pixels(path) if lens is None else lens.pixels(encoder, path) for path in images.values()]
        np.testing.assert_allclose(found.vectors, encoder.forward(np.stack(shown)), atol=1e-5)
    milder = ViewLens(dataclasses.replace(plan, plain_first=True), 1)
    before = len(stages)
    cached_features(workspace, encoder, images, lambda step: stages.append(step.stage), milder)
    assert len(stages) == before  # the same views, compared otherwise
    assert len(list((workspace.path / "features").glob("small_*"))) == 4
    assert list(dict.fromkeys(stages))[1] == f"encoding by {encoder.name}, mirrored"


@pytest.mark.parametrize("lens", [Mirrored(), ViewLens(Augmentation(), 1), EditLens("blur", "weak")])
def test_a_damaged_file_is_named(lens: Lens, encoder: Encoder, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    with pytest.raises(ImageDecodeError, match=r"broken\.jpg"):
        lens.pixels(encoder, tmp_path / "broken.jpg")

"""Views: what is declared is what is drawn; the published ones have the published defects."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.images import augmentation
from lookalike.images.augmentation import AUGMENTATIONS, MEAN, STD, Augmentation, augmented, chosen_augmentation
from lookalike.images.edits import EDITS
from lookalike.images.fit import fit

sys.path.insert(0, str(Path(__file__).parent))
from pictures import photo, quadrants

STILL = Augmentation(area=None, flip=0.0, jitter_share=0.0, grey=0.0, blur_share=0.0)


def drawn(picture: Image.Image, plan: Augmentation, seed: int, size: tuple[int, int] = (48, 40)) -> Any:
    return augmented(picture, plan, size, np.random.default_rng(seed)).astype(np.int64)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_view_has_the_size_asked_for_and_depends_on_the_seed_alone(name: str) -> None:
    plan, picture = AUGMENTATIONS[name], photo(90, 60)
    before = np.asarray(picture).copy()
    views = [drawn(picture, plan, seed) for seed in (1, 1, 2, 3)]
    assert all(view.shape == (48, 40, 3) for view in views)
    np.testing.assert_array_equal(views[0], views[1])
    assert len({view.tobytes() for view in views}) == 3
    np.testing.assert_array_equal(np.asarray(picture), before)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("side", [(1, 1), (3, 200), (200, 3), (9, 9)])
def test_pictures_of_any_size_have_views(name: str, side: tuple[int, int]) -> None:
    for seed in range(12):
        assert drawn(photo(*side), AUGMENTATIONS[name], seed, (16, 16)).shape == (16, 16, 3)


def test_without_any_step_it_is_the_picture_as_the_encoder_takes_it() -> None:
    picture = photo(90, 60)
    for how in ("squash", "crop"):
        found = augmented(picture, STILL, (32, 32), np.random.default_rng(0), how)  # type: ignore[arg-type]
        np.testing.assert_array_equal(found, fit(picture, (32, 32), how))  # type: ignore[arg-type]


def test_published_views_are_jittered_after_normalisation_and_lose_what_was_negative() -> None:
    plan, picture = dataclasses.replace(AUGMENTATIONS["published"], area=None, flip=0.0), photo(64, 64)
    assert plan.plain_first
    for seed in range(10):
        seen = (drawn(picture, plan, seed, (64, 64)) / 255 - MEAN) / STD  # what a network then sees
        assert seen.min() > -0.02
        assert seen.max() < 1.02
    still = dataclasses.replace(plan, jitter=(1e-9, 0.0, 0.0, 0.0))
    normalised = (np.asarray(picture) / 255 - MEAN) / STD
    clamped = (drawn(picture, still, 0, (64, 64)) / 255 - MEAN) / STD
    np.testing.assert_allclose(clamped, np.clip(normalised, 0, 1), atol=0.01)
    assert (normalised < 0).mean() > 0.3


def test_published_views_equal_the_same_steps_in_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra train")
    from lookalike.encoders.torch_import import import_torchvision

    import_torchvision()
    from torchvision.transforms import functional

    factors: list[Any] = []
    for name in ("brightness", "contrast", "saturation", "hue"):
        ours = getattr(augmentation.jittered, "__globals__")[name]  # noqa: B009
        monkeypatch.setitem(
            augmentation.jittered.__globals__,
            name,
            lambda pixels, factor, name=name, ours=ours: factors.append((name, factor)) or ours(pixels, factor),
        )
    plan = dataclasses.replace(AUGMENTATIONS["published"], area=None, flip=0.0)
    for seed in range(6):
        factors.clear()
        found = drawn(photo(64, 64, seed), plan, seed, (64, 64)) / 255
        pixels = torch.from_numpy(np.asarray(photo(64, 64, seed)).transpose(2, 0, 1) / np.float32(255))
        pixels = functional.normalize(pixels, MEAN.tolist(), STD.tolist())
        for name, factor in factors:
            pixels = getattr(functional, f"adjust_{name}")(pixels, factor)
        seen = pixels.numpy().transpose(1, 2, 0) * STD + MEAN
        assert len(factors) == 4
        assert np.quantile(np.abs(found - np.clip(seen, 0, 1)), 0.999) <= 0.501 / 255


def test_corrected_views_keep_pixels_between_black_and_white_and_differ_much() -> None:
    views = [drawn(photo(64, 64), AUGMENTATIONS["corrected"], seed) for seed in range(40)]
    grey = [np.ptp(view, axis=2).max() <= 1 for view in views]
    assert 2 <= sum(grey) <= 16
    assert np.mean([view.std() for view in views]) > 20


def test_every_step_happens_as_often_as_declared() -> None:
    picture = quadrants(32)
    red = dataclasses.replace(STILL, grey=0.25)
    assert np.mean([np.ptp(drawn(picture, red, s, (8, 8)), axis=2).max() <= 1 for s in range(600)]) == pytest.approx(
        0.25, abs=0.06
    )
    mirrored = dataclasses.replace(STILL, flip=0.7)
    plain = drawn(picture, STILL, 0, (8, 8))
    flips = [bool((drawn(picture, mirrored, s, (8, 8)) == plain[:, ::-1]).all()) for s in range(600)]
    assert np.mean(flips) == pytest.approx(0.7, abs=0.06)
    blurred = dataclasses.replace(STILL, blur_share=0.4, blur=(60.0, 60.0))
    changed = [
        bool((drawn(picture, blurred, s, (40, 40)) != fit(picture, (40, 40), "squash")).any()) for s in range(300)
    ]
    assert np.mean(changed) == pytest.approx(0.4, abs=0.09)


def test_the_blur_is_that_of_torchvision_and_grows_with_the_view() -> None:
    torch = pytest.importorskip("torch", reason="needs the extra train")
    from lookalike.encoders.torch_import import import_torchvision

    import_torchvision()
    from torchvision.transforms import functional

    picture = photo(224, 224)
    found = drawn(picture, dataclasses.replace(STILL, blur_share=1.0, blur=(1.7, 1.7)), 0, (224, 224))
    pixels = torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).copy())
    expected = functional.gaussian_blur(pixels, [23, 23], [1.7, 1.7]).numpy().transpose(1, 2, 0)
    assert np.abs(found - expected).max() <= 1
    small = [
        drawn(quadrants(s), dataclasses.replace(STILL, blur_share=1.0, blur=(8.0, 8.0)), 0, (s, s)) for s in (56, 224)
    ]
    assert np.abs(small[0][::8, ::8] - small[1][::32, ::32]).max() <= 12


def test_copies_are_made_by_one_or_two_edits() -> None:
    plan = AUGMENTATIONS["copies"]
    assert plan.edits == tuple(EDITS)
    counts = [len(augmentation._drawn_edits(plan, np.random.default_rng(seed))) for seed in range(400)]
    assert set(counts) == {1, 2}
    used = {name for seed in range(400) for name in augmentation._drawn_edits(plan, np.random.default_rng(seed))}
    assert used == set(EDITS)


def test_the_strength_multiplies_the_jitter() -> None:
    assert Augmentation(strength=0.5).amounts == (0.4, 0.4, 0.4, 0.1)
    assert Augmentation(strength=9).amounts[3] == 0.5
    picture = photo(40, 40)
    plain = drawn(picture, STILL, 0)
    weak, strong = (
        np.mean([
            np.abs(drawn(picture, dataclasses.replace(STILL, jitter_share=1.0, strength=s), seed) - plain).mean()
            for seed in range(30)
        ])
        for s in (0.1, 1.0)
    )  # fmt: skip
    assert weak < strong / 4


@given(
    st.builds(
        Augmentation,
        area=st.one_of(st.none(), st.floats(0.05, 1).map(lambda least: (least, 1.0))),
        flip=st.floats(0, 1),
        jitter=st.tuples(*[st.floats(0, 2)] * 3, st.floats(0, 0.5)),
        normalised=st.booleans(),
        edits=st.lists(st.sampled_from(sorted(EDITS)), unique=True).map(tuple),
        plain_first=st.booleans(),
    )
)
def test_json_and_back_is_the_same_and_views_depend_on_what_it_says(plan: Augmentation) -> None:
    again = Augmentation.from_json(json.loads(json.dumps(plan.as_json())))
    assert again == plan
    assert again.digest == plan.digest
    other = dataclasses.replace(plan, grey=0.123)
    assert other.digest != plan.digest
    assert dataclasses.replace(plan, plain_first=not plan.plain_first).digest == plan.digest


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"area": [0.5, 0.2]}, "area"),
        ({"area": 0.5}, r"area of an augmentation is like \[0.08, 1.0\], not 0.5"),
        ({"flip": 2}, "flip"),
        ({"flip": "often"}, 'flip of an augmentation is like 0.5, not "often"'),
        ({"jitter": [0.8, 0.8]}, "jitter"),
        ({"jitter": [0.8, 0.8, 0.8, 0.9]}, "hue turns by 0.5 at most"),
        ({"jitter": [-1, 0, 0, 0]}, "none below 0"),
        ({"normalised": 1}, "normalised"),
        ({"grey": True}, "grey"),
        ({"blur": [2, 1]}, "blur"),
        ({"blur_share": -0.1}, "blur_share is a probability"),
        ({"edits": ["fold"]}, "no edit 'fold'"),
        ({"edits": [3]}, "edits"),
        ({"edit_count": [2, 1]}, "0 to 10 edits"),
        ({"flips": 1}, "did you mean flip"),
        ([1], "JSON object, not list"),
    ],
)
def test_what_is_no_augmentation_says_why(raw: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        Augmentation.from_json(raw)
    file = tmp_path / "views.json"
    file.write_text(json.dumps(raw))
    with pytest.raises(InputError, match=rf"views\.json: .*{words}"):
        chosen_augmentation(str(file))


def test_augmentations_are_chosen_by_name_or_file(tmp_path: Path) -> None:
    assert chosen_augmentation("copies") is AUGMENTATIONS["copies"]
    file = tmp_path / "mild.json"
    file.write_text(json.dumps({"area": [0.4, 1], "edits": ["crop"]}))
    assert chosen_augmentation(str(file)) == Augmentation(area=(0.4, 1.0), edits=("crop",))
    with pytest.raises(UnknownNameError, match="did you mean corrected"):
        chosen_augmentation("correct")
    with pytest.raises(InputError, match="no such file"):
        chosen_augmentation(str(tmp_path / "none.json"))
    file.write_text("{")
    with pytest.raises(InputError, match=r"mild\.json: not a JSON file"):
        chosen_augmentation(str(file))

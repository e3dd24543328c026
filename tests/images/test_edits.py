"""Edits: each does what it declares, by chance alone, and never harms a picture of an odd size."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lookalike.core.errors import UnknownNameError
from lookalike.images.edits import EDITS, STRENGTHS, edited

sys.path.insert(0, str(Path(__file__).parent))
from pictures import photo, quadrants

NAMES = sorted(EDITS)


def by(name: str, strength: str, picture: Image.Image, seed: int = 0) -> Image.Image:
    return edited(picture, name, strength, np.random.default_rng(seed))  # type: ignore[arg-type]


def change(first: Image.Image, second: Image.Image) -> float:
    size = (64, 64)
    one, other = (np.asarray(x.resize(size, Image.Resampling.BILINEAR), float) for x in (first, second))
    return float(np.abs(one - other).mean())


def test_what_the_project_promises_is_there() -> None:
    assert (
        sorted(
            "crop rotate recolour blur jpeg text border grey perspective mirror".split()  # noqa: SIM905
        )
        == NAMES
    )
    assert all(tuple(EDITS[name].amounts) == STRENGTHS and EDITS[name].about for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_an_edit_depends_on_chance_alone_and_leaves_its_picture_as_it_was(name: str, strength: str) -> None:
    picture = photo(120, 90)
    before = picture.tobytes()
    first, again = (by(name, strength, picture, 5) for _ in range(2))
    assert first.mode == "RGB"
    assert first.size == again.size
    assert first.tobytes() == again.tobytes()
    assert picture.tobytes() == before
    assert (first.size, first.tobytes()) != (picture.size, before)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "mirror"])
def test_a_stronger_edit_changes_more(name: str) -> None:
    changes = [
        np.mean([change(photo(160, 120, seed), by(name, strength, photo(160, 120, seed), seed)) for seed in range(12)])
        for strength in STRENGTHS
    ]
    assert changes[0] < changes[1] < changes[2]


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(NAMES), st.sampled_from(STRENGTHS), st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32)
)
def test_pictures_of_any_size_can_be_edited(name: str, strength: str, width: int, height: int, seed: int) -> None:
    made = by(name, strength, photo(width, height), seed)
    assert made.mode == "RGB"
    assert min(made.size) >= 1


@pytest.mark.parametrize(("strength", "share"), [("weak", 0.85), ("middle", 0.6), ("strong", 0.35)])
def test_a_crop_leaves_its_share_of_the_area(strength: str, share: float) -> None:
    sizes = [by("crop", strength, photo(400, 300), seed).size for seed in range(50)]
    areas = [wide * tall / 120_000 for wide, tall in sizes]
    np.testing.assert_allclose(areas, share, atol=0.005)
    aspects = [wide / tall / (4 / 3) for wide, tall in sizes]
    assert max(aspects) < 1.27
    assert min(aspects) > 1 / 1.27
    assert max(aspects) > 1.1


def test_a_crop_is_a_part_of_its_picture() -> None:
    coordinates = np.zeros((60, 80, 3), np.uint8)
    coordinates[..., 0], coordinates[..., 1] = np.arange(80), np.arange(60)[:, None]
    lefts = set()
    for seed in range(30):
        part = np.asarray(by("crop", "middle", Image.fromarray(coordinates), seed))
        left, top = part[0, 0, :2]
        np.testing.assert_array_equal(part, coordinates[top : top + part.shape[0], left : left + part.shape[1]])
        lefts.add(int(left))
    assert len(lefts) > 5


def test_a_turned_picture_is_whole_and_its_corners_are_filled() -> None:
    degrees = []
    for seed in range(20):
        picture = Image.new("RGB", (200, 100), (0, 200, 0))
        turned = np.asarray(by("rotate", "middle", picture, seed)).astype(int)
        inside = (turned[..., 1] > 190) & (turned[..., 0] < 10)
        assert inside.sum() == pytest.approx(20_000, rel=0.03)
        assert tuple(turned[0, 0]) in {(0, 0, 0), (255, 255, 255), (128, 128, 128)}
        # width of the canvas = 200 cos + 100 sin
        angles = np.radians(np.linspace(4, 12, 801))
        degrees.append(
            np.degrees(angles[np.abs(200 * np.cos(angles) + 100 * np.sin(angles) - turned.shape[1]).argmin()])
        )
    assert min(degrees) > 5
    assert max(degrees) < 11.8  # a canvas of whole pixels tells half a degree


def test_perspective_moves_corners_inward_by_no_more_than_it_says() -> None:
    for seed in range(20):
        shown = np.asarray(by("perspective", "middle", Image.new("RGB", (200, 100), (0, 200, 0)), seed)).astype(int)
        inside = (shown[..., 1] > 190) & (shown[..., 0] < 20)
        ys, xs = np.nonzero(inside)
        assert inside[13:87, 26:174].all()
        assert 0.5 < inside.mean() < 0.99
        assert xs.max() - xs.min() > 200 * 0.75
        assert ys.max() - ys.min() > 100 * 0.75


def test_a_mirror_exchanges_left_and_right_whatever_its_strength() -> None:
    picture = quadrants(16)
    for strength in STRENGTHS:
        assert by("mirror", strength, picture).tobytes() == ImageOps.mirror(picture).tobytes()


def test_grey_takes_the_colour_out() -> None:
    picture = photo(60, 60)
    spread = [float(np.ptp(np.asarray(by("grey", strength, picture), int), axis=2).mean()) for strength in STRENGTHS]
    before = float(np.ptp(np.asarray(picture, int), axis=2).mean())
    assert spread[0] == pytest.approx(0.4 * before, rel=0.03)
    assert spread[1:] == [0, 0]
    middle, strong = (np.asarray(by("grey", strength, picture), float) for strength in ("middle", "strong"))
    assert strong.std() > 1.2 * middle.std()


def test_recolouring_never_leaves_black_and_is_noticeable() -> None:
    picture = photo(60, 60)
    for seed in range(60):
        made = by("recolour", "strong", picture, seed)
        assert np.asarray(made, float).std() > 8
        assert change(picture, made) > 8
        assert change(picture, by("recolour", "middle", picture, seed)) > 4


def detail(picture: Image.Image) -> float:
    return float(cv2.Laplacian(np.asarray(picture.convert("L"), np.float32), cv2.CV_32F).std())


def noise(seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (200, 300, 3), dtype=np.uint8))


def test_a_blur_is_a_share_of_the_shorter_side() -> None:
    dot = np.zeros((301, 201, 3), np.uint8)
    dot[148:153, 98:103] = 255
    spreads: list[NDArray[np.float64]] = []
    for seed in range(10):
        spot = np.asarray(by("blur", "strong", Image.fromarray(dot), seed)).astype(float)[..., 0]
        across = np.arange(201) - 100
        spreads.append(np.sqrt((spot.sum(axis=0) * across**2).sum() / spot.sum()))
    assert min(spreads) > 3.2
    assert max(spreads) < 5.3


def test_a_blur_loses_detail() -> None:
    left = [detail(by("blur", strength, noise())) for strength in STRENGTHS]
    assert detail(noise()) > left[0] > left[1] > left[2]


def test_jpeg_compresses_to_its_quality() -> None:
    held = io.BytesIO()
    photo(200, 150).save(held, "JPEG", quality=25)
    expected = Image.open(held).convert("RGB")
    assert by("jpeg", "middle", photo(200, 150)).tobytes() == expected.tobytes()


def test_text_covers_a_little_and_leaves_the_rest() -> None:
    flat = Image.new("RGB", (240, 160), (90, 120, 90))
    shares = [
        np.mean(
            [(np.asarray(by("text", strength, flat, seed)) != (90, 120, 90)).any(axis=2).mean() for seed in range(15)]
        )
        for strength in STRENGTHS
    ]
    assert 0.005 < shares[0] < shares[1] < shares[2] < 0.4


def test_a_border_holds_the_whole_picture() -> None:
    picture = noise()
    whole = np.asarray(picture).astype(int)
    for strength in STRENGTHS:
        for seed in range(4):
            window = np.asarray(by("border", strength, picture, seed)).astype(int)
            tall, wide = np.array(window.shape[:2]) - whole.shape[:2]
            assert wide > 0
            assert tall > 10
            left = wide // 2
            places = [y for y in range(tall) if (window[y : y + 200, left : left + 300] == whole).all()]
            assert len(places) == 1


def test_unknown_names_list_near_ones() -> None:
    with pytest.raises(UnknownNameError, match="did you mean crop"):
        by("crap", "weak", photo())
    with pytest.raises(UnknownNameError, match="did you mean middle"):
        by("crop", "midle", photo())

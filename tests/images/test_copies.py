"""Copies agree, look-alikes do not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.images.copies import COPY_AGREEMENT, agreement, prepare


def photo(seed: int, height: int = 192, width: int = 256) -> np.ndarray:
    """A picture with form and detail at every scale, as photographs have: uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for cells, strength in ((3, 60), (7, 40), (16, 25), (40, 15), (90, 10)):
        layer = rng.normal(0, strength, (cells, cells, 3)).astype(np.float32)
        total += cv2.resize(layer, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + total, 0, 255).astype(np.uint8)


def look_alike(seed: int, other: int) -> np.ndarray:
    """The large forms of one picture with the details of another."""
    forms = cv2.GaussianBlur(photo(seed), (0, 0), 16).astype(np.float32)
    details = photo(other).astype(np.float32)
    details -= cv2.GaussianBlur(details, (0, 0), 16)
    return np.clip(forms + details, 0, 255).astype(np.uint8)


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def scaled(picture: np.ndarray, across: float, down: float) -> np.ndarray:
    return cv2.resize(picture, None, fx=across, fy=down, interpolation=cv2.INTER_AREA)


def grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def signed(picture: np.ndarray) -> np.ndarray:
    return cv2.putText(picture.copy(), "(c) 2026", (20, 170), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)


EDITS = {
    "half the size": lambda p: scaled(p, 0.5, 0.5),
    "recompressed": lambda p: jpeg(p, 20),
    "crop of 2%": lambda p: p[2:190, 3:254],
    "crop of 10%, corner": lambda p: p[19:, 25:],
    "crop of 20%, corner": lambda p: p[: 192 * 4 // 5, : 256 * 4 // 5],
    "crop of 20% of the width": lambda p: p[:, 51:],
    "brighter": lambda p: cv2.convertScaleAbs(p, alpha=1.2),
    "darker": lambda p: cv2.convertScaleAbs(p, alpha=0.8),
    "grey": grey,
    "signed": signed,
    "stretched": lambda p: scaled(p, 1.0, 0.95),
    "several": lambda p: jpeg(scaled(p[10:180, 8:240], 0.6, 0.6), 50),
}


def measured(left: np.ndarray, right: np.ndarray) -> float:
    return agreement(prepare(left), prepare(right))


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_copy_agrees(edit):
    for seed in range(4):
        picture = photo(seed)
        assert measured(picture, EDITS[edit](picture)) >= COPY_AGREEMENT


def test_two_crops_of_one_picture_agree():
    picture = photo(11)
    assert measured(picture[:173, :230], picture[19:, 26:]) >= COPY_AGREEMENT


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), height=st.integers(40, 256), width=st.integers(40, 256))
def test_a_picture_agrees_with_itself(seed, height, width):
    picture = photo(seed, height, width)
    assert measured(picture, picture) == pytest.approx(1, abs=0.01)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 40))
def test_the_order_does_not_matter(seed, cut):
    picture = prepare(photo(seed))
    for other in (prepare(photo(seed)[cut:, cut:]), prepare(photo(seed + 1))):
        assert agreement(picture, other) == agreement(other, picture)


@settings(max_examples=15, deadline=None)
@given(left=st.integers(0, 10**6), right=st.integers(0, 10**6))
def test_agreement_stays_within_its_range(left, right):
    assert -1 <= measured(photo(left, 60, 80), photo(right, 70, 80)) <= 1


def test_a_picture_with_the_same_forms_and_other_details_does_not_agree():
    for seed in range(6):
        assert measured(look_alike(seed, seed), look_alike(seed, seed + 100)) < COPY_AGREEMENT - 0.15


def test_other_pictures_do_not_agree():
    assert max(measured(photo(seed), photo(seed + 50)) for seed in range(10)) < 0.5


def test_a_mirrored_picture_does_not_count_until_it_is_mirrored_back():
    picture = photo(5)
    mirrored = picture[:, ::-1]
    assert measured(picture, mirrored) < 0.5
    assert measured(picture, mirrored[:, ::-1]) == pytest.approx(1, abs=0.01)


def test_other_shapes_do_not_agree():
    picture = photo(6)
    assert measured(picture, picture[:, :96]) < COPY_AGREEMENT
    assert measured(picture, scaled(picture, 0.5, 1.0)) < COPY_AGREEMENT


def flat(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((120, 160, 3), colour, np.uint8)


def test_flat_pictures_agree_by_colour():
    assert measured(flat((200, 40, 40)), flat((200, 40, 40))) == pytest.approx(1, abs=0.01)
    assert measured(flat((200, 40, 40)), jpeg(flat((202, 41, 39)), 60)) >= COPY_AGREEMENT
    for other in ((40, 60, 200), (250, 150, 150), (101, 101, 101), (0, 0, 0)):
        assert measured(flat((200, 40, 40)), flat(other)) < COPY_AGREEMENT
    assert measured(flat((255, 255, 255)), flat((0, 0, 0))) < COPY_AGREEMENT


def test_a_flat_picture_does_not_agree_with_a_full_one():
    assert measured(flat((128, 128, 128)), photo(7)) < 0.5


def test_the_same_forms_in_another_colour_do_not_agree():
    picture = photo(8)
    tinted = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
    red, blue = tinted.copy(), tinted.copy()
    red[..., 1:], blue[..., 1:] = (175, 150), (140, 90)
    left, right = (cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) for lab in (red, blue))
    assert measured(left, right) < COPY_AGREEMENT
    assert measured(left, grey(left)) >= COPY_AGREEMENT


def test_a_changed_half_keeps_pictures_apart():
    """Two frames of one place: the still half alone does not make them copies."""
    first, second = photo(9), photo(9)
    second[:, 110:] = photo(10)[:, 110:]
    assert measured(first, second) < COPY_AGREEMENT


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (200, 1), (2, 3)])
def test_tiny_pictures_are_compared_too(shape):
    tiny = np.full((*shape, 3), 90, np.uint8)
    assert measured(tiny, tiny) == pytest.approx(1, abs=0.01)
    assert measured(tiny, photo(1)) < COPY_AGREEMENT

"""Bringing pictures to size, and thumbnails."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lookalike.images.decode import decode, fit, thumbnail


def noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    how=st.sampled_from(["squash", "crop"]),
)
@settings(max_examples=80, deadline=None)
def test_shape_and_constant_pictures(width: int, height: int, size: tuple[int, int], how: str) -> None:
    out = fit(Image.new("RGB", (width, height), (10, 100, 200)), size, how)
    assert out.shape == (*size, 3)
    assert out.dtype == np.uint8
    assert out.flags.writeable
    assert out.flags.c_contiguous
    assert (out == (10, 100, 200)).all()


@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1), (1, 1), (3, 4000)])
@pytest.mark.parametrize("how", ["squash", "crop"])
def test_thin_pictures(shape: tuple[int, int], how: str) -> None:
    picture = decode(np.full((*shape, 3), 50, np.uint8), 224)
    assert (fit(picture.image, (224, 224), how) == 50).all()
    assert max(Image.open(io.BytesIO(thumbnail(picture.image))).size) <= 256


def test_enlarging_equals_pillows() -> None:
    image = noise(50, 40)
    expected = np.asarray(image.resize((112, 112), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(fit(image, (112, 112), "squash") - expected).max() <= 1


@pytest.mark.parametrize("size", [(100, 60), (60, 100), (64, 64)])
@pytest.mark.parametrize("out", [(32, 32), (90, 90)])
def test_crop_is_scale_then_cut(size: tuple[int, int], out: tuple[int, int]) -> None:
    image = noise(*size).resize(size)
    scale = max(out[1] / size[0], out[0] / size[1])
    wide, tall = round(size[0] * scale), round(size[1] * scale)
    left, top = (wide - out[1]) // 2, (tall - out[0]) // 2
    whole = image.resize((wide, tall), Image.Resampling.BILINEAR)
    expected = np.asarray(whole)[top : top + out[0], left : left + out[1]].astype(int)
    assert np.abs(fit(image, out, "crop") - expected).max() <= 2


def test_same_size_is_untouched() -> None:
    image = noise(20, 20)
    np.testing.assert_array_equal(fit(image, (20, 20), "squash"), np.asarray(image))


def test_shrinking_does_not_alias() -> None:
    board = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    out = fit(Image.fromarray(board).convert("RGB"), (60, 60), "squash")
    assert np.abs(out.astype(int) - 127).max() <= 6


def test_thumbnails() -> None:
    image = noise(400, 100)
    image.info["exif"] = b"Exif\0\0nonsense"
    small = Image.open(io.BytesIO(thumbnail(image, side=64)))
    assert (small.format, small.size, small.mode) == ("JPEG", (64, 16), "RGB")
    assert "exif" not in small.info
    assert Image.open(io.BytesIO(thumbnail(noise(30, 20)))).size == (30, 20)
    assert len(thumbnail(image, quality=20)) < len(thumbnail(image, quality=90))

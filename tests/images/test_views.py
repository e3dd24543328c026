"""Random parts of pictures: within the picture, of the sizes and shapes asked for, and drawn evenly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lookalike.core.errors import InputError
from lookalike.images.views import View, ViewPlan, draw_view, random_view, take_view

sides = st.integers(1, 900)


@given(sides, sides, st.floats(0.01, 1), st.floats(0.2, 5), st.integers(0, 2**32 - 1))
def test_a_part_lies_within_its_picture(width: int, height: int, least: float, aspect: float, seed: int) -> None:
    plan = ViewPlan(area=(least, 1.0), aspect=(aspect, 1.5 * aspect))
    left, top, right, bottom = draw_view(plan, width, height, np.random.default_rng(seed)).box
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_areas_aspects_places_and_flips_are_drawn_evenly() -> None:
    rng, plan = np.random.default_rng(0), ViewPlan(area=(0.1, 0.3), aspect=(0.5, 2.0), flip=0.3)
    views = [draw_view(plan, 1000, 1000, rng) for _ in range(4000)]
    left, top, right, bottom = np.array([view.box for view in views]).T
    area, aspect = (right - left) * (bottom - top) / 1e6, np.log2((right - left) / (bottom - top))
    assert (area.min(), area.max()) == pytest.approx((0.1, 0.3), abs=0.002)
    np.testing.assert_allclose(np.quantile(area, [0.25, 0.5, 0.75]), [0.15, 0.2, 0.25], atol=0.006)
    np.testing.assert_allclose(np.quantile(aspect, [0.25, 0.5, 0.75]), [-0.5, 0, 0.5], atol=0.06)
    for start, size in ((left, right - left), (top, bottom - top)):
        place = start / (1000 - size)
        assert (place.min(), place.max()) == pytest.approx((0, 1), abs=0.01)
        assert place.mean() == pytest.approx(0.5, abs=0.02)
    assert np.mean([view.mirrored for view in views]) == pytest.approx(0.3, abs=0.03)


def test_where_nothing_fits_it_is_the_middle_of_an_allowed_shape() -> None:
    rng = np.random.default_rng(0)
    assert draw_view(ViewPlan(area=(1, 1)), 100, 1000, rng).box == (0, 433, 100, 566)
    assert draw_view(ViewPlan(area=(1, 1)), 1000, 90, rng).box == (440, 0, 560, 90)
    assert draw_view(ViewPlan(area=(1, 1), aspect=(1, 1)), 64, 64, rng).box == (0, 0, 64, 64)


def test_a_view_shows_its_part_stretched_and_mirrored() -> None:
    pixels = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    picture = Image.fromarray(pixels)
    part = take_view(picture, View((2, 1, 6, 5), mirrored=False), (4, 4))
    np.testing.assert_array_equal(part, pixels[1:5, 2:6])
    np.testing.assert_array_equal(take_view(picture, View((2, 1, 6, 5), mirrored=True), (4, 4)), part[:, ::-1])
    assert take_view(picture, View((0, 0, 8, 6), mirrored=True), (12, 5)).shape == (12, 5, 3)
    part[:] = 0
    assert np.asarray(picture).any()


def test_the_seed_decides() -> None:
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (50, 60, 3), np.uint8))
    plan = ViewPlan(size=(16, 16))
    first, again, other = (random_view(picture, plan, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    "options",
    [
        {"size": (0, 4)},
        {"area": (0.0, 1.0)},
        {"area": (0.5, 0.2)},
        {"area": (0.5, 1.2)},
        {"area": (float("nan"), 1.0)},
        {"aspect": (0.0, 1.0)},
        {"aspect": (2.0, 1.0)},
        {"flip": 1.5},
        {"flip": float("nan")},
    ],
)
def test_plans_out_of_range(options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        ViewPlan(**options)  # type: ignore[arg-type]

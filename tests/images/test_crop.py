"""Parts of pictures: of the upright picture, every pixel that the box touches, and as sharp as is wanted."""

import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lookalike.core.errors import InputError
from lookalike.images.crop import Box, crop, decode_part

spans = st.floats(0, 0.98).flatmap(lambda start: st.tuples(st.just(start), st.floats(start + 0.011, 1)))


def pattern(width: int, height: int) -> Image.Image:
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    return Image.fromarray(np.stack([across, down, across * 0], axis=2).astype(np.uint8))


@given(spans, spans, st.integers(1, 200), st.integers(1, 200))
def test_a_part_holds_all_pixels_that_the_box_touches(
    across_share: tuple[float, float], down_share: tuple[float, float], width: int, height: int
) -> None:
    (left, right), (top, bottom) = across_share, down_share
    part = np.asarray(crop(pattern(width, height), Box(left, top, right, bottom)))
    across, down = part[0, :, 0].astype(int), part[:, 0, 1].astype(int)
    assert across.tolist() == [x for x in range(width) if x < right * width and x + 1 > left * width]
    assert down.tolist() == [y for y in range(height) if y < bottom * height and y + 1 > top * height]


@pytest.mark.parametrize("turn", range(1, 9))
def test_the_orientation_is_applied_first(turn: int) -> None:
    stored, file, exif = Image.new("RGB", (80, 40), (0, 0, 0)), io.BytesIO(), Image.Exif()
    stored.paste((255, 255, 255), (0, 0, 20, 20))  # a corner as it is stored
    exif[0x0112] = turn
    stored.save(file, "PNG", exif=exif)
    right, below = turn in (2, 3, 6, 7), turn in (3, 4, 7, 8)
    box = Box(0.5 * right, 0.5 * below, 0.5 + 0.5 * right, 0.5 + 0.5 * below)
    part = decode_part(file.getvalue(), box, min_side=1000)
    assert part.size == ((40, 20) if turn < 5 else (20, 40))
    assert np.asarray(part).mean() == pytest.approx(255 / 2, abs=1)
    other = Box(0.5 - box.left, 0.5 - box.top, 1 - box.left, 1 - box.top)
    assert np.asarray(decode_part(file.getvalue(), other, min_side=1000)).max() == 0


def test_a_small_part_of_a_large_picture_keeps_its_pixels() -> None:
    picture = Image.new("RGB", (4000, 3000), (9, 9, 9))
    assert min(decode_part(picture, Box(0.4, 0.4, 0.5, 0.5), min_side=224).size) >= 224
    assert max(decode_part(picture, Box(0, 0, 1, 1), min_side=224).size) < 600


NO_BOX = ("", "1,2,3", "0,0,1,1,1", "a,b,c,d", "0.5,0,0.5,1", "0,0.9,1,0.1", "-0.1,0,1,1", "0,0,1.01,1", "nan,0,1,1")


@pytest.mark.parametrize("text", NO_BOX)
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"a box is left,top,right,bottom in shares of the picture"):
        Box.of(text)


def test_a_box_reads_what_it_writes() -> None:
    assert Box.of(" 0.25,0, 1,0.5") == Box(0.25, 0, 1, 0.5)
    assert math.isclose(Box.of("0.25,0,1,0.5").height, 0.5)

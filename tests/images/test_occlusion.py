"""Covered pictures: every cell once, in the mean colour, and nothing else touched."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lookalike.images.occlusion import covered


@given(st.integers(1, 23), st.integers(1, 23), st.integers(1, 9), st.integers(0, 99))
def test_it_is_a_plain_loop_over_cells(height: int, width: int, grid: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    before, made = pixels.copy(), covered(pixels, grid)
    assert (pixels == before).all()
    assert (made.shape, made.dtype) == ((grid * grid, height, width, 3), np.uint8)
    mean = [round(float(pixels[:, :, channel].mean())) for channel in range(3)]
    seen = np.zeros((height, width), int)
    for row in range(grid):
        for column in range(grid):
            for y in range(height):
                for x in range(width):
                    inside = round(row * height / grid) <= y < round((row + 1) * height / grid)
                    inside &= round(column * width / grid) <= x < round((column + 1) * width / grid)
                    seen[y, x] += inside
                    expected = mean if inside else pixels[y, x].tolist()
                    assert made[row * grid + column, y, x].tolist() == expected
    assert (seen == 1).all()

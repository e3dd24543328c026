"""The gate for many pairs is the one that each pair passes alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lookalike.core.types import Pixels
from lookalike.images.copies import GATE, Coarse, _place, agreement, coarsen, prepare
from lookalike.images.copy_gate import coarse_correlation, may_agree


def picture(seed: int, size: tuple[int, int]) -> Pixels:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def pairs() -> list[tuple[Pixels, Pixels]]:
    """Copies, crops, strangers; pictures of the same shape and of others."""
    made = []
    for seed in range(30):
        size = ((128, 96), (96, 128), (160, 128), (128, 128), (200, 90))[seed % 5]
        one = picture(seed, size)
        made += [
            (one, one[4 : size[1] - 8, 6 : size[0] - 2]),
            (one[:, : int(size[0] * 0.85)], one),
            (one, picture(seed + 100, size)),
            (one, picture(seed + 200, (size[1], size[0]))),
            (one, picture(seed + 300, (int(size[0] * 1.1), size[1]))),
        ]
    return made


def test_correlations_are_those_of_each_pair() -> None:
    known = [(prepare(a), prepare(b)) for a, b in pairs()]
    expected = np.array([_place(a, b)[0] for a, b in known])
    found = coarse_correlation([coarsen(a) for a, _ in pairs()], [coarsen(b) for _, b in pairs()])
    assert np.abs(found - expected).max() < 1e-4
    assert 0.2 < (expected >= GATE).mean() < 0.8


def test_what_is_kept_out_does_not_agree() -> None:
    known = pairs()
    passed = may_agree([coarsen(a) for a, _ in known], [coarsen(b) for _, b in known])
    for (a, b), good in zip(known, passed, strict=True):
        if not good:
            assert agreement(prepare(a), prepare(b)) < GATE


def test_coarse_pictures_are_a_part_of_prepared_ones_and_can_be_mirrored() -> None:
    one = picture(3, (150, 100))
    whole, part = prepare(one), coarsen(one)
    assert np.array_equal(part.plane, whole.coarse)
    assert part.ratio == whole.ratio
    turned = coarsen(np.ascontiguousarray(one[:, ::-1]))
    assert np.abs(part.mirrored().plane - turned.plane).max() < 1.0


@pytest.mark.parametrize("level", [0.0, 128.0])
def test_flat_pictures_are_let_through(level: float) -> None:
    flat = Coarse(np.full((32, 32), level, np.float32), 1.0)
    assert may_agree([flat], [flat]).tolist() == [True]


def test_no_pairs_and_shapes_that_no_crop_explains() -> None:
    assert may_agree([], []).shape == (0,)
    wide, high = coarsen(picture(1, (200, 60))), coarsen(picture(1, (60, 200)))
    assert coarse_correlation([wide], [high]).tolist() == [0.0]

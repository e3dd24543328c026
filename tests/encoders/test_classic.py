"""The classic encoder: its contract, and what its blocks must and must not notice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.core.errors import EncoderError
from lookalike.encoders.classic import ClassicEncoder, blocks
from lookalike.encoders.classic.encoder import DIM, TOGETHER, WEIGHTS
from lookalike.encoders.spec import ENCODERS

ENCODER = ClassicEncoder()


def scene(seed: int, detail: int = 24) -> np.ndarray:
    """Smooth coloured blobs with texture: (128, 128, 3)."""
    rng = np.random.default_rng(seed)
    blobs = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    smooth = cv2.resize(blobs, (128, 128), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    grain = cv2.resize(rng.normal(0, 40, (detail, detail)), (128, 128))[..., None]
    return np.clip(smooth + grain, 0, 255).astype(np.uint8)


def distance(left: np.ndarray, right: np.ndarray) -> float:
    first, second = ENCODER.forward(np.stack([left, right]))
    return float(1 - first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def test_card_and_shape_agree():
    spec = ENCODER.spec
    features = ENCODER.forward(np.stack([scene(seed) for seed in range(3)]))
    assert features.shape == (3, spec.dim)
    assert features.dtype == np.float32
    assert 400 <= spec.dim <= 700
    assert (spec.name, spec.fingerprint, spec.input_size) == ("classic", "classic-1", (128, 128))


def test_no_pictures_give_no_features():
    assert ENCODER.forward(np.zeros((0, 128, 128, 3), np.uint8)).shape == (0, DIM)


def test_the_weights_sum_to_one_and_so_does_a_feature():
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    norms = np.linalg.norm(ENCODER.forward(np.stack([scene(seed) for seed in range(4)])), axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-5)


@pytest.mark.parametrize("together", [1, 3, TOGETHER])
def test_a_batch_gives_what_its_pictures_give_one_by_one(together):
    pictures = np.stack([scene(seed) for seed in range(TOGETHER + 5)])
    parts = [ENCODER.forward(pictures[start : start + together]) for start in range(0, len(pictures), together)]
    np.testing.assert_array_equal(ENCODER.forward(pictures), np.concatenate(parts))


def test_threads_give_the_same_features():
    pictures = np.stack([scene(seed) for seed in range(8)])
    expected = ENCODER.forward(pictures)
    with ThreadPoolExecutor(4) as pool:
        for features in pool.map(lambda _: ENCODER.forward(pictures), range(8)):
            np.testing.assert_array_equal(features, expected)


def test_a_view_that_runs_backwards_is_taken():
    picture = scene(1)
    mirrored = picture[:, ::-1]
    np.testing.assert_array_equal(
        ENCODER.forward(mirrored[None]), ENCODER.forward(np.ascontiguousarray(mirrored)[None])
    )


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, 64, 64, 3), np.uint8),
        np.zeros((128, 128, 3), np.uint8),
        np.zeros((1, 128, 128, 3), np.float32),
        np.zeros((1, 128, 128, 1), np.uint8),
    ],
)
def test_pictures_of_another_kind_are_refused(pixels):
    with pytest.raises(EncoderError, match="128x128x3"):
        ENCODER.forward(pixels)


def test_the_factory_takes_neither_argument_nor_weights():
    factory = ENCODERS["classic"]
    assert factory("", None, "cpu").spec.name == "classic"
    with pytest.raises(EncoderError, match="takes no argument"):
        factory("large", None, "auto")
    with pytest.raises(EncoderError, match="no weights"):
        factory("", Path("net.onnx"), "auto")


@settings(max_examples=15, deadline=None)
@given(level=st.tuples(*[st.integers(0, 255)] * 3))
def test_flat_pictures_have_finite_features_that_are_not_zero(level):
    features = ENCODER.forward(np.full((1, 128, 128, 3), level, np.uint8))
    assert np.isfinite(features).all()
    assert np.linalg.norm(features) > 0.5


@pytest.mark.parametrize("quality", [30, 60])
def test_recompression_moves_a_picture_less_than_the_copy_distance(quality):
    for seed in range(5):
        picture = scene(seed)
        written = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        again = cv2.imdecode(written, cv2.IMREAD_COLOR)
        assert distance(picture, again) < ENCODER.spec.copy_distance


def test_a_small_crop_moves_a_picture_less_than_another_picture_does():
    for seed in range(5):
        picture = scene(seed)
        crop = cv2.resize(picture[9:120, 12:122], (128, 128), interpolation=cv2.INTER_LINEAR)
        assert distance(picture, crop) < ENCODER.spec.copy_distance
        assert distance(picture, crop) < distance(picture, scene(seed + 50))


def test_colours_count_where_they_are():
    """Sky above ground is not ground above sky, though the whole holds the same colours."""
    sky, ground = (90, 140, 230), (60, 120, 40)
    upright = np.empty((128, 128, 3), np.uint8)
    upright[:64], upright[64:] = sky, ground
    near = np.empty_like(upright)
    near[:70], near[70:] = sky, ground
    assert distance(upright, near) < distance(upright, upright[::-1])


def test_stripes_across_differ_from_stripes_down():
    down = np.zeros((128, 128, 3), np.uint8)
    down[:, (np.arange(128) // 8) % 2 == 1] = 200
    shifted = np.roll(down, 4, axis=1)
    across = down.transpose(1, 0, 2)
    assert distance(down, shifted) < 0.1 < distance(down, across)


def test_local_patterns_match_a_plain_loop():
    grey = np.random.default_rng(3).integers(0, 250, (9, 11), dtype=np.uint8)
    counts = dict.fromkeys(range(256), 0)
    ring = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    for row in range(1, 8):
        for column in range(1, 10):
            bar = int(grey[row, column]) + 2
            code = sum((int(grey[row + i, column + j]) >= bar) << bit for bit, (i, j) in enumerate(ring))
            counts[code] += 1
    changes = {c: sum((c >> b & 1) != (c >> (b + 1) % 8 & 1) for b in range(8)) for c in range(256)}
    uniform = [counts[code] for code in range(256) if changes[code] <= 2]
    shares = np.array([*uniform, 7 * 9 - sum(uniform)]) / (7 * 9)
    expected = np.cbrt(shares) - np.cbrt(shares).mean()
    np.testing.assert_allclose(blocks.local_patterns(grey[None], 2)[0], expected, atol=1e-6)


def test_colour_strips_share_every_pixel_out():
    lab = np.random.default_rng(4).integers(0, 256, (60, 40, 3), dtype=np.uint8)
    shares = blocks.colour_strips(lab[None]).reshape(3, -1) ** 3
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-4)


def test_colour_strips_move_little_with_a_small_change_of_colour():
    lab = np.full((30, 30, 3), 120, np.uint8)
    here, near, far = (blocks.colour_strips((lab + np.uint8(step))[None]) for step in (0, 4, 60))
    assert np.linalg.norm(here - near) < np.linalg.norm(here - far)


def test_directions_of_a_flat_picture_are_zero():
    nothing = np.zeros((1, 16, 16), np.float32)
    assert not blocks.edge_directions([nothing], [nothing]).any()


def greys(count: int, side: int) -> np.ndarray:
    """Pictures of one channel, each of another kind: (count, side, side)."""
    return np.stack([cv2.resize(scene(seed)[..., 1], (side, side)) for seed in range(count)])


def test_pictures_that_are_laid_out_as_one_do_not_see_each_other():
    """What runs over all pictures at once gives what OpenCV gives for one, to the last bit."""
    grey = greys(3, 128)
    lengths, angles = blocks.gradients(grey)
    for row, picture in enumerate(grey):
        across, down = cv2.Sobel(picture, cv2.CV_32F, 1, 0), cv2.Sobel(picture, cv2.CV_32F, 0, 1)
        length, angle = cv2.cartToPolar(across, down)
        np.testing.assert_array_equal(lengths[row], length)
        np.testing.assert_array_equal(angles[row], angle)
        small = cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(blocks.shrunk(grey, 32)[row], small)
        cells = cv2.HOGDescriptor((128, 128), (128, 128), (32, 32), (32, 32), 6).compute(picture)
        np.testing.assert_array_equal(blocks.edge_cells(grey)[row], cells)


def test_layout_is_a_cosine_transform():
    lab = np.random.default_rng(5).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    places = np.arange(16)
    basis = np.sqrt(2 / 16) * np.cos(np.pi * (2 * places + 1) * places[:, None] / 32)
    basis[0] /= np.sqrt(2)
    low = np.add.outer(places, places)
    for picture, found in zip(lab, blocks.layout(lab), strict=True):
        small = cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA) - 128.0
        waves = [basis @ small[..., channel] @ basis.T for channel in range(3)]
        expected = [waves[0][low < 6], 3 * waves[1][low < 4], 3 * waves[2][low < 4]]
        np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-2)


def test_directions_match_a_plain_loop():
    lengths, angles = blocks.gradients(greys(2, 16))
    for length, angle, found in zip(lengths, angles, blocks.edge_directions([lengths], [angles]), strict=True):
        shares = np.zeros(18)
        for gradient, turn in zip(length.ravel(), angle.ravel(), strict=True):
            shares[int(turn / np.pi * 18 + 1e-5) % 18] += gradient
        np.testing.assert_allclose(found, np.cbrt(shares / shares.sum()), atol=1e-3)


def test_contrast_matches_a_plain_loop():
    lengths, _ = blocks.gradients(greys(2, 16))
    for length, found in zip(lengths, blocks.contrast_levels([lengths]), strict=True):
        fine = np.zeros(32)
        for gradient in length.ravel():
            fine[int(np.log2(1 + gradient) / 10.5 * 32)] += 1 / length.size
        wide = [fine[0], *fine, fine[-1]]
        smooth = [(wide[i - 1] + 2 * wide[i] + wide[i + 1]) / 4 for i in range(1, 33)]
        expected = np.cbrt(np.array(smooth).reshape(16, 2).sum(axis=1))
        np.testing.assert_allclose(found, expected, atol=1e-4)

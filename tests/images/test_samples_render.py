from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lookalike.core.errors import InputError
from lookalike.images.samples import CONTEXTS, FACTORS, Scene, draw_scenes, render, render_photo

_SIZE = 64
_BASE = (0.2, 0.2, 0.45, 0.2, 0.35, 0.2, 0.3, 0.2, 0.25)


def _with(factor: str, value: float) -> tuple[float, ...]:
    return tuple(value if name == factor else base for name, base in zip(FACTORS, _BASE, strict=True))


@cache
def _picture(context: str, factors: tuple[float, ...], seed: int) -> NDArray[np.float32]:
    return render(Scene(context, factors, seed), _SIZE).astype(np.float32) / 255.0


@cache
def _summary(context: str, factors: tuple[float, ...], seed: int) -> NDArray[np.float32]:
    """Colours of a coarse grid, and the energy of fine detail: what a glance takes in, free of pixel positions."""
    picture = _picture(context, factors, seed)
    grid = cv2.resize(picture, (4, 4), interpolation=cv2.INTER_AREA).ravel() / 4.0
    grey = picture.mean(axis=2)
    detail = [float((grey - cv2.GaussianBlur(grey, (0, 0), sigma)).std()) * 4.0 for sigma in (1.0, 3.0)]
    return np.concatenate([grid, np.array(detail, np.float32)])


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_same_scene_gives_the_same_bytes_also_from_threads(context: str) -> None:
    scene = Scene(context, _BASE, 11)
    first = render(scene, _SIZE)
    with ThreadPoolExecutor(2) as pool:
        again = list(pool.map(lambda _: render(scene, _SIZE), range(2)))
    assert first.shape == (_SIZE, _SIZE, 3)
    assert first.dtype == np.uint8
    assert all(np.array_equal(first, other) for other in again)
    assert not np.array_equal(first, render(Scene(context, _BASE, 12), _SIZE))


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_composition_does_not_change_with_the_size(context: str) -> None:
    scene = Scene(context, _with("texture", 0.2), 3)
    small, large = render(scene, 97), render(scene, 311)
    shrunk = [cv2.resize(picture, (24, 24), interpolation=cv2.INTER_AREA).astype(float) for picture in (small, large)]
    assert np.abs(shrunk[0] - shrunk[1]).mean() < 6.0
    correlation = np.corrcoef(shrunk[0].ravel(), shrunk[1].ravel())[0, 1]
    assert correlation > 0.97


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("factor", FACTORS)
def test_each_factor_changes_the_picture_more_than_the_seed_and_more_by_a_larger_step(
    context: str, factor: str
) -> None:
    start = _BASE[FACTORS.index(factor)]
    far = start + 0.5 if factor == "palette" else 1.0
    low = [_summary(context, _BASE, seed) for seed in range(2)]
    high = [_summary(context, _with(factor, far), seed) for seed in range(2)]
    effect = float(np.linalg.norm(np.mean(high, axis=0) - np.mean(low, axis=0)))
    # two pictures that differ by their seed alone: half their gap is the error of their mean
    noise = np.mean([np.linalg.norm(first - second) / 2 for first, second in (low, high)])
    assert effect > 0.7 * float(noise)
    small = np.linalg.norm(_summary(context, _with(factor, start + 0.05), 0) - low[0])
    assert small < np.linalg.norm(high[0] - low[0])
    assert np.abs(_picture(context, _BASE, 0) - _picture(context, _with(factor, far), 0)).mean() > 0.012


def test_contexts_differ_more_between_than_within() -> None:
    scenes = draw_scenes(64, seed=8)
    told = np.array([_thumbnail(scene) for scene in scenes])
    labels = np.array([CONTEXTS.index(scene.context) for scene in scenes])
    gaps = np.linalg.norm(told[:, None] - told[None, :], axis=2)
    gaps += np.diag(np.full(len(gaps), np.inf))
    same = labels[gaps.argmin(axis=1)] == labels
    assert same.mean() > 0.5  # chance is 0.11


def _thumbnail(scene: Scene) -> NDArray[np.float64]:
    """Brightness in a coarse grid without its mean and contrast: the layout of a picture, not its colours."""
    grey = cv2.resize(render(scene, _SIZE), (8, 8), interpolation=cv2.INTER_AREA).mean(axis=2).ravel()
    return (grey - grey.mean()) / (grey.std() + 1e-6)


def test_extreme_factors_render() -> None:
    for context in CONTEXTS:
        for value in (0.0, 1.0):
            picture = render(Scene(context, (value,) * len(FACTORS), 0), _SIZE)
            assert picture.std() > 3.0


def test_a_photo_has_the_size_and_the_entropy_of_a_camera_file() -> None:
    photo = render_photo(Scene("mountain", _BASE, 1), 1000, 750)
    assert photo.shape == (750, 1000, 3)
    assert photo.dtype == np.uint8
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=90)
    assert 0.2 < len(buffer.getvalue()) / (750 * 1000) < 0.55  # 12 megapixels: 2.4 to 6.6 MB
    tall = render_photo(Scene("flower", _BASE, 1), 64, 200)
    assert tall.shape == (200, 64, 3)


def test_too_small_a_picture_is_refused() -> None:
    scene = Scene("ocean", _BASE, 0)
    with pytest.raises(InputError, match="at least 64 pixels"):
        render(scene, 63)
    with pytest.raises(InputError, match="64x32"):
        render_photo(scene, 64, 32)

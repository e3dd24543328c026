"""Jitter of colours: what torchvision does to float pictures, and the same properties without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.images import jitter

RNG = np.random.default_rng(7)
PIXELS = {
    "pixels": RNG.random((37, 23, 3), dtype=np.float32),
    "normalised": RNG.normal(0, 1.2, (37, 23, 3)).astype(np.float32),
    "grey and pure": np.array([[[0.4] * 3, [1, 0, 0], [0, 0, 1], [0, 0, 0], [1, 1, 0], [-0.2] * 3, [1.7] * 3]], "f4"),
    "bytes": (RNG.integers(0, 256, (37, 23, 3)) / 255).astype(np.float32),
}


@pytest.fixture(scope="module")
def torchvision() -> Any:
    pytest.importorskip("torch", reason="needs the extra train")
    from lookalike.encoders.torch_import import import_torchvision

    import_torchvision()
    from torchvision.transforms import functional

    return functional


@pytest.mark.parametrize("kind", PIXELS)
@pytest.mark.parametrize(
    ("change", "factors"),
    [
        ("brightness", (0.0, 0.2, 1.0, 1.8)),
        ("contrast", (0.0, 0.2, 1.0, 1.8)),
        ("saturation", (0.0, 0.2, 1.0, 1.8)),
        ("hue", (-0.5, -0.2, 0.0, 0.13, 0.5)),
    ],
)
def test_every_change_is_that_of_torchvision(
    torchvision: Any, kind: str, change: str, factors: tuple[float, ...]
) -> None:
    import torch

    pixels = PIXELS[kind]
    given_ = torch.from_numpy(pixels.transpose(2, 0, 1).copy())
    for factor in factors:
        expected = getattr(torchvision, f"adjust_{change}")(given_, factor).numpy().transpose(1, 2, 0)
        np.testing.assert_allclose(getattr(jitter, change)(pixels, factor), expected, atol=1e-5)


def test_grey_is_that_of_torchvision(torchvision: Any) -> None:
    import torch

    for pixels in PIXELS.values():
        expected = torchvision.rgb_to_grayscale(torch.from_numpy(pixels.transpose(2, 0, 1).copy())).numpy()
        np.testing.assert_allclose(jitter.grey(pixels)[..., 0], expected[0], atol=1e-6)


def test_a_jitter_is_its_four_changes_in_the_order_drawn(torchvision: Any) -> None:
    import torch

    amounts = (0.8, 0.7, 0.6, 0.2)
    orders = set()
    for seed in range(40):
        for pixels in (PIXELS["pixels"], PIXELS["normalised"]):
            rng = np.random.default_rng(seed)
            rng.random()
            order = rng.permutation(4).tolist()
            factors = [rng.uniform(1 - amount, 1 + amount) for amount in amounts[:3]] + [rng.uniform(-0.2, 0.2)]
            expected = torch.from_numpy(pixels.transpose(2, 0, 1).copy())
            for step in order:
                change = ("brightness", "contrast", "saturation", "hue")[step]
                expected = getattr(torchvision, f"adjust_{change}")(expected, factors[step])
            found = jitter.jittered(pixels, amounts, np.random.default_rng(seed))
            # Next to grey, rounding of a thousandth of a level can turn a hue.
            assert np.quantile(np.abs(found - expected.numpy().transpose(1, 2, 0)), 0.999) < 1e-5
            orders.add(tuple(order))
    assert len(orders) > 15


def test_factors_are_drawn_evenly_and_no_further_than_declared() -> None:
    flat = np.full((1, 1, 3), 0.5, np.float32)
    made = [float(jitter.jittered(flat, (0.4, 0, 0, 0), np.random.default_rng(s))[0, 0, 0]) / 0.5 for s in range(2000)]
    assert min(made) >= 0.6
    assert max(made) <= 1.4
    np.testing.assert_allclose(np.quantile(made, [0.25, 0.5, 0.75]), [0.8, 1.0, 1.2], atol=0.03)
    changed = [jitter.jittered(flat, (0.4, 0, 0, 0), np.random.default_rng(s), 0.3) is not flat for s in range(2000)]
    assert np.mean(changed) == pytest.approx(0.3, abs=0.03)


@given(st.integers(0, 2**32 - 1), st.floats(-0.5, 0.5))
def test_a_hue_turned_there_and_back_is_the_same(seed: int, turn: float) -> None:
    pixels = np.random.default_rng(seed).random((6, 5, 3), dtype=np.float32)
    there = jitter.hue(pixels, turn)
    np.testing.assert_allclose(there.max(axis=2), pixels.max(axis=2), atol=1e-6)
    np.testing.assert_allclose(there.min(axis=2), pixels.min(axis=2), atol=1e-5)
    np.testing.assert_allclose(jitter.hue(there, -turn), pixels, atol=1e-3)


def test_nothing_is_changed_in_place() -> None:
    for pixels in PIXELS.values():
        before = pixels.copy()
        for change in (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue):
            change(pixels, 0.3)
        np.testing.assert_array_equal(pixels, before)

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.errors import InputError
from lookalike.images.samples import CONTEXTS, FACTORS, Scene, draw_scenes
from lookalike.images.samples.scene import factor_gaps

unit = st.floats(0.0, 1.0)
factors = st.tuples(*[unit] * len(FACTORS))


def test_there_are_eight_contexts_and_at_least_eight_factors() -> None:
    assert len(set(CONTEXTS)) == 8
    assert len(set(FACTORS)) == len(FACTORS) >= 8


@pytest.mark.parametrize(
    ("context", "values", "seed", "message"),
    [
        ("ocaen", (0.5,) * 9, 0, "did you mean ocean"),
        ("ocean", (0.5,) * 3, 0, "9 factors, not 3"),
        ("ocean", (0.5,) * 8 + (1.5,), 0, "shape must be in"),
        ("ocean", (float("nan"),) + (0.5,) * 8, 0, "palette must be in"),
        ("ocean", (0.5,) * 9, -1, "seed"),
    ],
)
def test_a_wrong_scene_is_refused_in_one_line(context: str, values: tuple[float, ...], seed: int, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Scene(context, values, seed)
    assert "\n" not in str(caught.value)


def test_drawn_contexts_are_even_and_seeded() -> None:
    scenes = draw_scenes(83, seed=4)
    counts = Counter(scene.context for scene in scenes)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert scenes == draw_scenes(83, seed=4)
    assert scenes[:20] == draw_scenes(20, seed=4)
    assert scenes != draw_scenes(83, seed=5)


def test_drawn_scenes_have_near_and_far_neighbours() -> None:
    scenes = draw_scenes(120, seed=2, contexts=["city"])
    values = np.array([scene.factors for scene in scenes])
    gaps = np.sqrt((factor_gaps(values[:, None], values[None, :]) ** 2).mean(axis=2))
    np.fill_diagonal(gaps, np.inf)
    nearest = gaps.min(axis=1)
    assert (nearest < 0.16).mean() > 0.2
    np.fill_diagonal(gaps, -np.inf)
    assert np.median(gaps.max(axis=1)) > 0.5


@pytest.mark.parametrize(("count", "seed", "contexts"), [(-1, 0, CONTEXTS), (1, -1, CONTEXTS), (1, 0, ())])
def test_drawing_refuses_bad_arguments(count: int, seed: int, contexts: tuple[str, ...]) -> None:
    with pytest.raises(InputError):
        draw_scenes(count, seed, contexts)


def test_drawing_an_unknown_context_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean forest"):
        draw_scenes(1, 0, ["forrest"])


@given(factors, factors, unit)
def test_gaps_are_symmetric_bounded_and_palette_is_a_circle(
    first: tuple[float, ...], second: tuple[float, ...], turn: float
) -> None:
    a, b = np.array(first), np.array(second)
    gaps = factor_gaps(a, b)
    assert np.array_equal(gaps, factor_gaps(b, a))
    assert np.all((gaps >= 0) & (gaps <= 1))
    assert not factor_gaps(a, a).any()
    turned = [np.array(values) for values in (first, second)]
    for values in turned:
        values[0] = (values[0] + turn) % 1.0
    assert factor_gaps(*turned)[0] == pytest.approx(gaps[0], abs=1e-9)

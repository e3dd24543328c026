from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.errors import InputError
from lookalike.images.samples import CONTEXTS, FACTORS, Observer, Scene, draw_scenes, simulated_observers

scenes = st.builds(
    Scene,
    st.sampled_from(CONTEXTS),
    st.tuples(*[st.floats(0.0, 1.0)] * len(FACTORS)),
    st.integers(0, 99),
)


def _moved(scene: Scene, **changes: float) -> Scene:
    values = [changes.get(name, value) for name, value in zip(FACTORS, scene.factors, strict=True)]
    return Scene(scene.context, tuple(values), scene.seed + 1)


def _middle(context: str) -> Scene:
    return Scene(context, (0.5,) * len(FACTORS), 0)


@given(scenes, scenes, scenes, st.sampled_from([0.0, 0.05, 0.5]))
def test_swapping_the_candidates_swaps_the_probability(r: Scene, a: Scene, b: Scene, noise: float) -> None:
    person = simulated_observers(1, seed=3, noise=noise)[0]
    there, back = person.probability_a(r, a, b), person.probability_a(r, b, a)
    assert there + back == pytest.approx(1.0)
    assert 0.0 <= there <= 1.0


@given(scenes, scenes)
def test_distance_is_zero_to_itself_and_ignores_the_seed(r: Scene, x: Scene) -> None:
    person = simulated_observers(1, seed=3, noise=0.1)[0]
    assert person.distance(r, _moved(r)) == 0.0
    assert person.distance(r, x) == person.distance(r, _moved(x)) >= 0.0
    assert person.probability_a(r, x, _moved(x)) == 0.5


def test_distances_agree_with_distance() -> None:
    person = simulated_observers(1, seed=1, noise=0.1)[0]
    references, others = draw_scenes(30, seed=1), draw_scenes(30, seed=2)[::-1]
    told = person.distances(references, others)
    assert told.dtype == np.float64
    assert told == pytest.approx([person.distance(r, x) for r, x in zip(references, others, strict=True)])
    assert person.distances([], []).shape == (0,)


def test_the_reference_decides_what_counts() -> None:
    person = simulated_observers(1, seed=0, noise=0.0)[0]
    for context, dim, other in (
        ("ocean", "light", "density"),
        ("city", "density", "light"),
        ("flower", "shape", "haze"),
    ):
        middle = _middle(context)
        assert person.probability_a(middle, _moved(middle, **{other: 1.0}), _moved(middle, **{dim: 1.0})) == 1.0
    ocean, city = _middle("ocean"), _moved(_middle("city"), light=1.0, density=0.6)
    assert person.distance(ocean, city) != pytest.approx(person.distance(city, ocean))


def test_another_context_looks_further() -> None:
    person = simulated_observers(1, seed=0, noise=0.0)[0]
    assert person.distance(_middle("ocean"), _middle("field")) == pytest.approx(person.context_weight)


def test_more_noise_brings_answers_closer_to_chance() -> None:
    r, b = _middle("ocean"), _moved(_middle("ocean"), light=0.9)
    a = _moved(r, light=0.6)
    told = [
        simulated_observers(1, seed=0, noise=noise)[0].probability_a(r, a, b) for noise in (0.0, 0.02, 0.1, 1.0, 1e6)
    ]
    assert told == sorted(told, reverse=True)
    assert told[0] == 1.0
    assert told[-1] == pytest.approx(0.5, abs=1e-3)


def test_answers_come_as_often_as_their_probability() -> None:
    person = simulated_observers(1, seed=0, noise=0.2)[0]
    r = _middle("forest")
    a, b = _moved(r, density=0.7), _moved(r, density=0.9)
    rng = np.random.default_rng(0)
    answers = [person.answer(r, a, b, rng) for _ in range(2000)]
    assert set(answers) == {"a", "b"}
    assert answers.count("a") / 2000 == pytest.approx(person.probability_a(r, a, b), abs=0.035)


def test_observers_differ_but_share_what_matters() -> None:
    people = simulated_observers(12, seed=5, noise=0.1)
    assert [
        np.array_equal(a.attention, b.attention) for a, b in zip(people, simulated_observers(5, 5, 0.1), strict=False)
    ] == [True] * 5
    assert not np.allclose(people[0].attention, people[1].attention, atol=0.01)
    shared = np.mean([person.attention for person in people], axis=0)
    leading = [frozenset(np.argsort(row)[-2:].tolist()) for row in shared]
    assert len(set(leading)) >= 6
    spread = np.std([person.attention for person in people], axis=0).max()
    assert 0.02 < spread < 0.15


@pytest.mark.parametrize(
    ("attention", "noise", "weight", "message"),
    [
        (np.full((2, 3), 1 / 3), 0.0, 0.5, r"8 x 9"),
        (np.full((8, 9), 0.5), 0.0, 0.5, "sum to 1"),
        (np.full((8, 9), 1 / 9), -0.1, 0.5, "noise"),
        (np.full((8, 9), 1 / 9), 0.1, float("inf"), "context weight"),
    ],
)
def test_a_wrong_observer_is_refused(attention: np.ndarray, noise: float, weight: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Observer(attention, noise, weight)


def test_bad_counts_and_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="0 or more"):
        simulated_observers(-1, 0, 0.1)
    with pytest.raises(InputError, match="noise"):
        simulated_observers(1, 0, -0.1)
    with pytest.raises(InputError, match="do not pair"):
        simulated_observers(1, 0, 0.1)[0].distances([_middle("ocean")], [])

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lookalike.core.errors import InputError
from lookalike.metrics.calibration import fit_isotonic, fit_temperature, logistic
from lookalike.metrics.probabilities import brier, expected_calibration_error, log_loss, reliability

numbers = st.floats(-2, 2, allow_nan=False)
answers = st.integers(1, 15).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, n, elements=st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9])),
        hnp.arrays(np.float64, n, elements=st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9])),
        hnp.arrays(np.float64, n, elements=st.sampled_from([0.0, 1.0, 2.0, 2.5])),
        hnp.arrays(np.float64, n, elements=st.sampled_from([0.0, 1.0, 2.0, 2.5])),
    ).filter(lambda columns: bool(columns[2].any() or columns[3].any()))
)


def likelihood_slope(temperature: float, a: np.ndarray, b: np.ndarray, for_a: np.ndarray, for_b: np.ndarray) -> float:
    """Derivative of the log likelihood by the inverse temperature, row by row."""
    slope = 0.0
    for x, votes_a, votes_b in zip(a - b, for_a, for_b, strict=True):
        chance = 1 / (1 + math.exp(x / temperature))
        slope += -votes_a * x * (1 - chance) + votes_b * x * chance
    return slope


@given(hnp.arrays(np.float64, 5, elements=numbers), st.floats(0.001, 10))
@settings(max_examples=40, deadline=None)
def test_logistic_is_the_formula_and_symmetric(x: np.ndarray, temperature: float) -> None:
    expected = [1 / (1 + math.exp(min(value / temperature, 700))) for value in x]
    np.testing.assert_allclose(logistic(x, temperature), expected, atol=1e-12)
    np.testing.assert_allclose(logistic(-x, temperature), 1 - logistic(x, temperature), atol=1e-15)


def test_small_probabilities_keep_their_digits() -> None:
    assert logistic([300.0], 1) == pytest.approx([math.exp(-300)], rel=1e-12)


def test_logistic_has_limits() -> None:
    assert logistic([-1, 0, 1], 0).tolist() == [1, 0.5, 0]
    assert logistic([-1, 0, 1], math.inf).tolist() == [0.5, 0.5, 0.5]
    assert logistic([-1, 0, 1], sys.float_info.min).tolist() == [1, 0.5, 0]
    assert logistic([-2.0, 2.0], 1e-310).tolist() == [1, 0]
    for temperature in (-1, math.nan):
        with pytest.raises(InputError, match="temperature"):
            logistic([0.0], temperature)


@given(answers)
@settings(max_examples=80, deadline=None)
def test_the_temperature_is_the_root_or_a_defined_limit(columns: tuple) -> None:
    a, b, for_a, for_b = columns
    temperature = fit_temperature(*columns)
    assert temperature == pytest.approx(fit_temperature(b, a, for_b, for_a))
    wrong = ((a < b) * for_b + (a > b) * for_a).sum()
    if temperature == 0:
        assert wrong == 0
        assert (a != b).any()
    elif math.isinf(temperature):
        assert ((a - b) * (for_a - for_b)).sum() >= -1e-12
    else:
        assert wrong > 0
        assert likelihood_slope(temperature, *columns) == pytest.approx(0, abs=1e-9)
        below, above = (likelihood_slope(factor * temperature, *columns) for factor in (0.9, 1.1))
        assert below < 0 < above  # a maximum: a colder fit is too sure


@pytest.mark.parametrize("truth", [1e-6, 0.03, 20.0])
def test_the_temperature_that_made_the_answers_is_found(truth: float) -> None:
    rng = np.random.default_rng(0)
    a, b = truth * rng.normal(size=(2, 20_000))
    votes = rng.random(20_000) < logistic(a - b, truth)
    assert fit_temperature(a, b, votes, ~votes) == pytest.approx(truth, rel=0.05)


def test_the_temperature_scales_with_the_distances() -> None:
    rng = np.random.default_rng(0)
    a, b, votes = rng.random(50), rng.random(50), rng.random(50) < 0.4
    votes |= a < b
    first = fit_temperature(a, b, votes, ~votes)
    assert 0 < first < math.inf
    for factor in (1e-200, 1e200):
        assert fit_temperature(factor * a, factor * b, votes, ~votes) == pytest.approx(factor * first, rel=1e-9)
    assert fit_temperature(a, b, 7 * votes, 7 * ~votes) == pytest.approx(first)


def test_a_lead_by_rounding_alone_is_none() -> None:
    # 0.1 + 0.2 - 0.3 in favour of the closer candidate.
    assert fit_temperature([0, 0, 0.3], [0.1, 0.2, 0], [1, 1, 1], [0, 0, 0]) == math.inf


def test_one_wrong_answer_among_tiny_gaps_is_no_trap() -> None:
    found = fit_temperature([0, 0, 1e-9], [1, 0.5, 0], [1, 1, 1], [0, 0, 0])
    # The right answer over 0.5 weighs as much as the wrong one: 0.5 exp(-0.5 / T) = 0.5e-9, but for smaller terms.
    assert found == pytest.approx(0.5 / math.log(1e9), rel=1e-6)


@given(answers)
@settings(max_examples=40, deadline=None)
def test_isotonic_is_the_fit_of_the_flip_augmented_rows(columns: tuple) -> None:
    isotonic = pytest.importorskip("sklearn.isotonic")
    a, b, for_a, for_b = columns
    curve = fit_isotonic(*columns)
    total = for_a + for_b
    kept = total > 0
    x, share = (a - b)[kept], for_a[kept] / total[kept]
    weight = total[kept]
    theirs = isotonic.IsotonicRegression(increasing=False, out_of_bounds="clip")
    # One point at zero stands for what symmetry says there.
    theirs.fit(
        np.concatenate([x, -x, [0.0]]),
        np.concatenate([share, 1 - share, [0.5]]),
        np.concatenate([weight, weight, [1e-9]]),
    )
    grid = np.linspace(-1, 1, 81)
    np.testing.assert_allclose(curve(grid), theirs.predict(grid), atol=1e-6)
    np.testing.assert_array_equal(curve(-grid), 1 - curve(grid))
    assert (np.diff(curve(grid)) <= 1e-12).all()


@given(answers)
@settings(max_examples=40, deadline=None)
def test_isotonic_ignores_flips(columns: tuple) -> None:
    a, b, for_a, for_b = columns
    curve, turned = fit_isotonic(*columns), fit_isotonic(b, a, for_b, for_a)
    np.testing.assert_array_equal(curve.thresholds, turned.thresholds)
    np.testing.assert_array_equal(curve.values, turned.values)


def test_isotonic_without_any_difference_says_one_half() -> None:
    assert fit_isotonic([0.5], [0.5], [3], [1])([-1, 0, 1]).tolist() == [0.5, 0.5, 0.5]


def plain_losses(p: np.ndarray, for_a: np.ndarray, for_b: np.ndarray) -> tuple[float, float]:
    loss = square = 0.0
    for chance, a, b in zip(p, for_a, for_b, strict=True):
        loss -= (a * math.log(chance) if a else 0) + (b * math.log(1 - chance) if b else 0)
        square += a * (1 - chance) ** 2 + b * chance**2
    total = for_a.sum() + for_b.sum()
    return loss / total, square / total


@given(answers, st.floats(0.05, 2))
@settings(max_examples=40, deadline=None)
def test_losses_match_a_plain_loop_and_ignore_flips(columns: tuple, temperature: float) -> None:
    a, b, for_a, for_b = columns
    p = logistic(a - b, temperature)
    assert (log_loss(p, for_a, for_b), brier(p, for_a, for_b)) == pytest.approx(plain_losses(p, for_a, for_b))
    for measure in (log_loss, brier, expected_calibration_error):
        assert measure(1 - p, for_b, for_a) == pytest.approx(measure(p, for_a, for_b))
        assert measure(p, 3 * for_a, 3 * for_b) == pytest.approx(measure(p, for_a, for_b))
        assert measure(p[::-1], for_a[::-1], for_b[::-1]) == pytest.approx(measure(p, for_a, for_b))


def test_certainty_costs_nothing_or_all() -> None:
    assert log_loss([1, 0], [2, 0], [0, 3]) == 0
    assert log_loss([1, 0], [2, 1], [0, 3]) == math.inf
    assert log_loss([0, 1], [0, 0], [1, 1]) == math.inf
    assert brier([1, 0], [1, 0], [0, 1]) == 0


def test_calibration_error_by_hand() -> None:
    # Confidence .9 (8 of 10 right) and .6 (by flip; 3 of 5 right): two bins of unlike votes.
    p, for_a, for_b = [0.9, 0.4, 0.4], [8, 1, 1], [2, 2, 1]
    found = reliability(p, for_a, for_b, bins=2)
    np.testing.assert_allclose(found.confidence, [0.6, 0.9])
    np.testing.assert_allclose(found.accuracy, [0.6, 0.8])
    np.testing.assert_allclose(found.votes, [5, 10])
    assert expected_calibration_error(p, for_a, for_b, bins=2) == pytest.approx(0.1 * 10 / 15)
    assert expected_calibration_error(p, for_a, for_b, bins=1) == pytest.approx(abs(11 / 15 - 0.8))


def test_probabilities_apart_by_rounding_share_a_bin() -> None:
    x = np.linspace(0.01, 1, 50)
    p = np.concatenate([logistic(x, 0.3), logistic(-x, 0.3)])
    assert (1 - p[:50] != p[50:]).any()
    assert len(reliability(p, np.ones(100), np.ones(100), bins=10_000).votes) == 50


def test_bins_hold_about_equal_votes_and_a_calibrated_model_has_a_small_error() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(15_000)
    votes = rng.random(15_000) < p
    found = reliability(p, votes, ~votes)
    assert len(found.votes) == 15
    assert (np.abs(found.votes - 1000) <= 1).all()
    assert expected_calibration_error(p, votes, ~votes) < 0.02
    sharper = p**2 / (p**2 + (1 - p) ** 2)
    assert expected_calibration_error(sharper, votes, ~votes) > 0.05


def test_bad_input_is_named() -> None:
    with pytest.raises(InputError, match=r"probability: row 1 is 1\.5; it must be in"):
        log_loss([0.5, 1.5], [1, 1], [0, 0])
    with pytest.raises(InputError, match="probability: 1 rows"):
        brier([0.5], [1, 1], [0, 0])
    with pytest.raises(InputError, match="bins"):
        expected_calibration_error([0.5], [1], [0], bins=0)
    with pytest.raises(InputError, match="distance_a: row 0 is nan"):
        fit_temperature([math.nan], [0], [1], [0])
    with pytest.raises(InputError, match="all are zero"):
        fit_isotonic([1], [0], [0], [0])

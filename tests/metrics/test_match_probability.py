"""The fitted odds are the likeliest ones, whatever the units, and tell the truth about examples held out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lookalike.core.errors import InputError
from lookalike.metrics.match_probability import (
    RIDGE,
    MatchProbability,
    fit_match_probability,
    held_out_log_odds,
    log_odds_of,
    probability_of,
)
from lookalike.metrics.probabilities import expected_calibration_error


def drawn(count: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    evidence = rng.normal(size=(count, 2)) * (0.02, 30) + (0.3, -5)
    truth = 1.5 * (evidence[:, 0] - 0.3) / 0.02 - 0.8 * (evidence[:, 1] + 5) / 30 - 0.7
    return evidence, rng.random(count) < probability_of(truth), truth


def test_true_odds_are_found_again() -> None:
    evidence, same, truth = drawn()
    found = fit_match_probability(evidence, same).log_odds(evidence)
    assert np.abs(found - truth).mean() < 0.15


def test_no_slope_is_left() -> None:
    """At the least of the penalised loss its gradient, written out in a plain loop, is zero."""
    evidence, same, _ = drawn(200)
    fitted = fit_match_probability(evidence, same)
    slopes = [RIDGE * weight for weight in fitted.weights] + [0.0]
    for row, right in zip(evidence, same, strict=True):
        error = float(probability_of(fitted.log_odds(row))) - right
        for place in range(2):
            slopes[place] += error * (row[place] - fitted.centre[place]) / fitted.scale[place]
        slopes[2] += error
    assert np.abs(slopes).max() < 1e-6


def test_units_do_not_matter_and_constant_columns_have_no_say() -> None:
    evidence, same, _ = drawn(300)
    plain = fit_match_probability(evidence, same)
    other = np.column_stack([evidence * (1000, -0.1) + (7, 3), np.full(300, 4.2)])
    turned = fit_match_probability(other, same)
    assert np.allclose(turned.log_odds(other), plain.log_odds(evidence), atol=1e-7)
    assert turned.weights[2] == 0


def test_what_is_separable_stays_finite() -> None:
    fitted = fit_match_probability([[0.0]] * 50 + [[1.0]] * 50, [True] * 50 + [False] * 50)
    sure = probability_of(fitted.log_odds([[0.0], [1.0]]))
    assert sure[0] > 0.95
    assert sure[1] < 0.05
    assert np.isfinite(fitted.weights).all()


def test_what_is_held_out_is_calibrated_and_no_group_sees_itself() -> None:
    evidence, same, _ = drawn()
    groups = np.arange(4000) // 4
    held = held_out_log_odds(evidence, same, groups)
    assert expected_calibration_error(probability_of(held), same, ~same) < 0.03
    out = groups % 5 == 3
    alone = fit_match_probability(evidence[~out], same[~out]).log_odds(evidence[out])
    assert np.array_equal(held[out], alone)


def test_saved_as_json_it_is_the_same() -> None:
    evidence, same, _ = drawn(100)
    fitted = fit_match_probability(evidence, same)
    again = MatchProbability.from_dict(json.loads(json.dumps(fitted.as_dict())))
    assert np.array_equal(again.log_odds(evidence), fitted.log_odds(evidence))


def test_odds_and_probabilities() -> None:
    assert probability_of(log_odds_of(0.3)) == pytest.approx(0.3)
    with pytest.raises(InputError, match="both excluded"):
        log_odds_of(1.0)


@pytest.mark.parametrize(
    ("evidence", "same", "message"),
    [
        ([[0.1], [0.2]], [True, True], "both needed"),
        ([[0.1], [np.nan]], [True, False], "row 1 is not finite"),
        ([[0.1], [0.2]], [True], "for 2 rows"),
    ],
)
def test_bad_input_is_one_clear_line(evidence: list[list[float]], same: list[bool], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_match_probability(evidence, same)

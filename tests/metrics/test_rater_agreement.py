import math
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lookalike.core.errors import InputError
from lookalike.metrics.agreement import fleiss_kappa, krippendorff_alpha, krippendorff_alpha_of_answers
from lookalike.metrics.consistency import annotator_consistency

N = math.nan
# Krippendorff, Computing Krippendorff's alpha-reliability (2011), section D: four observers, twelve units.
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
        [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
    ]
).T


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_the_published_example(scale: str, alpha: float) -> None:
    assert krippendorff_alpha(PUBLISHED, scale) == pytest.approx(alpha, abs=0.0005)
    units, raters = np.nonzero(~np.isnan(PUBLISHED))
    names = np.array([f"unit {unit}" for unit in units])
    assert krippendorff_alpha_of_answers(names, PUBLISHED[units, raters], scale) == pytest.approx(alpha, abs=0.0005)


def plain_alpha(ratings: np.ndarray, scale: str) -> float:
    """Mean disagreement within units over that between any two values, pair by pair."""
    units = [[value for value in row if not math.isnan(value)] for row in ratings]
    units = [unit for unit in units if len(unit) > 1]
    pool = [value for unit in units for value in unit]

    def apart(x: float, y: float) -> float:
        if scale == "nominal":
            return float(x != y)
        if scale == "interval":
            return (x - y) ** 2
        low, high = min(x, y), max(x, y)
        between = sum(low <= value <= high for value in pool) - (pool.count(low) + pool.count(high)) / 2
        return between**2 if x != y else 0.0

    observed = sum(sum(apart(x, y) for x, y in permutations(unit, 2)) / (len(unit) - 1) for unit in units)
    expected = sum(apart(x, y) for x, y in permutations(pool, 2)) / (len(pool) - 1)
    return 1 - observed / expected if expected else math.nan


@given(
    hnp.arrays(np.float64, (5, 3), elements=st.sampled_from([N, 1.0, 2.0, 4.0])).filter(
        lambda t: bool(((~np.isnan(t)).sum(axis=1) > 1).any())
    ),
    st.sampled_from(["nominal", "ordinal", "interval"]),
)
@settings(max_examples=60, deadline=None)
def test_alpha_matches_a_plain_loop(ratings: np.ndarray, scale: str) -> None:
    found = krippendorff_alpha(ratings, scale)
    assert found == pytest.approx(plain_alpha(ratings, scale), nan_ok=True)
    assert krippendorff_alpha(ratings[::-1, ::-1], scale) == pytest.approx(found, nan_ok=True)


def test_alpha_is_about_zero_for_chance_and_one_for_agreement() -> None:
    rng = np.random.default_rng(0)
    assert krippendorff_alpha(rng.integers(0, 2, (4000, 3))) == pytest.approx(0, abs=0.03)
    assert krippendorff_alpha(np.repeat(rng.integers(0, 4, (50, 1)), 3, axis=1), "ordinal") == 1
    assert math.isnan(krippendorff_alpha(np.ones((4, 2))))


def test_kappa_of_the_published_example() -> None:
    # Ten subjects, fourteen raters, five categories: the standard worked example of Fleiss's kappa.
    counts = [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
    assert fleiss_kappa(counts) == pytest.approx(0.210, abs=0.0005)


def test_kappa_matches_pairs_of_raters() -> None:
    rng = np.random.default_rng(0)
    ratings = rng.integers(0, 3, (12, 4))
    agreed = np.mean([[x == y for x, y in combinations(row, 2)] for row in ratings])
    shares = [np.mean(ratings == category) for category in range(3)]
    chance = sum(share**2 for share in shares)
    counts = np.stack([(ratings == category).sum(axis=1) for category in range(3)], axis=1)
    assert fleiss_kappa(counts) == pytest.approx((agreed - chance) / (1 - chance))
    assert math.isnan(fleiss_kappa([[3, 0], [3, 0]]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fleiss_kappa([[2, 1], [2, 2]]), "row 1 has 4 raters, but row 0 has 3"),
        (lambda: fleiss_kappa([[2, 1], [3.5, -0.5]]), "row 1 holds something other"),
        (lambda: fleiss_kappa([[1, 0]]), "fewer than two"),
        (lambda: krippendorff_alpha([[1, N], [N, 1]]), "none has two"),
        (lambda: krippendorff_alpha([[N, N]]), "every one is missing"),
        (lambda: krippendorff_alpha([[1, math.inf]]), "row 0 is infinite"),
        (lambda: krippendorff_alpha([[1, 1]], "ratio"), "none of"),
        (lambda: krippendorff_alpha_of_answers([1, 1], [1]), "1 rows, but units has 2"),
        (lambda: krippendorff_alpha_of_answers([1, 1], ["a", "b"], "interval"), "not an array of numbers"),
    ],
)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()  # type: ignore[operator]


def plain_consistency(rows: list[tuple[str, str, str, str, str]], person: str) -> tuple[int, int, int, int]:
    alike = repeated = same = flipped = 0
    for one, two in combinations([row for row in rows if row[0] == person], 2):
        chosen = [row[2] if row[4] == "a" else row[3] for row in (one, two)]
        if one[1:4] == two[1:4]:
            repeated += 1
            alike += chosen[0] == chosen[1]
        elif (one[1], one[2], one[3]) == (two[1], two[3], two[2]):
            flipped += 1
            same += chosen[0] == chosen[1]
    return alike, repeated, same, flipped


def test_consistency_matches_every_pair_of_answers() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(150):
        a, b = rng.choice(["x", "y", "z"], 2, replace=False)
        rows.append(
            (str(rng.choice(["ann", "bob"])), str(rng.choice(["r", "s"])), str(a), str(b), "ab"[rng.integers(2)])
        )
    for found in annotator_consistency(*zip(*rows, strict=True), resamples=99):
        alike, repeated, same, flipped = plain_consistency(rows, found.annotator)
        assert (found.repeated.n, found.flipped.n) == (repeated, flipped)
        assert found.repeated.value == pytest.approx(alike / repeated)
        assert found.flipped.value == pytest.approx(same / flipped)
        assert found.repeated.clusters == 6
        assert found.repeated.low <= found.repeated.value <= found.repeated.high
        assert found.answers == sum(row[0] == found.annotator for row in rows)


def test_always_the_left_one_is_alike_but_not_consistent() -> None:
    pictures = [str(number) for number in range(10)]
    references = pictures * 3
    a, b = ["x"] * 20 + ["y"] * 10, ["y"] * 20 + ["x"] * 10
    (found,) = annotator_consistency(["ann"] * 30, references, a, b, ["a"] * 30)
    assert (found.repeated.value, found.repeated.n) == (1, 10)
    assert (found.flipped.value, found.flipped.n) == (0, 20)
    assert found.repeated.low == pytest.approx(0.025**0.1)


def test_nothing_asked_twice_is_no_number() -> None:
    (found,) = annotator_consistency([7, 7], [1, 2], [3, 3], [4, 4], ["a", "b"])
    assert found.annotator == "7"
    assert math.isnan(found.repeated.value)
    assert (found.repeated.n, found.flipped.n) == (0, 0)

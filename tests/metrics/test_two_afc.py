import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lookalike.core.errors import InputError
from lookalike.metrics.ceilings import ceiling, split_half_ceiling
from lookalike.metrics.two_afc import compare_accuracy, majority_accuracy, row_agreement, two_afc_accuracy

FEW = {"resamples": 99}

# Few distinct distances, so that ties occur; votes in eighths add up without rounding.
rows = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        *(hnp.arrays(np.float64, n, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])) for _ in range(2)),
        *(hnp.arrays(np.float64, n, elements=st.sampled_from([0.0, 0.125, 1.0, 3.0])) for _ in range(2)),
    ).filter(lambda columns: bool(columns[2].any() or columns[3].any()))
)


def plain_accuracy(distance_a: np.ndarray, distance_b: np.ndarray, votes_a: np.ndarray, votes_b: np.ndarray) -> float:
    right = 0.0
    for a, b, for_a, for_b in zip(distance_a, distance_b, votes_a, votes_b, strict=True):
        right += for_a if a < b else for_b if b < a else (for_a + for_b) / 2
    return right / (sum(votes_a) + sum(votes_b))


@given(rows)
@settings(max_examples=40, deadline=None)
def test_matches_a_plain_loop(columns: tuple) -> None:
    found = two_afc_accuracy(*columns, **FEW)
    assert found.value == pytest.approx(plain_accuracy(*columns))
    assert found.n == len(columns[0])


@given(rows)
@settings(max_examples=40, deadline=None)
def test_flipping_a_and_b_leaves_accuracy(columns: tuple) -> None:
    a, b, votes_a, votes_b = columns
    assert np.array_equal(two_afc_accuracy(b, a, votes_b, votes_a, **FEW), two_afc_accuracy(*columns, **FEW))


@given(rows)
@settings(max_examples=40, deadline=None)
def test_exchanging_the_distances_alone_turns_accuracy_round(columns: tuple) -> None:
    a, b, votes_a, votes_b = columns
    turned = two_afc_accuracy(b, a, votes_a, votes_b, **FEW).value
    assert turned == pytest.approx(1 - two_afc_accuracy(*columns, **FEW).value)


@given(rows, st.sampled_from([0.1, 3.0, 1e6]))
@settings(max_examples=40, deadline=None)
def test_the_scale_of_votes_does_not_matter(columns: tuple, factor: float) -> None:
    a, b, votes_a, votes_b = columns
    scaled = two_afc_accuracy(a, b, factor * votes_a, factor * votes_b, **FEW).value
    assert scaled == pytest.approx(two_afc_accuracy(*columns, **FEW).value)


@given(rows, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_rows_does_not_matter(columns: tuple, random: object) -> None:
    n = len(columns[0])
    order = list(range(n))
    random.shuffle(order)  # type: ignore[attr-defined]
    labels = np.arange(n) % 3
    moved = [column[order] for column in columns]
    np.testing.assert_equal(two_afc_accuracy(*moved, labels[order], **FEW), two_afc_accuracy(*columns, labels, **FEW))


@given(rows)
@settings(max_examples=40, deadline=None)
def test_no_distance_beats_the_ceiling(columns: tuple) -> None:
    votes_a, votes_b = columns[2:]
    top = ceiling(votes_a, votes_b, **FEW)
    assert two_afc_accuracy(*columns, **FEW).value <= top.value + 1e-12
    oracle = two_afc_accuracy(votes_b, votes_a, votes_a, votes_b, **FEW)
    assert oracle.value == pytest.approx(top.value)


def test_rows_count_by_votes_and_ties_by_half() -> None:
    agreeing, total = row_agreement([0, 1, 1], [1, 0, 1], [3, 3, 3], [1, 1, 2])
    assert agreeing.tolist() == [3, 1, 2.5]
    assert total.tolist() == [4, 4, 5]
    assert two_afc_accuracy([0, 1, 1], [1, 0, 1], [3, 3, 3], [1, 1, 2]).value == 0.5


def test_rows_without_votes_count_for_nothing() -> None:
    found = two_afc_accuracy([0, 0, 1], [1, 1, 0], [1, 1, 0], [1, 0, 0])
    assert found.value == pytest.approx(2 / 3)
    assert found.n == 3


def test_majority_leaves_ties_out() -> None:
    found = majority_accuracy([0, 0, 0, 1], [1, 1, 1, 1], [3, 2, 1, 5], [1, 2, 2, 0], ["r", "r", "s", "t"])
    assert found.n == 3
    assert found.value == pytest.approx((1 + 0 + 0.5) / 3)
    with pytest.raises(InputError, match="every row is tied"):
        majority_accuracy([0], [1], [1], [1])


def test_references_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    references = np.repeat(np.arange(50), 20)
    near = rng.random(50)[references] < 0.7
    votes_a, votes_b = near.astype(float), 1.0 - near
    arguments = (np.zeros(1000), np.ones(1000), votes_a, votes_b)
    wide, narrow = two_afc_accuracy(*arguments, references), two_afc_accuracy(*arguments)
    assert wide.value == narrow.value
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_full_agreement_on_five_references_is_no_certainty() -> None:
    found = two_afc_accuracy(np.zeros(10), np.ones(10), np.ones(10), np.zeros(10), np.arange(10) % 5)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 5))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0.1, np.nan], [0, 0], [1, 1], [0, 0]), "distance_a: row 1 is nan"),
        (([0.1, 0.2], [np.inf, 0], [1, 1], [0, 0]), "distance_b: row 0 is inf"),
        (([0.1, 0.2], [0, 0], [1, -1], [0, 0]), "votes_a: row 1 is -1"),
        (([0.1, 0.2], [0, 0], [1, 1], [0]), "votes_b: 1 rows, but votes_a has 2; row 1 is missing"),
        (([0.1, 0.2, 0.3], [0, 0], [1, 1], [0, 1]), "distance_a: 3 rows, but votes_a has 2"),
        (([], [], [], []), "empty"),
        (([0.1], [0.2], [0], [0]), "all are zero"),
        (([[0.1]], [0.2], [0], [0]), "1 axes are needed"),
    ],
)
def test_bad_input_is_named(columns: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        two_afc_accuracy(*columns)


def simulate(gain: float, seed: int) -> tuple:
    """Answer 40 references, 6 rows each; the first model is right more often by `gain`."""
    rng = np.random.default_rng(seed)
    references = np.repeat(np.arange(40), 6)
    hard = 0.25 * rng.random(40)[references]
    right = rng.random((2, 240)) < 0.65 - hard + np.array([[gain], [0.0]])
    first, second = (np.where(row, 0.2, 0.8) for row in right)
    return (first, 1 - first), (second, 1 - second), np.ones(240), np.zeros(240), references


@pytest.mark.parametrize("gain", [0.0, 0.05, 0.1, 0.15])
def test_p_agrees_with_the_interval_at_every_level(gain: float) -> None:
    for seed in range(5):
        data = simulate(gain, seed)
        for level in (0.8, 0.9, 0.95, 0.99):
            found = compare_accuracy(*data, level=level, resamples=999)
            assert (found.p <= 1 - level + 1e-9) == (not found.low <= 0 <= found.high)
            first, second = (two_afc_accuracy(*distances, *data[2:], **FEW).value for distances in data[:2])
            assert found.value == pytest.approx(first - second)


def test_p_is_rarely_small_without_a_difference() -> None:
    p = np.array([compare_accuracy(*simulate(0.0, seed), resamples=399).p for seed in range(300)])
    assert 0.02 <= (p <= 0.05).mean() <= 0.09
    assert 0.4 <= np.median(p) <= 0.6


def test_a_real_difference_is_found() -> None:
    first, second, *rest = simulate(0.25, 0)
    found = compare_accuracy(first, second, *rest)
    assert found.p < 0.01
    turned = compare_accuracy(second, first, *rest)
    assert turned.value == -found.value
    assert turned.high == pytest.approx(-found.low, abs=0.01)


def test_p_is_never_below_what_the_resamples_can_tell() -> None:
    always, never = (np.zeros(30), np.ones(30)), (np.ones(30), np.zeros(30))
    found = compare_accuracy(always, never, np.ones(30), np.zeros(30), resamples=99)
    assert (found.value, found.p) == (1, 2 / 100)


def test_equal_models_do_not_differ() -> None:
    first, _, *rest = simulate(0.1, 0)
    found = compare_accuracy(first, first, *rest)
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_one_reference_gives_no_p() -> None:
    first, second, votes_a, votes_b, references = simulate(0.1, 0)
    found = compare_accuracy(first, second, votes_a, votes_b, np.zeros_like(references))
    assert math.isnan(found.p)
    assert math.isnan(found.low)


def test_ceiling_by_hand() -> None:
    found = ceiling([3, 0, 2.5], [1, 2, 2.5], ["r", "r", "s"])
    assert found.value == pytest.approx((3 + 2 + 2.5) / 11)
    assert found.low <= found.value <= found.high
    assert found.n == 3


def annotations(people: int, agree: float, questions: int = 200, seed: int = 0) -> tuple:
    """Every question has a right answer, which each annotator gives with that chance."""
    rng = np.random.default_rng(seed)
    truth = rng.random(questions) < 0.5
    right = rng.random((people, questions)) < agree
    question = np.tile(np.arange(questions), people)
    annotator = np.repeat(np.arange(people), questions)
    return question, annotator, np.where((right == truth).ravel(), "a", "b")


def test_split_half_is_below_the_ceiling_and_grows_with_the_annotators() -> None:
    agree = 0.75
    halves = [
        split_half_ceiling(*annotations(people, agree, questions=2000), repeats=10, **FEW).value
        for people in (2, 6, 30)
    ]
    assert halves[0] == pytest.approx(agree**2 + (1 - agree) ** 2, abs=0.04)
    assert halves[2] == pytest.approx(agree, abs=0.02)
    assert all(few < more for few, more in pairwise(halves))


def test_split_half_matches_all_splits_of_five() -> None:
    # aaaab. Two of five ask three: aa meets aab (2 right), ab is tied (1.5). Three ask two: aaa meets ab, aab meets aa.
    two, three = 0.6 * 2 + 0.4 * 1.5, 0.4 * 1 + 0.6 * 2
    found = split_half_ceiling(["q"] * 5, list("vwxyz"), list("aaaab"), repeats=3000, **FEW)
    assert found.value == pytest.approx((two + three) / (3 + 2), abs=0.015)


def test_split_half_counts_what_it_leaves_out() -> None:
    questions, annotators = [1, 1, 2, 2, 3], ["x", "y", "x", "x", "y"]
    found = split_half_ceiling(questions, annotators, ["a", "a", "a", "b", "a"], **FEW)
    assert (found.n, found.left_out, found.value) == (1, 2, 1)  # question 2 was answered twice, by one person
    with pytest.raises(InputError, match="none was answered by two"):
        split_half_ceiling([1, 2], ["x", "y"], ["a", "b"])


def test_split_half_repeats_by_seed_and_ignores_order() -> None:
    data = annotations(5, 0.7, questions=60)
    order = np.random.default_rng(0).permutation(300)
    clusters = data[0] // 3
    found = split_half_ceiling(*data, repeats=5, clusters=clusters, **FEW)
    moved = split_half_ceiling(*(column[order] for column in data), repeats=5, clusters=clusters[order], **FEW)
    assert found == moved
    assert found != split_half_ceiling(*data, repeats=5, clusters=clusters, seed=1, **FEW)


def test_split_half_names_a_wrong_answer() -> None:
    with pytest.raises(InputError, match="choices: row 1 is left; it must be a or b"):
        split_half_ceiling([1, 1], ["x", "y"], ["a", "left"])
    with pytest.raises(InputError, match="repeats"):
        split_half_ceiling([1, 1], ["x", "y"], ["a", "b"], repeats=0)

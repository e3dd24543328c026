import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.core.errors import InputError
from lookalike.metrics import resampling
from lookalike.metrics.ends import bca_interval, edge_rank, percentile_interval
from lookalike.metrics.intervals import bootstrap_ratio, bootstrap_ratios, bootstrap_share, ratio_draws
from lookalike.metrics.resampling import resampled_sums, sum_clusters


def clustered(seed: int, clusters: int = 60, rows: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Answers whose chance of agreeing is drawn per cluster: Beta(3, 1), so 0.75 on average."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(3, 1, clusters)
    labels = np.repeat(np.arange(clusters), rows)
    return rng.binomial(2, chance[labels]).astype(float), np.full(len(labels), 2.0), labels


def wilson(successes: float, trials: float, z: float = 1.959964) -> tuple[float, float]:
    share = successes / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return centre - half, centre + half


def test_cluster_sums_match_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 3, (50, 2)).astype(float)
    labels = rng.choice(["x", "y", "z", "w"], 50)
    expected: dict[str, list[float]] = {}
    for label, (top, bottom) in zip(labels, values, strict=True):
        kept = expected.setdefault(label, [0.0, 0.0])
        kept[0] += top
        kept[1] += bottom
    found = sum_clusters(values, labels)
    assert sorted(map(tuple, np.repeat(found.sums, found.multiplicity, axis=0))) == sorted(
        tuple(row) for row in expected.values()
    )


def test_draws_have_the_moments_of_drawing_whole_clusters() -> None:
    rng = np.random.default_rng(1)
    sums = sum_clusters(rng.random((40, 1)), None)  # all distinct: indices are drawn
    few = sum_clusters(rng.integers(0, 3, (400, 1)) + 1.0)  # three kinds: counts are drawn
    for of in (sums, few):
        drawn = resampled_sums(of, 20_000, 0)[:, 0]
        each = np.repeat(of.sums[:, 0], of.multiplicity)
        error = each.std() * math.sqrt(len(each))
        assert abs(drawn.mean() - each.sum()) < 5 * error / math.sqrt(20_000)
        assert drawn.std() == pytest.approx(error, rel=0.03)


def test_both_ways_of_drawing_give_the_same_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    agreeing, votes, labels = clustered(3, clusters=200)
    ends = []
    for advantage in (1e-9, 1e9):
        monkeypatch.setattr(resampling, "MULTINOMIAL_ADVANTAGE", advantage)
        found = bootstrap_ratio(agreeing, votes, labels, resamples=20_000)
        ends.append((found.low, found.high))
    np.testing.assert_allclose(*ends, atol=0.002)
    assert ends[0] != ends[1]


@pytest.mark.parametrize("unlike", [False, True])
def test_the_size_of_a_block_does_not_show(monkeypatch: pytest.MonkeyPatch, unlike: bool) -> None:
    values = np.random.default_rng(0).random((70, 2)) if unlike else np.tile([[1.0, 1.0], [0.0, 1.0]], (35, 1))
    whole = resampled_sums(sum_clusters(values), 101, 5)
    monkeypatch.setattr(resampling, "BLOCK", 300)
    np.testing.assert_allclose(resampled_sums(sum_clusters(values), 101, 5), whole, rtol=1e-13)


@given(st.integers(0, 1000), st.booleans(), st.sampled_from(["percentile", "bca"]))
@settings(max_examples=25, deadline=None)
def test_neither_order_nor_names_change_anything(seed: int, labelled: bool, method: str) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 40))
    bottom = rng.random(n) + 0.1
    top = bottom * rng.random(n)
    labels = rng.integers(0, 6, n)
    order = rng.permutation(n)
    names = np.array([f"picture {label}" for label in rng.permutation(6)])[labels]
    before = bootstrap_ratio(top, bottom, labels if labelled else None, resamples=99, method=method)
    after = bootstrap_ratio(top[order], bottom[order], names[order] if labelled else None, resamples=99, method=method)
    np.testing.assert_equal(before, after)


def test_the_seed_decides() -> None:
    data = clustered(0)
    assert bootstrap_ratio(*data, seed=1) == bootstrap_ratio(*data, seed=1)
    assert bootstrap_ratio(*data, seed=1) != bootstrap_ratio(*data, seed=2)


def test_models_share_their_draws() -> None:
    agreeing, votes, labels = clustered(0)
    first, second, less = bootstrap_ratios(np.stack([agreeing, agreeing, agreeing / 2], axis=1), votes, labels)
    assert first == second
    assert (less.low, less.high) == pytest.approx((first.low / 2, first.high / 2))
    alone = bootstrap_ratio(agreeing, votes, labels)
    assert (alone.value, alone.clusters) == (first.value, first.clusters)
    assert (alone.low, alone.high) == pytest.approx((first.low, first.high), abs=0.003)


def test_every_model_may_have_its_own_denominators() -> None:
    first, second = bootstrap_ratios([[1, 2], [0, 0], [1, 0]], [[1, 4], [1, 0], [1, 0]], resamples=99)
    assert (first.value, first.clusters) == (2 / 3, 3)
    assert (second.value, second.clusters) == (0.5, 1)
    assert math.isnan(second.low)


def test_close_to_wilson_without_clusters() -> None:
    rows = np.repeat([1.0, 0.0], [350, 150])
    found = bootstrap_ratio(rows, np.ones(500))
    np.testing.assert_allclose((found.low, found.high), wilson(350, 500), atol=0.004)


def test_bca_and_percentile_agree_with_scipy() -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(4)
    bottom = rng.integers(1, 9, 30).astype(float)
    top = bottom * rng.beta(6, 1, 30)  # skewed, so that BCa differs from percentile
    for method in ("percentile", "bca"):
        theirs = scipy_stats.bootstrap(
            (top, bottom),
            lambda t, b, axis=-1: t.sum(axis=axis) / b.sum(axis=axis),
            paired=True,
            vectorized=True,
            n_resamples=10_000,
            method=method,
            random_state=np.random.default_rng(0),
        ).confidence_interval
        ours = bootstrap_ratio(top, bottom, np.arange(30), resamples=40_000, method=method)
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.005)
    percentile = bootstrap_ratio(top, bottom, resamples=40_000)
    assert ours.low < percentile.low - 0.003


def test_the_jackknife_counts_every_cluster_of_a_kind() -> None:
    draws = np.sort(np.random.default_rng(0).gamma(2, size=999))
    many = bca_interval(draws, 1.7, np.array([1.0, 1.0, 1.0, 3.0]), np.array([1, 1, 1, 1]), 0.95)
    assert many == bca_interval(draws, 1.7, np.array([1.0, 3.0]), np.array([3, 1]), 0.95)


def test_the_interval_covers_the_truth_only_if_clusters_count() -> None:
    simulations, truth = 300, 0.75
    covered = dict.fromkeys(["percentile", "bca", "unclustered"], 0)
    for seed in range(simulations):
        agreeing, votes, labels = clustered(seed)
        for name in covered:
            found = bootstrap_ratio(
                agreeing,
                votes,
                None if name == "unclustered" else labels,
                resamples=400,
                seed=seed,
                method="bca" if name == "bca" else "percentile",
            )
            covered[name] += found.low <= truth <= found.high
    assert 0.90 <= covered["percentile"] / simulations <= 0.975
    assert 0.90 <= covered["bca"] / simulations <= 0.975
    assert covered["unclustered"] / simulations < 0.85


def test_one_cluster_has_no_interval() -> None:
    found = bootstrap_ratio([1, 0, 1], [1, 1, 1], ["r", "r", "r"])
    assert found.value == pytest.approx(2 / 3)
    assert found.clusters == 1
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize("clusters", [2, 5, 40])
def test_full_agreement_is_no_certainty(clusters: int) -> None:
    beta = pytest.importorskip("scipy.stats").beta
    ones = np.ones(clusters)
    assert bootstrap_ratio(ones, ones).low == 1
    assert bootstrap_share(ones, ones).low == pytest.approx(beta.ppf(0.025, clusters, 1))
    assert bootstrap_share(0 * ones, ones).high == pytest.approx(beta.ppf(0.975, 1, clusters))


def test_ends_are_order_statistics() -> None:
    draws = np.random.default_rng(0).permutation(np.arange(1.0, 400.0))
    assert edge_rank(0.95, 399) == 10
    assert percentile_interval(draws, 0.95) == (10.0, 390.0)
    assert percentile_interval(np.append(draws, np.nan), 0.95) == (10.0, 390.0)


def test_draws_around_zero_are_exact() -> None:
    draws, clusters = ratio_draws([0.1, 0.2, -0.3], [1, 1, 1], ["r", "r", "r"], resamples=9)
    assert clusters <= 1
    assert (draws == 0).all() or np.isnan(draws).all()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1, np.nan], [1, 1]), {}, "numerators: row 1 is nan"),
        (([1, 1], [1, -1]), {}, "denominators: row 1 is -1"),
        (([1, 1], [0, 0]), {}, "denominators: all are zero"),
        (([1, 1], [1]), {}, "row 1 is missing"),
        (([], []), {}, "empty"),
        (([1, 1], [1, 1], ["r"]), {}, "1 labels for 2 rows"),
        (([1, 1], [1, 1], [None, "r"]), {}, "row 0 has no label"),
        (([1, 1], [1, 1], [0.0, np.nan]), {}, "row 1 has no label"),
        (([1, 1], [1, 1], np.array([1, "r"], object)), {}, "mixed kinds"),
        (([1, 1], [1, 1]), {"level": 1.0}, "level"),
        (([1, 1], [1, 1]), {"resamples": 38}, "at least 39"),
        (([1, 1], [1, 1]), {"method": "normal"}, "neither"),
        ((["one"], [1]), {}, "not an array of numbers"),
    ],
)
def test_bad_input_is_named(arguments: tuple, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        bootstrap_ratio(*arguments, **options)


def test_just_enough_resamples_pass() -> None:
    assert bootstrap_ratio([1, 0], [1, 1], resamples=39).n == 2

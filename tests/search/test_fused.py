from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.search import fused_reduction
from lookalike.search.fused import FusedLayout, FusedModel, fuse, fused_query, model_distances, shares
from lookalike.search.fused_reduction import SAMPLE_AT_LEAST, fit_layout

DIMS = {"colour": 5, "shape": 3, "texture": 8}
LAYOUT = FusedLayout([FusedModel(name, dim) for name, dim in DIMS.items()])


def vectors(count: int, seed: int = 0, dims: dict[str, int] = DIMS) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=(count, dim)) * rng.uniform(0.01, 100, (count, 1)) for name, dim in dims.items()}


def by_a_loop(queries: dict[str, np.ndarray], stored: dict[str, np.ndarray], weights: np.ndarray) -> np.ndarray:
    """The distance as it is defined: model by model, pair by pair."""
    distances = np.zeros((len(weights), len(next(iter(stored.values())))))
    for q in range(distances.shape[0]):
        for x in range(distances.shape[1]):
            for m, name in enumerate(queries):
                left, right = queries[name][q], stored[name][x]
                cosine = left @ right / np.linalg.norm(left) / np.linalg.norm(right)
                distances[q, x] += weights[q, m] * (1 - cosine)
    return distances


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 1.0, 1000.0]))
def test_the_distance_is_the_weighted_sum_over_the_models(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    stored, queries = vectors(12, seed), vectors(4, seed + 1)
    weights = rng.exponential(size=(4, 3)) * [1, 1 + spread, 0.5]
    query, totals = fused_query(LAYOUT, queries, weights)
    found = totals[:, None] - query.astype(np.float64) @ fuse(LAYOUT, stored).T.astype(np.float64)
    np.testing.assert_allclose(found, by_a_loop(queries, stored, weights), atol=5e-4 * totals.max())


def test_rows_are_float16_unit_vectors_side_by_side_and_filled_up_with_zeros() -> None:
    rows = fuse(LAYOUT, vectors(7))
    assert (rows.shape, rows.dtype) == ((7, 16), np.float16)
    for span in LAYOUT.spans:
        np.testing.assert_allclose(np.linalg.norm(rows[:, span].astype(np.float64), axis=1), 1, atol=1e-3)
    nine = FusedLayout([FusedModel("a", 9), FusedModel("b", 9)])
    assert nine.width == 32
    assert not fuse(nine, vectors(2, dims={"a": 9, "b": 9}))[:, 18:].any()


def test_weights_follow_the_order_of_the_query_and_not_that_of_the_layout() -> None:
    queries = vectors(3)
    turned = dict(reversed(queries.items()))
    one, _ = fused_query(LAYOUT, queries, [1, 2, 3])
    other, _ = fused_query(LAYOUT, turned, [3, 2, 1])
    np.testing.assert_array_equal(one, other)


def test_zeros_are_at_the_full_weight_of_their_model() -> None:
    stored = vectors(1)
    stored["shape"][:] = 0
    distances = model_distances(LAYOUT, vectors(1, 5), fuse(LAYOUT, stored))
    assert distances[0, 1] == 1


def test_shares_are_those_of_the_models_own_distances() -> None:
    stored, queries = vectors(6), vectors(1, 1)
    weights = np.array([0.2, 0.5, 3])
    apart = model_distances(LAYOUT, queries, fuse(LAYOUT, stored))
    expected = np.stack(
        [
            by_a_loop({name: queries[name]}, {name: stored[name]}, np.array([[weight]]))[0]
            for name, weight in zip(DIMS, weights, strict=True)
        ],
        axis=1,
    )
    np.testing.assert_allclose(apart * weights, expected, atol=5e-3)
    np.testing.assert_allclose(shares(apart, weights), expected / expected.sum(axis=1, keepdims=True), atol=5e-3)


def without(name: str) -> dict[str, np.ndarray]:
    return {key: value for key, value in vectors(2).items() if key != name}


def spoiled(value: float) -> dict[str, np.ndarray]:
    made = vectors(2)
    made["shape"][1, 2] = value
    return made


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "unknown": (lambda: fuse(LAYOUT, vectors(2) | {"colours": np.ones((2, 5))}), "no model 'colours': did you mean co"),
    "missing": (lambda: fuse(LAYOUT, without("shape")), "model 'shape' are missing: give those of colour, shape, tex"),
    "dim": (
        lambda: fuse(LAYOUT, vectors(2) | {"shape": np.ones((2, 4))}),
        r"'shape' have the shape \(2, 4\).*\(N, 3\)",
    ),
    "axes": (lambda: fuse(LAYOUT, vectors(2) | {"shape": np.ones(3)}), r"'shape' have the shape \(3,\)"),
    "rows": (lambda: fuse(LAYOUT, vectors(2) | {"shape": np.ones((3, 3))}), "3 vectors of the model 'shape' beside 2"),
    "text": (lambda: fuse(LAYOUT, vectors(2) | {"shape": [["a"] * 3] * 2}), "'shape' are not rows of numbers"),
    "nan": (lambda: fuse(LAYOUT, spoiled(np.nan)), "row 1 of the vectors of the model 'shape' is not finite"),
    "huge": (lambda: fuse(LAYOUT, spoiled(1e300)), "row 1 of the vectors of the model 'shape' is not finite"),
    "negative": (lambda: fused_query(LAYOUT, vectors(2), [1, -1, 1]), "not negative"),
    "infinite": (lambda: fused_query(LAYOUT, vectors(2), [1, np.inf, 1]), "finite numbers"),
    "zero": (lambda: fused_query(LAYOUT, vectors(2), [[1, 1, 1], [0, 0, 0]]), "all weights of a query are 0"),
    "shape": (lambda: fused_query(LAYOUT, vectors(2), [1, 1]), r"shape \(2,\): give \(3,\), or \(2, 3\)"),
    "words": (lambda: fused_query(LAYOUT, vectors(2), ["x", "y", "z"]), "weights are not numbers"),
    "none": (lambda: FusedLayout([]), "one model at least"),
    "twice": (lambda: FusedLayout([FusedModel("a", 1), FusedModel("a", 2)]), "'a' stands twice"),
    "few": (lambda: fit_layout(vectors(100), budget=10), "16 numbers an image become 10 .* give 2,000 .* not 100"),
    "budget": (lambda: fit_layout(vectors(SAMPLE_AT_LEAST), budget=2), "a budget of 2 numbers is below one for each"),
    "sample": (lambda: fit_layout(vectors(9) | {"shape": np.ones((8, 3))}), "8 vectors of the model 'shape' beside 9"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_input_is_one_clear_line(case: str) -> None:
    call, message = REFUSED[case]
    with pytest.raises(InputError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
    assert isinstance(error.value, UnknownNameError) == (case == "unknown")


def low_rank(count: int, rank: int, dim: int, seed: int, noise: float = 0.01) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, rank)) @ rng.normal(size=(rank, dim)) + noise * rng.normal(size=(count, dim))


def test_a_budget_goes_where_the_vectors_have_their_length_and_says_what_it_costs() -> None:
    sample = {"plain": low_rank(3000, 4, 60, 0), "rich": low_rank(3000, 30, 60, 1)}
    layout = fit_layout(sample, budget=34)
    plain, rich = layout.models
    assert plain.kept + rich.kept == 34
    assert (plain.kept, rich.kept) == (4, 30)
    for model in layout.models:
        np.testing.assert_allclose(model.directions.T @ model.directions, np.eye(model.kept), atol=1e-5)
        assert 0 < model.mean_error <= model.max_error < 0.01
    rows = fuse(layout, sample).astype(np.float64)
    whole = sample["rich"] / np.linalg.norm(sample["rich"], axis=1, keepdims=True)
    kept = rows[:, layout.spans[1]]
    assert np.abs(whole[:200] @ whole[:200].T - kept[:200] @ kept[:200].T).max() < 0.01


def test_what_fits_the_budget_is_kept_whole_and_tight_budgets_cost_more() -> None:
    sample = {"a": low_rank(2000, 20, 40, 0, 1.0), "b": low_rank(2000, 3, 3, 1)}
    assert [model.directions for model in fit_layout(sample, budget=43).models] == [None, None]
    assert [model.directions for model in fit_layout(sample, budget=None).models] == [None, None]
    errors = [fit_layout(sample, budget=budget).models[0].mean_error for budget in (40, 20, 6)]
    assert errors == sorted(errors)
    assert errors[0] < errors[2]


def test_more_columns_than_rows_are_reduced_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_reduction, "SAMPLE_AT_LEAST", 200)
    sample = low_rank(200, 12, 300, 3)
    layout = fit_layout({"wide": sample}, budget=12)
    assert layout.models[0].max_error < 0.02

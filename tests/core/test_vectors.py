import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lookalike.core.vectors import cosine_distances, unit_rows

matrices = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(1, 9)),
    elements=st.floats(-(2.0**100), 2.0**100, width=32),
)


@given(matrices)
def test_rows_have_norm_one_or_zero(features: np.ndarray) -> None:
    norms = np.linalg.norm(unit_rows(features).astype(np.float64), axis=1)
    expected = (features != 0).any(axis=1).astype(float)
    np.testing.assert_allclose(norms, expected, atol=1e-5)


@given(matrices, st.sampled_from([2.0, 4.0, 1024.0]))
def test_the_scale_of_a_feature_does_not_matter(features: np.ndarray, factor: float) -> None:
    np.testing.assert_allclose(unit_rows(features * np.float32(factor)), unit_rows(features), atol=1e-5)


def test_distances_match_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    left, right = (unit_rows(rng.normal(size=(20, 7)).astype(np.float32)) for _ in range(2))
    expected = [
        1 - sum(float(a) * float(b) for a, b in zip(u, v, strict=True)) for u, v in zip(left, right, strict=True)
    ]
    np.testing.assert_allclose(cosine_distances(left, right), expected, atol=1e-6)


def test_distances_stay_in_range_for_the_same_and_the_opposite() -> None:
    rows = unit_rows(np.random.default_rng(1).normal(size=(500, 33)).astype(np.float32))
    assert (cosine_distances(rows, rows) >= 0).all()
    assert (cosine_distances(rows, -rows) <= 2).all()

"""Principal components against a plain singular value decomposition."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lookalike.core.errors import InputError, LookalikeError, NotFittedError
from lookalike.similarity.reduction import Reduction


def features(rows: int, columns: int, seed: int = 0, decay: float = 0.8) -> NDArray[np.float32]:
    """Rows whose variance falls off by a factor per direction, with a mean far from zero."""
    rng = np.random.default_rng(seed)
    turned = np.linalg.qr(rng.normal(size=(columns, columns)))[0]
    X = rng.normal(size=(rows, columns)) * decay ** np.arange(columns) @ turned + 3
    return X.astype(np.float32)


def plain(X: NDArray[np.float32], dim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return components (up to sign) and variances by one decomposition."""
    centred = X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)
    _, lengths, turned = np.linalg.svd(centred, full_matrices=False)
    return turned[:dim], (lengths**2 / (len(X) - 1))[:dim]


@pytest.mark.parametrize(("rows", "columns"), [(200, 30), (40, 120), (60, 61)])
@pytest.mark.parametrize("whiten", [False, True])
def test_exact_agrees_with_a_plain_decomposition(rows: int, columns: int, whiten: bool) -> None:
    X = features(rows, columns)
    components, variances = plain(X, 8)
    reduction = Reduction(8, whiten=whiten).fit(X)
    np.testing.assert_allclose(reduction.explained_variance_, variances, rtol=1e-4)
    expected = (X - X.mean(axis=0, dtype=np.float64)) @ components.T
    if whiten:
        expected /= np.sqrt(variances)
    signs = np.sign((reduction.components_ * components).sum(axis=1))
    np.testing.assert_allclose(reduction.transform(X), expected * signs, atol=2e-3)
    assert reduction.transform(X).dtype == np.float32


def test_incremental_agrees_with_exact_on_the_same_rows() -> None:
    X = features(1500, 60, decay=0.9)
    exact = Reduction(12).fit(X)
    incremental = Reduction(12, solver="incremental", batch=100).fit(X)
    np.testing.assert_allclose(incremental.explained_variance_, exact.explained_variance_, rtol=0.01)
    np.testing.assert_allclose(incremental.mean_, exact.mean_, atol=1e-5)
    shared = np.linalg.svd(incremental.components_ @ exact.components_.T, compute_uv=False)
    assert shared.min() > 0.99
    again = Reduction(12, solver="incremental", batch=100, seed=0).fit(X)
    np.testing.assert_array_equal(again.components_, incremental.components_)
    other = Reduction(12, solver="incremental", batch=100, seed=1).fit(X)
    assert not np.array_equal(other.components_, incremental.components_)


def test_incremental_sees_rows_in_an_order_of_chance_from_a_memory_map(tmp_path: Path) -> None:
    X = features(600, 40)
    X = X[np.argsort(X[:, 0])]  # sorted, the first batch alone would mislead
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    incremental = Reduction(4, solver="incremental", batch=50).fit(mapped)
    exact = Reduction(4).fit(X)
    np.testing.assert_allclose(incremental.explained_variance_, exact.explained_variance_, rtol=0.01)


@pytest.mark.parametrize("solver", ["exact", "incremental"])
def test_whitening_gives_unit_variance_and_no_correlation(solver: str) -> None:
    X = features(500, 20)
    reduced = Reduction(6, whiten=True, solver=solver, batch=128).fit_transform(X)  # type: ignore[arg-type]
    np.testing.assert_allclose(np.cov(reduced.T), np.eye(6), atol=0.01)


@pytest.mark.parametrize("solver", ["exact", "incremental"])
def test_no_more_directions_than_there_are(solver: str) -> None:
    twice = np.hstack([features(50, 5)] * 2)
    reduction = Reduction(whiten=True, solver=solver).fit(twice)  # type: ignore[arg-type]
    assert reduction.components_.shape == (5, 10)
    assert np.isfinite(reduction.transform(twice)).all()
    assert np.abs(reduction.transform(twice)).max() < 10
    assert len(Reduction(solver=solver).fit(features(4, 30)).components_) == 3  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 30), st.integers(1, 20), st.integers(1, 25), st.integers(0, 99))
def test_components_are_orthonormal_and_distances_only_shrink(rows: int, columns: int, dim: int, seed: int) -> None:
    X = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    reduction = Reduction(dim).fit(X)
    kept = len(reduction.components_)
    assert kept <= min(dim, columns, rows - 1)
    np.testing.assert_allclose(reduction.components_ @ reduction.components_.T, np.eye(kept), atol=1e-4)
    reduced = reduction.transform(X)
    before, after = (np.linalg.norm(x[:1] - x, axis=1) for x in (X, reduced))
    assert (after <= before + 1e-3).all()
    if kept == min(columns, rows - 1):
        np.testing.assert_allclose(after, before, atol=1e-3)
    np.testing.assert_allclose(reduced.mean(axis=0), 0, atol=1e-4)
    assert reduction.explained_variance_ratio_.sum() < 1 + 1e-6


def test_saved_arrays_make_the_same_reduction() -> None:
    X = features(80, 12)
    for whiten in (False, True):
        reduction = Reduction(5, whiten=whiten).fit(X)
        copy = Reduction.from_arrays(reduction.arrays())
        np.testing.assert_array_equal(copy.transform(X), reduction.transform(X))
        assert (copy.dim, copy.whiten) == (5, whiten)
    with pytest.raises(InputError, match="lacks the array 'mean'"):
        Reduction.from_arrays({k: v for k, v in reduction.arrays().items() if k != "mean"})
    with pytest.raises(InputError, match="does not fit together"):
        Reduction.from_arrays({**reduction.arrays(), "mean": np.zeros(3, np.float32)})


def test_before_fit_there_is_one_error() -> None:
    with pytest.raises(NotFittedError, match="this Reduction is not fitted yet") as caught:
        Reduction().transform(np.zeros((2, 2)))
    assert isinstance(caught.value, LookalikeError)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, AttributeError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    with pytest.raises(NotFittedError):
        Reduction().arrays()


def test_parameters_are_stored_as_given_and_checked_by_fit() -> None:
    from sklearn.base import clone

    reduction = Reduction(dim=3, solver="incremental", batch=7, whiten=True, seed=4)
    assert clone(reduction).get_params() == reduction.get_params()
    assert reduction.set_params(dim=9).dim == 9
    with pytest.raises(InputError, match="has no parameter 'dims'"):
        reduction.set_params(dims=1)
    for bad in ({"dim": 0}, {"batch": 0}, {"solver": "quick"}):
        with pytest.raises(InputError):
            Reduction(**bad).fit(features(9, 3))  # type: ignore[arg-type]


def test_rows_that_cannot_be_used_are_named() -> None:
    X = features(9, 3)
    damaged = X.copy()
    damaged[4, 1] = np.nan
    for rows, message in (
        (damaged, "row 4 of the features is not finite"),
        (np.ones((5, 3)), "all rows are the same"),
        (X[:1], "two rows at least"),
        (X[0], "two axes"),
        (np.array([["a"], ["b"]]), "not <U1"),
    ):
        with pytest.raises(InputError, match=message):
            Reduction(2).fit(rows)
    fitted = Reduction(2).fit(X)
    with pytest.raises(InputError, match="row 4"):
        fitted.transform(damaged)
    with pytest.raises(InputError, match="rows of 2 numbers: this reduction was fitted on 3"):
        fitted.transform(X[:, :2])
    assert fitted.transform(X[:0]).shape == (0, 2)


def test_applying_a_reduction_needs_neither_scikit_learn_nor_torch() -> None:
    code = (
        "import sys, numpy as np\n"
        "from lookalike.similarity.reduction import Reduction\n"
        "arrays = dict(mean=np.zeros(3), components=np.eye(3)[:2], explained_variance=np.ones(2),\n"
        "    explained_variance_ratio=np.ones(2), whiten=np.array([0]))\n"
        "assert Reduction.from_arrays(arrays).transform(np.ones((1, 3))).tolist() == [[1, 1]]\n"
        "assert not {'sklearn', 'scipy', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

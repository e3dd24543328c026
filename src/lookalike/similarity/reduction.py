"""Fewer numbers per image: principal components, fitted by scikit-learn and applied by NumPy alone.

scikit-learn is imported by `Reduction.fit`, so what was fitted elsewhere is applied without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Vectors
from lookalike.similarity.estimator import Estimator

__all__ = ["Reduction"]

Solver: TypeAlias = Literal["exact", "incremental"]
SPARE = 2
"""How many times the wanted directions the incremental solver carries from batch to batch.

What it drops in one batch it cannot get back in the next. Measured on taps of a MobileNet, 3,000 photos by 472 numbers
in batches of 512: its 128 directions hold 0.22% less variance than the exact ones without spare ones, 0.005% at 2.
"""
ROWS_AT_ONCE = 4096


class Reduction(Estimator):
    """Principal component analysis: turn, and keep the directions in which the rows differ most.

    ``transform(X) = (X - mean_) @ components_.T``, divided by ``sqrt(explained_variance_)`` where whitened. Pearson
    (1901); for the incremental solver, Ross, Lim, Lin and Yang (2008).

    Parameters
    ----------
    dim : int
        How many numbers to keep. Where the rows differ in fewer directions (there are at most as many as columns, and
        one less than rows), these are all that is kept: ``len(components_)`` tells.
    whiten : bool
        Scale every direction to variance 1 over the fitted rows.
    solver : {"exact", "incremental"}
        Over all rows at once, in float64; or batch after batch, for rows that do not fit in memory (a memory map). The
        incremental solver is close to the exact one where variances fall off, as those of features do.
    batch : int
        Rows at a time of the incremental solver; at least twice `dim` are taken.
    seed : int
        Of the order in which the incremental solver sees the rows, and of where an iterative exact solution starts.

    Attributes
    ----------
    mean_ : float32 (D,)
    components_ : float32 (dim, D)
        Orthonormal rows, in order of the variance.
    explained_variance_, explained_variance_ratio_ : float64 (dim,)
        Of the fitted rows along each direction, and its share of the whole.
    n_features_in_ : int
        D.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(50, 6)) * [9, 5, 1, 1, 1, 1]
    >>> reduction = Reduction(dim=2).fit(X)
    >>> reduction.transform(X).shape, bool(reduction.explained_variance_ratio_.sum() > 0.9)
    ((50, 2), True)
    """

    mean_: Vectors
    components_: Vectors
    explained_variance_: NDArray[np.float64]
    explained_variance_ratio_: NDArray[np.float64]
    n_features_in_: int

    def __init__(
        self, dim: int = 256, whiten: bool = False, solver: Solver = "exact", batch: int = 1024, seed: int = 0
    ) -> None:
        self.dim = dim
        self.whiten = whiten
        self.solver = solver
        self.batch = batch
        self.seed = seed

    def fit(self, X: ArrayLike, y: None = None) -> Reduction:  # noqa: ARG002 scikit-learn's signature
        """Find the directions.

        Parameters
        ----------
        X : float (N, D)
            Two rows at least; a memory map is read in blocks by the incremental solver.
        y : None
            Not used.

        Raises
        ------
        InputError
            A parameter is out of its range, the rows are not finite, or all are the same.
        """
        self._check()
        rows = _rows(X)
        if len(rows) < 2:
            raise InputError(f"a reduction is fitted on two rows at least, not {len(rows)}")
        largest = _largest(rows)
        wanted = min(self.dim, rows.shape[1], len(rows) - 1)
        with np.errstate(invalid="ignore", divide="ignore"):  # shares of no variance, where all rows are the same
            if self.solver == "exact":
                found = _exact(np.asarray(rows, np.float64), wanted, self.seed)
            else:
                found = _incremental(rows, wanted, self.batch, self.seed)
        # What rounding to float32 alone would spread over all directions is no direction of the data.
        noise = (2 * np.finfo(np.float32).eps * largest * (1 + np.sqrt(rows.shape[1] / len(rows)))) ** 2
        kept = int((found.explained_variance_[:wanted] > noise).sum())
        if not kept:
            raise InputError("all rows are the same: there is nothing to tell apart")
        self.mean_ = np.asarray(found.mean_, np.float32)
        self.components_ = np.ascontiguousarray(found.components_[:kept], np.float32)
        self.explained_variance_ = np.asarray(found.explained_variance_[:kept], np.float64)
        self.explained_variance_ratio_ = np.asarray(found.explained_variance_ratio_[:kept], np.float64)
        self.n_features_in_ = rows.shape[1]
        return self

    def transform(self, X: ArrayLike) -> Vectors:
        """Reduce rows, by NumPy alone.

        Parameters
        ----------
        X : float (N, D)

        Returns
        -------
        float32 (N, len(components_))

        Raises
        ------
        NotFittedError
        InputError
            The rows have another number of columns, or are not finite.
        """
        self._need_fit()
        rows = _rows(X)
        if rows.shape[1] != self.n_features_in_:
            raise InputError(f"rows of {rows.shape[1]} numbers: this reduction was fitted on {self.n_features_in_}")
        turn = self.components_.T
        if self.whiten:
            turn = np.asarray(turn / np.sqrt(self.explained_variance_), np.float32)
        reduced = np.empty((len(rows), turn.shape[1]), np.float32)
        for block in _blocks(len(rows)):
            np.matmul(np.asarray(rows[block], np.float32) - self.mean_, turn, out=reduced[block])
        if not np.isfinite(reduced).all():
            _largest(rows)
            raise InputError("the rows are too large for float32")
        return reduced

    def fit_transform(self, X: ArrayLike, y: None = None) -> Vectors:
        """Fit on rows, and reduce them."""
        return self.fit(X, y).transform(X)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that was fitted, to be saved; `from_arrays` makes the same reduction of it.

        Raises
        ------
        NotFittedError
        """
        self._need_fit()
        fitted = ("mean_", "components_", "explained_variance_", "explained_variance_ratio_")
        return {name.rstrip("_"): getattr(self, name) for name in fitted} | {
            "whiten": np.array([self.whiten], np.uint8)
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Reduction:
        """Make a fitted reduction of what `arrays` returned.

        Raises
        ------
        InputError
            An array is missing, or their shapes do not fit together.

        Examples
        --------
        >>> X = np.random.default_rng(0).normal(size=(9, 4))
        >>> reduction = Reduction(dim=2, whiten=True).fit(X)
        >>> bool((Reduction.from_arrays(reduction.arrays()).transform(X) == reduction.transform(X)).all())
        True
        """
        try:
            mean, components = (np.asarray(arrays[name], np.float32) for name in ("mean", "components"))
            variances = [
                np.asarray(arrays[name], np.float64) for name in ("explained_variance", "explained_variance_ratio")
            ]
            whiten = bool(arrays["whiten"][0])
        except KeyError as error:
            raise InputError(f"a saved reduction lacks the array {error}") from None
        if mean.ndim != 1 or components.shape[1:] != mean.shape or {v.shape for v in variances} != {(len(components),)}:
            raise InputError(f"a saved reduction does not fit together: {components.shape} beside {mean.shape}")
        made = cls(dim=len(components), whiten=whiten)
        made.mean_, made.components_ = mean, components
        made.explained_variance_, made.explained_variance_ratio_ = variances
        made.n_features_in_ = len(mean)
        return made

    def _check(self) -> None:
        if self.dim < 1 or self.batch < 1:
            raise InputError(f"dim and batch are at least 1, not {self.dim} and {self.batch}")
        if self.solver not in ("exact", "incremental"):
            raise InputError(f"solver is exact or incremental, not '{self.solver}'")


def _exact(rows: NDArray[np.float64], wanted: int, seed: int) -> Any:
    """Solve exactly: by scikit-learn's fast solver, which wants more rows than columns, or by the rows' inner products.

    The latter are as few as the rows: 2,250 rows of 8,112 numbers take 3 seconds where a singular value decomposition
    takes over 30.
    """
    count, columns = rows.shape
    if columns <= count:
        from sklearn.decomposition import PCA

        return PCA(wanted, svd_solver="covariance_eigh", random_state=seed).fit(rows)
    mean = rows.mean(axis=0)
    centred = rows - mean
    values, vectors = np.linalg.eigh(centred @ centred.T)
    leading = slice(count - 1, count - 1 - wanted, -1)
    lengths = np.sqrt(np.maximum(values[leading], np.finfo(np.float64).tiny))
    variances = np.maximum(values, 0) / (count - 1)
    with np.errstate(over="ignore"):
        components = (centred.T @ (vectors[:, leading] / lengths)).T
    return SimpleNamespace(
        mean_=mean,
        components_=components,
        explained_variance_=variances[leading],
        explained_variance_ratio_=variances[leading] / variances.sum(),
    )


def _incremental(rows: NDArray[Any], wanted: int, batch: int, seed: int) -> Any:
    """Feed the rows in batches, in an order of chance: features of neighbouring files are alike."""
    from sklearn.decomposition import IncrementalPCA

    count, columns = rows.shape
    carried = min(SPARE * wanted, count, columns)
    pca = IncrementalPCA(carried)
    order = np.random.default_rng(seed).permutation(count)
    # As many batches as are full: a small one at the end would be fewer rows than there are directions.
    for some in np.array_split(order, max(1, count // max(batch, carried))):
        pca.partial_fit(np.asarray(rows[np.sort(some)], np.float64))
    return pca


def _rows(X: ArrayLike) -> NDArray[Any]:
    rows = np.asarray(X)
    if rows.dtype.kind not in "fiu":
        raise InputError(f"features are numbers, not {rows.dtype}")
    if rows.ndim != 2 or not rows.shape[1]:
        raise InputError(f"features have two axes, rows and columns; these have the shape {rows.shape}")
    return rows


def _largest(rows: NDArray[Any]) -> float:
    """Return the largest absolute number, having looked at all that they are finite."""
    largest = 0.0
    for block in _blocks(len(rows)):
        by_row = np.abs(rows[block]).max(axis=1)
        if not np.isfinite(by_row).all():
            raise InputError(f"row {block.start + int((~np.isfinite(by_row)).argmax())} of the features is not finite")
        largest = max(largest, float(by_row.max()))
    return largest


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + ROWS_AT_ONCE) for start in range(0, count, ROWS_AT_ONCE))

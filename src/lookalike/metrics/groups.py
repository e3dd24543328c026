"""Rows that belong together: labels turned into codes, and sums by code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lookalike.core.errors import InputError
from lookalike.metrics.checks import Floats, Ints

__all__ = ["as_codes", "sums_by_code"]


def as_codes(name: str, labels: ArrayLike) -> tuple[Ints, NDArray[Any]]:
    """Return the number of each label in sorted order, and the labels.

    Parameters
    ----------
    labels : int or str (n,)

    Returns
    -------
    codes : int (n,)
        ``distinct[codes]`` are the labels.
    distinct : (C,)
        The labels, sorted, each once.

    Examples
    --------
    >>> as_codes("clusters", ["pine", "elm", "pine"])[0]
    array([1, 0, 1])
    """
    column = np.asarray(labels)
    if column.ndim != 1 or not column.size:
        raise InputError(f"{name}: one label per row is needed, not an array of shape {column.shape}")
    missing = np.array([label is None or label != label for label in column]) if column.dtype.kind in "fO" else None
    if missing is not None and missing.any():
        raise InputError(f"{name}: row {int(missing.argmax())} has no label")
    try:
        distinct, codes = np.unique(column, return_inverse=True)
    except TypeError:
        raise InputError(f"{name}: labels are of mixed kinds; all must be integers or all text") from None
    return codes.astype(np.int64), distinct


def sums_by_code(codes: Ints, values: ArrayLike, count: int | None = None) -> Floats:
    """Add up values by code.

    Parameters
    ----------
    codes : int (n,)
        Not negative.
    values : float or bool (n,)
    count : int, optional
        Length of the result; without, the largest code and one.

    Returns
    -------
    float64 (count,)

    Examples
    --------
    >>> sums_by_code(np.array([0, 1, 0]), [1, 2, 3])
    array([4., 2.])
    """
    return np.bincount(codes, np.asarray(values, np.float64), count or 0).astype(np.float64)

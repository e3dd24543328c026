"""What the metrics accept: finite numbers of one length; the first row that is not is named."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lookalike.core.errors import InputError

__all__ = ["Floats", "Ints", "as_choices", "as_numbers", "as_table", "as_votes", "same_length"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


def as_table(name: str, values: ArrayLike, axes: int) -> Floats:
    """Return float64 numbers with that many axes, at least one in each.

    Raises
    ------
    InputError
        Not numbers, another number of axes, or nothing in it.

    Examples
    --------
    >>> as_table("votes_a", [1, 2], 1)
    array([1., 2.])
    """
    try:
        table = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name}: not an array of numbers") from None
    if table.ndim != axes:
        raise InputError(f"{name}: {axes} axes are needed, not {table.ndim} (shape {table.shape})")
    if not table.size:
        raise InputError(f"{name}: empty; at least one row is needed")
    return table


def as_numbers(name: str, values: ArrayLike, low: float = -np.inf, high: float = np.inf) -> Floats:
    """Return finite float64 numbers (n,) in [low, high].

    Raises
    ------
    InputError
        The message names the first row (from 0) that is not finite or out of the range.

    Examples
    --------
    >>> as_numbers("distance_a", [0.5, float("nan")])
    Traceback (most recent call last):
    lookalike.core.errors.InputError: distance_a: row 1 is nan; a finite number is needed
    """
    numbers = as_table(name, values, 1)
    bad = ~np.isfinite(numbers)
    if bad.any():
        row = int(bad.argmax())
        raise InputError(f"{name}: row {row} is {numbers[row]}; a finite number is needed")
    bad = (numbers < low) | (numbers > high)
    if bad.any():
        row = int(bad.argmax())
        limits = f"at least {low:g}" if np.isinf(high) else f"in [{low:g}, {high:g}]"
        raise InputError(f"{name}: row {row} is {numbers[row]:g}; it must be {limits}")
    return numbers


def as_votes(votes_a: ArrayLike, votes_b: ArrayLike) -> tuple[Floats, Floats]:
    """Return two columns of votes, not negative and not all zero.

    Examples
    --------
    >>> as_votes([1, 0], [0, 2])
    (array([1., 0.]), array([0., 2.]))
    """
    a, b = as_numbers("votes_a", votes_a, 0), as_numbers("votes_b", votes_b, 0)
    same_length(votes_a=a, votes_b=b)
    if not (a.any() or b.any()):
        raise InputError("votes: all are zero; at least one vote is needed")
    return a, b


def same_length(**columns: NDArray[Any]) -> None:
    """Check that every column has as many rows as the first.

    Examples
    --------
    >>> same_length(votes_a=np.ones(3), votes_b=np.ones(2))
    Traceback (most recent call last):
    lookalike.core.errors.InputError: votes_b: 2 rows, but votes_a has 3; row 2 is missing
    """
    (first, column), *rest = columns.items()
    for name, other in rest:
        if len(other) != len(column):
            lacking = "is missing" if len(other) < len(column) else f"has no {first}"
            row = min(len(column), len(other))
            raise InputError(f"{name}: {len(other)} rows, but {first} has {len(column)}; row {row} {lacking}")


def as_choices(choices: ArrayLike) -> NDArray[np.bool_]:
    """Return whether each answer is ``"a"``; any other word than ``"a"`` and ``"b"`` is an error that names its row.

    Examples
    --------
    >>> as_choices(["a", "b"])
    array([ True, False])
    """
    column = np.asarray(choices)
    if column.ndim != 1 or not column.size:
        raise InputError(f"choices: one answer per row is needed, not an array of shape {column.shape}")
    chose_a = np.asarray(column == "a", np.bool_)
    bad = ~(chose_a | np.asarray(column == "b", np.bool_))
    if bad.any():
        row = int(bad.argmax())
        raise InputError(f"choices: row {row} is {column[row]!s}; it must be a or b")
    return chose_a

"""Where a reference stands among the references: its principal coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Vectors

__all__ = ["Axes", "principal_axes"]

Floats = NDArray[np.float64]

ROUNDING = float(np.finfo(np.float32).eps)


@dataclass(frozen=True, slots=True, eq=False)
class Axes:
    """Directions in which rows differ most.

    Attributes
    ----------
    mean : float64 (D,)
    turn : float64 (D, d)
        Orthonormal columns, in order of the variance.
    """

    mean: Floats
    turn: Floats

    def place(self, rows: Vectors) -> Floats:
        """Return the coordinates of rows (N, D), float64 (N, d)."""
        return (np.asarray(rows, np.float64) - self.mean) @ self.turn

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return both, by name."""
        return {"axes.mean": self.mean, "axes.turn": self.turn}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Axes:
        """Take what `arrays` returned.

        Raises
        ------
        InputError
            They do not fit together.
        """
        made = cls(arrays["axes.mean"], arrays["axes.turn"])
        if made.turn.ndim != 2 or made.mean.shape != made.turn.shape[:1]:
            raise InputError(f"axes of shape {made.turn.shape} do not fit a mean of shape {made.mean.shape}")
        return made


def principal_axes(rows: Vectors, dim: int) -> Axes:
    """Fit principal components, centred and not whitened, in float64.

    Parameters
    ----------
    rows : float (N, D)
    dim : int
        How many directions; fewer where the rows differ in fewer.

    Returns
    -------
    Axes
        Of every direction the largest entry is positive, as with scikit-learn.

    Examples
    --------
    >>> axes = principal_axes(np.array([[0, 0, 1], [4, 0, 1], [0, 2, 1], [4, 2, 1]], np.float32), 8)
    >>> axes.turn.round(3) + 0.0
    array([[1., 0.],
           [0., 1.],
           [0., 0.]])
    """
    from scipy.linalg import eigh

    wide = np.asarray(rows, np.float64)
    mean = wide.mean(axis=0)
    wide -= mean
    tall = wide.shape[0] >= wide.shape[1]
    products = wide.T @ wide if tall else wide @ wide.T
    count = min(dim, len(products))
    values, vectors = eigh(products, subset_by_index=(len(products) - count, len(products) - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    # What rounding the rows to float32 alone would spread over all directions is no direction.
    kept = values > len(rows) * (ROUNDING * np.abs(rows).max(initial=0)) ** 2
    turn = vectors[:, kept] if tall else wide.T @ (vectors[:, kept] / np.sqrt(values[kept]))
    signs = np.sign(turn[np.abs(turn).argmax(axis=0), np.arange(turn.shape[1])])
    return Axes(mean, np.ascontiguousarray(turn * signs))

"""The features of a teacher, centred and reduced: what a student is asked to say; no PyTorch here.

Cosines of features that were never negative are all alike, far above 0. With their mean taken off they tell pictures
apart; the principal components that remain keep the cosines and are cheap to predict.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Vectors
from lookalike.core.vectors import unit_rows

__all__ = ["TeacherSpace"]

ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True, eq=False)
class TeacherSpace:
    """A projection to the principal components of a teacher's features.

    Attributes
    ----------
    mean : float32 (D,)
    basis : float32 (D, d)
        Columns of norm 1, at right angles, the widest first.
    kept : float
        Share of the variance that they hold, in (0, 1].
    """

    mean: NDArray[np.float32]
    basis: NDArray[np.float32]
    kept: float

    @property
    def dim(self) -> int:
        """Length of what `project` gives."""
        return int(self.basis.shape[1])

    @classmethod
    def of(cls, features: Vectors, dim: int) -> TeacherSpace:
        """Find the space of some features.

        Parameters
        ----------
        features : float32 (N, D)
            Not all alike.
        dim : int
            Components at most; never more than D, or than N - 1.

        Raises
        ------
        InputError
            There are fewer than two rows, or all are alike.

        Examples
        --------
        >>> rows = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
        >>> space = TeacherSpace.of(rows, 9)
        >>> space.dim, round(space.kept, 3)
        (6, 1.0)
        """
        if len(features) < 2:
            raise InputError("a teacher's space is found from two pictures at least")
        mean = features.mean(0, dtype=np.float64).astype(np.float32)
        width = features.shape[1]
        scatter = np.zeros((width, width))
        for start in range(0, len(features), ROWS_AT_ONCE):
            block = features[start : start + ROWS_AT_ONCE] - mean
            scatter += block.T @ block  # a block in 32 bits, twice as fast; their sum in 64
        values, vectors = np.linalg.eigh(scatter)
        if not values[-1] > 0:
            raise InputError("a teacher says the same of every picture")
        count = min(dim, width, len(features) - 1)
        kept = float(values[::-1][:count].sum() / values.sum())
        return cls(mean, vectors[:, ::-1][:, :count].astype(np.float32), min(kept, 1.0))

    def project(self, features: Vectors) -> Vectors:
        """Return features in this space, of norm 1: float32 (N, D) to float32 (N, d).

        Examples
        --------
        >>> rows = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
        >>> np.linalg.norm(TeacherSpace.of(rows, 3).project(rows), axis=1).round(3)[:2].tolist()
        [1.0, 1.0]
        """
        found = np.empty((len(features), self.dim), np.float32)
        for start in range(0, len(features), ROWS_AT_ONCE):
            at = slice(start, start + ROWS_AT_ONCE)
            found[at] = unit_rows(np.asarray((features[at] - self.mean) @ self.basis, np.float32))
        return found

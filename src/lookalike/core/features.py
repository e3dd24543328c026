"""Features of images by id: what models are fitted on and judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Rows, Vectors

__all__ = ["Features"]


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """One row of numbers per image.

    Parameters
    ----------
    ids : str (N,)
        Distinct.
    vectors : float32 (N, D)

    Raises
    ------
    InputError
        There are more or fewer ids than rows, or an id stands twice.

    Examples
    --------
    >>> features = Features(["b", "a"], np.eye(2))
    >>> features.rows(["a", "b", "a"]).tolist()
    [1, 0, 1]
    >>> Features.concatenate([features, features]).vectors.shape
    (2, 4)
    """

    ids: NDArray[np.str_]
    vectors: Vectors
    _order: NDArray[np.intp] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check, and sort the ids once for `rows`."""
        object.__setattr__(self, "ids", np.asarray(self.ids, np.str_))
        object.__setattr__(self, "vectors", np.asarray(self.vectors, np.float32))
        if self.vectors.ndim != 2 or len(self.ids) != len(self.vectors):
            raise InputError(f"{len(self.ids)} ids do not fit features of shape {self.vectors.shape}")
        object.__setattr__(self, "_order", np.argsort(self.ids, kind="stable"))
        ordered = self.ids[self._order]
        twice = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(twice):
            raise InputError(f"the id '{ordered[twice[0]]}' stands twice among the features")

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, ids: Sequence[str] | NDArray[np.str_]) -> Rows:
        """Return the row of each id.

        Raises
        ------
        InputError
            An id has no features; the first is named.
        """
        wanted = np.asarray(ids, np.str_)
        places = np.searchsorted(self.ids, wanted, sorter=self._order)
        rows = np.append(self._order, -1)[places] if len(self) else np.full(len(wanted), -1)
        missing = (rows < 0) | (self.ids[rows] != wanted) if len(self) else np.ones(len(wanted), bool)
        if missing.any():
            raise InputError(f"no features for '{wanted[missing][0]}' (and {int(missing.sum()) - 1} more)")
        return rows.astype(np.int64)

    @staticmethod
    def concatenate(parts: Sequence[Features]) -> Features:
        """Put features of the same images side by side, in the order of the first part's ids.

        Raises
        ------
        InputError
            There are no parts, or one lacks an id of the first.
        """
        if not parts:
            raise InputError("nothing to concatenate: give at least one set of features")
        ids = parts[0].ids
        return Features(ids, np.concatenate([part.vectors[part.rows(ids)] for part in parts], axis=1))

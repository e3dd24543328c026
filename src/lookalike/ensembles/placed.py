"""Ensembles whose weights depend on where the reference stands among the references it was fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.types import Rows, Vectors
from lookalike.ensembles.answers import Floats
from lookalike.ensembles.axes import Axes, principal_axes
from lookalike.ensembles.weighted import WeightedEnsemble
from lookalike.judgments.table import Judgments
from lookalike.similarity.model import Arrays, check_finite
from lookalike.similarity.selected import column_span

__all__ = ["PlacedEnsemble"]


class PlacedEnsemble(WeightedEnsemble):
    """Weights by principal coordinates of the reference's features, or of what the models make of it.

    In the published mode coordinates are as they come. In the corrected one all are divided by one number, so that
    their variance is 1 on average; directions in which references hardly differ hardly count. Coordinates outside the
    range of the fitted references are moved to its edge.

    Attributes
    ----------
    axes_ : Axes
    unit_ : float
        What coordinates are divided by.
    range_ : float64 (2, d)
        The least and greatest coordinates of the fitted references.
    """

    mode: str = "corrected"
    place_by: str = "features"
    columns: tuple[int, int] | None = None
    pca_ids: Sequence[str] | None = None
    axes_: Axes
    unit_: float
    range_: Floats

    def _check_mode(self) -> None:
        if self.mode not in ("corrected", "published"):
            raise InputError(f'mode is "corrected" or "published", not {self.mode!r}')

    def _check_seed(self, seed: int) -> None:
        if not 0 <= seed < 2**32:
            raise InputError(f"seed is a number from 0 to {2**32 - 1}, not {seed}")

    def _calibrate(self, gaps: Floats, judgments: Judgments) -> Floats:
        """Take distances as they are in the published mode."""
        return np.ones(gaps.shape[1]) if self.mode == "published" else super()._calibrate(gaps, judgments)

    def _fit_axes(self, features: Features, rows: Rows, dim: int) -> Floats:
        """Fit the axes, and return the coordinates of the references at `rows`."""
        published = self.mode == "published"
        fitted = rows if self.pca_ids is None else features.rows(self.pca_ids)
        if not len(fitted):
            raise InputError("pca_ids is empty: principal components need images")
        check_finite(features.vectors[fitted], features.ids[fitted])
        seen = self._looked_at(features.vectors[fitted])
        self.axes_ = principal_axes(seen, dim)
        missing = dim - self.axes_.turn.shape[1]
        if published and missing > 0:  # the published map has that many directions, whatever the references
            turn = np.hstack([self.axes_.turn, np.zeros((seen.shape[1], missing))])
            self.axes_ = Axes(self.axes_.mean, turn)
        coordinates = self.axes_.place(self._looked_at(features.vectors[rows]))
        spread = np.sqrt(coordinates.var(axis=0).mean()) if coordinates.size else 0.0
        self.unit_ = float(spread) if spread > 0 and not published else 1.0
        edge = np.inf if published else 0.0
        self.range_ = np.stack([coordinates.min(axis=0) - edge, coordinates.max(axis=0) + edge]) / self.unit_
        return coordinates / self.unit_

    def _place(self, rows: Vectors) -> Floats:
        """Return coordinates (N, d) of features of references (N, n_features_in_)."""
        return np.clip(self.axes_.place(self._looked_at(rows)) / self.unit_, *self.range_)

    def _looked_at(self, rows: Vectors) -> Vectors:
        """Return that by which references are placed, of their features (N, n_features_in_)."""
        if self.place_by == "models":
            return self._side_by_side(rows, np.ones((1, len(self.models_))))
        start, stop = column_span(self.columns, self.n_features_in_)
        return rows[:, start:stop]

    def _axes_arrays(self) -> Arrays:
        return {**self.axes_.arrays(), "unit": np.array([self.unit_]), "range": self.range_}

    def _restore_axes(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.axes_, self.unit_ = Axes.from_arrays(arrays), float(arrays["unit"][0])
        self.range_ = arrays["range"]
        width = self._looked_at(np.zeros((1, self.n_features_in_), np.float32)).shape[1]
        if self.axes_.turn.shape[0] != width or self.range_.shape != (2, self.axes_.turn.shape[1]):
            raise InputError(f"axes of {self.axes_.turn.shape} do not fit places of {width} numbers")

"""Weights by how accurate each model is around the reference, on the plane of two principal coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.types import Rows, Vectors
from lookalike.ensembles.answers import Answers, Floats
from lookalike.ensembles.base import ENSEMBLES
from lookalike.ensembles.cells import BINS, Weighting, cell_weights, cells_of, window_accuracy
from lookalike.ensembles.neighbours import near_accuracy, near_weights
from lookalike.ensembles.placed import PlacedEnsemble
from lookalike.similarity.model import Arrays, SimilarityModel

__all__ = ["GridEnsemble"]

PUBLISHED_THRESHOLD = 0.75
BANDWIDTHS = (0.1, 0.2, 0.4, 0.8)
SLACKS = (0.0, 0.02, 0.05, 0.1, 0.2)


@ENSEMBLES.register("grid")
class GridEnsemble(PlacedEnsemble):
    """Trust models by their accuracy around the reference, on a map of the references by two principal coordinates.

    After the "PCA" ensemble of CoSIS (Liao and Chen, 2024).

    ``mode="published"`` is their program: 200 x 200 cells, windows of 10 x 10 that reach 5 cells back and 4 ahead,
    every reference counts the same, nothing is learned of windows without references, distances as they are; see
    `lookalike.ensembles.cells`. Of two equal distances it takes a for the closer candidate: its answer is b where
    ``distance_a > distance_b``.

    ``mode="corrected"`` smooths over the references by distance on the map instead of cells, so that no window is empty
    and far from all references the models count the same; votes count instead of references; distances are calibrated.
    Bandwidth and slack are chosen by leaving each reference out in turn.

    Parameters
    ----------
    models : sequence of SimilarityModel
        Fitted, on features of the same length.
    mode : {"corrected", "published"}
    weighting : {"thres", "avg", "max"}
        Weights in proportion to accuracy for the models that are good enough, for all, or all for the best.
    threshold : float, optional
        What is good enough: an accuracy above it. Published 0.75; corrected, without it, one close to the best there.
    bandwidth : float, optional
        Of the corrected mode: how far around a reference, where the coordinates have variance 1 on average; chosen
        without it.
    columns : (int, int), optional
        Of the features, those by which references are placed; all without it.
    pca_ids : sequence of str, optional
        Images to which principal components are fitted; without it, all references of the judgments. (Published: 320
        references and the 8 anchors.)

    Attributes
    ----------
    bandwidth_, slack_ : float
        Corrected mode: as they were used.
    table_ : float64 (200, 200, K)
        Published mode: the weights of every cell, by the second coordinate, then the first.
    """

    bandwidth_: float
    slack_: float
    table_: Floats
    low_: Floats
    high_: Floats
    points_: Floats
    right_: Floats
    total_: Floats

    def __init__(
        self,
        models: Sequence[SimilarityModel],
        mode: Literal["corrected", "published"] = "corrected",
        weighting: Weighting = "thres",
        threshold: float | None = None,
        bandwidth: float | None = None,
        columns: tuple[int, int] | None = None,
        pca_ids: Sequence[str] | None = None,
    ) -> None:
        self.models = models
        self.mode = mode
        self.weighting = weighting
        self.threshold = threshold
        self.bandwidth = bandwidth
        self.columns = columns
        self.pca_ids = pca_ids

    def _check(self) -> None:
        self._check_mode()
        if self.weighting not in ("avg", "max", "thres"):
            raise InputError(f'weighting is "avg", "max" or "thres", not {self.weighting!r}')
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise InputError(f"threshold is an accuracy from 0 to 1, not {self.threshold!r}")
        if self.bandwidth is not None and not 0 < self.bandwidth < np.inf:
            raise InputError(f"bandwidth is above 0, not {self.bandwidth!r}")

    def _fit(self, answers: Answers, features: Features, rows: Rows) -> Floats:
        coordinates = self._fit_axes(features, rows, 2)
        if self.mode == "published":
            return answers.margins(self._fit_cells(coordinates, answers))
        return answers.margins(self._fit_neighbours(coordinates, answers))

    def _fit_cells(self, coordinates: Floats, answers: Answers) -> Floats:
        right, total = answers.right(tie=1.0)
        self.low_, self.high_ = coordinates.min(axis=0), coordinates.max(axis=0)
        cells = cells_of(coordinates, self.low_, self.high_)
        threshold = PUBLISHED_THRESHOLD if self.threshold is None else self.threshold
        self.table_ = cell_weights(window_accuracy(cells, right / total[:, None]), self.weighting, threshold)
        return np.asarray(self.table_[cells[:, 0], cells[:, 1]])

    def _fit_neighbours(self, coordinates: Floats, answers: Answers) -> Floats:
        """Choose bandwidth and slack by the log loss of weights that each reference had no part in; return these."""
        self.points_ = coordinates
        self.right_, self.total_ = answers.right()
        widths = BANDWIDTHS if self.bandwidth is None else (self.bandwidth,)
        slacks = SLACKS if self.weighting == "thres" and self.threshold is None else SLACKS[:1]
        best = np.inf
        chosen = np.empty(0)
        for width in widths:
            accuracy = near_accuracy(coordinates, coordinates, self.right_, self.total_, width, itself=False)
            for slack in slacks:
                weights = near_weights(accuracy, self.weighting, self.threshold, slack)
                loss = answers.loss(weights)
                if loss < best:
                    best, chosen, self.bandwidth_, self.slack_ = loss, weights, width, slack
        return chosen

    def _weigh(self, rows: Vectors) -> Floats:
        coordinates = self._place(rows)
        if hasattr(self, "table_"):
            cells = cells_of(coordinates, self.low_, self.high_)
            return np.asarray(self.table_[cells[:, 0], cells[:, 1]])
        accuracy = near_accuracy(coordinates, self.points_, self.right_, self.total_, self.bandwidth_)
        return near_weights(accuracy, self.weighting, self.threshold, self.slack_)

    def _arrays(self) -> Arrays:
        if hasattr(self, "table_"):
            return {**self._axes_arrays(), "table": self.table_, "low": self.low_, "high": self.high_}
        chosen = np.array([self.bandwidth_, self.slack_])
        held = {"points": self.points_, "right": self.right_, "total": self.total_, "chosen": chosen}
        return {**self._axes_arrays(), **held}

    def _restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        models = len(self.models_)
        self._restore_axes(arrays)
        if self.mode == "published":
            self.table_, self.low_, self.high_ = arrays["table"], arrays["low"], arrays["high"]
            fits = self.table_.shape == (BINS, BINS, models) and self.low_.shape == self.high_.shape == (2,)
        else:
            self.points_, self.right_, self.total_ = (arrays[name] for name in ("points", "right", "total"))
            self.bandwidth_, self.slack_ = (float(value) for value in arrays["chosen"])
            fits = self.right_.shape == (len(self.points_), models) and self.total_.shape == self.points_.shape[:1]
            fits = fits and self.points_.ndim == 2
        if not fits:
            raise InputError("the arrays of this grid do not fit together")

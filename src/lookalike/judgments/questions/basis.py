"""Principal coordinates of images, in which a few answers can say how much each direction matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Rows, Vectors

__all__ = ["Basis", "Coordinates", "fit_basis"]

AXES = 16
SAMPLE = 600
ROUNDS = 5
LOGIT_SPREAD = 1.0
"""Spread of the log odds of the answers to random questions, before anyone has answered: people mostly agree with
the distance of the vectors, but far from always."""


@dataclass(frozen=True, slots=True)
class Basis:
    """Principal axes.

    Attributes
    ----------
    mean : float32 (D,)
        Of the joined vectors.
    axes : float32 (D, K)
        Directions, times a common scale: the gap ``|r - b|^2 - |r - a|^2`` of random triplets has the standard
        deviation `LOGIT_SPREAD`.
    """

    mean: Vectors
    axes: Vectors

    def project(self, parts: Sequence[Vectors]) -> NDArray[np.float64]:
        """Return the coordinates, float64 (n, K), of images given by one array (n, D_m) per model."""
        ends = np.cumsum([part.shape[1] for part in parts])[:-1]
        pieces = zip(parts, np.split(self.axes, ends), strict=True)
        total = sum((np.asarray(part, np.float32) @ axes for part, axes in pieces), -(self.mean @ self.axes))
        return np.asarray(total, np.float64)


class Coordinates:
    """The principal coordinates of images, each computed when it is first asked for.

    Parameters
    ----------
    models : sequence of float32 (N, D_m)
        Vectors of the same images by each model.

    Examples
    --------
    >>> places = Coordinates([np.eye(4, dtype=np.float32)]).of(np.array([0, 3, 0]))
    >>> places.shape, bool((places[0] == places[2]).all())
    ((3, 4), True)
    """

    def __init__(self, models: Sequence[Vectors]) -> None:
        self._models = models
        self._basis = fit_basis(models)
        self._known = np.zeros(len(models[0]), np.bool_)
        self._places = np.zeros((len(models[0]), self._basis.axes.shape[1]))

    def of(self, rows: Rows) -> NDArray[np.float64]:
        """Return the coordinates of some images, float64 (n, K)."""
        missing = np.unique(rows[~self._known[rows]])
        if len(missing):
            self._places[missing] = self._basis.project([model[missing] for model in self._models])
            self._known[missing] = True
        return self._places[rows]


def fit_basis(models: Sequence[Vectors], axes: int = AXES) -> Basis:
    """Find the principal axes of the joined vectors, from a fixed sample of the images.

    Subspace iteration (Halko, Martinsson and Tropp 2011): a few products with a thin matrix instead of a full
    decomposition, which would take longer than everything else in a proposal.

    Parameters
    ----------
    models : sequence of float32 (N, D_m)
        Vectors of the same images by each model.
    axes : int
        How many at most.

    Returns
    -------
    Basis

    Examples
    --------
    >>> spread = np.array([[5, 0.1, 0], [-5, 0, 0.1], [4, -0.1, 0], [-4, 0, -0.1]], np.float32)
    >>> np.abs(fit_basis([spread], axes=1).axes[:, 0]).argmax()
    np.int64(0)
    """
    rng = np.random.default_rng(0)
    count = len(models[0])
    rows = np.sort(rng.choice(count, min(count, SAMPLE), replace=False))
    sample = np.concatenate([model[rows] for model in models], axis=1).astype(np.float32)
    mean = sample.mean(axis=0)
    centred = sample - mean
    width = min(axes, *centred.shape)
    thin = rng.normal(size=(centred.shape[1], min(width + 8, *centred.shape))).astype(np.float32)
    for _ in range(ROUNDS):
        thin, _ = np.linalg.qr(centred.T @ (centred @ thin))
    _, _, turned = np.linalg.svd(centred @ thin, full_matrices=False)
    found = thin @ turned[:width].T
    spread = _spread_of_gaps(centred @ found, rng)
    scale = np.sqrt(LOGIT_SPREAD / spread) if spread > 0 else 1.0
    return Basis(mean.astype(np.float32), (found * scale).astype(np.float32))


def _spread_of_gaps(points: Vectors, rng: np.random.Generator) -> float:
    r, a, b = (points[rng.integers(len(points), size=2000)] for _ in range(3))
    return float((((r - b) ** 2).sum(axis=1) - ((r - a) ** 2).sum(axis=1)).std())

"""Ensembles that give each model a weight for this reference: they are searched as one inner product."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from lookalike.core.features import Features
from lookalike.core.types import Distances, Rows, Vectors
from lookalike.ensembles.answers import Floats
from lookalike.ensembles.base import Ensemble
from lookalike.similarity.model import check_finite

__all__ = ["WeightedEnsemble"]


class WeightedEnsemble(Ensemble):
    """Models with a weight ``w_k(R) >= 0`` each for every reference R; the weights of one reference sum to 1.

    Its distance is ``sum_k w_k(R) c_k (1 - e_k(R).e_k(x))``, where ``e_k`` are the unit vectors of model k and ``c_k``
    its calibration. That is ``offset(R) - q(R).v(x)``: ``v`` (`transform`) does not know of the reference, and ``q``
    (`query`) not of the image, so an index of ``v`` is searched with ``q``.
    """

    def weights(self, reference_features: Features | Vectors) -> Vectors:
        """Return the weight of every model for each reference.

        Parameters
        ----------
        reference_features : Features, or float32 (N, n_features_in_)

        Returns
        -------
        float32 (N, K)
            Not negative, and 1 in sum.

        Raises
        ------
        NotFittedError
        InputError
            The features have another length, or are not finite.
        """
        return self._weigh(self._rows(reference_features)).astype(np.float32)

    def transform(self, features: Features | Vectors) -> Vectors:
        """Return ``v(x)``: the unit vectors of all models side by side, scaled to norm 1 together.

        Parameters
        ----------
        features : Features, or float32 (N, n_features_in_)

        Returns
        -------
        float32 (N, D_1 + ... + D_K)
            Shorter than 1 where a model maps a picture to nothing.

        Raises
        ------
        NotFittedError, InputError
        """
        rows = self._rows(features)
        return self._side_by_side(rows, np.ones((1, len(self.models_))))

    def query(self, reference_features: Features | Vectors) -> Vectors:
        """Return ``q(R)``, by which ``distance(R, x) = offset(R) - q(R).v(x)``.

        Parameters
        ----------
        reference_features : Features, or float32 (N, n_features_in_)

        Returns
        -------
        float32 (N, D_1 + ... + D_K)

        Raises
        ------
        NotFittedError, InputError
        """
        rows = self._rows(reference_features)
        return self._side_by_side(rows, len(self.models_) * self._weigh(rows) * self.calibration_)

    def offset(self, reference_features: Features | Vectors) -> Floats:
        """Return ``sum_k w_k(R) c_k``, float64 (N,): the distance of a picture that every model finds unrelated."""
        return np.asarray(self._weigh(self._rows(reference_features)) @ self.calibration_)

    def _rows(self, features: Features | Vectors) -> Vectors:
        self._need_fit()
        rows = features.vectors if isinstance(features, Features) else np.asarray(features, np.float32)
        self._check_width(rows)
        check_finite(rows, features.ids if isinstance(features, Features) else None)
        return rows

    def _side_by_side(self, rows: Vectors, scales: Floats) -> Vectors:
        """Put the unit vectors of all models side by side, each times ``scales / sqrt(K)``."""
        share = (scales / np.sqrt(len(self.models_))).astype(np.float32)
        parts = [model.transform(rows) * share[:, [number]] for number, model in enumerate(self.models_)]
        return np.concatenate(parts, axis=1)

    def _combine(self, found: Distances, rows: Vectors, reference: Rows) -> tuple[Floats, Floats]:
        scaled = (self._weigh(rows) * self.calibration_)[reference]
        a, b = (np.einsum("nk,kn->n", scaled, side) for side in found)
        return a, b

    @abstractmethod
    def _weigh(self, rows: Vectors) -> Floats:
        """Return weights, float64 (N, K), for features of references (N, n_features_in_)."""

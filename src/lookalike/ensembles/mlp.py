"""Weights by the accuracy that a small network predicts for each model near the reference."""

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
from lookalike.ensembles.folds import in_order, reference_folds, softmax
from lookalike.ensembles.network import Network
from lookalike.ensembles.placed import PlacedEnsemble
from lookalike.ensembles.published_regressors import published_accuracy, published_regressors
from lookalike.ensembles.regressors import HIDDEN, fit_accuracy
from lookalike.similarity.model import Arrays, SimilarityModel

__all__ = ["MLPEnsemble"]

SHARPNESSES = (0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0)
DIMS = {"corrected": 16, "published": 8}
PUBLISHED = ("inner", "bias", "outer", "last")


@ENSEMBLES.register("mlp")
class MLPEnsemble(PlacedEnsemble):
    """Trust models by the accuracy that a network predicts from principal coordinates of the reference.

    After the MLP ensemble of CoSIS (Liao and Chen, 2024).

    ``mode="published"`` is their program: a regressor of its own for every model, on coordinates as they come, every
    reference counting the same; weights are the predictions divided by their sum. Nothing is clipped, so that weights
    may be negative; distances are as they are. Of two equal distances it takes a for the closer candidate: its answer
    is b where ``distance_a > distance_b``.

    ``mode="corrected"`` has one network with an output per model. It predicts the probability that a model gives to a
    vote, which differs less by chance than whether the model is right. Every vote counts the same, and weights are
    ``softmax(sharpness * prediction)``, with the sharpness under which folds over the references find the votes
    likeliest (0: all models alike). Distances are calibrated.

    Parameters
    ----------
    models : sequence of SimilarityModel
        Fitted, on features of the same length.
    mode : {"corrected", "published"}
    dim : int, optional
        How many coordinates; without it 16, or 8 as published.
    sharpness : float, optional
        Of the corrected mode; chosen without it.
    folds : int
        Of the corrected mode.
    columns : (int, int), optional
        Of the features, those by which references are placed; all without it.
    pca_ids : sequence of str, optional
        Images to which principal components are fitted; without it, all references of the judgments.
    seed : int
        Of the networks and the folds.

    Attributes
    ----------
    sharpness_ : float
        Corrected mode: as it was used.
    network_, learned_ : Network, float64
        Corrected mode: what was fitted.
    regressors_ : dict
        Published mode: what was fitted.
    """

    sharpness_: float
    network_: Network
    learned_: Floats
    regressors_: dict[str, NDArray[Any]]

    def __init__(
        self,
        models: Sequence[SimilarityModel],
        mode: Literal["corrected", "published"] = "corrected",
        dim: int | None = None,
        sharpness: float | None = None,
        folds: int = 5,
        columns: tuple[int, int] | None = None,
        pca_ids: Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        self.models = models
        self.mode = mode
        self.dim = dim
        self.sharpness = sharpness
        self.folds = folds
        self.columns = columns
        self.pca_ids = pca_ids
        self.seed = seed

    def _check(self) -> None:
        self._check_mode()
        self._check_seed(self.seed)
        if self._dim < 1 or self.folds < 2:
            raise InputError(f"dim is at least 1 and folds at least 2, not {self.dim} and {self.folds}")
        if self.sharpness is not None and not 0 <= self.sharpness < np.inf:
            raise InputError(f"sharpness is a number from 0, not {self.sharpness!r}")

    def _fit(self, answers: Answers, features: Features, rows: Rows) -> Floats:
        coordinates = self._fit_axes(features, rows, self._dim)
        if self.mode == "published":
            right, total = answers.right(tie=1.0)
            self.regressors_ = published_regressors(coordinates, right / total[:, None], self.seed)
            return answers.margins(self._published_weights(coordinates))
        right, total = answers.foretold()
        every = np.arange(len(rows))

        def learn(part: tuple[Rows, Rows]) -> tuple[Network, Floats, Floats]:
            fitted, held = part
            rng = np.random.default_rng(self.seed)
            network, learned = fit_accuracy(coordinates[fitted], right[fitted], total[fitted], rng)
            return network, learned, network.outputs_of(learned, coordinates[held])[0]

        parts = [(every, every), *reference_folds(len(rows), self.folds, self.seed)]
        (self.network_, self.learned_, predicted), *held_out = in_order(learn, parts)
        for (_, held), (_, _, values) in zip(parts[1:], held_out, strict=True):
            predicted[held] = values
        self.sharpness_ = self._likeliest_sharpness(answers, predicted)
        return answers.margins(softmax(self.sharpness_ * predicted))

    @property
    def _dim(self) -> int:
        return DIMS[self.mode] if self.dim is None else self.dim

    def _likeliest_sharpness(self, answers: Answers, predicted: Floats) -> float:
        if self.sharpness is not None:
            return float(self.sharpness)
        losses = [answers.loss(softmax(sharpness * predicted)) for sharpness in SHARPNESSES]
        return SHARPNESSES[int(np.argmin(losses))]

    def _published_weights(self, coordinates: Floats) -> Floats:
        predicted = published_accuracy(self.regressors_, coordinates)
        return np.asarray(predicted / predicted.sum(axis=1, keepdims=True))

    def _weigh(self, rows: Vectors) -> Floats:
        coordinates = self._place(rows)
        if hasattr(self, "regressors_"):
            return self._published_weights(coordinates)
        return softmax(self.sharpness_ * self.network_.outputs_of(self.learned_, coordinates)[0])

    def _arrays(self) -> Arrays:
        if hasattr(self, "regressors_"):
            return {**self._axes_arrays(), **self.regressors_}
        return {**self._axes_arrays(), "learned": self.learned_, "sharpness": np.array([self.sharpness_])}

    def _restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        models = len(self.models_)
        self._restore_axes(arrays)
        if self.mode == "published":
            self.regressors_ = {name: arrays[name] for name in PUBLISHED}
            shapes = [(models, self.axes_.turn.shape[1], HIDDEN), (models, HIDDEN), (models, HIDDEN), (models,)]
            fits = [self.regressors_[name].shape for name in PUBLISHED] == shapes
        else:
            self.learned_, self.sharpness_ = arrays["learned"], float(arrays["sharpness"][0])
            self.network_ = Network(self.axes_.turn.shape[1], HIDDEN, models)
            fits = self.learned_.shape == (self.network_.size,)
        if not fits:
            raise InputError("the arrays of this ensemble do not fit together")

"""What every ensemble is: several fitted models, and one distance made of theirs, fitted on judgments."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.registry import Registry
from lookalike.core.types import Distances, Rows, Vectors
from lookalike.ensembles.answers import Answers, Floats, calibrate, likeliest_temperature
from lookalike.ensembles.members import as_distances, as_members, member_distances
from lookalike.ensembles.threads import one_thread_each
from lookalike.judgments.table import Judgments
from lookalike.metrics.calibration import logistic
from lookalike.similarity.estimator import Estimator
from lookalike.similarity.model import Arrays, SimilarityModel, check_finite, id_hashes, question_hashes

__all__ = ["ENSEMBLES", "Ensemble"]

ENSEMBLES: Registry[type[Ensemble]] = Registry("ensemble")
"""Kinds of ensembles by the name that stands on their cards."""


class Ensemble(Estimator):
    """Models side by side, taken as they are: they are fitted before, and `fit` changes none of them.

    A subclass registers itself in `ENSEMBLES`, fits in `_fit`, makes one distance of several in `_combine`, and says in
    `_arrays` and `_restore` what is saved.

    Attributes
    ----------
    models_ : tuple of SimilarityModel
        K of them.
    calibration_ : float64 (K,)
        What the distances of each model are multiplied by: above 0, the largest is 1.
    temperature_ : float
        Of `probability`.
    n_features_in_ : int
        Length of one feature: what every model takes.
    seen_ : uint64 (m,)
        Hashes of the ids of all images that it or a model was fitted on, sorted.
    asked_ : uint64 (m,)
        Hashes of the questions that it or a model was fitted on, sorted.
    """

    models_: tuple[SimilarityModel, ...]
    calibration_: Floats
    temperature_: float
    n_features_in_: int
    seen_: NDArray[np.uint64]
    asked_: NDArray[np.uint64]

    def __init__(self, models: Sequence[SimilarityModel]) -> None:
        self.models = models

    def fit(self, judgments: Judgments, features: Features, distances: ArrayLike | None = None) -> Self:
        """Learn which model to trust near which reference.

        Parameters
        ----------
        judgments : Judgments
        features : Features
            Of all their images, at least.
        distances : float (2, K, n), optional
            Of the references to candidates a and b by each model. By default the models' own, which is right where no
            model was fitted on these judgments. Where one was, it would be trusted for what it has learned by heart:
            give those of `lookalike.ensembles.crossfit.out_of_fold`.

        Raises
        ------
        NotFittedError
            A model is not fitted.
        InputError
            There are no models or judgments, they do not fit together, or a parameter is out of range.
        """
        before = dict(vars(self))
        try:
            with one_thread_each():
                return self._fit_all(judgments, features, distances)
        except BaseException:  # no half of a fit, and no mixture with an older one
            vars(self).clear()
            vars(self).update(before)
            raise

    def _fit_all(self, judgments: Judgments, features: Features, distances: ArrayLike | None) -> Self:
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)
        models = as_members(self.models)
        if not isinstance(judgments, Judgments):
            raise InputError(f"ensembles are fitted on Judgments, not on {type(judgments).__name__}")
        if not len(judgments):
            raise InputError("there is nothing to learn from: no judgments")
        self._check()
        self.models_, self.n_features_in_ = models, models[0].n_features_in_
        rows, reference = self._references(judgments, features)
        a, b = self._member_distances(judgments, features, distances)
        gaps = (b.astype(np.float64) - a).T
        self.calibration_ = self._calibrate(gaps, judgments)
        answers = Answers.of(gaps * self.calibration_, judgments.votes_a, judgments.votes_b, reference)
        margins = self._fit(answers, features, rows)
        self.temperature_ = likeliest_temperature(margins, answers.votes_a, answers.votes_b)
        images = np.concatenate([judgments.reference, judgments.candidate_a, judgments.candidate_b])
        seen = [id_hashes(judgments.ids[np.unique(images)].tolist()), *(model.seen_ for model in models)]
        self.seen_ = np.unique(np.concatenate(seen))
        self.asked_ = np.unique(np.concatenate([question_hashes(judgments), *(model.asked_ for model in models)]))
        return self

    def distances(
        self, judgments: Judgments, features: Features, distances: ArrayLike | None = None
    ) -> tuple[Floats, Floats]:
        """Return the distances of the references to their two candidates.

        Parameters
        ----------
        judgments : Judgments
        features : Features
            Of all their images, at least.
        distances : float (2, K, n), optional
            Those of the models, where they are known already.

        Returns
        -------
        distance_a, distance_b : float64 (n,)
            In [0, 2]; those of one reference can be compared with each other alone.

        Raises
        ------
        NotFittedError
        InputError
            An image has no features.
        """
        self._need_fit()
        rows, reference = self._references(judgments, features)
        return self._combine(self._member_distances(judgments, features, distances), features.vectors[rows], reference)

    def probability(self, distance_a: ArrayLike, distance_b: ArrayLike) -> Floats:
        """Return the probability that people find a closer, from what `distances` returned.

        Parameters
        ----------
        distance_a, distance_b : float (n,)

        Returns
        -------
        float64 (n,)
            ``1 / (1 + exp((distance_a - distance_b) / temperature_))``.
        """
        self._need_fit()
        return logistic(np.asarray(distance_a, np.float64) - np.asarray(distance_b, np.float64), self.temperature_)

    @abstractmethod
    def weights(self, reference_features: Features | Vectors) -> Vectors:
        """Return the weight of every model for each reference, float32 (N, K); a vote has none."""

    @abstractmethod
    def transform(self, features: Features | Vectors) -> Vectors:
        """Return what is indexed of each image, float32 (N, D); a vote has nothing."""

    @abstractmethod
    def query(self, reference_features: Features | Vectors) -> Vectors:
        """Return what an index of `transform` is searched with, float32 (N, D); a vote has nothing."""

    @abstractmethod
    def offset(self, reference_features: Features | Vectors) -> Floats:
        """Return what the inner product of `query` and `transform` is subtracted from, float64 (N,)."""

    def has_seen(self, ids: Sequence[str] | NDArray[np.str_]) -> NDArray[np.bool_]:
        """Return which images it or one of its models was fitted on, bool (n,): answers about them prove nothing."""
        self._need_fit()
        return np.isin(id_hashes(np.asarray(ids, np.str_).tolist()), self.seen_)

    def was_asked(self, judgments: Judgments) -> NDArray[np.bool_]:
        """Return which questions it or one of its models was fitted on, whoever answered them, bool (n,)."""
        self._need_fit()
        return np.isin(question_hashes(judgments), self.asked_)

    def card_parameters(self) -> dict[str, Any]:
        """Return the parameters, except the models, as JSON values; `of_card` takes them back."""
        return {name: _plain(value) for name, value in self.get_params().items() if name != "models"}

    @classmethod
    def of_card(cls, models: Sequence[SimilarityModel], parameters: Mapping[str, Any]) -> Self:
        """Make an ensemble that is not fitted of models and of what `card_parameters` returned."""
        made = cls(models).set_params(**{name: _tuple(value) for name, value in dict(parameters).items()})
        made._check()
        return made

    def arrays(self) -> Arrays:
        """Return all that was fitted, by name, except the models."""
        self._need_fit()
        shared = {"calibration": self.calibration_, "temperature": np.array([self.temperature_])}
        return {**shared, "seen": self.seen_, "asked": self.asked_, **self._arrays()}

    def restore(self, models: Sequence[SimilarityModel], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back fitted models and what `arrays` returned."""
        self.models_ = as_members(models)
        self.n_features_in_ = self.models_[0].n_features_in_
        self.calibration_, self.seen_ = arrays["calibration"], arrays["seen"]
        # One that was saved by an older version remembers the questions of its models alone.
        own = [arrays["asked"]] if "asked" in arrays else [model.asked_ for model in self.models_]
        self.asked_ = np.unique(np.concatenate(own))
        self.temperature_ = float(arrays["temperature"][0])
        if self.calibration_.shape != (len(models),):
            raise InputError(f"{len(models)} models do not fit a calibration of shape {self.calibration_.shape}")
        self._restore(arrays)

    def __sklearn_clone__(self) -> Self:
        """Keep the models: they are fitted before, and stay so."""
        return self.fresh()

    def _references(self, judgments: Judgments, features: Features) -> tuple[Rows, Rows]:
        """Return the rows of the distinct references among features, and which of these each judgment is about."""
        self._check_width(features.vectors)
        codes, places = np.unique(judgments.reference, return_inverse=True)
        rows = features.rows(judgments.ids[codes])
        check_finite(features.vectors[rows], features.ids[rows])
        return rows, places.astype(np.int64)

    def _check_width(self, rows: Vectors) -> None:
        if rows.ndim != 2 or rows.shape[1] != self.n_features_in_:
            raise InputError(
                f"features of shape {rows.shape}: the models of this {type(self).__name__} take {self.n_features_in_} "
                "numbers an image"
            )

    def _member_distances(self, judgments: Judgments, features: Features, given: ArrayLike | None) -> Distances:
        if given is None:
            return member_distances(self.models_, judgments, features)
        return as_distances(given, len(self.models_), len(judgments))

    def _calibrate(self, gaps: Floats, judgments: Judgments) -> Floats:
        return calibrate(gaps, judgments.votes_a, judgments.votes_b)

    def _check(self) -> None:
        """Raise an `InputError` where a parameter is out of range."""

    @abstractmethod
    def _fit(self, answers: Answers, features: Features, rows: Rows) -> Floats:
        """Fit, set names that end in ``_``, and return margins, by what was not fitted on their reference if possible.

        `rows` are those of the references among the features, in the order of `answers`.
        """

    @abstractmethod
    def _combine(self, found: Distances, rows: Vectors, reference: Rows) -> tuple[Floats, Floats]:
        """Make one distance of those of the models, (2, K, n), by the features of the distinct references."""

    @abstractmethod
    def _arrays(self) -> Arrays:
        """Return what `_fit` set."""

    @abstractmethod
    def _restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `_arrays` returned, and check its shapes."""


def _plain(value: Any) -> Any:
    """Return names and columns, in whatever sequence they came, as a list; anything else as it is."""
    return value if isinstance(value, str) or not hasattr(value, "__len__") else np.asarray(value).tolist()


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value

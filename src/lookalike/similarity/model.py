"""What every similarity model is: fitted on pairs or judgments, it maps features to unit vectors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.registry import Registry
from lookalike.core.types import Distances, Rows, Vectors
from lookalike.core.vectors import triplet_distances, unit_rows
from lookalike.judgments.pairs import Pairs
from lookalike.judgments.table import Judgments
from lookalike.similarity.estimator import Estimator
from lookalike.training.plan import OnEpoch, untold

__all__ = [
    "MODELS",
    "Arrays",
    "Examples",
    "SimilarityModel",
    "check_finite",
    "describe",
    "id_hashes",
    "judged_rows",
    "paired_rows",
    "question_hashes",
    "revive",
]

Arrays: TypeAlias = dict[str, NDArray[Any]]
Examples: TypeAlias = Judgments | Pairs

MODELS: Registry[type[SimilarityModel]] = Registry("model")
"""Kinds of models by the name that stands on their cards."""


class SimilarityModel(Estimator):
    """A map from features to unit vectors; its distance is ``1 - cosine``.

    A subclass registers itself in `MODELS`, fits in `_fit`, maps in `_map`, and says in `arrays` and `_restore` what is
    saved.

    Attributes
    ----------
    n_features_in_ : int
        Length of one feature, once fitted.
    seen_ : uint64 (m,)
        Hashes of the ids of all images that it, or a model that it started from, was fitted on, sorted.
    asked_ : uint64 (m,)
        Hashes of the questions it was fitted on, sorted; none for pairs.
    """

    n_features_in_: int
    seen_: NDArray[np.uint64]
    asked_: NDArray[np.uint64]

    def fit(
        self,
        examples: Examples,
        features: Features,
        flipped: Features | None = None,
        on_epoch: OnEpoch = untold,
    ) -> Self:
        """Fit on people's answers.

        Parameters
        ----------
        examples : Judgments or Pairs
        features : Features
            Of all their images, at least.
        flipped : Features, optional
            Of the mirrored pictures; models that train learn from both.
        on_epoch : callable
            Told after every pass of models that train in passes.

        Raises
        ------
        InputError
            There are no examples, an image has no features, features are not finite, or a parameter is out of range.
        """
        if not isinstance(examples, Judgments | Pairs):
            raise InputError(f"models are fitted on Judgments or Pairs, not on {type(examples).__name__}")
        if not len(examples):
            raise InputError("there is nothing to learn from: no judgments and no pairs")
        columns = paired_rows(examples, features) if isinstance(examples, Pairs) else judged_rows(examples, features)
        used = np.unique(np.concatenate(columns))
        check_finite(features.vectors[used], features.ids[used])
        if flipped is not None:
            if flipped.vectors.shape[1] != features.vectors.shape[1]:
                raise InputError(
                    f"features of mirrored pictures have {flipped.vectors.shape[1]} numbers, the others "
                    f"{features.vectors.shape[1]}"
                )
            check_finite(flipped.vectors[flipped.rows(features.ids[used])], features.ids[used])
        before = dict(vars(self))
        try:
            self._fit(examples, features, flipped, on_epoch)
        except BaseException:  # no half of a fit, and no mixture with an older one
            vars(self).clear()
            vars(self).update(before)
            raise
        self.n_features_in_ = features.vectors.shape[1]
        self.seen_ = np.unique(np.concatenate([id_hashes(features.ids[used].tolist()), *self._seen_before()]))
        asked = question_hashes(examples) if isinstance(examples, Judgments) else np.zeros(0, np.uint64)
        self.asked_ = np.unique(asked)
        return self

    def transform(self, features: Features | Vectors) -> Vectors:
        """Map features to unit vectors.

        Parameters
        ----------
        features : Features, or float32 (N, n_features_in_)

        Returns
        -------
        float32 (N, D)
            Unit rows; zeros where the model maps a picture to nothing.

        Raises
        ------
        NotFittedError
        InputError
            The features have another length, or are not finite.
        """
        self._need_fit()
        rows = features.vectors if isinstance(features, Features) else np.asarray(features, np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.n_features_in_:
            raise InputError(
                f"features of shape {rows.shape}: this {type(self).__name__} was fitted on {self.n_features_in_} "
                "numbers an image"
            )
        check_finite(rows, features.ids if isinstance(features, Features) else None)
        return unit_rows(self._map(rows))

    def distances(self, judgments: Judgments, features: Features) -> tuple[Distances, Distances]:
        """Return the distances of the references to their two candidates, float32 (n,) each, in [0, 2].

        Raises
        ------
        NotFittedError
        InputError
            An image has no features.
        """
        self._need_fit()
        columns = judged_rows(judgments, features)
        used, places = np.unique(np.concatenate(columns), return_inverse=True)
        reference, a, b = np.split(places, 3)
        return triplet_distances(self.transform_rows(features, used), reference, a, b)

    def transform_rows(self, features: Features, rows: Rows) -> Vectors:
        """Map the images that stand at some rows of `features`, int (n,), to unit vectors."""
        return self.transform(Features(features.ids[rows], features.vectors[rows]))

    def has_seen(self, ids: Sequence[str] | NDArray[np.str_]) -> NDArray[np.bool_]:
        """Return which images the model was fitted on, by their ids, bool (n,): answers about them prove nothing."""
        self._need_fit()
        return np.isin(id_hashes(np.asarray(ids, np.str_).tolist()), self.seen_)

    def was_asked(self, judgments: Judgments) -> NDArray[np.bool_]:
        """Return which questions the model was fitted on, whoever answered them, bool (n,)."""
        self._need_fit()
        return np.isin(question_hashes(judgments), self.asked_)

    def card_parameters(self) -> dict[str, Any]:
        """Return the parameters as JSON values, for the card of a saved model; `of_card` takes them back."""
        return self.get_params()

    @classmethod
    def of_card(cls, parameters: Mapping[str, Any]) -> Self:
        """Make a model that is not fitted of what `card_parameters` returned."""
        return cls().set_params(**parameters)

    def _seen_before(self) -> list[NDArray[np.uint64]]:
        """Return `seen_` of what it was made of: of the fitted model that it starts from, its parameter ``start``."""
        start = getattr(self, "start", None)
        return [start.seen_] if isinstance(start, SimilarityModel) else []

    @abstractmethod
    def _fit(self, examples: Examples, features: Features, flipped: Features | None, on_epoch: OnEpoch) -> None:
        """Fit, and set names that end in ``_``."""

    @abstractmethod
    def _map(self, rows: Vectors) -> Vectors:
        """Map features (N, n_features_in_) to rows (N, D) of any length."""

    @abstractmethod
    def arrays(self) -> Arrays:
        """Return all that was fitted, by name."""

    @abstractmethod
    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `arrays` returned."""


def judged_rows(judgments: Judgments, features: Features) -> tuple[NDArray[np.int64], ...]:
    """Return the rows of references, candidates a and candidates b among features, int64 (n,) each."""
    columns = judgments.reference, judgments.candidate_a, judgments.candidate_b
    return _rows(judgments.ids, columns, features)


def paired_rows(pairs: Pairs, features: Features) -> tuple[NDArray[np.int64], ...]:
    """Return the rows of left and right images among features, int64 (n,) each."""
    return _rows(pairs.ids, (pairs.left_rows, pairs.right_rows), features)


def _rows(ids: NDArray[np.str_], columns: Sequence[NDArray[Any]], features: Features) -> tuple[NDArray[np.int64], ...]:
    """Look up the ids that are used: a table keeps ids that none of its rows has any more."""
    used, places = np.unique(np.concatenate(columns), return_inverse=True)
    rows = features.rows(ids[used])[places]
    return tuple(np.split(rows, len(columns)))


def check_finite(rows: Vectors, ids: NDArray[np.str_] | None) -> None:
    """Raise an error that names the first image with a number that is NaN or infinite."""
    bad = ~np.isfinite(rows).all(axis=1)
    if bad.any():
        first = int(bad.argmax())
        raise InputError(f"the features of {f'row {first}' if ids is None else repr(str(ids[first]))} are not finite")


def describe(model: SimilarityModel) -> dict[str, Any]:
    """Return what a model is, without what it learned: JSON values for a card.

    Raises
    ------
    InputError
        The model is of no registered kind.

    Examples
    --------
    >>> from lookalike import IdentityModel
    >>> describe(IdentityModel())
    {'model': 'identity', 'parameters': {}}
    """
    kind = next((name for name in MODELS if MODELS[name] is type(model)), None)
    if kind is None:
        raise InputError(f"{type(model).__name__} is not registered as a model: it could not be loaded again")
    return {"model": kind, "parameters": model.card_parameters()}


def revive(described: Mapping[str, Any]) -> SimilarityModel:
    """Make a model that is not fitted of what `describe` returned.

    Raises
    ------
    UnknownNameError
        No model of that kind is known.
    """
    return MODELS[described["model"]].of_card(described["parameters"])


def id_hashes(ids: Sequence[str]) -> NDArray[np.uint64]:
    """Return a hash of each id, uint64 (n,): what models remember images by."""
    digests = b"".join(blake2b(one.encode(), digest_size=8).digest() for one in ids)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def question_hashes(judgments: Judgments) -> NDArray[np.uint64]:
    """Return a hash of each question, uint64 (n,), the same for "a or b?" and "b or a?".

    Examples
    --------
    >>> asked = Judgments.from_ids(["r", "r", "x"], ["x", "y", "r"], ["y", "x", "y"], [1, 0, 1], [0, 1, 0])
    >>> one, turned, other = question_hashes(asked)
    >>> one == turned, one == other
    (np.True_, np.False_)
    """
    hashes = id_hashes(judgments.ids.tolist())
    reference, a, b = (hashes[rows] for rows in (judgments.reference, judgments.candidate_a, judgments.candidate_b))
    # Whole numbers wrap around; odd factors lose nothing of them, and tell the reference from the candidates.
    return reference * np.uint64(0x9E3779B97F4A7C15) ^ (a + b) * np.uint64(0xC2B2AE3D27D4EB4F)

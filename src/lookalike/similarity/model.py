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
from lookalike.core.types import Distances, Vectors
from lookalike.core.vectors import triplet_distances, unit_rows
from lookalike.judgments.pairs import Pairs
from lookalike.judgments.table import Judgments
from lookalike.similarity.estimator import Estimator
from lookalike.training.plan import OnEpoch, untold

__all__ = ["MODELS", "Arrays", "Examples", "SimilarityModel", "judged_rows", "paired_rows"]

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
        Hashes of the ids of all images it was fitted on, sorted.
    """

    n_features_in_: int
    seen_: NDArray[np.uint64]

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
        _check_finite(features.vectors[used], features.ids[used])
        if flipped is not None:
            if flipped.vectors.shape[1] != features.vectors.shape[1]:
                raise InputError(
                    f"features of mirrored pictures have {flipped.vectors.shape[1]} numbers, the others "
                    f"{features.vectors.shape[1]}"
                )
            _check_finite(flipped.vectors[flipped.rows(features.ids[used])], features.ids[used])
        before = dict(vars(self))
        try:
            self._fit(examples, features, flipped, on_epoch)
        except BaseException:  # no half of a fit, and no mixture with an older one
            vars(self).clear()
            vars(self).update(before)
            raise
        self.n_features_in_ = features.vectors.shape[1]
        self.seen_ = np.unique(_hashes(features.ids[used].tolist()))
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
        _check_finite(rows, features.ids if isinstance(features, Features) else None)
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
        asked = Features(features.ids[used], features.vectors[used])
        return triplet_distances(self.transform(asked), reference, a, b)

    def has_seen(self, ids: Sequence[str] | NDArray[np.str_]) -> NDArray[np.bool_]:
        """Return which images the model was fitted on, by their ids, bool (n,): answers about them prove nothing."""
        self._need_fit()
        return np.isin(_hashes(np.asarray(ids, np.str_).tolist()), self.seen_)

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


def _check_finite(rows: Vectors, ids: NDArray[np.str_] | None) -> None:
    """Raise an error that names the first image with a number that is NaN or infinite."""
    bad = ~np.isfinite(rows).all(axis=1)
    if bad.any():
        first = int(bad.argmax())
        raise InputError(f"the features of {f'row {first}' if ids is None else repr(str(ids[first]))} are not finite")


def _hashes(ids: Sequence[str]) -> NDArray[np.uint64]:
    digests = b"".join(blake2b(one.encode(), digest_size=8).digest() for one in ids)
    return np.frombuffer(digests, "<u8").astype(np.uint64)

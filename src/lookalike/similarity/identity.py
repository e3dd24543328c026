"""The model that learns nothing: features as they come. What every other model has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lookalike.core.features import Features
from lookalike.core.types import Vectors
from lookalike.similarity.model import MODELS, Arrays, Examples, SimilarityModel
from lookalike.training.plan import OnEpoch

__all__ = ["IdentityModel"]


@MODELS.register("identity")
class IdentityModel(SimilarityModel):
    """Features as they are, scaled to unit length.

    Examples
    --------
    >>> from lookalike import Features, Pairs
    >>> features = Features(["a", "b"], [[3.0, 4.0], [0.0, 2.0]])
    >>> IdentityModel().fit(Pairs.from_ids(["a"], ["b"]), features).transform(features)
    array([[0.6, 0.8],
           [0. , 1. ]], dtype=float32)
    """

    def __init__(self) -> None: ...

    @classmethod
    def of(cls, width: int) -> Self:
        """Return one for features of that length, as if fitted: it has seen no image and was asked nothing.

        Examples
        --------
        >>> IdentityModel.of(2).transform(np.array([[3, 4]], np.float32))
        array([[0.6, 0.8]], dtype=float32)
        """
        made = cls()
        made.n_features_in_ = width
        made.seen_ = made.asked_ = np.zeros(0, np.uint64)
        return made

    def _fit(self, examples: Examples, features: Features, flipped: Features | None, on_epoch: OnEpoch) -> None:
        """Learn nothing."""

    def _map(self, rows: Vectors) -> Vectors:
        return rows

    def arrays(self) -> Arrays:
        """Return nothing but the length of a feature."""
        self._need_fit()
        return {"n_features_in": np.array([self.n_features_in_])}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the length of a feature."""
        self.n_features_in_ = int(arrays["n_features_in"][0])

"""Models fitted once more on fewer judgments, and with them what they started from."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from functools import partial
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from lookalike.core.features import Features
from lookalike.judgments.table import Judgments
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.model import SimilarityModel
from lookalike.similarity.selected import SelectedModel, column_span

__all__ = ["Refits", "start_of"]

Mask = NDArray[np.bool_]


def start_of(model: SimilarityModel) -> SimilarityModel | None:
    """Return the fitted model that a model starts from: its parameter ``start``, where it has one.

    Examples
    --------
    >>> start_of(SelectedModel(IdentityModel())) is None
    True
    """
    if isinstance(model, SelectedModel):
        return None if model.model is None else start_of(model.model)
    start = getattr(model, "start", None)
    return start if isinstance(start, SimilarityModel) else None


class Refits:
    """Fits models again; what several of them start from is fitted once per side.

    Parameters
    ----------
    judgments : Judgments, n
    features : Features
        Of all their images, at least.
    """

    def __init__(self, judgments: Judgments, features: Features) -> None:
        self._judgments = judgments
        self._features = features
        self._starts: dict[Hashable, Future[SimilarityModel | None]] = {}
        self._lock = Lock()

    def again(self, model: SimilarityModel, own: Mask, side: Mask, number: int = 0) -> SimilarityModel:
        """Return a model that knows nothing but one side of the judgments.

        A fresh copy, fitted on its own judgments on that side. What it starts from is fitted anew as well, on those
        judgments of the side that this was asked. A model without any judgment of its own on the side has nothing to
        be fitted on: what it would have started from stands for it, which is the features as they are where it starts
        from nothing.

        Parameters
        ----------
        model : SimilarityModel
        own, side : bool (n,)
            The judgments that the model was fitted on, and those that may be learned from.
        number : int
            Of the side.
        """
        found = self._again(model, own & side, side, (number,), self._features)
        return _plain(model, self._features.vectors.shape[1]) if found is None else found

    def _again(
        self, model: SimilarityModel, own: Mask, side: Mask, place: tuple[int, ...], features: Features
    ) -> SimilarityModel | None:
        """Return None where there is nothing to be fitted on, and nothing that it would have started from.

        `place` tells apart what a start may be fitted on: the number of the side, and the columns.
        """
        if isinstance(model, SelectedModel):
            width = features.vectors.shape[1]
            start, stop = span = column_span(model.columns, width)
            part = features if stop - start == width else Features(features.ids, features.vectors[:, start:stop])
            inside = self._again(model.model or IdentityModel(), own, side, (*place, *span), part)
            return None if inside is None else SelectedModel.over(inside, span, width)
        given = start_of(model)
        origin = None
        if given is not None:
            origin = self._once((id(given), *place), partial(self._origin, given, side, place, features))
        if not own.any():
            return origin
        made = model.fresh()
        if given is not None:
            made.set_params(start=origin)
        return made.fit(self._judgments.take(own), features)

    def _origin(
        self, origin: SimilarityModel, side: Mask, place: tuple[int, ...], features: Features
    ) -> SimilarityModel | None:
        asked = origin.was_asked(self._judgments)
        if not asked.any() and start_of(origin) is None:
            return origin
        return self._again(origin, asked & side, side, place, features)

    def _once(self, key: Hashable, make: Callable[[], SimilarityModel | None]) -> SimilarityModel | None:
        """Make it, or wait for the lane that does."""
        with self._lock:
            known = key in self._starts
            future = self._starts.setdefault(key, Future())
        if not known:
            try:
                future.set_result(make())
            except BaseException as error:
                future.set_exception(error)
        return future.result()


def _plain(model: SimilarityModel, width: int) -> SimilarityModel:
    """Return a model of the features that this one takes, as they are."""
    if not isinstance(model, SelectedModel):
        return IdentityModel.of(width)
    start, stop = span = column_span(model.columns, width)
    return SelectedModel.over(_plain(model.model or IdentityModel(), stop - start), span, width)

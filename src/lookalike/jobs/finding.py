"""How often a picture of a thing that nobody trained on finds its original first, before and after training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.types import Rows, Vectors
from lookalike.core.vectors import unit_rows
from lookalike.judgments.pairs import Pairs
from lookalike.metrics.intervals import bootstrap_share
from lookalike.metrics.two_afc import Accuracy, Difference, paired_difference
from lookalike.search.exact import ExactIndex
from lookalike.similarity.model import SimilarityModel

__all__ = ["Finding", "Nearest", "measured_finding", "nearest_vectors"]

Nearest: TypeAlias = Callable[[SimilarityModel, Vectors, Vectors], Rows]

SHARE, QUERIES = 0.2, 4000
"""Of the things, this share is held out; at most so many of their pictures are searched for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Recall@1 on things held out.

    Attributes
    ----------
    model, plain : Accuracy
        Of a model that was fitted without these things, and of the features as they are. Intervals draw things.
    gain : Difference
        The model's less that of the features, paired.
    gallery : int
        Originals that are searched, those that were trained on among them.
    things, trained : int
        How many things were held out, and how many the model was fitted on.
    """

    model: Accuracy
    plain: Accuracy
    gain: Difference
    gallery: int
    things: int
    trained: int

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values; None for what too few things cannot tell."""

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: plain(one) for key, one in value.items()}
            return None if value != value else value

        found: dict[str, Any] = plain(asdict(self))
        return {**found, **{side: {"recall@1": found[side]} for side in ("model", "plain")}}


def nearest_vectors(fitted: SimilarityModel, queries: Vectors, gallery: Vectors) -> Rows:
    """Return the row of the gallery that is nearest to each query, of features (n, D) and (N, D), int64 (n,)."""
    return _nearest(fitted.transform(queries), fitted.transform(gallery))


def measured_finding(
    model: SimilarityModel, pairs: Pairs, features: Features, seed: int, nearest: Nearest = nearest_vectors
) -> Finding:
    """Fit a model without a fifth of the things, and search the originals of all for the other pictures of that fifth.

    Parameters
    ----------
    model : SimilarityModel
        Not fitted, and left so.
    pairs : Pairs
        Of originals (left) and other pictures of them.
    features : Features
    seed : int
        Of what is held out.
    nearest : callable
        How a fitted model searches.

    Raises
    ------
    InputError
        There are too few things to hold some out.
    """
    things = pairs.things()
    numbers = np.unique(things[pairs.left_rows])
    count = int(SHARE * len(numbers))
    if count < 2:
        raise InputError(f"{len(numbers)} things are too few to hold some out: train without measuring")
    held = np.isin(things, np.random.default_rng([seed, 6]).permutation(numbers)[:count])
    test = held[pairs.left_rows]
    fitted = model.fresh().fit(pairs.take(~test), features)
    gallery = np.unique(pairs.left_rows)
    queries = np.setdiff1d(pairs.right_rows[test], gallery)
    if not len(queries):
        raise InputError("every image of these pairs stands on the left of one: there is nothing to search for")
    queries = np.sort(np.random.default_rng([seed, 7]).permutation(queries)[:QUERIES])
    rows = [features.vectors[features.rows(pairs.ids[some])] for some in (queries, gallery)]
    shown = [things[some] for some in (queries, gallery)]
    places = _nearest(unit_rows(rows[0]), unit_rows(rows[1])), nearest(fitted, rows[0], rows[1])
    plain, ours = (np.asarray(shown[1][found] == shown[0], np.float64) for found in places)
    gain = paired_difference(ours, plain, np.ones(len(queries)), shown[0])
    return Finding(_share(ours, shown[0]), _share(plain, shown[0]), gain, len(gallery), count, len(numbers) - count)


def _nearest(queries: Vectors, gallery: Vectors) -> Rows:
    return ExactIndex(gallery).search(queries, 1)[0][:, 0]


def _share(hits: NDArray[np.float64], clusters: NDArray[np.int32]) -> Accuracy:
    found = bootstrap_share(hits, np.ones(len(hits)), clusters)
    return Accuracy(found.value, found.low, found.high, found.n)

"""Questions to one version of a collection: what to search by, by a model or an ensemble, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lookalike.core.errors import StorageError
from lookalike.core.types import Vectors
from lookalike.embedding.collection import Hit
from lookalike.embedding.feature_sets import encode_set
from lookalike.embedding.fused_collection import FusedVectors
from lookalike.jobs.codes import check_codes, coded_hits
from lookalike.jobs.live_models import LiveModels
from lookalike.jobs.live_view import Picture, View, smallest_side
from lookalike.jobs.search import Wanted
from lookalike.jobs.weighed import Explained, asked_by, explained, fused_hits
from lookalike.jobs.why import Seen, Why, encoder_source, temperature_here, why
from lookalike.search.references import AGAINST, combine_references
from lookalike.similarity.quantizer import QuantizerModel

__all__ = ["FoundBy", "asked_vector", "explained_by", "found_by"]


@dataclass(frozen=True, slots=True)
class FoundBy:
    """What a model or an ensemble found, and why, where that was asked."""

    hits: list[Hit]
    why: Explained | None = None


def asked_vector(view: View, like: Sequence[Picture], unlike: Sequence[Picture]) -> Vectors:
    """Return the one vector to search with, float32 (1, dim) or (dim,), for pictures that are liked and not liked.

    Raises
    ------
    NotHeldError, ImageDecodeError, InputError
        As `LiveCollection.search`.
    """
    vectors = np.stack([view.vector(one) for one in (*like, *unlike)])
    if len(vectors) > 1:
        ones = np.ones((len(vectors), 1))
        vectors = combine_references([vectors], ones, len(like), AGAINST)[0][0]
    return vectors


def found_by(
    view: View, models: LiveModels, by: str, like: Sequence[Picture], unlike: Sequence[Picture], wanted: Wanted
) -> FoundBy:
    """Find images by a model or an ensemble; see `LiveCollection.search_by`."""
    model = models.open(by)
    held = models.ready(model, view.table.version)
    fitting = view.fitting(wanted.where)
    features = np.concatenate([view.features(model.encoders, one) for one in (*like, *unlike)])
    try:
        if not isinstance(held, FusedVectors):
            check_codes(by, len(features), wanted.explain)
            hits = coded_hits(held, model.named, features, wanted.k, wanted.offset, fitting)[0]
            return FoundBy(view.listed(view.present(hits)))
        asked = asked_by(model.source, features, [(np.arange(len(features)), len(like))], wanted.against)
        hits = fused_hits(held, model.source, asked, wanted.k, wanted.offset, fitting)[0]
        hits = view.listed(view.present(hits))
        why = explained(held, model.source, asked[0], [hit.image for hit in hits]) if wanted.explain else None
    except StorageError:
        models.forget(by)
        raise
    return FoundBy(hits, why)


def explained_by(
    view: View,
    models: LiveModels,
    like: Sequence[Picture],
    unlike: Sequence[Picture],
    image: str,
    by: str | None,
    than: str | None,
    grid: int,
) -> Why:
    """Say why an image was found; see `LiveCollection.explain`."""
    encoders, source = [view.encoder], encoder_source(view.encoder)
    temperature: float | None = view.encoder.spec.temperature
    if by is not None:
        model = models.open(by)
        check_codes(by, 1, isinstance(model.named.model, QuantizerModel))
        encoders, source, temperature = model.encoders, model.source, temperature_here(model.named)
    side = smallest_side(encoders)
    pictures = [view.decoded(one, side) for one in (*like, *unlike, image)]
    other = None if than is None else view.decoded(than, side)
    seen = Seen(pictures[: len(like)], pictures[len(like) : -1], pictures[-1], other)
    return why(source, lambda some: encode_set(encoders, some), seen, temperature, side, grid)

"""Pictures as the models of an ensemble ask them: a direction and a weight each, and what each makes of a distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lookalike.core.types import Distances, Rows, Vectors
from lookalike.embedding.collection import Hit
from lookalike.embedding.fused_collection import FusedVectors
from lookalike.ensembles.base import Ensemble
from lookalike.jobs.fused_models import Source
from lookalike.search.fused import shares
from lookalike.search.references import combine_references

__all__ = ["Asked", "Explained", "asked_by", "calibration_of", "explained", "fused_hits"]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One query, as the models of a source ask it.

    Attributes
    ----------
    vectors : dict of str to float32 (1, D)
        By the key of each model.
    weights : float64 (M,)
        Of the models of the source, calibrated.
    """

    vectors: dict[str, Vectors]
    weights: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Explained:
    """How much each model counts, by name, and what it makes of the distance of each image.

    Attributes
    ----------
    weights : dict of str to float
        They sum to 1.
    shares : list of dict of str to float
        Of each image: they sum to 1, or are all 0 at distance 0.
    distances : list of dict of str to float
        Of each image by each model alone, ``1 - cosine``.
    """

    weights: dict[str, float]
    shares: list[dict[str, float]]
    distances: list[dict[str, float]]


def calibration_of(source: Source) -> NDArray[np.float64]:
    """Return what the distances of each model of a source are multiplied by, float64 (M,)."""
    model = source.named.model
    return model.calibration_ if isinstance(model, Ensemble) else np.ones(1)


def asked_by(source: Source, features: Vectors, queries: Sequence[tuple[Rows, int]], against: float) -> list[Asked]:
    """Return how a source asks queries of one or several pictures.

    Parameters
    ----------
    source : Source
    features : float32 (P, D)
        Of all pictures.
    queries : sequence of (int (R,), int)
        The rows of each query's pictures, and how many of these are liked: they come first.
    against : float
        How much the others count (`lookalike.search.references.combine_references`).

    Raises
    ------
    InputError
        The pictures of a query cancel each other out, or the source is a vote, which has no weights.
    """
    model, weights = source.named.model, np.ones((len(features), 1))
    if isinstance(model, Ensemble):
        weights = model.weights(features).astype(np.float64) * model.calibration_
    vectors = source.vectors(features)
    return [
        _asked(source, {key: own[rows] for key, own in vectors.items()}, weights[rows], liked, against)
        for rows, liked in queries
    ]


def _asked(
    source: Source, vectors: dict[str, Vectors], weights: NDArray[np.float64], liked: int, against: float
) -> Asked:
    """Make one direction and weight of several pictures for every model; (R, D) and (R, M) are given."""
    if len(weights) == 1:
        return Asked(vectors, weights[0])
    # The same model may stand in an ensemble twice: it has one direction, and both have their part of its weight.
    keys = list(vectors)
    places = np.array([keys.index(member.key) for member in source.members])
    summed = np.stack([weights[:, places == number].sum(axis=1) for number in range(len(keys))], axis=1)
    directions, made = combine_references([vectors[key] for key in keys], summed, liked, against)
    own, whole = weights[:liked].mean(axis=0), summed[:liked].mean(axis=0)[places]
    parts = np.divide(own, whole, out=np.full(len(own), 1.0), where=whole > 0)
    return Asked(dict(zip(keys, directions, strict=True)), made[places] * parts)


def fused_hits(
    fused: FusedVectors, source: Source, asked: Sequence[Asked], k: int, offset: int, among: pa.Array | None
) -> list[list[Hit]]:
    """Return the images closest to each query, closest first; further models of the same group count nothing.

    Parameters
    ----------
    fused : FusedVectors
        Of a group that holds the source's models.
    source : Source
    asked : sequence of Asked
    k, offset : int
    among : pyarrow array of text, optional
        Only these images.
    """
    columns = list(fused.dims)
    vectors = {key: np.zeros((len(asked), dim), np.float32) for key, dim in fused.dims.items()}
    weights = np.zeros((len(asked), len(columns)))
    for row, one in enumerate(asked):
        for key, own in one.vectors.items():
            vectors[key][row] = own[0]
        for member, weight in zip(source.members, one.weights.tolist(), strict=True):
            weights[row, columns.index(member.key)] += weight
    ids, distances = fused.search(vectors, weights, min(k, len(fused)), offset, among)
    return [
        [Hit(id_, at, 1 - at) for id_, at in zip(row, apart, strict=True) if id_]
        for row, apart in zip(ids.tolist(), distances.tolist(), strict=True)
    ]


def explained(fused: FusedVectors, source: Source, asked: Asked, images: Sequence[str]) -> Explained:
    """Say how much each model counts, and what it makes of the distance of each image."""
    names = [member.name for member in source.members]
    weights = asked.weights / calibration_of(source)
    apart = _apart(fused, source, asked, images)
    parts = shares(apart, asked.weights)
    return Explained(
        weights=dict(zip(names, (weights / weights.sum()).tolist(), strict=True)),
        shares=[dict(zip(names, row, strict=True)) for row in parts.tolist()],
        distances=[dict(zip(names, row, strict=True)) for row in apart.tolist()],
    )


def _apart(fused: FusedVectors, source: Source, asked: Asked, images: Sequence[str]) -> Distances:
    """Return the distance of images by each model of the source, float32 (N, M)."""
    columns = list(fused.dims)
    places = [columns.index(member.key) for member in source.members]
    vectors = {key: np.zeros((1, dim), np.float32) for key, dim in fused.dims.items()} | asked.vectors
    return np.asarray(fused.distances(vectors, list(images))[:, places], np.float32)

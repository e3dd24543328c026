"""Why a picture was found: what each model makes of the distance, and which regions of both pictures matter."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lookalike.core.types import Distances, Pixels, Vectors
from lookalike.core.vectors import cosine_distances
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.feature_sets import FeatureSet
from lookalike.ensembles.base import Ensemble
from lookalike.images.occlusion import covered
from lookalike.jobs.fused_models import Source, source_of
from lookalike.jobs.models import NamedModel
from lookalike.jobs.weighed import Asked, asked_by, calibration_of
from lookalike.metrics.calibration import logistic
from lookalike.search.fused import shares
from lookalike.search.references import AGAINST
from lookalike.similarity.identity import IdentityModel

__all__ = ["Heat", "Part", "Seen", "Than", "Why", "encoder_source", "temperature_here", "why"]

Heat = NDArray[np.float64]
"""(grid, grid): how far the similarity falls when the cell of that row and column is covered; it may also rise."""

ROOM = 4
"""The longer side is at most this many times what an encoder wants of the shorter: copies of a picture are held."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one model makes of a distance: its weight here, its own distance, its share of the whole."""

    model: str
    weight: float
    distance: float
    share: float


@dataclass(frozen=True, slots=True)
class Than:
    """Another image: its distance, and how likely people find the one that was asked about closer.

    Without a temperature that was fitted on judgments nobody knows how likely.
    """

    distance: float
    probability: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Why:
    """Why a picture was found.

    Attributes
    ----------
    distance : float
    parts : list of Part
        One per model, in the order of the ensemble.
    than : Than or None
        Where there was another image to compare with.
    query_map, image_map : Heat or None
        Where they were asked for; that of the query only where it is one picture.
    """

    distance: float
    parts: list[Part]
    than: Than | None
    query_map: Heat | None
    image_map: Heat | None


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The pictures of a question about why.

    Attributes
    ----------
    like, unlike : sequence of PIL.Image.Image
        The query.
    image : PIL.Image.Image
        What was found.
    than : PIL.Image.Image, optional
        Another image that was found.
    """

    like: Sequence[Image.Image]
    unlike: Sequence[Image.Image]
    image: Image.Image
    than: Image.Image | None = None


def encoder_source(encoder: Encoder) -> Source:
    """Return an encoder as a model that takes its features as they are."""
    named = NamedModel(encoder.name, IdentityModel.of(encoder.dim), FeatureSet("", (encoder.name,)), {"about": {}})
    return source_of(named)


def why(
    source: Source,
    encode: Callable[[Sequence[Pixels]], Vectors],
    seen: Seen,
    temperature: float | None,
    side: int,
    grid: int = 0,
) -> Why:
    """Say why a picture was found.

    Each map covers one cell of a grid after the other with the mean colour of the picture
    (`lookalike.images.occlusion.covered`). The weights of the models stay those of the whole query, so that a map shows
    what the models see, and not which of them is asked.

    Parameters
    ----------
    source : Source
        By what it was found.
    encode : callable
        Returns features, float32 (N, D), of pictures uint8 (H, W, 3).
    seen : Seen
    temperature : float or None
        Of probabilities; None where nothing was calibrated.
    side : int
        Pixels that the encoders want of the shorter side.
    grid : int
        Cells of the maps across and down; 0 makes none.

    Raises
    ------
    InputError
        The pictures of the query cancel each other out.
    """
    like, unlike = ([_pixels(one, side) for one in some] for some in (seen.like, seen.unlike))
    image, query = _pixels(seen.image, side), encode([*like, *unlike])
    (asked,) = asked_by(source, query, [(np.arange(len(query)), len(like))], AGAINST)
    found = source.vectors(encode([image]))
    apart = _apart(source, asked.vectors, found)
    distance = float((apart @ asked.weights)[0])
    than, query_map, image_map = None, None, None
    if seen.than is not None:
        other = source.vectors(encode([_pixels(seen.than, side)]))
        than = _than(distance, float((_apart(source, asked.vectors, other) @ asked.weights)[0]), temperature)
    if grid:
        single = like[0] if len(query) == 1 else None
        query_map, image_map = _maps(source, encode, asked, found, (single, image), distance, grid)
    return Why(distance, _parts(source, asked, apart), than, query_map, image_map)


def _maps(
    source: Source,
    encode: Callable[[Sequence[Pixels]], Vectors],
    asked: Asked,
    found: dict[str, Vectors],
    pictures: tuple[Pixels | None, Pixels],
    distance: float,
    grid: int,
) -> tuple[Heat | None, Heat]:
    """Return how far the distance rises, which is how far the similarity falls, for each cell of both pictures."""

    def rise(left: dict[str, Vectors], right: dict[str, Vectors]) -> Heat:
        return (_apart(source, left, right) @ asked.weights - distance).reshape(grid, grid)

    query, image = pictures
    image_map = rise(asked.vectors, source.vectors(encode(list(covered(image, grid)))))
    if query is None:
        return None, image_map
    return rise(source.vectors(encode(list(covered(query, grid)))), found), image_map


def _apart(source: Source, left: dict[str, Vectors], right: dict[str, Vectors]) -> Distances:
    """Return the distances by each model, float32 (N, M); either side may have one row."""
    return np.stack([cosine_distances(left[one.key], right[one.key]) for one in source.members], axis=1)


def _parts(source: Source, asked: Asked, apart: Distances) -> list[Part]:
    weights = asked.weights / calibration_of(source)
    share = shares(apart, asked.weights)[0]
    rows = zip(source.members, (weights / weights.sum()).tolist(), apart[0].tolist(), share.tolist(), strict=True)
    return [Part(member.name, *numbers) for member, *numbers in rows]


def _than(distance: float, other: float, temperature: float | None) -> Than:
    known = temperature is not None and math.isfinite(temperature)
    return Than(other, float(logistic(distance - other, temperature)) if known and temperature is not None else None)


def temperature_here(named: NamedModel) -> float | None:
    """Return the temperature of a model's probabilities, or None where it was not measured on judgments."""
    if isinstance(named.model, Ensemble):
        return named.model.temperature_
    measured = named.card["about"].get("measured") or {}
    return float(measured["temperature"]) if measured.get("temperature") else None


def _pixels(image: Image.Image, side: int) -> Pixels:
    """Return pixels; of a long picture fewer, since so many copies are held."""
    longest = ROOM * side
    if max(image.size) > longest:
        image = image.copy()
        image.thumbnail((longest, longest))
    return np.array(image)

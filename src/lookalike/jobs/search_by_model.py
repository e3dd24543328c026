"""Find the images of a collection that a trained model, or an ensemble, holds for alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Distances, Rows, Vectors
from lookalike.core.workspace import Workspace
from lookalike.embedding.collection import Collection, Hit
from lookalike.embedding.encoder import Encoder, load_encoder
from lookalike.embedding.feature_sets import encode_set
from lookalike.embedding.fused_collection import FusedVectors
from lookalike.embedding.image_filter import ImageFilter
from lookalike.ensembles.base import Ensemble
from lookalike.images.folder import Rejected
from lookalike.jobs.codes import coded_images
from lookalike.jobs.features import collection_files
from lookalike.jobs.fused_models import Source, fused_images, source_of
from lookalike.jobs.models import NamedModel, open_model
from lookalike.jobs.queries import EncodedQueries, Query, encoded_queries
from lookalike.jobs.search import SearchResult, Wanted, draw_results
from lookalike.reports.contact_sheet import check_sheet
from lookalike.search.fused import shares
from lookalike.search.masked import among_rows, page_of
from lookalike.search.references import combine_references
from lookalike.similarity.quantizer import QuantizerModel

__all__ = ["search_collection_by_model"]


def search_collection_by_model(
    workspace: Path,
    queries: Sequence[Query],
    model: str,
    wanted: Wanted | None = None,
    on_progress: OnProgress = silent,
    rejected: list[Rejected] | None = None,
) -> list[SearchResult]:
    """Search a workspace's collection by pictures, all in one go, with the distance of a trained model.

    An ensemble weighs its models for every picture anew, and the search is still one inner product over the fused
    vectors of its models (`lookalike.search.fused`). They are made at the first search; later ones, also those by
    another ensemble of the same models, make those of new and changed files alone. A quantizer is asked by its codes, a
    few bytes an image: their distance is half the squared distance between the picture's vector, which has length 1,
    and what a code stands for (of a published quantizer the sum that it sorts by, which is no such distance).

    Parameters
    ----------
    workspace : Path
        The workspace folder, or the address of the collection.
    queries : sequence of Query
        Pictures that need not be in the collection.
    model : str
        A name, or the path of a model's file.
    wanted : Wanted, optional
    on_progress : callable
    rejected : list of Rejected, optional
        Takes pictures that cannot be read, whose queries are left out; without it, the first is an error.

    Raises
    ------
    WorkspaceError, ImageDecodeError, InputError, UnknownNameError, StorageError
    """
    wanted = wanted or Wanted()
    if wanted.sheet is not None:
        check_sheet(wanted.sheet)
    held = Workspace(workspace)
    named = open_model(held, model)
    encoders = [load_encoder(name) for name in named.features.encoders]
    fitting = None if wanted.where is None else ImageFilter(held.collection_uri).paths(wanted.where)
    if isinstance(named.model, QuantizerModel):
        _check_codes(named, queries, wanted)
    encoded = encoded_queries(queries, lambda paths: encode_set(encoders, paths), on_progress, rejected)
    if isinstance(named.model, QuantizerModel):
        found = _nearest_codes(held, named, encoders, encoded, wanted, fitting, on_progress)
    else:
        found = _nearest(held, source_of(named), encoded, wanted, fitting, on_progress)
    if wanted.sheet is not None:
        draw_results(wanted.sheet, found, Collection.open(workspace), wanted.offset, f", by {named.name}")
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
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


def _asked(
    query: Query, source: Source, vectors: dict[str, Vectors], weights: NDArray[np.float64], against: float
) -> _Asked:
    """Make one direction and weight of several pictures for every model; (R, D) and (R, M) are given."""
    if len(weights) == 1:
        return _Asked(vectors, weights[0])
    # The same model may stand in an ensemble twice: it has one direction, and both have their part of its weight.
    keys = list(vectors)
    places = np.array([keys.index(member.key) for member in source.members])
    summed = np.stack([weights[:, places == number].sum(axis=1) for number in range(len(keys))], axis=1)
    liked = len(query.liked)
    directions, made = combine_references([vectors[key] for key in keys], summed, liked, against)
    own, whole = weights[:liked].mean(axis=0), summed[:liked].mean(axis=0)[places]
    parts = np.divide(own, whole, out=np.full(len(own), 1.0), where=whole > 0)
    return _Asked(dict(zip(keys, directions, strict=True)), made[places] * parts)


def _nearest(
    held: Workspace,
    source: Source,
    encoded: EncodedQueries,
    wanted: Wanted,
    fitting: pa.Array | None,
    on_progress: OnProgress,
) -> list[SearchResult]:
    """Search the fused vectors of a source's models; further models of the same group count nothing."""
    model, features = source.named.model, encoded.features
    weights, calibration = np.ones((len(features), 1)), np.ones(1)
    if isinstance(model, Ensemble):
        weights, calibration = model.weights(features).astype(np.float64), model.calibration_
    vectors = source.vectors(features)
    asked = []
    for query in encoded.queries:
        rows = encoded.rows(query)
        some = {key: own[rows] for key, own in vectors.items()}
        asked.append(_asked(query, source, some, weights[rows] * calibration, wanted.against))
    # Who only reads encodes nothing, and need not have the photographs.
    fused = fused_images(held, source, {} if held.read_only else collection_files(held), on_progress)
    if not len(fused):
        raise InputError(f"{held.place} has no images that {source.named.name} could be asked about")
    fused.prepare(on_progress)
    whole, counted = _in_group(fused, source, asked)
    ids, distances = fused.search(whole, counted, min(wanted.k, len(fused)), wanted.offset, fitting)
    found = []
    for number, (query, one) in enumerate(zip(encoded.queries, asked, strict=True)):
        pairs = [(id_, at) for id_, at in zip(ids[number].tolist(), distances[number].tolist(), strict=True) if id_]
        hits = [Hit(id_, at, 1 - at) for id_, at in pairs]
        result = SearchResult(query, Path(held.config().root), hits)
        found.append(_explained(result, source, fused, one, calibration) if wanted.explain else result)
    return found


def _in_group(
    fused: FusedVectors, source: Source, asked: Sequence[_Asked]
) -> tuple[dict[str, Vectors], NDArray[np.float64]]:
    """Return vectors (Q, D) and weights (Q, M) of all models of a group; those that are not asked have zeros."""
    columns = list(fused.dims)
    vectors = {key: np.zeros((len(asked), dim), np.float32) for key, dim in fused.dims.items()}
    weights = np.zeros((len(asked), len(columns)))
    for row, one in enumerate(asked):
        for key, own in one.vectors.items():
            vectors[key][row] = own[0]
        for member, weight in zip(source.members, one.weights.tolist(), strict=True):
            weights[row, columns.index(member.key)] += weight
    return vectors, weights


def _explained(
    result: SearchResult, source: Source, fused: FusedVectors, asked: _Asked, calibration: NDArray[np.float64]
) -> SearchResult:
    """Say how much each model counts, and what it makes of each distance."""
    names = [member.name for member in source.members]
    weights = asked.weights / calibration
    parts = shares(_apart(source, fused, asked, [hit.image for hit in result.hits]), asked.weights)
    return replace(
        result,
        weights=dict(zip(names, (weights / weights.sum()).tolist(), strict=True)),
        shares=[dict(zip(names, row, strict=True)) for row in parts.tolist()],
    )


def _apart(source: Source, fused: FusedVectors, asked: _Asked, images: Sequence[str]) -> Distances:
    """Return the distance of images by each model of the source."""
    columns = list(fused.dims)
    places = [columns.index(member.key) for member in source.members]
    vectors = {key: np.zeros((1, dim), np.float32) for key, dim in fused.dims.items()} | asked.vectors
    return np.asarray(fused.distances(vectors, list(images))[:, places], np.float32)


def _check_codes(named: NamedModel, queries: Sequence[Query], wanted: Wanted) -> None:
    """Refuse what codes cannot say."""
    if wanted.explain:
        raise InputError(f"'{named.name}' is a quantizer: its distances are sums over codes, not over models")
    if any(len(query.pictures) > 1 for query in queries):
        raise InputError(f"'{named.name}' is a quantizer: it searches by one picture, without --like and --unlike")


def _nearest_codes(
    held: Workspace,
    named: NamedModel,
    encoders: list[Encoder],
    encoded: EncodedQueries,
    wanted: Wanted,
    fitting: pa.Array | None,
    on_progress: OnProgress,
) -> list[SearchResult]:
    """Return the closest images by look-ups, and the bytes of each."""
    model = named.model
    assert isinstance(model, QuantizerModel)  # callers have looked
    coded = coded_images(held, named, encoders, collection_files(held), on_progress)
    tables = model.tables(encoded.features[np.concatenate([encoded.rows(query) for query in encoded.queries])])
    fit = np.ones(len(coded.ids), np.bool_) if fitting is None else np.isin(coded.ids, fitting.to_pylist())

    def search(depth: int) -> tuple[Rows, Distances]:
        return among_rows(coded.index.search, tables, depth, fit)

    # Codes are all looked at, and stand in the order of their ids: the search is exact.
    places, sums = page_of(search, int(fit.sum()), min(wanted.k, len(fit)), wanted.offset, exact=True)
    distances = sums if model.settings_["mode"] == "published" else sums / 2
    found = []
    for query, rows, apart in zip(encoded.queries, places, distances.tolist(), strict=True):
        hits = [Hit(coded.ids[row].item(), at, 1 - at) for row, at in zip(rows, apart, strict=True) if row >= 0]
        found.append(SearchResult(query, Path(held.config().root), hits, coded.index.bytes_an_image))
    return found

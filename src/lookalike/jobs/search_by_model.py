"""Find the images of a collection that a trained model, or an ensemble, holds for alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.workspace import Workspace
from lookalike.embedding.collection import Collection
from lookalike.embedding.encoder import Encoder, load_encoder
from lookalike.embedding.feature_sets import encode_set
from lookalike.embedding.image_filter import ImageFilter
from lookalike.images.folder import Rejected
from lookalike.jobs.codes import check_codes, coded_hits, coded_images
from lookalike.jobs.features import collection_files
from lookalike.jobs.fused_models import Source, fused_images, source_of
from lookalike.jobs.models import NamedModel, open_model
from lookalike.jobs.queries import EncodedQueries, Query, encoded_queries
from lookalike.jobs.query_pictures import query_pictures
from lookalike.jobs.search import SearchResult, Wanted, draw_results
from lookalike.jobs.weighed import asked_by, explained, fused_hits
from lookalike.reports.contact_sheet import check_sheet
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
        check_codes(named.name, max(len(query.pictures) for query in queries), wanted.explain)
    encoded = encoded_queries(
        queries, lambda paths: encode_set(encoders, query_pictures(held, paths)), on_progress, rejected
    )
    if isinstance(named.model, QuantizerModel):
        found = _nearest_codes(held, named, encoders, encoded, wanted, fitting, on_progress)
    else:
        found = _nearest(held, source_of(named), encoded, wanted, fitting, on_progress)
    if wanted.sheet is not None:
        draw_results(wanted.sheet, found, Collection.open(workspace), wanted.offset, f", by {named.name}")
    return found


def _nearest(
    held: Workspace,
    source: Source,
    encoded: EncodedQueries,
    wanted: Wanted,
    fitting: pa.Array | None,
    on_progress: OnProgress,
) -> list[SearchResult]:
    """Search the fused vectors of a source's models."""
    rows = [(encoded.rows(query), len(query.liked)) for query in encoded.queries]
    asked = asked_by(source, encoded.features, rows, wanted.against)
    # Who only reads encodes nothing, and need not have the photographs.
    fused = fused_images(held, source, {} if held.read_only else collection_files(held), on_progress)
    if not len(fused):
        raise InputError(f"{held.place} has no images that {source.named.name} could be asked about")
    fused.prepare(on_progress)
    root, found = held.config().root, []
    hits = fused_hits(fused, source, asked, wanted.k, wanted.offset, fitting)
    for query, one, own in zip(encoded.queries, asked, hits, strict=True):
        result = SearchResult(query, root, own)
        if wanted.explain:
            why = explained(fused, source, one, [hit.image for hit in own])
            result = replace(result, weights=why.weights, shares=why.shares)
        found.append(result)
    return found


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
    coded = coded_images(held, named, encoders, collection_files(held), on_progress)
    asked = encoded.features[np.concatenate([encoded.rows(query) for query in encoded.queries])]
    root, hits = held.config().root, coded_hits(coded, named, asked, wanted.k, wanted.offset, fitting)
    return [
        SearchResult(query, root, own, coded.index.bytes_an_image)
        for query, own in zip(encoded.queries, hits, strict=True)
    ]

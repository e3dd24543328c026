"""Find the images of a collection that a trained model, or an ensemble, holds for alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Distances, Rows, Vectors
from lookalike.core.workspace import Workspace
from lookalike.embedding.collection import Collection, Hit
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_sets import encode_set
from lookalike.ensembles.base import Ensemble
from lookalike.images.folder import Rejected
from lookalike.jobs.codes import CodedImages, coded_images
from lookalike.jobs.features import collection_files
from lookalike.jobs.models import NamedModel, model_features, open_model
from lookalike.jobs.search import SHEET_AT_MOST, SearchResult, tiles_of
from lookalike.reports.contact_sheet import Section, check_sheet, contact_sheet
from lookalike.search.exact import ExactIndex
from lookalike.similarity.quantizer import QuantizerModel

__all__ = ["search_by_model"]


def search_by_model(
    workspace: Path,
    query: Path,
    model: str,
    k: int = 10,
    sheet: Path | None = None,
    on_progress: OnProgress = silent,
) -> SearchResult:
    """Search a workspace's collection by a picture, with the distance of a trained model.

    An ensemble weighs its models for this very picture, and the search is still one inner product. The features of the
    collection are computed at the first search and kept. A quantizer is asked by its codes, a few bytes an image: their
    distance is half the squared distance between the picture's vector, which has length 1, and what a code stands for
    (of a published quantizer the sum that it sorts by, which is no such distance).

    Parameters
    ----------
    workspace : Path
        The workspace folder.
    query : Path
        A picture; it need not be in the collection.
    model : str
        A name, or the path of a model's file.
    k : int
        How many images.
    sheet : Path, optional
        Where to write a contact sheet; the suffix chooses PNG, JPEG or WebP.
    on_progress : callable

    Raises
    ------
    WorkspaceError, ImageDecodeError, InputError, UnknownNameError, StorageError
    """
    if sheet is not None:
        check_sheet(sheet)
    held = Workspace(workspace)
    named = open_model(held, model)
    encoders = [load_encoder(name) for name in named.features.encoders]
    asked, size = encode_set(encoders, [query]), None
    if isinstance(named.model, QuantizerModel):
        coded = coded_images(held, named, encoders, collection_files(held), on_progress)
        hits, size = _nearest_codes(named.model, asked, coded, k), coded.index.bytes_an_image
    else:
        unreadable: list[Rejected] = []
        features = model_features(held, named, collection_files(held), on_progress, unreadable)
        if not len(features):
            raise InputError(f"{workspace} has no images that {named.name} could be asked about")
        hits = _nearest(named, asked, features, k)
    root = Path(held.config().root)
    if sheet is not None:
        shown = hits[:SHEET_AT_MOST]
        title = f"The {len(shown)} images closest to {query.name}, by {named.name}"
        contact_sheet(sheet, title, [Section(query, tiles_of(Collection.open(workspace), shown))])
    return SearchResult(query, root, hits, size)


def _nearest(named: NamedModel, asked: Vectors, features: Features, k: int) -> list[Hit]:
    """Return the closest images: by ``offset(R) - q(R).v(x)``, where a model's q and v are its vectors."""
    model = named.model
    if isinstance(model, Ensemble):
        queries, surplus = model.query(asked), float(model.offset(asked)[0]) - 1
    else:
        queries, surplus = model.transform(asked), 0.0
    rows, distances = ExactIndex(model.transform(features)).search(queries, k)
    return _hits(features.ids, rows[0], np.asarray(distances[0] + surplus, np.float32))


def _nearest_codes(model: QuantizerModel, asked: Vectors, coded: CodedImages, k: int) -> list[Hit]:
    """Return the closest images by look-ups."""
    rows, sums = coded.index.search(model.tables(asked), k)
    return _hits(coded.ids, rows[0], sums[0] if model.settings_["mode"] == "published" else sums[0] / 2)


def _hits(ids: NDArray[np.str_], rows: Rows, distances: Distances) -> list[Hit]:
    found = [(ids[row].item(), float(distance)) for row, distance in zip(rows, distances, strict=True) if row >= 0]
    return [Hit(image, distance, 1 - distance) for image, distance in found]

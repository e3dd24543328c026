"""Find the images of a collection that a trained model, or an ensemble, holds for alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Distances, Vectors
from lookalike.core.workspace import Workspace
from lookalike.embedding.collection import Collection, Hit
from lookalike.embedding.encoder import Encoder, load_encoder
from lookalike.embedding.feature_sets import encode_set
from lookalike.embedding.fused_collection import FusedVectors
from lookalike.ensembles.base import Ensemble
from lookalike.jobs.codes import coded_images
from lookalike.jobs.features import collection_files
from lookalike.jobs.fused_models import Source, fused_images, source_of
from lookalike.jobs.models import NamedModel, open_model
from lookalike.jobs.search import SHEET_AT_MOST, SearchResult, tiles_of
from lookalike.reports.contact_sheet import Section, check_sheet, contact_sheet
from lookalike.search.fused import shares
from lookalike.similarity.quantizer import QuantizerModel

__all__ = ["ModelSearchResult", "search_by_model"]


@dataclass(frozen=True, slots=True)
class ModelSearchResult(SearchResult):
    """What was found by a model.

    Attributes
    ----------
    weights : dict of str to float, optional
        How much each model counts for this very query; they sum to 1.
    shares : list of dict of str to float
        Of each hit, how much of its distance each model makes; they sum to 1, or are all 0 at distance 0. Empty where
        that was not asked for.
    """

    weights: dict[str, float] | None = None
    shares: Sequence[dict[str, float]] = ()


def search_by_model(
    workspace: Path,
    query: Path,
    model: str,
    k: int = 10,
    sheet: Path | None = None,
    on_progress: OnProgress = silent,
    explain: bool = False,
) -> ModelSearchResult:
    """Search a workspace's collection by a picture, with the distance of a trained model.

    An ensemble weighs its models for this very picture, and the search is still one inner product over the fused
    vectors of its models (`lookalike.search.fused`). They are made at the first search; later ones, also those by
    another ensemble of the same models, make those of new and changed files alone. A quantizer is asked by its codes, a
    few bytes an image: their distance is half the squared distance between the picture's vector, which has length 1,
    and what a code stands for (of a published quantizer the sum that it sorts by, which is no such distance).

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
    explain : bool
        Whether to say what each model makes of each hit.

    Raises
    ------
    WorkspaceError, ImageDecodeError, InputError, UnknownNameError, StorageError
    """
    if sheet is not None:
        check_sheet(sheet)
    held = Workspace(workspace)
    named = open_model(held, model)
    encoders = [load_encoder(name) for name in named.features.encoders]
    asked, root = encode_set(encoders, [query]), Path(held.config().root)
    if isinstance(named.model, QuantizerModel):
        if explain:
            raise InputError(f"'{named.name}' is a quantizer: its distances are sums over codes, not over models")
        hits, size = _nearest_codes(held, named, encoders, asked, k, on_progress)
        found = ModelSearchResult(query, root, hits, size)
    else:
        found = _nearest(held, source_of(named), asked, k, on_progress).of(query, root, explain)
    if sheet is not None:
        shown = found.hits[:SHEET_AT_MOST]
        title = f"The {len(shown)} images closest to {query.name}, by {named.name}"
        contact_sheet(sheet, title, [Section(query, tiles_of(Collection.open(workspace), shown))])
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """The images closest to a picture, by the models of a source."""

    source: Source
    fused: FusedVectors
    vectors: dict[str, Vectors]
    weights: NDArray[np.float64]
    calibration: NDArray[np.float64]
    ids: list[str]
    distances: list[float]

    def of(self, query: Path, root: Path, explain: bool) -> ModelSearchResult:
        """Say what was found, and why where that is asked for."""
        hits = [Hit(id_, distance, 1 - distance) for id_, distance in zip(self.ids, self.distances, strict=True)]
        if not explain:
            return ModelSearchResult(query, root, hits)
        names = [member.name for member in self.source.members]
        parts = shares(self._apart(), self.weights * self.calibration)
        return ModelSearchResult(
            query,
            root,
            hits,
            weights=dict(zip(names, self.weights.tolist(), strict=True)),
            shares=[dict(zip(names, row, strict=True)) for row in parts.tolist()],
        )

    def _apart(self) -> Distances:
        """Return the distance of each hit by each model of the source."""
        columns = list(self.fused.dims)
        places = [columns.index(member.key) for member in self.source.members]
        return np.asarray(self.fused.distances(self.vectors, self.ids)[:, places], np.float32)


def _nearest(held: Workspace, source: Source, asked: Vectors, k: int, on_progress: OnProgress) -> _Found:
    """Search the fused vectors of a source's models; further models of the same group count nothing."""
    model = source.named.model
    weights = calibration = np.ones(1)
    if isinstance(model, Ensemble):
        weights, calibration = model.weights(asked)[0].astype(np.float64), model.calibration_
    fused = fused_images(held, source, collection_files(held), on_progress)
    if not len(fused):
        raise InputError(f"{held.path} has no images that {source.named.name} could be asked about")
    fused.prepare(on_progress)
    counted = dict.fromkeys(fused.dims, 0.0)
    for member, weight in zip(source.members, (weights * calibration).tolist(), strict=True):
        counted[member.key] += weight
    vectors = {key: np.zeros((1, dim), np.float32) for key, dim in fused.dims.items()} | source.vectors(asked)
    ids, distances = fused.search(vectors, list(counted.values()), min(k, len(fused)))
    pairs = [(id_, distance) for id_, distance in zip(ids[0].tolist(), distances[0].tolist(), strict=True) if id_]
    return _Found(source, fused, vectors, weights, calibration, [id_ for id_, _ in pairs], [d for _, d in pairs])


def _nearest_codes(
    held: Workspace, named: NamedModel, encoders: list[Encoder], asked: Vectors, k: int, on_progress: OnProgress
) -> tuple[list[Hit], int]:
    """Return the closest images by look-ups, and the bytes of each."""
    model = named.model
    assert isinstance(model, QuantizerModel)  # callers have looked
    coded = coded_images(held, named, encoders, collection_files(held), on_progress)
    rows, sums = coded.index.search(model.tables(asked), k)
    distances = sums[0] if model.settings_["mode"] == "published" else sums[0] / 2
    found = [(coded.ids[row].item(), float(at)) for row, at in zip(rows[0], distances, strict=True) if row >= 0]
    return [Hit(image, distance, 1 - distance) for image, distance in found], coded.index.bytes_an_image

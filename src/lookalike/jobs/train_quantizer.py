"""Train a quantizer on photographs and views of them, or on pairs, measure what its codes lose, and keep it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.progress import OnProgress, silent
from lookalike.core.runs import record_run
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding.feature_sets import FeatureSet, compute_set
from lookalike.embedding.view_features import view_features
from lookalike.images.augmentation import chosen_augmentation
from lookalike.images.folder import Rejected, scan
from lookalike.jobs.evaluate_pairs import guess_format, pair_files
from lookalike.jobs.training import chosen_features, new_model_file, tell_epochs
from lookalike.judgments.pairs import Pairs
from lookalike.judgments.readers import read_pairs
from lookalike.metrics.intervals import Estimate
from lookalike.metrics.retrieval import mean_over_queries
from lookalike.reports.curves import draw_curves
from lookalike.reports.leaderboard import check_plot
from lookalike.search.codes import CodeIndex, pack
from lookalike.search.exact import ExactIndex
from lookalike.similarity.prepared import need_torch
from lookalike.similarity.quantizer import QuantizerModel
from lookalike.similarity.quantizer_settings import resolve_quantizer
from lookalike.similarity.saving import save_model

__all__ = ["CodesMeasured", "QuantizerReport", "WhatPictures", "train_quantizer"]

HELD, QUERIES = 5, 1000
"""One photograph in so many is held out, and at most so many of these are searched for."""


@dataclass(frozen=True, slots=True)
class WhatPictures:
    """What to learn from: one of `photos` and `pairs`.

    Attributes
    ----------
    photos : Path, optional
        A folder, read with all its folders; every photograph is paired with views of it.
    views : int
        Of each photograph.
    augmentation : str
        What views look like, see `lookalike.images.augmentation.chosen_augmentation`.
    pairs : Path, optional
        A file or folder of pairs that show the same.
    pair_format : str, optional
        Guessed from the path without it.
    images : Path, optional
        The folder in which ids of pairs become files.
    """

    photos: Path | None = None
    views: int = 4
    augmentation: str = "corrected"
    pairs: Path | None = None
    pair_format: str | None = None
    images: Path | None = None


@dataclass(frozen=True, slots=True)
class CodesMeasured:
    """How often a picture that nobody trained on finds its other picture first, among all originals.

    Attributes
    ----------
    features, codes : Estimate
        By the features as they are, and by codes of a quantizer that was fitted without these pictures.
    difference : Estimate
        Codes less features, on the same pictures.
    gallery : int
        How many originals there are.
    """

    features: Estimate
    codes: Estimate
    difference: Estimate
    gallery: int


@dataclass(frozen=True, slots=True)
class QuantizerReport:
    """A trained quantizer.

    Attributes
    ----------
    name : str
    path : Path
    images : int
        Photographs, or images of pairs.
    pairs : int
    encoders : tuple of str
    dim : int
        Length of their features, 4 bytes a number.
    bits : float
        Of a code.
    settings : dict
    measured : CodesMeasured or None
    history : list of dict
    rejected : list of Rejected
        Photographs that could not be read.
    seconds : float
    """

    name: str
    path: Path
    images: int
    pairs: int
    encoders: tuple[str, ...]
    dim: int
    bits: float
    settings: dict[str, Any]
    measured: CodesMeasured | None
    history: list[dict[str, Any]]
    rejected: list[Rejected]
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class _Pictures:
    """Pairs, features of all their images, and what the features are."""

    pairs: Pairs
    features: Features
    fingerprint: str
    images: int
    rejected: list[Rejected]


def train_quantizer(
    workspace: Path,
    name: str,
    what: WhatPictures,
    encoders: Sequence[str] = (),
    feature_set: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    measure: bool = True,
    replace: bool = False,
    plot: Path | None = None,
    on_progress: OnProgress = silent,
) -> QuantizerReport:
    """Train a quantizer. Where it is to be measured, one is first fitted without a fifth of the photographs.

    Parameters
    ----------
    workspace : Path
        Keeps features and the model.
    name : str
        Of the model.
    what : WhatPictures
    encoders : sequence of str
        Whose features stand side by side; without any, those of `feature_set`, or the workspace's encoder.
    feature_set : str, optional
    parameters : mapping, optional
        Of `QuantizerModel`.
    measure : bool
    replace : bool
        Whether a model of that name may give way.
    plot : Path, optional
        Where to draw the losses.
    on_progress : callable

    Raises
    ------
    InputError
        A parameter is unknown or out of range, a model of that name is there, or there is nothing to learn from.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    started = time.perf_counter()
    held = Workspace(workspace)
    path, model = new_model_file(held, name, replace), QuantizerModel().set_params(**parameters or {})
    _check(model, plot)
    chosen = chosen_features(held, encoders, feature_set)
    pictures = _pictures(held, chosen, what, model.seed, on_progress)
    measured = _measured(model, pictures) if measure else None
    passes = resolve_quantizer(model.get_params(), len(np.unique(pictures.pairs.groups()))).epochs
    model.fit(pictures.pairs, pictures.features, on_epoch=tell_epochs("training", passes, on_progress))
    report = QuantizerReport(
        name=name,
        path=path,
        images=pictures.images,
        pairs=len(pictures.pairs),
        encoders=chosen.encoders,
        dim=model.n_features_in_,
        bits=model.bits_,
        settings=model.settings_,
        measured=measured,
        history=model.history_,
        rejected=pictures.rejected,
        seconds=time.perf_counter() - started,
    )
    about = _about(report, what, pictures.fingerprint)
    save_model(model, path, about)
    if plot is not None:
        draw_curves(plot, model.history_, f"codes of {report.bits:g} bits from {report.images:,} images")
    record_run(held.runs_folder, "train-quantizer", {"name": name, "parameters": model.get_params()}, about)
    return report


def _check(model: QuantizerModel, plot: Path | None) -> None:
    """Refuse before anything is encoded what would be refused after it."""
    settings = resolve_quantizer(model.get_params(), 1000)
    if settings.epochs:
        need_torch()
    if plot is not None:
        check_plot(plot)
        if not settings.epochs:
            raise InputError("epochs=0 trains nothing: there are no losses to draw")


def _pictures(
    workspace: Workspace, chosen: FeatureSet, what: WhatPictures, seed: int, on_progress: OnProgress
) -> _Pictures:
    """Encode what there is to learn from."""
    if what.pairs is not None:
        if what.photos is not None:
            raise InputError("give a folder of photographs or pairs, not both")
        pairs = read_pairs(what.pair_format or guess_format(what.pairs), what.pairs, what.images)
        files = pair_files(pairs)
        computed = compute_set(workspace, chosen, files, on_progress=on_progress)
        return _Pictures(pairs, computed.features, computed.fingerprint, len(files), [])
    if what.photos is None:
        raise InputError("give a folder of photographs, or --pairs PATH")
    augmentation, found = chosen_augmentation(what.augmentation), scan(what.photos)
    files = {file.path: what.photos / file.path for file in found.files}
    if len(files) < 2:
        raise InputError(f"{what.photos} has {len(files)} images: to tell images apart takes two at least")
    rejected = list(found.rejected)
    viewed = view_features(workspace, chosen, files, augmentation, what.views, seed, on_progress, rejected)
    return _Pictures(viewed.pairs, viewed.features, viewed.fingerprint, len(viewed.plain), rejected)


def _measured(model: QuantizerModel, pictures: _Pictures) -> CodesMeasured:
    """Fit on four fifths of the things, and search all left images for the right images of the others."""
    pairs, groups = pictures.pairs, pictures.pairs.groups()
    things = np.random.default_rng([model.seed, 1]).permutation(np.unique(groups))
    held = np.isin(groups, things[: len(things) // HELD])
    if not held.any():
        raise InputError(f"{len(things)} things are too few to hold some out: train without measuring")
    fitted = model.fresh().fit(pairs.take(~held), pictures.features)
    first = np.flatnonzero(held)[np.unique(groups[held], return_index=True)[1]][:QUERIES]
    gallery = np.unique(pairs.left)
    targets = np.searchsorted(gallery, pairs.left[first])
    originals, queries = (
        pictures.features.vectors[pictures.features.rows(ids)] for ids in (gallery, pairs.right[first])
    )
    plain = ExactIndex(unit_rows(originals)).search(unit_rows(queries), 1)[0][:, 0] == targets
    books, words, _ = fitted.codebooks_.shape
    index = CodeIndex(pack(fitted.codes(originals), words), words, books)
    coded = index.search(fitted.tables(queries), 1)[0][:, 0] == targets
    as_is, by_codes = plain.astype(float), coded.astype(float)
    return CodesMeasured(
        mean_over_queries(as_is), mean_over_queries(by_codes), mean_over_queries(by_codes - as_is), len(gallery)
    )


def _about(report: QuantizerReport, what: WhatPictures, fingerprint: str) -> dict[str, Any]:
    """Return what stands on the card."""
    return {
        "learned_from": "pairs",
        "examples": report.pairs,
        "images": report.images,
        "what": {name: value if value is None else str(value) for name, value in asdict(what).items()},
        "encoders": list(report.encoders),
        "fingerprint": fingerprint,
        "settings": report.settings,
        "bits": report.bits,
        "measured": None,
        "codes_measured": None if report.measured is None else asdict(report.measured),
        "history": report.history,
    }

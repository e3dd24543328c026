"""Train a quantizer on photographs and views of them, or on pairs, measure what its codes lose, and keep it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.runs import record_run
from lookalike.core.types import Rows, Vectors
from lookalike.core.workspace import Workspace
from lookalike.images.folder import Rejected
from lookalike.jobs.finding import Finding, measured_finding
from lookalike.jobs.things_to_learn import WhatThings, about_things, learned_from
from lookalike.jobs.training import chosen_features, new_model_file, tell_epochs
from lookalike.reports.curves import draw_curves
from lookalike.reports.leaderboard import check_plot
from lookalike.search.codes import CodeIndex, pack
from lookalike.similarity.model import SimilarityModel
from lookalike.similarity.prepared import need_torch
from lookalike.similarity.quantizer import QuantizerModel
from lookalike.similarity.quantizer_settings import resolve_quantizer
from lookalike.similarity.saving import save_model

__all__ = ["QuantizerReport", "train_quantizer"]


@dataclass(frozen=True, slots=True)
class QuantizerReport:
    """A trained quantizer.

    Attributes
    ----------
    name : str
    path : Path
    images, pairs : int
        How many images, without their views, and how many pairs, with them.
    copies : int
        Files left out because another has the same content.
    encoders : tuple of str
    dim : int
        Length of their features, 4 bytes a number.
    bits : float
        Of a code.
    settings : dict
    measured : Finding or None
        By codes, beside the features as they are.
    history : list of dict
    rejected : list of Rejected
        Images that could not be used, and why.
    seconds : float
    """

    name: str
    path: Path
    images: int
    pairs: int
    copies: int
    encoders: tuple[str, ...]
    dim: int
    bits: float
    settings: dict[str, Any]
    measured: Finding | None
    history: list[dict[str, Any]]
    rejected: list[Rejected]
    seconds: float


def train_quantizer(
    workspace: Path,
    name: str,
    what: WhatThings,
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
    what : WhatThings
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
    learned = learned_from(held, chosen, what, model.seed, on_progress)
    measured = measured_finding(model, learned.pairs, learned.features, model.seed, _nearest) if measure else None
    passes = resolve_quantizer(model.get_params(), len(np.unique(learned.pairs.groups()))).epochs
    model.fit(learned.pairs, learned.features, on_epoch=tell_epochs("training", passes, on_progress))
    report = QuantizerReport(
        name=name,
        path=path,
        images=learned.images,
        pairs=len(learned.pairs),
        copies=learned.copies,
        encoders=chosen.encoders,
        dim=model.n_features_in_,
        bits=model.bits_,
        settings=model.settings_,
        measured=measured,
        history=model.history_,
        rejected=learned.rejected,
        seconds=time.perf_counter() - started,
    )
    about = _about(report, what, learned.fingerprint)
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


def _nearest(fitted: SimilarityModel, queries: Vectors, gallery: Vectors) -> Rows:
    """Return the nearest of the gallery's codes, as a search by codes finds it."""
    if not isinstance(fitted, QuantizerModel):
        raise TypeError(f"codes are of a quantizer, not of a {type(fitted).__name__}")
    books, words, _ = fitted.codebooks_.shape
    index = CodeIndex(pack(fitted.codes(gallery), words), words, books)
    return index.search(fitted.tables(queries), 1)[0][:, 0]


def _about(report: QuantizerReport, what: WhatThings, fingerprint: str) -> dict[str, Any]:
    """Return what stands on the card."""
    return {
        **about_things(report, what, fingerprint),
        "bits": report.bits,
        "measured": None if report.measured is None else report.measured.as_dict(),
        "history": report.history,
    }

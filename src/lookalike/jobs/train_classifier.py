"""Train a classifier: one class per photograph or thing, learned from views; and keep it under a name."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.core.progress import OnProgress, silent
from lookalike.core.runs import record_run
from lookalike.core.workspace import Workspace
from lookalike.images.folder import Rejected
from lookalike.jobs.things_to_learn import WhatThings, about_things, learned_from, show_views
from lookalike.jobs.training import chosen_features, new_model_file, tell_epochs
from lookalike.reports.contact_sheet import check_sheet
from lookalike.similarity.classifier import ClassifierModel
from lookalike.similarity.classifier_settings import resolve_classifier
from lookalike.similarity.prepared import need_torch
from lookalike.similarity.saving import save_model

__all__ = ["ClassifierReport", "train_classifier"]


@dataclass(frozen=True, slots=True)
class ClassifierReport:
    """A trained classifier.

    Attributes
    ----------
    name : str
    path : Path
    images, pairs : int
        How many images, without their views, and how many pairs, with them.
    classes : int
    copies : int
        Files left out because another has the same content.
    encoders : tuple of str
    dim : int
        Length of their features.
    settings : dict
    threshold : float or None
        Probability below which no class is named; None where there were too few things to find out.
    measured : dict or None
        See `lookalike.similarity.open_set.OpenSet.measured`.
    rejected : list of Rejected
    seconds : float
    """

    name: str
    path: Path
    images: int
    pairs: int
    classes: int
    copies: int
    encoders: tuple[str, ...]
    dim: int
    settings: dict[str, Any]
    threshold: float | None
    measured: dict[str, Any] | None
    rejected: list[Rejected]
    seconds: float


def train_classifier(
    workspace: Path,
    name: str,
    what: WhatThings,
    encoders: Sequence[str] = (),
    feature_set: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    replace: bool = False,
    views_sheet: Path | None = None,
    on_progress: OnProgress = silent,
) -> ClassifierReport:
    """Train a classifier; what it is worth is measured on things and pictures held out, before it is fitted on all.

    Parameters
    ----------
    workspace, name, what, encoders, feature_set, replace, on_progress
        As in `lookalike.jobs.train_contrastive.train_contrastive`.
    parameters : mapping, optional
        Of `ClassifierModel`.
    views_sheet : Path, optional
        Where to draw some images and views of them.

    Raises
    ------
    InputError
        A parameter is unknown or out of range, a model of that name is there, or there is too little to learn from.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    started, held = time.perf_counter(), Workspace(workspace)
    path, model = new_model_file(held, name, replace), ClassifierModel().set_params(**parameters or {})
    settings = resolve_classifier(model.get_params())
    if settings.epochs:
        need_torch()
    if views_sheet is not None:
        check_sheet(views_sheet)
    chosen = chosen_features(held, encoders, feature_set)
    learned = learned_from(held, chosen, what, model.seed, on_progress)
    if views_sheet is not None:
        show_views(views_sheet, chosen, what, learned, model.seed)
    model.fit(learned.pairs, learned.features, on_epoch=tell_epochs("training", settings.epochs, on_progress))
    report = ClassifierReport(
        name=name,
        path=path,
        images=learned.images,
        pairs=len(learned.pairs),
        classes=len(model.classes_),
        copies=learned.copies,
        encoders=chosen.encoders,
        dim=model.n_features_in_,
        settings=model.settings_,
        threshold=None if model.open_set_ is None else model.open_set_.threshold,
        measured=None if model.open_set_ is None else model.open_set_.measured,
        rejected=learned.rejected,
        seconds=time.perf_counter() - started,
    )
    about = _about(report, what, learned.fingerprint, model.history_)
    save_model(model, path, about)
    record_run(held.runs_folder, "train-classifier", {"name": name, "parameters": model.get_params()}, about)
    return report


def _about(
    report: ClassifierReport, what: WhatThings, fingerprint: str, history: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return what stands on the card."""
    return {
        **about_things(report, what, fingerprint),
        "classes": report.classes,
        "threshold": report.threshold,
        "measured": None,
        "open_set_measured": report.measured,
        "history": history,
    }

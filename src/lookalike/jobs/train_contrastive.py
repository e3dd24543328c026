"""Train a projection model on photographs and views of them, or on pairs, measure it, and keep it under a name."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.runs import record_run
from lookalike.core.workspace import Workspace
from lookalike.images.folder import Rejected
from lookalike.jobs.finding import Finding, measured_finding
from lookalike.jobs.things_to_learn import WhatThings, about_things, learned_from, show_views
from lookalike.jobs.training import chosen_features, new_model_file, tell_epochs
from lookalike.reports.contact_sheet import check_sheet
from lookalike.reports.curves import draw_curves
from lookalike.reports.leaderboard import check_plot
from lookalike.similarity.prepared import need_torch
from lookalike.similarity.projection import ProjectionModel
from lookalike.similarity.projection_settings import resolve_projection
from lookalike.similarity.saving import save_model
from lookalike.training.logs import tensorboard_log
from lookalike.training.plan import untold

__all__ = ["ContrastiveReport", "Drawn", "train_contrastive"]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is written beside the model.

    Attributes
    ----------
    views : Path, optional
        A sheet of some images and views of them: .png, .jpg or .webp.
    plot : Path, optional
        The losses of the final fit: .png, .svg or .pdf.
    tensorboard : Path, optional
        The folder for logs of the final fit.
    """

    views: Path | None = None
    plot: Path | None = None
    tensorboard: Path | None = None


@dataclass(frozen=True, slots=True)
class ContrastiveReport:
    """A trained model.

    Attributes
    ----------
    name : str
    path : Path
        Of the file; the card is beside it.
    images, pairs : int
        How many images, without their views, and how many pairs, with them.
    copies : int
        Files left out because another has the same content.
    encoders : tuple of str
        Whose features, side by side.
    dim : int
        Length of those features.
    settings : dict
        All parameters as they were used.
    kept : str
        See `lookalike.similarity.projection.ProjectionModel.kept_`.
    measured : Finding or None
    history : list of dict
        Of the final fit, per pass.
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
    settings: dict[str, Any]
    kept: str
    measured: Finding | None
    history: list[dict[str, Any]]
    rejected: list[Rejected]
    seconds: float


def train_contrastive(
    workspace: Path,
    name: str,
    what: WhatThings,
    encoders: Sequence[str] = (),
    feature_set: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    measure: bool = True,
    replace: bool = False,
    drawn: Drawn | None = None,
    on_progress: OnProgress = silent,
) -> ContrastiveReport:
    """Train a projection model.

    Where it is to be measured, one is first fitted without a fifth of the things and held against these; the one that
    is kept is fitted on all.

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
        Of `ProjectionModel`; views are paired as their augmentation says, unless ``pairing`` says otherwise.
    measure : bool
    replace : bool
        Whether a model of that name may give way.
    drawn : Drawn, optional
    on_progress : callable

    Raises
    ------
    InputError
        A parameter is unknown or out of range, a model of that name is there, or there is too little to learn from.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    started = time.perf_counter()
    held, drawn = Workspace(workspace), drawn or Drawn()
    path = new_model_file(held, name, replace)
    model = ProjectionModel().set_params(**parameters or {})
    if model.pairing is None and model.mode != "published":
        model.set_params(pairing=what.pairing)
    epochs = _checked(model, what, drawn)
    chosen = chosen_features(held, encoders, feature_set)
    learned = learned_from(held, chosen, what, model.seed, on_progress)
    if drawn.views is not None:
        show_views(drawn.views, chosen, what, learned, model.seed)
    measured = measured_finding(model, learned.pairs, learned.features, model.seed) if measure else None
    with tensorboard_log(drawn.tensorboard) if drawn.tensorboard else nullcontext(untold) as log:
        model.fit(learned.pairs, learned.features, on_epoch=tell_epochs("training", epochs, on_progress, log))
    report = ContrastiveReport(
        name=name,
        path=path,
        images=learned.images,
        pairs=len(learned.pairs),
        copies=learned.copies,
        encoders=chosen.encoders,
        dim=model.n_features_in_,
        settings=model.settings_,
        kept=model.kept_,
        measured=measured,
        history=model.history_,
        rejected=learned.rejected,
        seconds=time.perf_counter() - started,
    )
    about = _about(report, what, learned.fingerprint)
    save_model(model, path, about)
    if drawn.plot is not None:
        draw_curves(drawn.plot, model.history_, f"{model.loss} on {report.images:,} images")
    record_run(held.runs_folder, "train-contrastive", {"name": name, "parameters": model.get_params()}, about)
    return report


def _checked(model: ProjectionModel, what: WhatThings, drawn: Drawn) -> int:
    """Refuse before anything is encoded what would be refused after it, and return how many passes there may be."""
    settings = resolve_projection(model.get_params())
    if settings.epochs:
        need_torch()
    elif drawn.plot is not None or drawn.tensorboard is not None:
        raise InputError("epochs=0 trains nothing: there are no losses to draw or to log")
    if drawn.plot is not None:
        check_plot(drawn.plot)
    if drawn.views is not None:
        check_sheet(drawn.views)
        if not what.views:
            raise InputError("there are no views to show: ask for one at least")
    return settings.epochs


def _about(report: ContrastiveReport, what: WhatThings, fingerprint: str) -> dict[str, Any]:
    """Return what stands on the card: where the model comes from, and what it came to."""
    return {
        **about_things(report, what, fingerprint),
        "kept": report.kept,
        "measured": None if report.measured is None else report.measured.as_dict(),
        "history": report.history,
    }

"""Train an adaptation function on pairs or on the workspace's judgments, measure it, and keep it under a name."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.progress import OnProgress, silent
from lookalike.core.runs import record_run
from lookalike.core.workspace import Workspace
from lookalike.embedding.feature_sets import compute_set, set_features
from lookalike.embedding.lens import Mirrored
from lookalike.jobs.evaluate import chosen_judgments, judged_files
from lookalike.jobs.evaluate_pairs import guess_format, pair_files
from lookalike.jobs.training import chosen_features, new_model_file, tell_epochs
from lookalike.judgments.pairs import Pairs
from lookalike.judgments.readers import read_pairs
from lookalike.judgments.splits import By
from lookalike.judgments.table import Judgments
from lookalike.reports.curves import draw_curves
from lookalike.reports.leaderboard import check_plot
from lookalike.similarity.adaptation import AdaptationModel
from lookalike.similarity.forms import FORMS
from lookalike.similarity.held_out import HeldOut, held_out_judgments, held_out_pairs
from lookalike.similarity.prepared import need_torch
from lookalike.similarity.saving import save_model
from lookalike.similarity.settings import Settings, resolve
from lookalike.training.logs import tensorboard_log
from lookalike.training.plan import untold

__all__ = ["Measure", "TrainingReport", "WhatFrom", "train_adaptation"]


@dataclass(frozen=True, slots=True)
class WhatFrom:
    """What to learn from.

    Attributes
    ----------
    pairs : Path, optional
        The file or folder of matched pairs; without it, the judgments of the workspace.
    pair_format : str, optional
        ``"tll"``, ``"folders"`` or ``"csv"``; guessed from the path without it.
    images : Path, optional
        The folder in which ids of pairs become files.
    source, context : str, optional
        Only judgments of one import, or of one context.
    flips : bool
        Also learn from the pictures mirrored left to right.
    """

    pairs: Path | None = None
    pair_format: str | None = None
    images: Path | None = None
    source: str | None = None
    context: str | None = None
    flips: bool = False


@dataclass(frozen=True, slots=True)
class Measure:
    """How to hold answers out.

    Attributes
    ----------
    runs : int
        Pairs: how often they are dealt anew.
    test : float
        Pairs: share that is held out.
    by, folds
        Judgments: as in `lookalike.judgments.splits.split`.
    seed : int
        Of the dealing.
    """

    runs: int = 20
    test: float = 0.25
    by: By = "image"
    folds: int = 5
    seed: int = 0


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """A trained model.

    Attributes
    ----------
    name : str
    path : Path
        Of the file; the card is beside it.
    kind : {"pairs", "judgments"}
        What it learned from.
    examples, images : int
        How many of them, and of how many images.
    encoders : tuple of str
        Whose features, side by side.
    dim : int
        Length of those features.
    settings : dict
        All parameters as they were used.
    measured : HeldOut or None
        On answers held out; None where that was not asked for.
    history : list of dict
        Of the final fit, per pass.
    seconds : float
        Wall time, features and measuring included.
    """

    name: str
    path: Path
    kind: Literal["pairs", "judgments"]
    examples: int
    images: int
    encoders: tuple[str, ...]
    dim: int
    settings: dict[str, Any]
    measured: HeldOut | None
    history: list[dict[str, Any]]
    seconds: float


def train_adaptation(
    workspace: Path,
    name: str,
    encoders: Sequence[str] = (),
    feature_set: str | None = None,
    what: WhatFrom | None = None,
    parameters: Mapping[str, Any] | None = None,
    measure: Measure | None = None,
    replace: bool = False,
    tensorboard: Path | None = None,
    plot: Path | None = None,
    on_progress: OnProgress = silent,
) -> TrainingReport:
    """Train an adaptation function.

    Where it is to be measured, models are first fitted and tested on answers that were held out; then the one that is
    kept is fitted on all answers.

    Parameters
    ----------
    workspace : Path
        The workspace folder: keeps features and the model.
    name : str
        Of the model.
    encoders : sequence of str
        Whose features stand side by side; without any, those of `feature_set`, or the workspace's encoder.
    feature_set : str, optional
        A set of `lookalike.jobs.features.define_features`, instead of `encoders`.
    what : WhatFrom, optional
        By default all judgments of the workspace.
    parameters : mapping, optional
        Parameters of `AdaptationModel`.
    measure : Measure, optional
        How to hold answers out; None for no measurement.
    replace : bool
        Whether a model of that name may give way.
    tensorboard : Path, optional
        The folder for its logs of the final fit.
    plot : Path, optional
        Where to draw the losses of the final fit; the suffix chooses PNG, SVG or PDF.
    on_progress : callable

    Raises
    ------
    InputError
        A parameter is unknown or out of range, a model of that name is there, there are no such answers, or no file is
        known for one of their images.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    started = time.perf_counter()
    held, what = Workspace(workspace), what or WhatFrom()
    path, model = new_model_file(held, name, replace), AdaptationModel().set_params(**parameters or {})
    examples, files = _learned_from(held, what)
    kind: Literal["pairs", "judgments"] = "pairs" if isinstance(examples, Pairs) else "judgments"
    settings = _checked(model, kind, tensorboard, plot)
    chosen = chosen_features(held, encoders, feature_set)
    computed = compute_set(held, chosen, files, on_progress=on_progress)
    flipped = set_features(held, chosen, files, Mirrored(), on_progress) if what.flips else None
    measured = _measured(model, examples, computed.features, flipped, measure, on_progress) if measure else None
    with tensorboard_log(tensorboard) if tensorboard else nullcontext(untold) as log:
        told = tell_epochs("training", settings.epochs * settings.members, on_progress, log)
        model.fit(examples, computed.features, flipped, told)
    report = TrainingReport(
        name=name,
        path=path,
        kind=kind,
        examples=len(examples),
        images=len(files),
        encoders=chosen.encoders,
        dim=model.n_features_in_,
        settings=model.settings_,
        measured=measured,
        history=model.history_,
        seconds=time.perf_counter() - started,
    )
    about = _about(report, what, measure, computed.fingerprint)
    save_model(model, path, about)
    if plot is not None:
        draw_curves(plot, model.history_, f"{model.settings_['form']} on {report.examples:,} {kind}")
    record_run(held.runs_folder, "train-adaptation", {"name": name, "parameters": model.get_params()}, about)
    return report


def _learned_from(workspace: Workspace, what: WhatFrom) -> tuple[Pairs | Judgments, dict[str, Path]]:
    """Return the examples, and the files of their images."""
    if what.pairs is None:
        judgments = chosen_judgments(workspace, what.source, what.context)
        return judgments, judged_files(workspace, judgments)
    pairs = read_pairs(what.pair_format or guess_format(what.pairs), what.pairs, what.images)
    return pairs, pair_files(pairs)


def _checked(
    model: AdaptationModel, kind: Literal["pairs", "judgments"], tensorboard: Path | None, plot: Path | None
) -> Settings:
    """Refuse before anything is encoded what would be refused after it."""
    settings = resolve(model.get_params(), kind)
    if plot is not None:
        check_plot(plot)
    if FORMS[settings.form].shapes:
        need_torch()
    elif tensorboard is not None or plot is not None:
        raise InputError(f"the form '{settings.form}' is fitted without passes: there are no losses to log or to draw")
    return settings


def _measured(
    model: AdaptationModel,
    examples: Pairs | Judgments,
    features: Features,
    flipped: Features | None,
    measure: Measure,
    on_progress: OnProgress,
) -> HeldOut:
    """Fit and test models with the same parameters, each from a seed of its own."""

    def make(number: int) -> AdaptationModel:
        return AdaptationModel(**{**model.get_params(), "seed": model.seed + number})

    if isinstance(examples, Pairs):
        return held_out_pairs(make, examples, features, flipped, measure.runs, measure.test, measure.seed, on_progress)
    return held_out_judgments(make, examples, features, flipped, measure.by, measure.folds, measure.seed, on_progress)


def _about(report: TrainingReport, what: WhatFrom, measure: Measure | None, fingerprint: str) -> dict[str, Any]:
    """Return what stands on the card: where the model comes from, and what it came to."""
    about = {
        "learned_from": report.kind,
        "examples": report.examples,
        "images": report.images,
        "what": {name: value if value is None else str(value) for name, value in asdict(what).items()},
        "encoders": list(report.encoders),
        "fingerprint": fingerprint,
        "settings": report.settings,
        "measured": None,
        "history": report.history,
    }
    if measure is not None and report.measured is not None:
        about["measured"] = {"how": asdict(measure), **report.measured.as_dict()}
    return about

"""Fit the models of a task, one for each context, and keep them with what they came to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.lanes import cores, in_lanes
from lookalike.core.progress import Progress
from lookalike.core.runs import record_run
from lookalike.embedding.feature_sets import FeatureSet
from lookalike.jobs.context_measures import MeasuredContext, measure_contexts
from lookalike.jobs.context_task import ContextTask, TrainedContext, TrainedContexts
from lookalike.jobs.models import model_file
from lookalike.judgments.table import Judgments
from lookalike.reports.curves import draw_curves
from lookalike.similarity.context import ContextModel
from lookalike.similarity.saving import save_model
from lookalike.training.logs import tensorboard_log
from lookalike.training.plan import Epoch, OnEpoch, untold

__all__ = ["fit_contexts"]


def fit_contexts(
    task: ContextTask,
    judgments: Judgments,
    features: Features,
    chosen: FeatureSet,
    fingerprint: str,
    what: Mapping[str, Any],
    started: float,
) -> TrainedContexts:
    """Measure, fit and keep all models.

    Parameters
    ----------
    task : ContextTask
    judgments : Judgments
        Those that some model learns from.
    features : Features
    chosen : FeatureSet
        Whose features they are.
    fingerprint : str
        Of the features.
    what : mapping
        What was chosen to learn from, for the card.
    started : float
        When the command began, by `time.perf_counter`.
    """
    models = {name: task.model.fresh() for name in task.contexts}
    measured: dict[str, MeasuredContext | None] = dict.fromkeys(models)
    if task.measure is not None:
        how = task.measure
        measured = measure_contexts(
            models, task.learned, judgments, features, how.by, how.folds, how.seed, task.on_progress
        )
    _fit_all(task, models, judgments, features)
    made = []
    for name, model in models.items():
        own = judgments.take(task.learned[name])
        images = np.unique([own.reference, own.candidate_a, own.candidate_b])
        one = TrainedContext(
            name=name,
            context=task.contexts[name],
            path=model_file(task.workspace, name),
            examples=len(own),
            images=len(images),
            settings=model.settings_,
            measured=measured[name],
            history=model.history_,
        )
        about = _about(task, one, chosen, fingerprint, what)
        save_model(model, one.path, about)
        record_run(task.workspace.runs_folder, task.command, {"name": name, "settings": one.settings}, about)
        made.append(one)
    if task.plot is not None:
        draw_curves(task.plot, _side_by_side(made), f"{len(made)} models of {len(judgments):,} judgments")
    start = None if task.start is None else task.start.name
    seconds = time.perf_counter() - started
    return TrainedContexts(made, chosen.encoders, features.vectors.shape[1], start, task.found, seconds)


def _fit_all(task: ContextTask, models: Mapping[str, ContextModel], judgments: Judgments, features: Features) -> None:
    def work(name: str) -> None:
        context = task.contexts[name]
        with _logged(None if task.tensorboard is None else task.tensorboard / name) as on_epoch:
            try:
                models[name].fit(judgments.take(task.learned[name]), features, on_epoch=on_epoch)
            except InputError as error:
                raise InputError(str(error) if context is None else f"context '{context}': {error}") from error

    for done, _ in enumerate(in_lanes(work, models, min(len(models), cores())), 1):
        task.on_progress(Progress("training", done, len(models)))


@contextmanager
def _logged(folder: Path | None) -> Iterator[OnEpoch]:
    """Give what logs every pass, where there is a folder to log to."""
    if folder is None:
        yield untold
        return
    lock = Lock()
    with tensorboard_log(folder) as log:

        def locked(epoch: Epoch) -> None:
            with lock:  # members are trained side by side
                log(epoch)

        yield locked


def _side_by_side(made: Sequence[TrainedContext]) -> list[dict[str, Any]]:
    """Return the passes of all models, their members numbered through."""
    most = 1 + max(epoch["member"] for one in made for epoch in one.history)
    return [
        {**epoch, "member": number * most + epoch["member"]} for number, one in enumerate(made) for epoch in one.history
    ]


def _about(
    task: ContextTask, one: TrainedContext, chosen: FeatureSet, fingerprint: str, what: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what stands on the card: where the model comes from, and what it came to."""
    about = {
        "learned_from": "judgments",
        "examples": one.examples,
        "images": one.images,
        "what": {**what, "context": one.context},
        "encoders": list(chosen.encoders),
        "fingerprint": fingerprint,
        "settings": one.settings,
        "started_from": None if task.start is None else task.start.name,
        "measured": None,
        "history": one.history,
    }
    if task.found is not None:
        place = task.found.names.index(str(one.context))
        losses = {str(number): loss for number, loss in task.found.log_loss.items()}
        about["discovered"] = {"typical": list(task.found.typical[place]), "log_loss": losses}
    if task.measure is not None and one.measured is not None:
        about["measured"] = {"how": asdict(task.measure), **one.measured.as_dict()}
    return about

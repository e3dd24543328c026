"""Train context models, or a global one, on the workspace's judgments, measure them, and keep them under names."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.features import Features
from lookalike.core.lanes import cores, in_lanes
from lookalike.core.names import is_name
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.runs import record_run
from lookalike.core.workspace import Workspace
from lookalike.embedding.feature_sets import FeatureSet, compute_set
from lookalike.jobs.context_measures import MeasuredContext, measure_contexts
from lookalike.jobs.evaluate import chosen_judgments, judged_files
from lookalike.jobs.models import NamedModel, model_file, open_model
from lookalike.jobs.training import Folds, chosen_features, new_model_file
from lookalike.judgments.table import Judgments
from lookalike.reports.curves import draw_curves
from lookalike.reports.leaderboard import check_plot
from lookalike.similarity.context import ContextModel
from lookalike.similarity.context_settings import ContextSettings, resolve_context
from lookalike.similarity.contexts import COUNTS, Contexts, discover_contexts
from lookalike.similarity.prepared import need_torch
from lookalike.similarity.saving import save_model
from lookalike.training.logs import tensorboard_log
from lookalike.training.plan import Epoch, OnEpoch, untold

__all__ = ["COUNTS", "ContextChoice", "TrainedContext", "TrainedContexts", "train_contexts", "train_global"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ContextChoice:
    """What to learn from, and which contexts there are.

    Attributes
    ----------
    source : str, optional
        Only judgments of one import.
    contexts : tuple of str
        Only these; without any, all that judgments name.
    discover : bool
        Whether contexts are found instead, as groups of references.
    counts : tuple of int
        How many groups to try.
    """

    source: str | None = None
    contexts: tuple[str, ...] = ()
    discover: bool = False
    counts: tuple[int, ...] = COUNTS


@dataclass(frozen=True, slots=True)
class TrainedContext:
    """One model.

    Attributes
    ----------
    name : str
    context : str or None
        None for a global model.
    path : Path
        Of the file; the card is beside it.
    examples, images : int
        How many judgments it learned from, and of how many images.
    settings : dict
        All parameters as they were used.
    measured : MeasuredContext or None
        None where that was not asked for, or nothing could be held out.
    history : list of dict
        Of the final fit, per pass.
    """

    name: str
    context: str | None
    path: Path
    examples: int
    images: int
    settings: dict[str, Any]
    measured: MeasuredContext | None
    history: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class TrainedContexts:
    """What one command made.

    Attributes
    ----------
    models : list of TrainedContext
    encoders : tuple of str
        Whose features they take, side by side.
    dim : int
        Length of those features.
    start : str or None
        The model that they started from.
    found : Contexts or None
        Where contexts were discovered.
    seconds : float
        Wall time, features and measuring included.
    """

    models: list[TrainedContext]
    encoders: tuple[str, ...]
    dim: int
    start: str | None
    found: Contexts | None
    seconds: float


@dataclass(slots=True)
class _Task:
    """What is under way: one model for each set of judgments."""

    workspace: Workspace
    command: str
    model: ContextModel
    measure: Folds | None
    replace: bool
    tensorboard: Path | None
    plot: Path | None
    on_progress: OnProgress
    start: NamedModel | None = None
    found: Contexts | None = None
    contexts: dict[str, str | None] = field(default_factory=dict)
    learned: dict[str, Mask] = field(default_factory=dict)

    def settings(self) -> ContextSettings:
        """Return the parameters as they will be used, or refuse them."""
        start = self.model.start
        return resolve_context(self.model.get_params(), None if start is None else start.settings_)


def train_contexts(
    workspace: Path,
    name: str | None = None,
    encoders: Sequence[str] = (),
    feature_set: str | None = None,
    choice: ContextChoice | None = None,
    start: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    measure: Folds | None = None,
    replace: bool = False,
    tensorboard: Path | None = None,
    plot: Path | None = None,
    on_progress: OnProgress = silent,
) -> TrainedContexts:
    """Train a model for each context.

    Where they are to be measured, copies are first fitted and tested on answers that were held out; what is kept is
    then fitted on all answers.

    Parameters
    ----------
    workspace : Path
        The workspace folder: keeps features and the models.
    name : str, optional
        What the names of the models begin with: ``NAME.CONTEXT``. Without it, they are called as their contexts are.
    encoders : sequence of str
        Whose features stand side by side; without any, those of `feature_set`, or the workspace's encoder.
    feature_set : str, optional
        A set of `lookalike.jobs.features.define_features`, instead of `encoders`.
    choice : ContextChoice, optional
        By default a model for each context that judgments name.
    start : str, optional
        A context model of the workspace to start from, usually a global one; its features are taken.
    parameters : mapping, optional
        Parameters of `ContextModel`.
    measure : Folds, optional
        How to hold answers out; None for no measurement.
    replace : bool
        Whether models of those names may give way.
    tensorboard : Path, optional
        The folder for logs of the final fits, one in it per model.
    plot : Path, optional
        Where to draw the losses of the final fits; the suffix chooses PNG, SVG or PDF.
    on_progress : callable

    Raises
    ------
    InputError
        There are no contexts or no such judgments, a parameter is unknown or out of range, a model of one of the names
        is there, or the model to start from takes other features.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    started, choice = time.perf_counter(), choice or ContextChoice()
    task = _task(workspace, "train-context", parameters, measure, replace, tensorboard, plot, on_progress)
    if start is not None:
        _start_from(task, start, encoders, feature_set)
    task.settings()
    judgments = chosen_judgments(task.workspace, choice.source)
    if not choice.discover:
        _name_models(task, _named_contexts(judgments, choice.contexts), name)
        if task.start is None:  # the others would only teach what the models start from
            judgments = _only(task, judgments)
    chosen = task.start.features if task.start else chosen_features(task.workspace, encoders, feature_set)
    features, fingerprint = _features(task, chosen, judgments)
    if choice.discover:
        task.found = discover_contexts(judgments, features, choice.counts, task.model.seed, on_progress)
        group = task.found.of(features.vectors[features.rows(judgments.references)])
        _name_models(task, {one: group == number for number, one in enumerate(task.found.names)}, name)
    return _train(task, judgments, features, chosen, fingerprint, {"source": choice.source}, started)


def train_global(
    workspace: Path,
    name: str,
    encoders: Sequence[str] = (),
    feature_set: str | None = None,
    source: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    measure: Folds | None = None,
    replace: bool = False,
    tensorboard: Path | None = None,
    plot: Path | None = None,
    on_progress: OnProgress = silent,
) -> TrainedContexts:
    """Train one model on the judgments of all contexts together; see `train_contexts`.

    Raises
    ------
    InputError, ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    started = time.perf_counter()
    task = _task(workspace, "train-global", parameters, measure, replace, tensorboard, plot, on_progress)
    task.settings()
    _check_name(task, name)
    judgments = chosen_judgments(task.workspace, source)
    task.contexts, task.learned = {name: None}, {name: np.ones(len(judgments), np.bool_)}
    chosen = chosen_features(task.workspace, encoders, feature_set)
    features, fingerprint = _features(task, chosen, judgments)
    return _train(task, judgments, features, chosen, fingerprint, {"source": source}, started)


def _task(
    workspace: Path,
    command: str,
    parameters: Mapping[str, Any] | None,
    measure: Folds | None,
    replace: bool,
    tensorboard: Path | None,
    plot: Path | None,
    on_progress: OnProgress,
) -> _Task:
    """Refuse before anything is encoded what would be refused after it."""
    if "start" in (parameters or {}):
        raise InputError("what to start from is given as --from MODEL, not as a parameter")
    model = ContextModel().set_params(**parameters or {})
    if plot is not None:
        check_plot(plot)
    need_torch()
    return _Task(Workspace(workspace), command, model, measure, replace, tensorboard, plot, on_progress)


def _start_from(task: _Task, name: str, encoders: Sequence[str], feature_set: str | None) -> None:
    """Open the model to start from."""
    named = open_model(task.workspace, name)
    if not isinstance(named.model, ContextModel):
        raise InputError(f"'{name}' is no context model: make one to start from with `lookalike train global`")
    if encoders or feature_set is not None:
        given = chosen_features(task.workspace, encoders, feature_set).encoders
        if given != named.features.encoders:
            raise InputError(f"'{name}' takes features of {' + '.join(named.features.encoders)}: leave out others")
    task.start = named
    task.model.set_params(start=named.model)


def _named_contexts(judgments: Judgments, wanted: Sequence[str]) -> dict[str, Mask]:
    """Return the judgments of each context that is wanted, in order of their names."""
    if judgments.context is None:
        raise InputError(
            "these judgments name no contexts: import them with a column `context`, or find some with --discover"
        )
    labels = judgments.context
    present = [str(labels.names[code]) for code in np.unique(labels.codes[labels.codes >= 0])]
    for one in wanted:
        if one not in present:
            raise UnknownNameError("context", one, present)
    chosen = sorted(set(wanted)) or sorted(present)
    return {one: labels.values() == one for one in chosen}


def _name_models(task: _Task, contexts: Mapping[str, Mask], prefix: str | None) -> None:
    """Give each context's model a name, and see that it is free."""
    for context, rows in contexts.items():
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", context).strip("-._")
        name = plain if prefix is None else f"{prefix}.{plain}"
        if not plain or not is_name(name):
            raise InputError(
                f"the context '{context}' makes no name of a model: use letters, digits, '.', '_' and '-', at most 64"
            )
        if name in task.contexts:
            raise InputError(f"the contexts '{task.contexts[name]}' and '{context}' would both be called '{name}'")
        _check_name(task, name)
        task.contexts[name], task.learned[name] = context, rows


def _check_name(task: _Task, name: str) -> None:
    if task.start is not None and name == task.start.name:
        raise InputError(f"'{name}' is the model to start from: choose another name with --name")
    new_model_file(task.workspace, name, task.replace)


def _only(task: _Task, judgments: Judgments) -> Judgments:
    """Leave out the judgments that no model learns from."""
    used = np.any(list(task.learned.values()), axis=0)
    task.learned = {name: rows[used] for name, rows in task.learned.items()}
    return judgments.take(used)


def _features(task: _Task, chosen: FeatureSet, judgments: Judgments) -> tuple[Features, str]:
    files = judged_files(task.workspace, judgments)
    computed = compute_set(task.workspace, chosen, files, on_progress=task.on_progress)
    if task.start is not None and computed.fingerprint != task.start.card["about"].get("fingerprint"):
        raise InputError(
            f"the model '{task.start.name}' was trained on other features of {', '.join(chosen.encoders)}: a network "
            "file was replaced, or the encoder has changed; train it again"
        )
    return computed.features, computed.fingerprint


def _train(
    task: _Task,
    judgments: Judgments,
    features: Features,
    chosen: FeatureSet,
    fingerprint: str,
    what: Mapping[str, Any],
    started: float,
) -> TrainedContexts:
    """Measure, fit and keep all models."""
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


def _fit_all(task: _Task, models: Mapping[str, ContextModel], judgments: Judgments, features: Features) -> None:
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
    task: _Task, one: TrainedContext, chosen: FeatureSet, fingerprint: str, what: Mapping[str, Any]
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

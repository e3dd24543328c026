"""Train context models, or a global one, on the workspace's judgments, measure them, and keep them under names."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.features import Features
from lookalike.core.names import is_name
from lookalike.core.progress import OnProgress, silent
from lookalike.core.workspace import Workspace
from lookalike.embedding.feature_sets import FeatureSet, compute_set
from lookalike.jobs.context_fit import fit_contexts
from lookalike.jobs.context_task import ContextTask, Mask, TrainedContexts
from lookalike.jobs.evaluate import chosen_judgments, judged_files
from lookalike.jobs.models import open_model
from lookalike.jobs.training import Folds, chosen_features, new_model_file
from lookalike.judgments.table import Judgments
from lookalike.reports.leaderboard import check_plot
from lookalike.similarity.context import ContextModel
from lookalike.similarity.contexts import COUNTS, discover_contexts
from lookalike.similarity.prepared import need_torch

__all__ = ["COUNTS", "ContextChoice", "train_contexts", "train_global"]


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
    return fit_contexts(task, judgments, features, chosen, fingerprint, {"source": choice.source}, started)


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
    return fit_contexts(task, judgments, features, chosen, fingerprint, {"source": source}, started)


def _task(
    workspace: Path,
    command: str,
    parameters: Mapping[str, Any] | None,
    measure: Folds | None,
    replace: bool,
    tensorboard: Path | None,
    plot: Path | None,
    on_progress: OnProgress,
) -> ContextTask:
    """Refuse before anything is encoded what would be refused after it."""
    if "start" in (parameters or {}):
        raise InputError("what to start from is given as --from MODEL, not as a parameter")
    model = ContextModel().set_params(**parameters or {})
    if plot is not None:
        check_plot(plot)
    need_torch()
    return ContextTask(Workspace(workspace), command, model, measure, replace, tensorboard, plot, on_progress)


def _start_from(task: ContextTask, name: str, encoders: Sequence[str], feature_set: str | None) -> None:
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


def _name_models(task: ContextTask, contexts: Mapping[str, Mask], prefix: str | None) -> None:
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


def _check_name(task: ContextTask, name: str) -> None:
    if task.start is not None and name == task.start.name:
        raise InputError(f"'{name}' is the model to start from: choose another name with --name")
    new_model_file(task.workspace, name, task.replace)


def _only(task: ContextTask, judgments: Judgments) -> Judgments:
    """Leave out the judgments that no model learns from."""
    used = np.any(list(task.learned.values()), axis=0)
    task.learned = {name: rows[used] for name, rows in task.learned.items()}
    return judgments.take(used)


def _features(task: ContextTask, chosen: FeatureSet, judgments: Judgments) -> tuple[Features, str]:
    files = judged_files(task.workspace, judgments)
    computed = compute_set(task.workspace, chosen, files, on_progress=task.on_progress)
    if task.start is not None and computed.fingerprint != task.start.card["about"].get("fingerprint"):
        raise InputError(
            f"the model '{task.start.name}' was trained on other features of {', '.join(chosen.encoders)}: a network "
            "file was replaced, or the encoder has changed; train it again"
        )
    return computed.features, computed.fingerprint

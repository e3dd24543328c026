"""Fine-tune a whole network on the workspace's judgments, measure it, and keep it as an encoder and a model.

Two files come out, with a card each: the network, its updates merged, as ONNX in ``encoders/``; and in ``models/`` a
model that takes its features as they are. Neither needs torch to be used.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.runs import record_run
from lookalike.core.types import Rows
from lookalike.core.workspace import Workspace
from lookalike.encoders.load import encoder_names
from lookalike.encoders.name import parse_name
from lookalike.jobs.compare import default_encoder
from lookalike.jobs.evaluate import chosen_judgments, judged_files
from lookalike.jobs.finetuned import FinetuneReport, fitted_temperature, images_of, keep, measured_on
from lookalike.jobs.models import model_file
from lookalike.jobs.networks import Outputs, check_trainable, checkpoints_of, trainable
from lookalike.judgments.splits import By
from lookalike.judgments.table import Judgments
from lookalike.reports.curves import draw_curves
from lookalike.similarity.heads import HEADS
from lookalike.similarity.held_out import HeldOut
from lookalike.similarity.prepared import need_torch
from lookalike.training.finetune_settings import FinetuneSettings, finetune_settings
from lookalike.training.logs import tensorboard_log
from lookalike.training.plan import Epoch, untold
from lookalike.training.questions import Finetuned, OnRankingEpoch, questions_of

if TYPE_CHECKING:
    from lookalike.encoders.network import NetworkEncoder
    from lookalike.training.finetuning import Finetuning

__all__ = ["Sides", "train_finetuned"]

IDLE = ("epochs", "patience", "checkpoint_minutes")
"""Settings that may change between a checkpoint and what goes on from it: no step depends on them."""


@dataclass(frozen=True, slots=True)
class Sides:
    """How judgments are held out; see `lookalike.judgments.splits.split`.

    Attributes
    ----------
    by : {"image", "reference", "group", "question"}
        What training, validation and test have not in common.
    folds : int
        One of so many folds is the test; training never sees it. 0 for no test: all judgments are learned from.
    seed : int
    """

    by: By = "image"
    folds: int = 5
    seed: int = 0


def train_finetuned(
    workspace: Path,
    name: str,
    encoder: str | None = None,
    weights: Path | None = None,
    source: str | None = None,
    context: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    sides: Sides | None = None,
    outputs: Outputs | None = None,
    device: str = "auto",
    resume: bool = False,
    replace: bool = False,
    on_progress: OnProgress = silent,
) -> FinetuneReport | None:
    """Fine-tune a network. Started by ``torchrun``, all its processes share the work.

    Checkpoints are written into ``checkpoints/NAME`` of the workspace, and deleted when the model is there.

    Parameters
    ----------
    workspace : Path
        The workspace folder; several processes must all see it.
    name : str
        Of the model.
    encoder : str, optional
        A network made with torch; by default the workspace's encoder.
    weights : Path, optional
        The file of its weights.
    source, context : str, optional
        Only judgments of one import, or of one context.
    parameters : mapping, optional
        Fields of `lookalike.training.finetune_settings.FinetuneSettings`.
    sides : Sides, optional
    outputs : Outputs, optional
    device : {"auto", "cpu", "cuda", "mps"}
    resume : bool
        Whether to go on from the last checkpoint, where there is one.
    replace : bool
        Whether a model of that name, or the checkpoints of another training, may give way.
    on_progress : callable

    Returns
    -------
    FinetuneReport or None
        None in all processes but the first.

    Raises
    ------
    InputError
        A parameter is unknown or out of range, a model or a checkpoint of that name is there, there are no such
        judgments, they cannot be split so, or no file is known for one of their images.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    started = time.perf_counter()
    held, sides, outputs = Workspace(workspace), sides or Sides(), outputs or Outputs()
    path, base = model_file(held, name), encoder or default_encoder(workspace)
    settings = _checked(name, base, parameters or {}, path.exists() and not replace, outputs)
    judgments = chosen_judgments(held, source, context)
    files = [*judged_files(held, judgments).values()]
    rows = _dealt(judgments, sides, settings)
    from lookalike.training.finetuning import Finetuning
    from lookalike.training.processes import joined_processes

    with joined_processes(device) as processes:
        network, head = trainable(base, weights, device), HEADS[settings.head]
        start = head.start(network.spec.dim, np.random.default_rng(settings.seed))
        questions = questions_of(judgments, rows.train, rows.validation)
        run = Finetuning(network, head.formula, start, files, questions, settings, processes)
        training, tell = _identity(network, settings, judgments, rows), on_progress if processes.first else silent
        checkpoints = checkpoints_of(held, name, training, resume, replace, processes)
        if processes.first and not checkpoints.exists():
            run.check_export()
        before = run.answers(rows.test, tell)
        with _told(outputs.tensorboard if processes.first else None) as told:
            done = run.train(checkpoints, told, tell)
        after = run.answers(rows.test, tell)
        if not processes.first:
            return None
        learned = judgments.take(np.union1d(rows.train, rows.validation))
        measured, by_head = None, None
        if before is not None and after is not None:
            measured, by_head = measured_on(judgments.take(rows.test), before, after, len(learned))
        report = FinetuneReport(
            name=name,
            path=path,
            encoder=f"onnx:{(held.path / 'encoders' / f'{name}.onnx').resolve()}",
            base=network.spec.name,
            examples=len(rows.train),
            validation=len(rows.validation),
            images=len(images_of(learned)),
            dim=network.spec.dim,
            trained=run.trained,
            settings=settings.as_dict(),
            measured=measured,
            head=by_head,
            history=done.history,
            kept=done.kept,
            seconds=time.perf_counter() - started,
        )
        temperature = _temperature(measured, done, judgments.take(rows.validation))
        _write_beside(run, report, temperature, outputs)
        keep(run, report, learned, temperature)
        record_run(held.runs_folder, "train-finetuned", {"name": name, "settings": report.settings}, report.about())
        checkpoints.remove()
    return report


def _checked(name: str, base: str, parameters: Mapping[str, Any], is_there: bool, outputs: Outputs) -> FinetuneSettings:
    """Refuse before anything is loaded what would be refused after it."""
    if name in encoder_names():
        raise InputError(f"'{name}' is the name of an encoder: choose another for the model")
    if is_there:
        raise InputError(f"there is a model '{name}': choose another name, or --replace it")
    outputs.check()
    check_trainable(base)
    need_torch()
    parsed = parse_name(base)
    return finetune_settings(parameters, f"{parsed.family}:{parsed.model}")


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Judgments to learn from, to choose the epoch by, and to measure on."""

    train: Rows
    validation: Rows
    test: Rows


def _dealt(judgments: Judgments, sides: Sides, settings: FinetuneSettings) -> _Rows:
    train, test = np.arange(len(judgments)), np.zeros(0, np.int64)
    validation = test
    if sides.folds:
        first = judgments.split(sides.by, sides.folds, sides.seed)[0]
        train, test = first.train_rows, first.test_rows
    if settings.validation:
        folds = max(2, round(1 / settings.validation))
        inner = judgments.take(train).split(sides.by, folds, sides.seed)[0]
        train, validation = train[inner.train_rows], train[inner.test_rows]
    return _Rows(train, validation, test)


def _identity(network: NetworkEncoder, settings: FinetuneSettings, judgments: Judgments, rows: _Rows) -> str:
    """Return a hash of all that decides the steps of a training."""
    chosen = {key: value for key, value in settings.as_dict().items() if key not in IDLE}
    digest = hashlib.sha256(repr((network.spec.fingerprint, chosen, judgments.ids.tolist())).encode())
    columns = (judgments.reference, judgments.candidate_a, judgments.candidate_b, judgments.votes_a, judgments.votes_b)
    for column in (*columns, judgments.grades_a, judgments.grades_b, rows.train, rows.validation):
        digest.update(b"" if column is None else np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


@contextmanager
def _told(tensorboard: Path | None) -> Iterator[OnRankingEpoch]:
    """Give what takes note of every pass."""
    with tensorboard_log(tensorboard) if tensorboard is not None else nullcontext(untold) as log:
        yield lambda done: log(Epoch(0, done.epoch, done.epochs, done.loss, done.validation_loss, done.scale))


def _temperature(measured: HeldOut | None, done: Finetuned, validation: Judgments) -> float | None:
    """Return the temperature of the distances: on the test side, or without one, on what chose the epoch."""
    if measured is not None:
        return measured.temperature
    return None if done.after is None else fitted_temperature(done.after, validation)


def _write_beside(run: Finetuning, report: FinetuneReport, temperature: float | None, outputs: Outputs) -> None:
    if outputs.weights is not None:
        run.save_weights(outputs.weights, temperature)
    if outputs.plot is not None:
        history = [{**epoch, "member": 0} for epoch in report.history]
        draw_curves(outputs.plot, history, f"{report.settings['depth']} fine-tuning on {report.examples:,} judgments")

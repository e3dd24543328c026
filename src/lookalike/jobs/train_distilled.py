"""Teach a small network what larger ones say of pictures, and keep it as an encoder that needs no torch."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.runs import record_run
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.encoders.load import load_random
from lookalike.jobs.distilled import DistillReport, keep_distilled
from lookalike.jobs.matching_pictures import MatchingPictures, matching_pictures, without_known
from lookalike.jobs.networks import Outputs, check_trainable, checkpoints_of, trainable
from lookalike.jobs.training import new_model_file
from lookalike.similarity.prepared import need_torch
from lookalike.training.distill_settings import DistillSettings, distill_settings
from lookalike.training.logs import tensorboard_log
from lookalike.training.plan import Epoch

if TYPE_CHECKING:
    from lookalike.encoders.network import NetworkEncoder
    from lookalike.training.distillation import DistillEpoch, Lessons, Marks
    from lookalike.training.questions import Trained
    from lookalike.training.student import Student, Upper

__all__ = ["STUDENT", "train_distilled"]

STUDENT = "plain:small[stages.1,stages.2,stages.3,top]"
"""Who learns, unless told otherwise; it needs no library but torch."""

FREE = {"epochs", "cooldown", "patience", "checkpoint_minutes"}
"""Parameters that may be others when a training goes on."""


def train_distilled(
    workspace: Path,
    photos: Path,
    name: str,
    teachers: Sequence[str],
    student: str = STUDENT,
    weights: Path | None = None,
    apart: Sequence[Path] = (),
    parameters: Mapping[str, Any] | None = None,
    outputs: Outputs | None = None,
    device: str = "auto",
    resume: bool = False,
    replace: bool = False,
    on_progress: OnProgress = silent,
    onward: Path | None = None,
) -> DistillReport | None:
    """Teach a student. Started by ``torchrun``, all its processes share the work.

    What teachers say is kept in the workspace, so that another training with the same views does not ask them again.
    Checkpoints, and the views as the student is shown them, are written into ``checkpoints/NAME`` of the workspace and
    deleted when the model is there.

    Parameters
    ----------
    workspace : Path
        The workspace folder; several processes must all see it.
    photos : Path
        A folder of pictures.
    name : str
        Of the model.
    teachers : sequence of str
        Encoders of any kind, ONNX files included.
    student : str
        A network made with torch, with the taps that its feature is made of.
    weights : Path, optional
        Where the student begins; without, with weights of chance.
    apart : sequence of Path
        Folders of pictures that it will be measured on: files with the same content are not learned from.
    parameters : mapping, optional
        Fields of `lookalike.training.distill_settings.DistillSettings`.
    outputs : Outputs, optional
    device : {"auto", "cpu", "cuda", "mps"}
        Where the student learns.
    resume : bool
        Whether to go on from the last checkpoint, where there is one.
    replace : bool
        Whether a model of that name, or the checkpoints of another training, may give way.
    on_progress : callable
    onward : Path, optional
        The ``.onnx`` file of a student that was taught before, whose global vector this one begins with; with the
        `weights` of the same.

    Returns
    -------
    DistillReport or None
        None in all processes but the first.

    Raises
    ------
    InputError
        A parameter is unknown or out of range, there is no teacher, a model or a checkpoint of that name is there, or
        the pictures are too few.
    UnknownNameError, EncoderError, StorageError
    """
    started = time.perf_counter()
    held, outputs = Workspace(workspace), outputs or Outputs()
    path = new_model_file(held, name, replace)
    settings = _checked(teachers, student, weights, parameters or {}, outputs, onward)
    asked = _known(teachers)
    from lookalike.jobs.distill_lessons import lessons_of
    from lookalike.training.distillation import distil
    from lookalike.training.onward import begin_with, fit_heads
    from lookalike.training.processes import joined_processes
    from lookalike.training.student import student_of

    with joined_processes(device) as processes:
        tell = on_progress if processes.first else silent
        found = matching_pictures(photos, None, tell)
        pictures, known = without_known(found, apart, tell)
        base = _student(student, weights, settings.seed, device)
        training = _identity(base, asked, settings, pictures, onward)
        checkpoints = checkpoints_of(held, name, training, resume, replace, processes)
        with processes.in_turn():  # the first asks, the others then read what was kept
            lessons, prepare = lessons_of(held, checkpoints.folder, base, [*asked], pictures, settings, tell)
        network = student_of(base, [one.shape[2] for one in lessons.said.values()], settings)
        if processes.first and not checkpoints.exists():
            _check_export(network, base)
        learner = network.upper if settings.learns == "summit" else network
        if onward is not None and not checkpoints.exists():
            begin_with(network, onward)
            fit_heads(learner, prepare, lessons)
        with _told(outputs.tensorboard if processes.first else None, settings) as told:
            done = distil(learner, prepare, lessons, settings, processes, checkpoints, told, tell)
        if not processes.first:
            return None
        report = DistillReport(
            name=name,
            path=path,
            encoder=f"onnx:{(held.path / 'encoders' / f'{name}.onnx').resolve()}",
            student=base.spec.name,
            teachers=tuple(lessons.said),
            taps=base.spec.dim,
            dim=settings.dim,
            settings=settings.as_dict(),
            rejected=pictures.rejected,
            copies=pictures.copies,
            known=known,
            **_came_to(learner, lessons, done),
            seconds=time.perf_counter() - started,
        )
        keep_distilled(network, base, report, pictures.ids, outputs)
        record_run(held.runs_folder, "train-distill", {"name": name, "settings": report.settings}, report.about())
        checkpoints.remove()
    return report


def _checked(
    teachers: Sequence[str],
    student: str,
    weights: Path | None,
    parameters: Mapping[str, Any],
    outputs: Outputs,
    onward: Path | None,
) -> DistillSettings:
    """Refuse before anything is loaded what would be refused after it."""
    if not teachers:
        raise InputError("a student needs teachers: name one encoder at least")
    if onward is not None and not onward.is_file():
        raise InputError(f"{onward}: no such file; give the .onnx file of a student that was taught before")
    outputs.check()
    check_trainable(student)
    need_torch()
    settings = distill_settings(parameters)
    if (onward is not None or settings.learns == "summit") and weights is None and "@" not in student:
        what = "learns=summit leaves the network as it is" if onward is None else "--onward goes on above a network"
        raise InputError(f"{what}: give its weights, which --save-weights wrote")
    return settings


def _known(teachers: Sequence[str]) -> dict[str, str]:
    """Return the teachers' fingerprints by their full names."""
    found: dict[str, str] = {}
    for name in teachers:
        spec = load_encoder(name).spec
        if spec.name in found:
            raise InputError(f"{spec.name} is a teacher twice")
        found[spec.name] = spec.fingerprint
    return found


def _student(name: str, weights: Path | None, seed: int, device: str) -> NetworkEncoder:
    """Return who learns: with weights, where there are any, else with weights of chance."""
    if weights is not None or "@" in name:
        return trainable(name, weights, device)
    from lookalike.encoders.network import NetworkEncoder

    fresh = load_random(name, seed, device)
    assert isinstance(fresh, NetworkEncoder)
    return fresh


def _identity(
    student: NetworkEncoder,
    teachers: Mapping[str, str],
    settings: DistillSettings,
    pictures: MatchingPictures,
    onward: Path | None,
) -> str:
    """Return a hash of all that decides the steps of a training, but for its end."""
    chosen = {key: value for key, value in settings.as_dict().items() if key not in FREE}
    prints = [student.spec.fingerprint, *teachers.values()]
    made_of: tuple[Any, ...] = (prints, chosen, settings.looks.as_json(), pictures.ids)
    if onward is not None:
        made_of = (*made_of, hashlib.sha256(onward.read_bytes()).hexdigest())
    return hashlib.sha256(repr(made_of).encode("utf-8", "surrogateescape")).hexdigest()


def _check_export(network: Student, base: NetworkEncoder) -> None:
    """Write the network to a folder that is thrown away: better to fail before hours of training than after."""
    from lookalike.encoders.export import export_module
    from lookalike.training.student import OUTPUTS
    from lookalike.training.student import Outputs as Both

    with tempfile.TemporaryDirectory() as folder:
        export_module(Both(network), OUTPUTS, base, Path(folder) / "network.onnx")


def _came_to(learner: Student | Upper, lessons: Lessons, done: Trained[Marks]) -> dict[str, Any]:
    """Return what a report says of the steps and their effect."""
    return {
        "pictures": len(lessons.train),
        "validation": len(lessons.validation),
        "trained": sum(value.numel() for value in learner.parameters() if value.requires_grad),
        "before": None if done.before is None else asdict(done.before),
        "after": None if done.after is None else asdict(done.after),
        "history": done.history,
        "kept": done.kept,
    }


@contextmanager
def _told(tensorboard: Path | None, settings: DistillSettings) -> Iterator[Callable[[DistillEpoch], None]]:
    """Give what takes note of every pass."""
    if tensorboard is None:
        yield lambda _: None
        return
    scale = 1 / settings.temperature
    with tensorboard_log(tensorboard) as log:
        yield lambda done: log(Epoch(0, done.epoch, done.epochs, done.loss, done.validation_loss, scale))

"""Train whole networks to match pictures of the same thing, measure what they find, and keep them as an encoder.

Two files come out, with a card each: what was trained, updates merged, as ONNX in ``encoders/``; and in ``models/`` a
model that takes its features as they are, or tells them by codes. Neither needs torch to be used.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.runs import record_run
from lookalike.core.types import Rows
from lookalike.core.workspace import Workspace
from lookalike.encoders.spec import EncoderSpec
from lookalike.images.folder import Rejected
from lookalike.jobs.compare import default_encoder
from lookalike.jobs.evaluate_pairs import guess_format
from lookalike.jobs.matching_codes import begun_codes, keep_quantizer, trained_codes
from lookalike.jobs.matching_pictures import MatchingPictures, matching_pictures
from lookalike.jobs.networks import Outputs, check_trainable, checkpoints_of, keep_model, trainable
from lookalike.jobs.training import new_model_file
from lookalike.judgments.readers import read_pairs
from lookalike.metrics.intervals import bootstrap_share
from lookalike.metrics.two_afc import Accuracy, paired_difference
from lookalike.reports.curves import draw_curves
from lookalike.similarity.held_out import HeldOut
from lookalike.similarity.prepared import need_torch
from lookalike.similarity.quantizer import QuantizerModel
from lookalike.training.logs import tensorboard_log
from lookalike.training.matching_settings import MatchingSettings, matching_settings
from lookalike.training.matching_things import MatchingEpoch, PicturedThings, dealt_things, pictured_things
from lookalike.training.plan import Epoch

if TYPE_CHECKING:
    from lookalike.training.checkpoints import Checkpoints
    from lookalike.training.matching import Matching
    from lookalike.training.matching_measures import Found

__all__ = ["MatcherReport", "train_matching_network"]


@dataclass(frozen=True, slots=True)
class MatcherReport:
    """A network that was trained to match.

    Attributes
    ----------
    name : str
    path : Path
        Of the model's file; the card is beside it.
    encoder : str
        What was trained as an encoder: ``onnx:PATH``.
    bases : tuple of str
        The encoders that it was made of.
    things, validation, tested : int
        Learned from, kept back to choose the epoch, and measured on.
    images : int
        Pictures of all of these.
    dim : int
        Length of a feature.
    trained : int
        How many numbers learned.
    settings : dict
        All parameters as they were used.
    measured : HeldOut or None
        Of the things measured on: how often a picture of the same thing is the closest of all pictures, or among the
        closest five; after training (where codes were learned: by codes), and by the features as they came. None
        without a test side.
    bits : float or None
        Of a code, where codes were learned.
    codes : HeldOut or None
        The same by codes after training, and by those that it began with: of the features as they came.
    history : list of dict
        Per pass: the fields of `lookalike.training.matching_things.MatchingEpoch`.
    kept : int
        The pass whose weights were kept; 0 where none was better than the beginning.
    copies : int
        Files left out because another has the same content.
    rejected : list of Rejected
        Files that cannot be read.
    seconds : float
    """

    name: str
    path: Path
    encoder: str
    bases: tuple[str, ...]
    things: int
    validation: int
    tested: int
    images: int
    dim: int
    trained: int
    settings: dict[str, Any]
    measured: HeldOut | None
    bits: float | None
    codes: HeldOut | None
    history: list[dict[str, Any]]
    kept: int
    copies: int
    rejected: list[Rejected]
    seconds: float

    def about(self) -> dict[str, Any]:
        """Return what stands on cards: where the network comes from, and what it came to."""
        return {
            "learned_from": "things",
            "examples": self.things + self.validation,
            "images": self.images,
            "fine_tuned": " + ".join(self.bases),
            "settings": self.settings,
            "kept": self.kept,
            "measured": None if self.measured is None else self.measured.as_dict(),
            **({} if self.bits is None else {"bits": self.bits}),
            **({} if self.codes is None else {"codes": self.codes.as_dict()}),
        }


def train_matching_network(
    workspace: Path,
    photos: Path,
    name: str,
    encoders: Sequence[str] = (),
    weights: Path | None = None,
    pairs: Path | None = None,
    pair_format: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    folds: int = 5,
    outputs: Outputs | None = None,
    device: str = "auto",
    resume: bool = False,
    replace: bool = False,
    on_progress: OnProgress = silent,
) -> MatcherReport | None:
    """Train networks to match. Started by ``torchrun``, all its processes share the work.

    Checkpoints are written into ``checkpoints/NAME`` of the workspace, and deleted when the model is there.

    Parameters
    ----------
    workspace : Path
        The workspace folder; several processes must all see it.
    photos : Path
        A folder of pictures.
    name : str
        Of the model.
    encoders : sequence of str
        Networks made with torch, whose features stand side by side; by default the workspace's encoder.
    weights : Path, optional
        The file of the weights, of one network.
    pairs : Path, optional
        Pairs of pictures of the same thing.
    pair_format : str, optional
        ``"tll"``, ``"folders"`` or ``"csv"``; guessed from the path without it.
    parameters : mapping, optional
        Fields of `lookalike.training.matching_settings.MatchingSettings`.
    folds : int
        One of so many parts of the things is measured on; training never sees it. 0 for none.
    outputs : Outputs, optional
    device : {"auto", "cpu", "cuda", "mps"}
    resume : bool
        Whether to go on from the last checkpoint, where there is one.
    replace : bool
        Whether a model of that name, or the checkpoints of another training, may give way.
    on_progress : callable

    Returns
    -------
    MatcherReport or None
        None in all processes but the first.

    Raises
    ------
    InputError
        A parameter is unknown or out of range, a model or a checkpoint of that name is there, or the pictures are too
        few.
    UnknownNameError, EncoderError, StorageError
    """
    started = time.perf_counter()
    held, outputs, bases = Workspace(workspace), outputs or Outputs(), [*encoders] or [default_encoder(workspace)]
    path = new_model_file(held, name, replace)
    settings = _checked(bases, weights, parameters or {}, outputs)
    from lookalike.training.matching import Matching
    from lookalike.training.processes import joined_processes

    with joined_processes(device) as processes:
        tell = on_progress if processes.first else silent
        pictures = _pictures(photos, pairs, pair_format, tell)
        things = dealt_things(pictured_things(pictures.things), folds, settings.validation, settings.seed)
        networks = [trainable(base, weights, device) for base in bases]
        run = Matching(networks, pictures.files, things, settings, processes)
        training = _identity([network.spec for network in networks], settings, pictures, things)
        checkpoints = checkpoints_of(held, name, training, resume, replace, processes)
        if processes.first and not checkpoints.exists():
            run.check_export()
        learned = _learned(things)
        done = _trained(run, settings, learned, checkpoints, outputs.tensorboard if processes.first else None, tell)
        if not processes.first:
            return None
        report = MatcherReport(
            name=name,
            path=path,
            encoder=f"onnx:{(held.path / 'encoders' / f'{name}.onnx').resolve()}",
            bases=tuple(network.spec.name for network in networks),
            things=len(things.train),
            validation=len(things.validation),
            tested=len(things.test),
            images=len(learned),
            dim=run.dim,
            trained=run.trained,
            settings=settings.as_dict(),
            measured=_measured(done.before, done.after, len(things.train) + len(things.validation)),
            bits=done.codes.bits_ if done.codes else None,
            codes=_measured(done.begun, done.after, len(things.train) + len(things.validation)),
            history=done.history,
            kept=done.kept,
            copies=pictures.copies,
            rejected=pictures.rejected,
            seconds=time.perf_counter() - started,
        )
        _keep(run, report, done.codes, sorted(pictures.ids[image] for image in learned), outputs)
        record_run(held.runs_folder, "train-matcher", {"name": name, "settings": report.settings}, report.about())
        checkpoints.remove()
    return report


def _checked(
    bases: Sequence[str], weights: Path | None, parameters: Mapping[str, Any], outputs: Outputs
) -> MatchingSettings:
    """Refuse before anything is loaded what would be refused after it."""
    outputs.check()
    for base in bases:
        check_trainable(base)
    if len(bases) > 1 and (weights is not None or outputs.weights is not None):
        raise InputError("one file of weights is for one network: of several, write NAME@FILE each")
    need_torch()
    return matching_settings(parameters, len(bases))


def _pictures(photos: Path, pairs: Path | None, pair_format: str | None, tell: OnProgress) -> MatchingPictures:
    if pairs is None:
        return matching_pictures(photos, None, tell)
    return matching_pictures(photos, read_pairs(pair_format or guess_format(pairs), pairs, images=photos), tell)


def _identity(
    networks: Sequence[EncoderSpec], settings: MatchingSettings, pictures: MatchingPictures, things: PicturedThings
) -> str:
    """Return a hash of all that decides the steps of a training."""
    idle = {"patience", "checkpoint_minutes"}
    if settings.schedule != "cosine" and not settings.warmup and settings.loss != "curriculum":
        idle.add("epochs")  # no step depends on how many are to come
    chosen = {key: value for key, value in settings.as_dict().items() if key not in idle}
    prints = [network.fingerprint for network in networks]
    digest = hashlib.sha256(repr((prints, chosen, settings.views.as_json(), pictures.ids)).encode())
    for column in (pictures.things, things.train, things.validation):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


@contextmanager
def _told(tensorboard: Path | None, settings: MatchingSettings) -> Iterator[Callable[[MatchingEpoch], None]]:
    """Give what takes note of every pass."""
    if tensorboard is None:
        yield lambda _: None
        return
    scale = 1 / settings.temperature
    with tensorboard_log(tensorboard) as log:
        yield lambda done: log(Epoch(0, done.epoch, done.epochs, done.loss, done.validation_loss, scale))


@dataclass(frozen=True, slots=True, eq=False)
class _Done:
    """A training: its passes, and what was found by the features as they came, by codes of them, and in the end."""

    history: list[dict[str, Any]]
    kept: int
    codes: QuantizerModel | None
    before: Found | None
    begun: Found | None
    after: Found | None


def _trained(
    run: Matching,
    settings: MatchingSettings,
    images: Rows,
    checkpoints: Checkpoints,
    tensorboard: Path | None,
    tell: OnProgress,
) -> _Done:
    """Train, and look for what was held out before it and after it."""
    before = run.found(plain=True, on_progress=tell)
    codes = begun_codes(run, run.codes, settings, images, tell) if run.codes else None
    begun = run.found(on_progress=tell) if codes else None
    with _told(tensorboard, settings) as told:
        done = run.train(checkpoints, told, tell)
    if codes and run.codes:
        codes = trained_codes(codes, run.codes, settings.epochs)
    return _Done(done.history, done.kept, codes, before, begun, run.found(on_progress=tell))


def _measured(before: Found | None, after: Found | None, train: int) -> HeldOut | None:
    """Lay out what was found, after training and before, with intervals over the things."""
    if before is None or after is None:
        return None
    ours = {"recall@1": after.first, "recall@5": after.fifth}
    plain = {"recall@1": before.first, "recall@5": before.fifth}
    count = len(after.first)
    gain = paired_difference(after.first, before.first, np.ones(count))
    of_model, of_plain = ({name: _share(hits) for name, hits in columns.items()} for columns in (ours, plain))
    return HeldOut(of_model, of_plain, gain, 1, count, count, train)


def _share(hits: NDArray[np.float64]) -> Accuracy:
    found = bootstrap_share(hits, np.ones(len(hits)))
    return Accuracy(found.value, found.low, found.high, found.n)


def _learned(things: PicturedThings) -> Rows:
    """Return the pictures that it learns from, or chooses the epoch by."""
    numbers = np.concatenate([things.train, things.validation])
    return np.sort(np.concatenate([things.members[number] for number in numbers]))


def _keep(
    run: Matching, report: MatcherReport, codes: QuantizerModel | None, learned: list[str], outputs: Outputs
) -> None:
    """Write the encoder, then the model that takes its features, and what was asked for beside."""
    about = report.about()
    source = f"{about['fine_tuned']}, trained to match ({report.settings['loss']}) on {report.things:,} things"
    run.export(Path(report.encoder.removeprefix("onnx:")), {"source": source, **about})
    if codes is None:
        keep_model(report.name, report.path, report.encoder, report.dim, about, learned)
    else:
        keep_quantizer(codes, report.name, report.path, report.encoder, about, learned)
    if outputs.weights is not None:
        run.save_weights(outputs.weights)
    if outputs.plot is not None:
        history = [{**epoch, "member": 0} for epoch in report.history]
        draw_curves(outputs.plot, history, f"{report.settings['loss']} on {report.things:,} things")

"""What all training jobs share: which features, under which name, measured how, and who is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Lock

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, Progress
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_sets import FeatureSet, read
from lookalike.encoders.load import encoder_names
from lookalike.jobs.compare import default_encoder
from lookalike.jobs.models import model_file
from lookalike.judgments.splits import By
from lookalike.training.plan import Epoch, OnEpoch, untold

__all__ = ["Folds", "chosen_features", "new_model_file", "tell_epochs"]


@dataclass(frozen=True, slots=True)
class Folds:
    """How judgments are held out.

    Attributes
    ----------
    by, folds
        As in `lookalike.judgments.splits.split`.
    seed : int
        Of the dealing.
    """

    by: By = "image"
    folds: int = 5
    seed: int = 0


def new_model_file(workspace: Workspace, name: str, replace: bool) -> Path:
    """Return where a model of that name is to be kept.

    Raises
    ------
    InputError
        It is the name of an encoder, a model has it and may not give way, or nothing can have it.
    """
    path = model_file(workspace, name)
    if name in encoder_names():
        raise InputError(f"'{name}' is the name of an encoder: choose another for the model")
    if path.exists() and not replace:
        raise InputError(f"there is a model '{name}': choose another name, or --replace it")
    return path


def chosen_features(workspace: Workspace, encoders: Sequence[str], feature_set: str | None) -> FeatureSet:
    """Return the set by that name, or one of the encoders without a name; by default the workspace's encoder.

    Raises
    ------
    InputError
        Both are given, or there is no such set.
    UnknownNameError, EncoderError
    """
    if feature_set is not None:
        if encoders:
            raise InputError("give encoders or a feature set, not both")
        return read(workspace, feature_set)
    wanted = encoders or [default_encoder(workspace.place)]
    return FeatureSet("", tuple(load_encoder(encoder).name for encoder in wanted))


def tell_epochs(stage: str, total: int, on_progress: OnProgress, log: OnEpoch = untold) -> OnEpoch:
    """Return what takes note of every pass of models that are trained side by side, `total` in all."""
    done, lock = count(1), Lock()

    def told(epoch: Epoch) -> None:
        with lock:
            log(epoch)
            on_progress(Progress(stage, next(done), total))

    return told

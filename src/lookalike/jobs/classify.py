"""Name what photographs show by a trained classifier, or say that it is none of its classes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.workspace import Workspace
from lookalike.images.folder import Rejected, scan
from lookalike.jobs.models import model_features, open_model
from lookalike.similarity.classifier import ClassifierModel

__all__ = ["ClassifyReport", "Named", "classify"]


@dataclass(frozen=True, slots=True)
class Named:
    """What one photograph shows.

    Attributes
    ----------
    image : str
        Its path in the folder, or its name.
    label : str or None
        Of the class; None for none of these.
    probability : float
        That the best class, named or not, is right.
    """

    image: str
    label: str | None
    probability: float


@dataclass(frozen=True, slots=True)
class ClassifyReport:
    """What photographs show.

    Attributes
    ----------
    model : str
    results : list of Named
        In the order of the paths.
    rejected : list of Rejected
    seconds : float
    """

    model: str
    results: list[Named]
    rejected: list[Rejected]
    seconds: float


def classify(workspace: Path, photos: Path, model: str, on_progress: OnProgress = silent) -> ClassifyReport:
    """Name what photographs show.

    Parameters
    ----------
    workspace : Path
        Holds the model, and keeps the features.
    photos : Path
        A folder, read with all its folders, or one file.
    model : str
        A classifier of the workspace by name, or the path of its file.
    on_progress : callable

    Raises
    ------
    InputError
        There are no photographs, the model is no classifier, or its encoders give other features than before.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    started, held = time.perf_counter(), Workspace(workspace)
    named = open_model(held, model)
    if not isinstance(named.model, ClassifierModel):
        raise InputError(f"'{model}' is no classifier: train one with `lookalike train classifier`")
    rejected: list[Rejected] = []
    if photos.is_file():
        files = {photos.name: photos}
    else:
        found = scan(photos)
        files, rejected = {entry.path: photos / entry.path for entry in found.files}, list(found.rejected)
    if not files:
        raise InputError(f"{photos} has no images")
    features = model_features(held, named, files, on_progress, rejected)
    labels, probability = named.model.predict(features)
    results = [
        Named(image, label or None, sure)
        for image, label, sure in zip(features.ids.tolist(), labels.tolist(), probability.tolist(), strict=True)
    ]
    return ClassifyReport(named.name, results, rejected, time.perf_counter() - started)

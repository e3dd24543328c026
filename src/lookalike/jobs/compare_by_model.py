"""Say which of two pictures is closer to a reference, by a trained model or an ensemble."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lookalike.core.features import Features
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_sets import encode_set
from lookalike.ensembles.base import Ensemble
from lookalike.jobs.compare import Comparison
from lookalike.jobs.models import NamedModel, open_model, temperature_of
from lookalike.judgments.table import Judgments
from lookalike.metrics.calibration import logistic

__all__ = ["compare_by_model", "compare_features", "probability_a"]


def compare_by_model(reference: Path, a: Path, b: Path, model: str, workspace: Path) -> Comparison:
    """Compare two pictures with a reference.

    Parameters
    ----------
    reference, a, b : Path
    model : str
        A name, or the path of a model's file.
    workspace : Path
        Where the model is kept.

    Returns
    -------
    Comparison
        The probability is calibrated on answers that were held out, where the model has been measured on judgments.

    Raises
    ------
    ImageDecodeError, InputError, UnknownNameError, EncoderError
    """
    named = open_model(Workspace(workspace), model)
    encoders = [load_encoder(name) for name in named.features.encoders]
    return compare_features(named, Features(np.array(["reference", "a", "b"]), encode_set(encoders, [reference, a, b])))


def compare_features(named: NamedModel, features: Features) -> Comparison:
    """Compare by the features, as the model takes them, of pictures with the ids ``reference``, ``a`` and ``b``.

    Raises
    ------
    InputError
        The model takes other features.
    """
    question = Judgments.from_ids(["reference"], ["a"], ["b"], [1], [0])
    distance_a, distance_b = (float(side[0]) for side in named.model.distances(question, features))
    return Comparison(
        closer="a" if distance_a <= distance_b else "b",
        probability_a=probability_a(named, distance_a, distance_b),
        distance_a=distance_a,
        distance_b=distance_b,
    )


def probability_a(named: NamedModel, distance_a: float, distance_b: float) -> float:
    """Return how sure a model is that a is closer."""
    if isinstance(named.model, Ensemble):
        return float(named.model.probability([distance_a], [distance_b])[0])
    return float(logistic(np.float64(distance_a - distance_b), temperature_of(named)))

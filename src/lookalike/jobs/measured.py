"""What encoders, models and ensembles say about judgments: as they are, or fitted anew without the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.features import Features
from lookalike.core.progress import OnProgress
from lookalike.core.types import Vectors
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_cache import unit_features
from lookalike.ensembles.base import Ensemble
from lookalike.ensembles.held_out import held_out_answers
from lookalike.ensembles.kinds import ENSEMBLES
from lookalike.ensembles.members import member_distances
from lookalike.ensembles.weighted import WeightedEnsemble
from lookalike.jobs.leaderboard import Both
from lookalike.jobs.members import Members
from lookalike.jobs.models import NamedModel, model_features, open_model, plain_name, temperature_of
from lookalike.judgments.splits import By
from lookalike.judgments.table import Judgments
from lookalike.metrics.calibration import logistic
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.model import SimilarityModel

__all__ = ["ENCODER", "Measured", "Trust", "anew", "as_they_are", "share_seen"]

ENCODER = "encoder"
"""The kind of what was fitted on nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Trust:
    """Whom an ensemble trusts near the reference of each judgment.

    Attributes
    ----------
    members : tuple of str
    weights : float32 (n, K)
    """

    members: tuple[str, ...]
    weights: Vectors


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was said about n judgments, by name.

    Attributes
    ----------
    judgments : Judgments
    distances : dict of str to (float (n,), float (n,))
        Of a and of b to the reference.
    probability : dict of str to float64 (n,)
        That a is closer.
    kinds : dict of str to str
        What each is, for people: ``"encoder"``, ``"context model"``, ``"ensemble: gate"``.
    seen : dict of str to float
        Share of the judgments with an image that it was fitted on.
    trust : dict of str to Trust
        Of ensembles that weigh their members.
    """

    judgments: Judgments
    distances: dict[str, Both] = field(default_factory=dict)
    probability: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    trust: dict[str, Trust] = field(default_factory=dict)

    def add(self, name: str, kind: str, both: Both, probability: NDArray[np.float64], seen: float = 0.0) -> None:
        """Take down what one of them said."""
        self.distances[name], self.probability[name] = both, probability
        self.kinds[name], self.seen[name] = kind, seen


def as_they_are(
    workspace: Workspace,
    judgments: Judgments,
    images: Mapping[str, Path],
    encoders: Sequence[str],
    models: Sequence[str],
    on_progress: OnProgress,
) -> Measured:
    """Ask encoders, and models and ensembles of a workspace, each beside the features it takes.

    Raises
    ------
    InputError, ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    measured = Measured(judgments)
    for name in encoders:
        encoder = load_encoder(name)
        features = unit_features(workspace, encoder, images, on_progress)
        _add_plain(measured, encoder.name, features, encoder.spec.temperature)
    for name in models:
        named = open_model(workspace, name)
        features = model_features(workspace, named, images, on_progress)
        if plain_name(named) not in measured.distances:
            first = load_encoder(named.features.encoders[0])
            _add_plain(measured, plain_name(named), features, first.spec.temperature)
        _add_model(measured, named, features)
    return measured


def _add_plain(measured: Measured, name: str, features: Features, temperature: float) -> None:
    a, b = IdentityModel().fit(measured.judgments, features).distances(measured.judgments, features)
    measured.add(name, ENCODER, (a, b), logistic(a - b, temperature))


def _add_model(measured: Measured, named: NamedModel, features: Features) -> None:
    judgments, model = measured.judgments, named.model
    a, b = model.distances(judgments, features)
    seen = share_seen(model, judgments)
    if not isinstance(model, Ensemble):
        measured.add(named.name, _kind(model), (a, b), logistic(a - b, temperature_of(named)), seen)
        return
    measured.add(named.name, _kind(model), (a, b), model.probability(a, b), seen)
    if isinstance(model, WeightedEnsemble):
        weights = model.weights(features.vectors[features.rows(judgments.ids[judgments.reference])])
        measured.trust[named.name] = Trust(tuple(named.card["about"]["members"]), weights)


def anew(
    members: Members,
    plain: Members,
    models: Mapping[str, SimilarityModel],
    trained_on: Mapping[str, NDArray[np.bool_]],
    judgments: Judgments,
    by: By,
    folds: int,
    seed: int,
    on_progress: OnProgress,
) -> Measured:
    """Fit models and every kind of ensemble of them on the training side of each fold, and ask about the other.

    Parameters
    ----------
    members : Members
        Whose features the models take.
    plain : Members
        Encoders that are measured beside them.
    models : mapping of str to SimilarityModel
        As for `lookalike.ensembles.held_out.held_out_answers`, with `trained_on`.
    judgments : Judgments
    by, folds, seed
        As in `lookalike.judgments.splits.split`.
    on_progress : callable

    Raises
    ------
    InputError
        The judgments cannot be split so.
    """
    makers: dict[str, Callable[[Sequence[SimilarityModel]], Ensemble]] = {kind: ENSEMBLES[kind] for kind in ENSEMBLES}
    held = held_out_answers(models, makers, judgments, members.features, trained_on, by, folds, seed, on_progress)
    measured = Measured(judgments.take(held.rows))
    found = member_distances(plain.models, measured.judgments, plain.features)
    for name, a, b in zip(plain.names, *found, strict=True):
        measured.add(name, ENCODER, (a, b), logistic(a - b, load_encoder(name).spec.temperature))
    for name, (a, b) in held.distances.items():
        kind = _kind(models[name]) if name in models else f"ensemble: {name}"
        measured.add(name, kind, (a, b), held.probability[name])
    for name, weights in held.weights.items():
        measured.trust[name] = Trust(tuple(models), weights)
    return measured


def share_seen(model: SimilarityModel | Ensemble, judgments: Judgments) -> float:
    """Return the share of judgments with an image that a model was fitted on."""
    known = model.has_seen(judgments.ids)
    columns = judgments.reference, judgments.candidate_a, judgments.candidate_b
    return float(np.mean(np.any([known[column] for column in columns], axis=0)))


def _kind(model: Any) -> str:
    """Say what a model is."""
    if isinstance(model, Ensemble):
        return f"ensemble: {next(kind for kind in ENSEMBLES if ENSEMBLES[kind] is type(model))}"
    inner = getattr(model, "model_", model)
    name = type(inner).__name__.removesuffix("Model").lower()
    return ENCODER if name == "identity" else f"{name} model"

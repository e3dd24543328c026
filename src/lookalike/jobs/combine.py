"""Combine models into an ensemble that knows which to trust near which picture, measure it, and keep it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.progress import OnProgress, silent
from lookalike.core.runs import record_run
from lookalike.core.types import Distances
from lookalike.core.workspace import Workspace
from lookalike.ensembles.base import Ensemble
from lookalike.ensembles.crossfit import out_of_fold
from lookalike.ensembles.division import inner_division
from lookalike.ensembles.held_out import Combine, HeldOutAnswers, held_out_answers
from lookalike.ensembles.kinds import ENSEMBLES
from lookalike.ensembles.saving import save_ensemble
from lookalike.ensembles.weighted import WeightedEnsemble
from lookalike.jobs.evaluate import chosen_judgments, judged_files
from lookalike.jobs.leaderboard import Evaluation, leaderboard
from lookalike.jobs.members import Members, gather_members, not_told
from lookalike.jobs.models import list_models, model_file
from lookalike.jobs.training import Folds, new_model_file
from lookalike.judgments.table import Judgments
from lookalike.metrics.probabilities import expected_calibration_error

__all__ = ["Combined", "all_models", "combine"]


@dataclass(frozen=True, slots=True)
class Combined:
    """An ensemble, fitted and kept.

    Attributes
    ----------
    name : str
    path : Path
        Of the file; the card is beside it.
    kind : {"vote", "grid", "mlp", "gate"}
    members : dict of str to float
        The models, and the mean weight that each has over the references; their share of the votes for ``"vote"``.
    judgments, references : int
        What it was fitted on.
    measured : Evaluation or None
        The ensemble and its members on answers held out, each fitted without them; None where that was not asked for.
    calibration_error : float or None
        Of its probabilities on the answers held out (expected calibration error, 15 bins).
    seconds : float
    """

    name: str
    path: Path
    kind: str
    members: dict[str, float]
    judgments: int
    references: int
    measured: Evaluation | None
    calibration_error: float | None
    seconds: float


def combine(
    workspace: Path,
    kinds: Mapping[str, str],
    members: Sequence[str] = (),
    source: str | None = None,
    context: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    folds: Folds | None = None,
    measure: bool = True,
    replace: bool = False,
    on_progress: OnProgress = silent,
) -> list[Combined]:
    """Fit ensembles of models and encoders on the judgments of a workspace, and keep them under names.

    Members that were fitted on these judgments are judged by copies that were not: they are fitted again fold by fold.

    Parameters
    ----------
    workspace : Path
        The workspace folder: holds models, judgments and features.
    kinds : mapping of str to {"vote", "grid", "mlp", "gate"}
        What to make, by the name it gets.
    members : sequence of str
        Models by name or file, and encoders; without any, all models of the workspace that are no ensembles.
    source, context : str, optional
        Only judgments of one import, or of one context.
    parameters : mapping, optional
        Parameters of the ensembles.
    folds : Folds, optional
        How to hold answers out, for members that were fitted on them and for measuring.
    measure : bool
        Whether to measure them.
    replace : bool
        Whether models of these names may give way.
    on_progress : callable

    Raises
    ------
    InputError
        A parameter is unknown or out of range, a model of that name is there, or a member cannot stand with the others.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    started, folds = time.perf_counter(), folds or Folds()
    held = Workspace(workspace)
    for name in kinds:
        new_model_file(held, name, replace)
    makers = {name: _maker(kind, parameters or {}) for name, kind in kinds.items()}
    judgments = chosen_judgments(held, source, context)
    images = judged_files(held, judgments)
    gathered = gather_members(held, members or all_models(workspace), images, on_progress)
    judgments = not_told(gathered, judgments)
    for build in makers.values():
        build(gathered.models)  # an unknown parameter is refused before anything is fitted
    found = _held_out(gathered, makers, judgments, folds, on_progress) if measure else None
    distances = _out_of_fold(gathered, judgments, folds, on_progress)
    made = []
    for name, build in makers.items():
        ensemble = build(gathered.models).fit(judgments, gathered.features, distances)
        report = Combined(
            name=name,
            path=model_file(held, name),
            kind=kinds[name],
            members=_weights(ensemble, gathered, judgments),
            judgments=len(judgments),
            references=len(judgments.references),
            measured=None if found is None else _leaderboard(found, judgments, gathered.names, name),
            calibration_error=None if found is None else _calibration_error(found, judgments, name),
            seconds=time.perf_counter() - started,
        )
        about = _about(report, gathered, source, context, folds)
        save_ensemble(ensemble, report.path, about)
        record_run(held.runs_folder, "combine", {"name": name, "parameters": dict(parameters or {})}, about)
        made.append(report)
    return made


def _maker(kind: str, parameters: Mapping[str, Any]) -> Combine:
    made = ENSEMBLES[kind]
    return lambda models: made(models).set_params(**parameters)


def all_models(workspace: Path) -> list[str]:
    """Return the names of the models of a workspace that are no ensembles.

    Raises
    ------
    InputError
        There are none.

    Examples
    --------
    >>> all_models(Path("nowhere"))
    Traceback (most recent call last):
    lookalike.core.errors.InputError: nowhere has no models to combine: run `lookalike train context` first
    """
    found = [name for name, card in list_models(workspace).items() if "members" not in card]
    if not found:
        raise InputError(f"{workspace} has no models to combine: run `lookalike train context` first")
    return found


def _trained_on(members: Members, judgments: Judgments) -> dict[str, Any]:
    return {name: model.was_asked(judgments) for name, model in zip(members.names, members.models, strict=True)}


def _held_out(
    members: Members, makers: Mapping[str, Combine], judgments: Judgments, folds: Folds, on_progress: OnProgress
) -> HeldOutAnswers:
    """Let members and ensembles judge answers that none of them was fitted on."""
    return held_out_answers(
        dict(zip(members.names, members.models, strict=True)),
        makers,
        judgments,
        members.features,
        _trained_on(members, judgments),
        folds.by,
        folds.folds,
        folds.seed,
        on_progress,
    )


def _out_of_fold(members: Members, judgments: Judgments, folds: Folds, on_progress: OnProgress) -> Distances:
    """Return what each member says about all judgments without having been told."""
    return out_of_fold(
        members.models,
        judgments,
        members.features,
        np.stack(list(_trained_on(members, judgments).values())),
        folds=folds.folds,
        by=inner_division(folds.by),
        seed=folds.seed,
        on_progress=on_progress,
    )


def _leaderboard(found: HeldOutAnswers, judgments: Judgments, members: Sequence[str], name: str) -> Evaluation:
    """Rank an ensemble and its members on what was held out."""
    both = {one: (found.distances[one][0], found.distances[one][1]) for one in (*members, name)}
    return leaderboard(judgments.take(found.rows), both)


def _calibration_error(found: HeldOutAnswers, judgments: Judgments, name: str) -> float:
    tested = judgments.take(found.rows)
    return expected_calibration_error(found.probability[name], tested.votes_a, tested.votes_b)


def _weights(ensemble: Ensemble, members: Members, judgments: Judgments) -> dict[str, float]:
    """Return how much each member counts, on average over the references."""
    if not isinstance(ensemble, WeightedEnsemble):
        return dict.fromkeys(members.names, 1 / len(members.names))
    known: Features = members.features
    references = judgments.ids[np.unique(judgments.reference)]
    mean = ensemble.weights(known.vectors[known.rows(references)]).mean(axis=0)
    return dict(zip(members.names, mean.tolist(), strict=True))


def _about(report: Combined, members: Members, source: str | None, context: str | None, folds: Folds) -> dict[str, Any]:
    """Return what stands on the card: where the ensemble comes from, and what it came to."""
    about: dict[str, Any] = {
        "learned_from": "judgments",
        "examples": report.judgments,
        "images": len(members.features),
        "what": {"source": source, "context": context},
        "encoders": list(members.encoders),
        "fingerprint": members.fingerprint,
        "members": report.members,
        "measured": None,
    }
    if report.measured is not None:
        rows = {row.model: asdict(row.accuracy) for row in report.measured.rows}
        about["measured"] = {
            "how": {"by": folds.by, "folds": folds.folds, "seed": folds.seed},
            "model": {"votes": rows.pop(report.name)},
            "members": rows,
            "calibration_error": report.calibration_error,
        }
    return about

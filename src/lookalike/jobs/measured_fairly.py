"""Models of a workspace on answers that none of them was fitted on: as they are, or fitted anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookalike.core.progress import OnProgress
from lookalike.core.workspace import Workspace
from lookalike.jobs.measured import Measured, anew, as_they_are
from lookalike.jobs.members import Members, gather_members, not_told
from lookalike.jobs.models import list_models
from lookalike.jobs.training import Folds
from lookalike.judgments.table import Judgments
from lookalike.metrics.two_afc import row_agreement

__all__ = ["agreement_by_reference", "measured_fairly"]


def measured_fairly(
    workspace: Workspace,
    encoders: Sequence[str],
    models: Sequence[str],
    judgments: Judgments,
    images: Mapping[str, Path],
    folds: Folds,
    on_progress: OnProgress,
) -> tuple[Measured, Members | None, str]:
    """Hold models, ensembles and encoders against judgments.

    Where none of the models was fitted on these judgments, they and the ensembles are measured as they are. Where one
    was, all of them are fitted anew on the training side of each fold, with every kind of ensemble of them, and
    measured on the other side.

    Parameters
    ----------
    workspace : Workspace
    encoders : sequence of str
        Which to hold beside the models, as they are; without any, those whose features the models take.
    models : sequence of str
        Models and ensembles, by name.
    judgments : Judgments
    images : mapping of str to Path
        The files of their images.
    folds : Folds
        How to hold answers out.
    on_progress : callable

    Returns
    -------
    measured : Measured
    members : Members or None
        The models that are no ensembles; None where there are none.
    how : str
        How it was measured, for people.

    Raises
    ------
    InputError, ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    cards = list_models(workspace.path)
    single = [name for name in models if "members" not in cards.get(name, {})]
    members = gather_members(workspace, single, images, on_progress) if single else None
    if members is None or not any(model.was_asked(judgments).any() for model in members.models):
        measured = as_they_are(workspace, judgments, images, encoders, models, on_progress)
        return measured, members, "models as they are, on answers that none of them was fitted on"
    plain = gather_members(workspace, encoders or members.encoders, images, on_progress)
    measured = _anew(members, plain, not_told(members, judgments), folds, on_progress)
    return measured, members, f"{folds.folds} folds by {folds.by}, everything fitted anew on each training side"


def agreement_by_reference(measured: Measured, models: Sequence[str]) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    """Return the references, sorted, and the share of votes about each that every model agrees with.

    Returns
    -------
    references : str (R,)
    agreement : float64 (models, R)
        In [0, 1].
    """
    judgments = measured.judgments
    codes, reference = np.unique(judgments.reference, return_inverse=True)
    found = []
    for name in models:
        agreeing, total = row_agreement(*measured.distances[name], judgments.votes_a, judgments.votes_b)
        found.append(np.bincount(reference, agreeing) / np.bincount(reference, total))
    return judgments.ids[codes], np.stack(found)


def _anew(members: Members, plain: Members, judgments: Judgments, folds: Folds, on_progress: OnProgress) -> Measured:
    models = dict(zip(members.names, members.models, strict=True))
    trained_on = {name: model.was_asked(judgments) for name, model in models.items()}
    return anew(members, plain, models, trained_on, judgments, folds.by, folds.folds, folds.seed, on_progress)

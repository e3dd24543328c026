"""What models say about judgments that they were fitted on, had they not been: so that none is trusted too much."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.lanes import cores, in_lanes
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Distances
from lookalike.ensembles.division import divide
from lookalike.ensembles.folds import in_order
from lookalike.ensembles.members import member_distances
from lookalike.ensembles.refits import Refits, start_of
from lookalike.judgments.splits import By
from lookalike.judgments.table import Judgments
from lookalike.similarity.model import SimilarityModel

__all__ = ["out_of_fold", "refitted"]

Mask = NDArray[np.bool_]


def out_of_fold(
    models: Sequence[SimilarityModel],
    judgments: Judgments,
    features: Features,
    trained_on: ArrayLike,
    folds: int = 5,
    by: By = "reference",
    seed: int = 0,
    on_progress: OnProgress = silent,
) -> Distances:
    """Return the distances of the references to their candidates by models that have not met the judgment.

    A model that was fitted on none of the judgments is used as it is. Of one that was, a fresh copy is fitted per fold,
    on those of its judgments that may be learned from before that fold is judged, and judges all of the fold: no
    distance comes from a model that was fitted on that judgment, and none from one that was fitted on its reference if
    that can be avoided; see `lookalike.ensembles.division.divide`, also for what the folds of ``by="image"`` are.

    What a model starts from (its parameter ``start``) has met the judgments too: it is fitted again on every side, on
    the judgments there that it was asked. Where nothing of a model's own is left to learn from, what it would have
    started from stands for it.

    Parameters
    ----------
    models : sequence of SimilarityModel, K
        Those that were fitted on none of the judgments must be fitted; of the others only the parameters count.
    judgments : Judgments, n
    features : Features
        Of all their images, at least.
    trained_on : bool (K, n)
        The judgments that each model was fitted on; see `SimilarityModel.was_asked`.
    folds : int
        At least 2.
    by : {"image", "reference", "group", "question"}
    seed : int
    on_progress : callable
        Told after every copy that is fitted.

    Returns
    -------
    float32 (2, K, n)
        To candidates a, then b.

    Raises
    ------
    NotFittedError
    InputError
        The arguments do not fit together, or a copy cannot be fitted.

    Examples
    --------
    >>> from lookalike import IdentityModel
    >>> asked = Judgments.from_ids(["r", "q"], ["x", "y"], ["y", "z"], [1, 0], [0, 1])
    >>> features = Features(["q", "r", "x", "y", "z"], np.eye(5) + 0.1)
    >>> model = IdentityModel().fit(asked, features)
    >>> found = out_of_fold([model], asked, features, [[True, True]], folds=2, by="reference")
    >>> bool((found[:, 0] == model.distances(asked, features)).all())
    True
    """
    own = _checked(models, judgments, trained_on)
    learned = np.stack([mine | _started_on(model, judgments) for model, mine in zip(models, own, strict=True)])
    again = np.flatnonzero(learned.any(axis=1)).tolist()
    asis = [number for number in range(len(models)) if number not in again]
    found = np.empty((2, len(models), len(judgments)), np.float32)
    if asis:
        found[:, asis] = member_distances([models[number] for number in asis], judgments, features)
    if not again:
        return found
    keep = np.where(own.any(axis=1, keepdims=True), own, learned)[again]
    division, refits = divide(judgments, keep, by, folds, seed), Refits(judgments, features)

    def work(job: tuple[int, int]) -> None:
        number, fold = job
        model = refits.again(models[number], own[number], division.side(fold), fold)
        rows = np.flatnonzero(division.fold == fold)
        found[:, number, rows] = member_distances([model], judgments.take(rows), features)[:, 0]

    # One fold after the other: so lanes rarely wait for each other to fit what models have in common.
    jobs = [(number, fold) for number in again for fold in division.folds]
    for done, _ in enumerate(in_lanes(work, jobs, min(len(jobs), cores())), 1):
        on_progress(Progress("fitting models without what they judge", done, len(jobs)))
    return found


def refitted(
    models: Sequence[SimilarityModel],
    judgments: Judgments,
    features: Features,
    trained_on: ArrayLike,
    side: ArrayLike | None = None,
) -> list[SimilarityModel]:
    """Fit models again on one side of the judgments, as `out_of_fold` does for every fold.

    Parameters
    ----------
    models : sequence of SimilarityModel, K
    judgments : Judgments, n
    features : Features
    trained_on : bool (K, n)
        The judgments that each model was fitted on.
    side : bool (n,), optional
        What may be learned from; everything without it.

    Returns
    -------
    list of SimilarityModel
        Those that were fitted on none of the judgments as they are; of the others copies that know nothing but the
        side, and where nothing of a model's own is there, what it would have started from.

    Raises
    ------
    NotFittedError, InputError

    Examples
    --------
    >>> from lookalike import IdentityModel
    >>> asked = Judgments.from_ids(["r", "q"], ["x", "y"], ["y", "z"], [1, 0], [0, 1])
    >>> features = Features(["q", "r", "x", "y", "z"], np.eye(5) + 0.1)
    >>> model = IdentityModel().fit(asked, features)
    >>> [copy] = refitted([model], asked, features, [[True, True]], side=[True, False])
    >>> model.has_seen(["q", "r"]).tolist(), copy.has_seen(["q", "r"]).tolist()
    ([True, True], [False, True])
    """
    own = _checked(models, judgments, trained_on)
    allowed = np.ones(len(judgments), np.bool_) if side is None else np.asarray(side)
    if allowed.shape != (len(judgments),) or allowed.dtype != np.bool_:
        raise InputError(f"a side says of each of {len(judgments)} judgments whether it is there, True or False")
    refits = Refits(judgments, features)

    def work(number: int) -> SimilarityModel:
        model = models[number]
        if not own[number].any() and not _started_on(model, judgments).any():
            return model
        return refits.again(model, own[number], allowed)

    return in_order(work, range(len(models)))


def _checked(models: Sequence[SimilarityModel], judgments: Judgments, trained_on: ArrayLike) -> Mask:
    own = np.asarray(trained_on)
    if own.shape != (len(models), len(judgments)) or own.dtype != np.bool_:
        raise InputError(
            "trained_on says of each model and judgment whether the one was fitted on the other: it is bool of shape "
            f"{(len(models), len(judgments))}, not {own.dtype} of {own.shape}"
        )
    if not own.size:
        raise InputError("there are no models, or no judgments")
    return own


def _started_on(model: SimilarityModel, judgments: Judgments) -> Mask:
    """Return the judgments that a model was fitted on before it was fitted on its own, bool (n,)."""
    start = start_of(model)
    if start is None:
        return np.zeros(len(judgments), np.bool_)
    return start.was_asked(judgments) | _started_on(start, judgments)

"""How models and ensembles of them do on answers held out: all is fitted anew on every training side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.lanes import cores, in_lanes
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Rows, Vectors
from lookalike.ensembles.answers import Floats, likeliest_temperature
from lookalike.ensembles.base import Ensemble
from lookalike.ensembles.crossfit import out_of_fold, refitted
from lookalike.ensembles.division import divide, inner_division
from lookalike.ensembles.members import member_distances
from lookalike.ensembles.weighted import WeightedEnsemble
from lookalike.judgments.splits import By, Split, split
from lookalike.judgments.table import Judgments
from lookalike.metrics.calibration import logistic
from lookalike.similarity.model import SimilarityModel

__all__ = ["Combine", "HeldOutAnswers", "held_out_answers"]

Combine: TypeAlias = Callable[[Sequence[SimilarityModel]], Ensemble]
"""Makes an ensemble of models, not fitted."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutAnswers:
    """What models and ensembles say about judgments that they were not fitted on.

    Attributes
    ----------
    rows : int64 (n,)
        The judgments that were held out, ascending; a split by image leaves some on neither side.
    distances : dict of str to float64 (2, n)
        By name, of candidates a and b.
    probability : dict of str to float64 (n,)
        That a is closer, under the temperature that suits the training side.
    weights : dict of str to float32 (n, K)
        By ensemble: whom it trusted near the reference of each judgment. A vote has none.
    folds : int
    """

    rows: Rows
    distances: dict[str, NDArray[np.float64]]
    probability: dict[str, NDArray[np.float64]]
    weights: dict[str, Vectors]
    folds: int


def held_out_answers(
    models: Mapping[str, SimilarityModel],
    ensembles: Mapping[str, Combine],
    judgments: Judgments,
    features: Features,
    trained_on: Mapping[str, NDArray[np.bool_]],
    by: By = "image",
    folds: int = 5,
    seed: int = 0,
    on_progress: OnProgress = silent,
) -> HeldOutAnswers:
    """Fit models, and ensembles of them, on each training side anew, and let them judge the other.

    On every training side the ensembles are fitted on distances of models that have not seen the judgment: by
    `out_of_fold`, once more, inside that side, by `inner_division`. So nothing that is measured here has met the
    answers it is measured on.

    Parameters
    ----------
    models : mapping of str to SimilarityModel
        Those that were fitted on some of these judgments are fitted again, as fresh copies; the others need be fitted.
    ensembles : mapping of str to callable
        What to make of them.
    judgments : Judgments
    features : Features
    trained_on : mapping of str to bool (n,)
        The judgments that each model was, or is to be, fitted on.
    by, folds, seed
        As in `lookalike.judgments.splits.split`.
    on_progress : callable

    Raises
    ------
    InputError
        The judgments cannot be split so.
    """
    learned = np.stack([trained_on[name] for name in models])
    parts = _parts(judgments, learned, by, folds, seed)
    names = [*models, *ensembles]
    said = _Said(
        np.full((len(names), 2, len(judgments)), np.nan),
        np.full((len(names), len(judgments)), np.nan),
        np.full((len(ensembles), len(judgments), len(models)), np.nan, np.float32),
    )

    def work(part: Split) -> tuple[Rows, _Said]:
        made = list(models.values()), list(ensembles.values())
        return part.test_rows, _one_fold(*made, part, features, learned, by, seed)

    for done, (rows, one) in enumerate(in_lanes(work, parts, min(len(parts), cores())), 1):
        said.distances[:, :, rows], said.chances[:, rows], said.weights[:, rows] = (
            one.distances,
            one.chances,
            one.weights,
        )
        on_progress(Progress("measuring on answers held out", done, len(parts)))
    held = np.flatnonzero(np.isfinite(said.chances[0]))
    return HeldOutAnswers(
        rows=held,
        distances={name: said.distances[number][:, held] for number, name in enumerate(names)},
        probability={name: said.chances[number, held] for number, name in enumerate(names)},
        weights={
            name: said.weights[number, held]
            for number, name in enumerate(ensembles)
            if np.isfinite(said.weights[number, held]).all()
        },
        folds=len(parts),
    )


def _parts(judgments: Judgments, learned: NDArray[np.bool_], by: By, folds: int, seed: int) -> list[Split]:
    """Divide judgments such that models of different contexts keep about the same share on every training side.

    By image, only judgments all of whose images are new to the training side are tested.
    """
    again = learned[learned.any(axis=1)]
    if not len(again):
        return split(judgments, by, folds, seed)
    division = divide(judgments, again, by, folds, seed)
    parts = []
    for fold in division.folds:
        tested = division.fold == fold
        if by == "image":
            tested &= (division.image_fold[division.triplets] == fold).all(axis=1)
        if tested.any():
            parts.append(Split(np.flatnonzero(division.side(fold)), np.flatnonzero(tested), judgments))
    if not parts:
        raise InputError(
            "no judgment has all its images to itself, so none can be held out by image: hold out by reference or by "
            "question"
        )
    return parts


class _Said(NamedTuple):
    """What models and ensembles, M in all, said about n judgments."""

    distances: Floats
    """(M, 2, n)."""
    chances: Floats
    """(M, n)."""
    weights: Vectors
    """Of E ensembles, (E, n, K)."""


def _one_fold(
    models: Sequence[SimilarityModel],
    ensembles: Sequence[Combine],
    part: Split,
    features: Features,
    learned: NDArray[np.bool_],
    by: By,
    seed: int,
) -> _Said:
    """Fit on the training side, and ask about the other."""
    train, test = part.train, part.test
    side = np.zeros(len(part.judgments), np.bool_)
    side[part.train_rows] = True
    fitted = refitted(models, part.judgments, features, learned, side)
    told = np.stack([model.was_asked(train) for model in fitted])
    inside = out_of_fold(fitted, train, features, told, by=inner_division(by), seed=seed)
    found = member_distances(fitted, test, features)
    distances, chances = [*found.transpose(1, 0, 2).astype(np.float64)], []
    for own, (a, b) in zip(inside.transpose(1, 0, 2), distances, strict=True):
        temperature = likeliest_temperature(own[1].astype(np.float64) - own[0], train.votes_a, train.votes_b)
        chances.append(logistic(a - b, temperature))
    weights = np.full((len(ensembles), len(test), len(models)), np.nan, np.float32)
    for number, combine in enumerate(ensembles):
        ensemble = combine(fitted).fit(train, features, inside)
        a, b = ensemble.distances(test, features, found)
        distances.append(np.stack([a, b]))
        chances.append(ensemble.probability(a, b))
        if isinstance(ensemble, WeightedEnsemble):
            weights[number] = ensemble.weights(features.vectors[features.rows(test.ids[test.reference])])
    return _Said(np.stack(distances), np.stack(chances), weights)

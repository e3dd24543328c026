"""The models of an ensemble: what they must have in common, and their distances, computed once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.lanes import cores, in_lanes
from lookalike.core.types import Distances
from lookalike.core.vectors import triplet_distances
from lookalike.judgments.table import Judgments
from lookalike.similarity.model import SimilarityModel, judged_rows

__all__ = ["as_distances", "as_members", "member_distances"]


def as_members(models: Sequence[SimilarityModel]) -> tuple[SimilarityModel, ...]:
    """Return models that can stand side by side.

    Raises
    ------
    NotFittedError
        One is not fitted.
    InputError
        There are none, one is something else, or they take features of different length.
    """
    if isinstance(models, SimilarityModel) or not isinstance(models, Sequence):
        raise InputError(f"an ensemble takes a list of fitted models, not {type(models).__name__}")
    if not models:
        raise InputError("an ensemble needs at least one model: the list is empty")
    for number, model in enumerate(models):
        if not isinstance(model, SimilarityModel):
            raise InputError(f"model {number} of the ensemble is no similarity model but {type(model).__name__}")
        model._need_fit()
        if model.n_features_in_ != models[0].n_features_in_:
            raise InputError(
                f"model {number} takes {model.n_features_in_} numbers an image, model 0 {models[0].n_features_in_}: "
                "put the features side by side, and SelectedModel.over each model"
            )
    return tuple(models)


def member_distances(models: Sequence[SimilarityModel], judgments: Judgments, features: Features) -> Distances:
    """Return the distances of the references to their candidates by each model.

    Parameters
    ----------
    models : sequence of SimilarityModel, K
        Fitted.
    judgments : Judgments, n
    features : Features
        Of all their images, at least.

    Returns
    -------
    float32 (2, K, n)
        To candidates a, then b; ``1 - cosine``, in [0, 2].

    Raises
    ------
    InputError
        An image has no features, or the features are not those that the models take.

    Examples
    --------
    >>> from lookalike import Features, IdentityModel, Judgments
    >>> answers = Judgments.from_ids(["r"], ["x"], ["y"], [1], [0])
    >>> features = Features(["r", "x", "y"], [[1.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    >>> member_distances([IdentityModel().fit(answers, features)], answers, features).round(3).tolist()
    [[[0.4000000059604645]], [[1.0]]]
    """
    used, places = np.unique(np.concatenate(judged_rows(judgments, features)), return_inverse=True)
    columns = np.split(places, 3)
    found = np.empty((2, len(models), len(judgments)), np.float32)

    def work(number: int) -> None:
        vectors = models[number].transform_rows(features, used)
        found[0, number], found[1, number] = triplet_distances(vectors, *columns)

    for _ in in_lanes(work, range(len(models)), min(len(models), cores())):
        pass
    return found


def as_distances(given: ArrayLike, models: int, judgments: int) -> Distances:
    """Return distances as `member_distances` gives them, having looked at all.

    Raises
    ------
    InputError
        Another shape than ``(2, models, judgments)``, or the first that is not finite or not in [0, 2].
    """
    try:
        found = np.asarray(given, np.float32)
    except (TypeError, ValueError):
        raise InputError("distances are numbers in an array of two sides, the models and the judgments") from None
    if found.shape != (2, models, judgments):
        wanted = (2, models, judgments)
        raise InputError(f"distances of shape {found.shape}: {models} models and {judgments} judgments need {wanted}")
    bad = ~((found >= 0) & (found <= 2))
    if bad.any():
        side, model, row = np.argwhere(bad)[0].tolist()
        raise InputError(
            f"the distance of judgment {row} to candidate {'ab'[side]} by model {model} is {found[side, model, row]}: "
            "distances are from 0 to 2"
        )
    return found

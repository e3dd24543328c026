"""What every ensemble must refuse, in one clear line, and stay as it was; see `ensemble_checks`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lookalike.core.errors import NotFittedError
from lookalike.core.features import Features
from lookalike.ensembles.members import member_distances
from lookalike.ensembles.saving import save_ensemble
from lookalike.ensembles.vote import VoteEnsemble
from lookalike.judgments.pairs import Pairs
from lookalike.judgments.table import Judgments
from lookalike.similarity.identity import IdentityModel

sys.path.insert(0, str(Path(__file__).parent))
from ensemble_cases import Make, refusal, same_fit, some_models, without
from ensemble_checks import Check

REFUSALS: list[Check] = []


def check(function: Check) -> Check:
    """Put a check on the list."""
    REFUSALS.append(function)
    return function


@check
def check_nothing_is_told_before_fit(make: Make, judgments: Judgments, features: Features) -> None:
    unfitted = make(some_models(judgments, features))
    uses: list[Callable[[], object]] = [
        lambda: unfitted.distances(judgments, features),
        lambda: unfitted.weights(features),
        lambda: unfitted.transform(features),
        lambda: unfitted.query(features),
        lambda: unfitted.offset(features),
        lambda: unfitted.probability([0.1], [0.2]),
        lambda: unfitted.has_seen(["x"]),
        lambda: unfitted.arrays(),
        lambda: save_ensemble(unfitted, "never-written"),
    ]
    for use in uses:
        with pytest.raises(NotFittedError, match=f"this {type(unfitted).__name__} is not fitted yet"):
            use()


@check
def check_a_fit_that_fails_leaves_the_ensemble_as_it_was(make: Make, judgments: Judgments, features: Features) -> None:
    damaged = features.vectors.copy()
    damaged[features.rows([judgments.ids[0]])] = np.inf
    bad = Features(features.ids, damaged)
    models = some_models(judgments, features)
    unfitted = make(models)
    with refusal("not finite"):
        unfitted.fit(judgments, bad)
    with pytest.raises(NotFittedError):
        unfitted.distances(judgments, features)
    fitted = make(models).fit(judgments, features)
    before = fitted.distances(judgments, features)
    with refusal("not finite"):
        fitted.fit(judgments, bad)
    np.testing.assert_array_equal(fitted.distances(judgments, features), before)


@check
def check_given_distances_are_those_it_is_fitted_on(make: Make, judgments: Judgments, features: Features) -> None:
    models = some_models(judgments, features)
    own = member_distances(models, judgments, features)
    same_fit(make(models).fit(judgments, features, own), make(models).fit(judgments, features))
    swapped = own[:, [1, 0, 2]]
    one = make([models[1], models[0], models[2]]).fit(judgments, features)
    np.testing.assert_allclose(make(models).fit(judgments, features, swapped).calibration_, one.calibration_)
    count = len(judgments)
    for bad, words in (
        (own[:, :2], rf"3 models and {count} judgments need \(2, 3, {count}\)"),
        (own[0], "distances of shape"),
        ([["x"]], "distances are numbers"),
        (np.where(np.arange(count) == 7, np.nan, own), "judgment 7 to candidate a by model 0 is nan"),
        (np.where(np.arange(count) == 7, -0.5, own), "judgment 7 to candidate a by model 0 is -0.5"),
        (np.where(np.arange(count) == 7, 2.5, own), "distances are from 0 to 2"),
    ):
        with refusal(words):
            make(models).fit(judgments, features, bad)  # type: ignore[arg-type]
        with refusal(words):
            one.distances(judgments, features, bad)  # type: ignore[arg-type]


@check
def check_members_must_fit(make: Make, judgments: Judgments, features: Features) -> None:
    models = some_models(judgments, features)
    narrow = IdentityModel().fit(judgments, Features(features.ids, features.vectors[:, :4]))
    for given, words in (
        ([], "needs at least one model"),
        (models[0], "takes a list of fitted models, not SelectedModel"),
        (3, "takes a list of fitted models, not int"),
        ([*models, "gate"], "model 3 of the ensemble is no similarity model but str"),
        ([*models, narrow], "model 3 takes 4 numbers an image, model 0 9: .* SelectedModel.over"),
    ):
        with refusal(words):
            make(given).fit(judgments, features)  # type: ignore[arg-type]
    with pytest.raises(NotFittedError, match="this IdentityModel is not fitted yet"):
        make([*models, IdentityModel()]).fit(judgments, features)


@check
def check_judgments_must_fit(make: Make, judgments: Judgments, features: Features) -> None:
    models = some_models(judgments, features)
    with refusal("not on Pairs"):
        make(models).fit(Pairs.from_ids(["a"], ["b"]), features)  # type: ignore[arg-type]
    with refusal("nothing to learn from"):
        make(models).fit(judgments.take(np.arange(0)), features)
    image = str(judgments.references[4])
    fitted = make(models).fit(judgments, features)
    for use in (make(models).fit, fitted.distances):
        with refusal(f"'{image}'"):
            use(judgments, without(features, image))
        wide = Features(features.ids, np.hstack([features.vectors, features.vectors]))
        with refusal(r"\b18\b.*\b9\b"):
            use(judgments, wide)
    if not isinstance(fitted, VoteEnsemble):
        for use in (fitted.weights, fitted.transform, fitted.query, fitted.offset):
            with refusal(r"\b8\b.*\b9\b"):
                use(features.vectors[:, :8])
            with refusal(r"\b9\b"):
                use(features.vectors[0])
            with refusal("row 1 are not finite"):
                use(np.where(np.arange(len(features))[:, None] == 1, np.nan, features.vectors).astype(np.float32))

"""What every ensemble must do, one check per function: ``check_...(make, judgments, features)``.

`make` takes models and returns an ensemble that is not fitted. `features` are of more images than the judgments have.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from lookalike.core.errors import NotFittedError
from lookalike.core.features import Features
from lookalike.core.lanes import in_lanes
from lookalike.ensembles.members import member_distances
from lookalike.ensembles.saving import load_ensemble, save_ensemble
from lookalike.ensembles.vote import VoteEnsemble
from lookalike.ensembles.weighted import WeightedEnsemble
from lookalike.judgments.table import Judgments
from lookalike.similarity.identity import IdentityModel

sys.path.insert(0, str(Path(__file__).parent))
from ensemble_cases import SPANS, Make, fit, published, references_of, refusal, same_fit, some_models

CLOSE = 1e-5
Check = Callable[[Make, Judgments, Features], None]
CHECKS: list[Check] = []


def check(function: Check) -> Check:
    """Put a check on the list of those that every ensemble must pass."""
    CHECKS.append(function)
    return function


@check
def check_parameters_are_read_set_and_cloned(make: Make, judgments: Judgments, features: Features) -> None:
    from sklearn.base import clone

    fitted = fit(make, judgments, features)
    params = fitted.get_params()
    copy = clone(fitted)
    assert copy.get_params() == params
    assert copy.models is fitted.models  # they are fitted before, and stay so
    with pytest.raises(NotFittedError):
        copy.distances(judgments, features)
    with refusal(f"{type(fitted).__name__} has no parameter 'no_such'"):
        fitted.set_params(no_such=1)
    assert repr(fitted).startswith(f"{type(fitted).__name__}(")


@check
def check_the_constructor_only_stores(make: Make, judgments: Judgments, features: Features) -> None:
    kind = type(make([]))
    given = {name: object() for name in kind.parameters()}  # it may neither look at nor change what it is given
    made = kind(**given)  # type: ignore[arg-type]
    assert all(vars(made)[name] is value for name, value in given.items())
    assert vars(made).keys() == given.keys()


@check
def check_fit_returns_itself_with_fitted_names(make: Make, judgments: Judgments, features: Features) -> None:
    models = some_models(judgments, features)
    made = make(models)
    before = made.get_params()
    assert made.fit(judgments, features) is made
    assert made.get_params() == before
    added = vars(made).keys() - before.keys()
    assert added >= {"models_", "calibration_", "temperature_", "n_features_in_", "seen_"}
    assert all(name.endswith("_") and not name.startswith("_") for name in added)
    assert made.models_ == tuple(models)
    assert made.n_features_in_ == features.vectors.shape[1]
    assert made.calibration_.shape == (len(models),)
    assert made.calibration_.max() == 1
    assert made.calibration_.min() > 0
    if published(made):
        assert (made.calibration_ == 1).all()


@check
def check_fit_changes_nothing_it_is_given(make: Make, judgments: Judgments, features: Features) -> None:
    models = some_models(judgments, features)
    distances = member_distances(models, judgments, features)
    held = [getattr(thing, name) for thing in (judgments, features) for name in thing.__dataclass_fields__]
    arrays = [distances, *(value for value in held if isinstance(value, np.ndarray))]
    before = [array.copy() for array in arrays]
    learned = [{name: value.copy() for name, value in model.arrays().items()} for model in models]
    writable = [array.flags.writeable for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    try:
        make(models).fit(judgments, features, distances).distances(judgments, features, distances)
        make(models).fit(judgments, features)
    finally:
        for array, flag in zip(arrays, writable, strict=True):
            array.flags.writeable = flag
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)
    for model, old_arrays in zip(models, learned, strict=True):
        for name, value in model.arrays().items():
            np.testing.assert_array_equal(value, old_arrays[name])


@check
def check_the_same_seed_gives_the_same_numbers(make: Make, judgments: Judgments, features: Features) -> None:
    """Whatever the global generators hold, which it leaves alone; in a lane or not."""
    np.random.seed(1)  # noqa: NPY002 the global state is what is tested
    state = np.random.get_state()[1].tolist()  # type: ignore[index] # noqa: NPY002
    first = fit(make, judgments, features)
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index] # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    [second] = in_lanes(lambda _: fit(make, judgments, features), [None], 1)
    same_fit(first, second)


@check
def check_fitting_again_is_a_fresh_fit(make: Make, judgments: Judgments, features: Features) -> None:
    half = judgments.take(np.arange(0, len(judgments), 2))
    models = some_models(judgments, features)
    twice = make(models).fit(half, features).fit(judgments, features)
    once = make(models).fit(judgments, features)
    assert vars(twice).keys() == vars(once).keys()
    same_fit(twice, once)


@check
def check_images_outside_the_judgments_change_nothing(make: Make, judgments: Judgments, features: Features) -> None:
    used = np.isin(features.ids, np.concatenate([judgments.references, judgments.candidates_a, judgments.candidates_b]))
    assert not used.all()
    changed = features.vectors.copy()
    changed[~used] = 1e6
    fitted = fit(make, judgments, features)
    same_fit(fitted, fit(make, judgments, Features(features.ids, changed)))
    same_fit(fitted, fit(make, judgments, Features(features.ids[used], features.vectors[used])))


@check
def check_the_order_of_features_and_of_judgments_does_not_matter(
    make: Make, judgments: Judgments, features: Features
) -> None:
    rng = np.random.default_rng(0)
    order, turn = rng.permutation(len(features)), rng.permutation(len(judgments))
    fitted = fit(make, judgments, features)
    permuted = Features(features.ids[order], features.vectors[order])
    other = fit(make, judgments.take(turn), permuted)
    np.testing.assert_allclose(
        other.distances(judgments, permuted), fitted.distances(judgments, features), atol=1e-3 * CLOSE
    )


@check
def check_exchanged_candidates_change_nothing(make: Make, judgments: Judgments, features: Features) -> None:
    fitted = fit(make, judgments, features)
    turned = judgments.flipped(np.arange(len(judgments)) % 3 > 0)
    np.testing.assert_allclose(
        fit(make, turned, features).distances(judgments, features), fitted.distances(judgments, features), atol=CLOSE
    )
    a, b = fitted.distances(judgments, features)
    np.testing.assert_array_equal(fitted.distances(judgments.flipped(), features), [b, a])


@check
def check_three_votes_in_a_row_are_three_rows(make: Make, judgments: Judgments, features: Features) -> None:
    fitted = fit(make, judgments, features)
    votes_a, votes_b = judgments.votes_a.astype(int), judgments.votes_b.astype(int)
    rows = np.repeat(np.arange(len(judgments)), votes_a + votes_b)
    yes = np.concatenate([np.r_[np.ones(a), np.zeros(b)] for a, b in zip(votes_a, votes_b, strict=True)])
    one_by_one = Judgments.from_ids(
        judgments.references[rows], judgments.candidates_a[rows], judgments.candidates_b[rows], yes, 1 - yes
    )
    other = fit(make, one_by_one, features)
    np.testing.assert_allclose(
        other.distances(judgments, features), fitted.distances(judgments, features), atol=100 * CLOSE
    )


@check
def check_distances_are_weighted_sums(make: Make, judgments: Judgments, features: Features) -> None:
    fitted = fit(make, judgments, features)
    found = fitted.distances(judgments, features)
    own = member_distances(fitted.models_, judgments, features)
    given = fitted.distances(judgments, features, own)
    np.testing.assert_array_equal(given, found)
    for side in found:
        assert side.dtype == np.float64
        assert side.shape == (len(judgments),)
    if isinstance(fitted, WeightedEnsemble):
        scales = fitted.weights(references_of(judgments, features)) * fitted.calibration_
        np.testing.assert_allclose(found, np.einsum("nk,skn->sn", scales, own), atol=CLOSE)
    few = judgments.take(np.arange(3))  # the ids of the others stay in the table, and need no features
    ids = np.unique(np.concatenate([few.references, few.candidates_a, few.candidates_b]))
    narrow = Features(ids, features.vectors[features.rows(ids)])
    np.testing.assert_allclose(fitted.distances(few, narrow), [side[:3] for side in found], atol=CLOSE)


@check
def check_weights_are_shares(make: Make, judgments: Judgments, features: Features) -> None:
    fitted = fit(make, judgments, features)
    if isinstance(fitted, VoteEnsemble):
        for use, what in (
            ("weights", "weights"),
            ("transform", "vectors"),
            ("query", "vectors"),
            ("offset", "vectors"),
        ):
            with refusal(f"a vote has no {what}, so it cannot search: take a grid, an mlp or a gate"):
                getattr(fitted, use)(features)
        return
    far = np.concatenate([features.vectors, 1e6 * features.vectors, np.zeros((1, 9), np.float32)])
    weights = fitted.weights(far)
    assert weights.dtype == np.float32
    assert weights.shape == (len(far), len(SPANS))
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=CLOSE)
    if type(fitted).__name__ != "MLPEnsemble" or not published(fitted):
        assert weights.min() >= 0
    np.testing.assert_array_equal(fitted.weights(features), fitted.weights(features.vectors))
    one_by_one = np.concatenate([fitted.weights(features.vectors[[row]]) for row in range(len(features))])
    np.testing.assert_allclose(one_by_one, fitted.weights(features), atol=CLOSE)
    assert fitted.weights(features.vectors[:0]).shape == (0, len(SPANS))


@check
def check_search_is_one_inner_product(make: Make, judgments: Judgments, features: Features) -> None:
    """``distance(R, x) = offset(R) - q(R).v(x)``, for every R and x, all v of one length."""
    fitted = fit(make, judgments, features)
    if isinstance(fitted, VoteEnsemble):
        return
    q, v, offset = fitted.query(features), fitted.transform(features), fitted.offset(features)
    assert q.dtype == v.dtype == np.float32
    assert q.shape == v.shape == (len(features), sum(stop - start for start, stop in SPANS))
    np.testing.assert_allclose(np.linalg.norm(v, axis=1), 1, atol=CLOSE)
    rows = [features.rows(ids) for ids in (judgments.references, judgments.candidates_a, judgments.candidates_b)]
    found = fitted.distances(judgments, features)
    for side, candidates in zip(found, rows[1:], strict=True):
        by_search = offset[rows[0]] - (q[rows[0]] * v[candidates]).sum(axis=1)
        np.testing.assert_allclose(by_search, side, atol=CLOSE)


@check
def check_equal_models_are_one_model(make: Make, judgments: Judgments, features: Features) -> None:
    model = IdentityModel().fit(judgments, features)
    fitted = make([model] * 4).fit(judgments, features)
    found, own = fitted.distances(judgments, features), model.distances(judgments, features)
    np.testing.assert_array_equal(np.sign(found[1] - found[0]), np.sign(own[1].astype(np.float64) - own[0]))
    if not isinstance(fitted, VoteEnsemble):
        np.testing.assert_allclose(found, own, atol=CLOSE)


@check
def check_one_model_alone_is_itself(make: Make, judgments: Judgments, features: Features) -> None:
    model = IdentityModel().fit(judgments, features)
    fitted = make([model]).fit(judgments, features)
    if not isinstance(fitted, VoteEnsemble):
        np.testing.assert_array_equal(fitted.weights(features), np.ones((len(features), 1)))
        np.testing.assert_allclose(
            fitted.distances(judgments, features), model.distances(judgments, features), atol=CLOSE
        )


@check
def check_little_to_learn_from_is_enough(make: Make, judgments: Judgments, features: Features) -> None:
    one = judgments.take(np.arange(1))
    one_reference = judgments.take(judgments.reference == judgments.reference[0])
    level = Judgments.from_ids(one.references, one.candidates_a, one.candidates_b, [1], [1])
    for few in (one, one_reference, level):
        fitted = make(some_models(judgments, features)).fit(few, features)
        assert np.isfinite(fitted.distances(judgments, features)).all()
        chance = fitted.probability(*fitted.distances(judgments, features))
        assert ((chance >= 0) & (chance <= 1)).all()
        if not isinstance(fitted, VoteEnsemble):
            np.testing.assert_allclose(fitted.weights(features).sum(axis=1), 1, atol=CLOSE)


@check
def check_probabilities_fit_the_votes(make: Make, judgments: Judgments, features: Features) -> None:
    fitted = fit(make, judgments, features)
    a, b = fitted.distances(judgments, features)
    chance = fitted.probability(a, b)
    assert chance.dtype == np.float64
    assert ((chance > 0) & (chance < 1)).all()
    np.testing.assert_allclose(chance + fitted.probability(b, a), 1)
    np.testing.assert_array_equal(np.sign(chance - 0.5), np.sign(b - a))
    assert fitted.probability([0.3], [0.3]) == 0.5
    likely = judgments.votes_a @ np.log(chance) + judgments.votes_b @ np.log(1 - chance)
    assert likely > -np.log(2) * (judgments.votes_a + judgments.votes_b).sum()


@check
def check_what_was_seen_is_remembered(make: Make, judgments: Judgments, features: Features) -> None:
    half = judgments.take(np.arange(20))
    rest = judgments.take(np.arange(20, 40))
    fitted = make(some_models(rest, features)).fit(half, features)
    some = np.unique(judgments.take(np.arange(40)).reference)
    assert fitted.has_seen(judgments.ids[some]).all()
    assert not fitted.has_seen(["never.jpg"]).any()
    used = np.unique(
        [getattr(side, name) for side in (half, rest) for name in ("reference", "candidate_a", "candidate_b")]
    )
    assert len(fitted.seen_) == len(used)
    asked = fitted.was_asked(judgments)
    assert asked[:20].all()
    assert asked[20:40].all()  # its models were told
    assert not asked[40:].all()


@check
def check_it_comes_back_from_disk(make: Make, judgments: Judgments, features: Features) -> None:
    fitted = fit(make, judgments, features)
    with TemporaryDirectory() as folder:
        loaded = load_ensemble(save_ensemble(fitted, Path(folder) / "kept"))
    assert type(loaded) is type(fitted)
    np.testing.assert_array_equal(loaded.distances(judgments, features), fitted.distances(judgments, features))
    np.testing.assert_array_equal(loaded.probability([0.1], [0.3]), fitted.probability([0.1], [0.3]))
    np.testing.assert_array_equal(loaded.has_seen(features.ids), fitted.has_seen(features.ids))
    same_fit(loaded, fitted)
    if not isinstance(fitted, VoteEnsemble):
        for use in ("weights", "transform", "query", "offset"):
            np.testing.assert_array_equal(getattr(loaded, use)(features), getattr(fitted, use)(features))
    one, other = ({k: v for k, v in each.get_params().items() if k != "models"} for each in (loaded, fitted))
    assert one == other

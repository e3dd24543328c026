"""What every fitted similarity model must do, one check per function: ``check_...(model, examples, features)``.

`model` is not fitted and stays so: every check fits copies. `features` are of more images than the examples have.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lookalike.core.errors import InputError, NotFittedError
from lookalike.core.features import Features
from lookalike.judgments.pairs import Pairs
from lookalike.judgments.table import Judgments
from lookalike.similarity.model import Examples, SimilarityModel
from lookalike.similarity.saving import load_model, save_model

CLOSE = 1e-5
Check = Callable[[SimilarityModel, Examples, Features], None]
CHECKS: list[Check] = []


def check(function: Check) -> Check:
    """Put a check on the list of those that every model must pass."""
    CHECKS.append(function)
    return function


def some_pairs(seed: int = 0, count: int = 30) -> tuple[Pairs, Features]:
    """Pairs that share half of their numbers, and features of them and of ten more images, in an order of chance."""
    rng = np.random.default_rng(seed)
    names = [f"{side}/{n}" for side in ("left", "right") for n in range(count)] + [f"other/{n}" for n in range(10)]
    shared = rng.normal(size=(count, 5))
    vectors = np.concatenate([shared, shared, rng.normal(size=(10, 5))])
    vectors = np.hstack([vectors + 0.2 * rng.normal(size=vectors.shape), rng.normal(size=(len(names), 4))]) + 0.3
    order = rng.permutation(len(names))
    features = Features([names[place] for place in order], vectors[order])
    return Pairs.from_ids(names[:count], names[count : 2 * count]), features


def some_judgments(seed: int = 0, count: int = 80) -> tuple[Judgments, Features]:
    """Soft votes and grades by the first four of nine numbers, and features of more images, in an order of chance."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(50, 9))
    triplets = np.array([rng.choice(40, 3, replace=False) for _ in range(count)])
    reference, a, b = (vectors[column, :4] for column in triplets.T)
    gap = ((reference - b) ** 2).sum(axis=1) - ((reference - a) ** 2).sum(axis=1)
    votes = rng.binomial(5, 1 / (1 + np.exp(-gap)))
    grades = {"grades_a": rng.integers(0, 6, count), "grades_b": rng.integers(0, 6, count)}
    names = np.array([f"{n:03}.jpg" for n in range(50)])
    order = rng.permutation(50)
    return Judgments.from_ids(*names[triplets.T], votes, 5 - votes, **grades), Features(names[order], vectors[order])


def fresh(model: SimilarityModel, **params: Any) -> SimilarityModel:
    """Return a copy that is not fitted."""
    return type(model)(**{**model.get_params(), **params})


def images_of(examples: Examples) -> set[str]:
    if isinstance(examples, Pairs):
        return {*examples.left.tolist(), *examples.right.tolist()}
    return {*examples.references.tolist(), *examples.candidates_a.tolist(), *examples.candidates_b.tolist()}


def questions_about(features: Features, count: int = 25) -> Judgments:
    """Judgments about any images that have features."""
    rng = np.random.default_rng(1)
    triplets = np.array([rng.choice(len(features), 3, replace=False) for _ in range(count)])
    return Judgments.from_ids(*features.ids[triplets.T], np.ones(count), np.zeros(count))


def without(features: Features, image: str) -> Features:
    kept = features.ids != image
    return Features(features.ids[kept], features.vectors[kept])


def same_fit(one: SimilarityModel, other: SimilarityModel) -> None:
    """Assert that two fitted models hold the same numbers, bit by bit."""
    left, right = one.arrays(), other.arrays()
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)
    np.testing.assert_array_equal(one.seen_, other.seen_)


@check
def check_parameters_are_read_set_and_cloned(model: SimilarityModel, examples: Examples, features: Features) -> None:
    from sklearn.base import clone

    params = model.get_params()
    assert type(model)().set_params(**params).get_params() == params
    assert clone(model).get_params() == params
    fitted = fresh(model).fit(examples, features)
    with pytest.raises(NotFittedError):
        clone(fitted).transform(features)
    with pytest.raises(InputError, match=f"{type(model).__name__} has no parameter 'no_such'"):
        model.set_params(no_such=1)
    assert repr(model).startswith(type(model).__name__ + "(")


@check
def check_the_constructor_only_stores(model: SimilarityModel, examples: Examples, features: Features) -> None:
    given = {name: object() for name in model.get_params()}  # it may neither look at nor change what it is given
    made = type(model)(**given)
    assert all(vars(made)[name] is value for name, value in given.items())
    assert vars(made).keys() == given.keys()


@check
def check_nothing_is_told_before_fit(model: SimilarityModel, examples: Examples, features: Features) -> None:
    unfitted = fresh(model)
    uses: list[Callable[[], object]] = [
        lambda: unfitted.transform(features),
        lambda: unfitted.distances(questions_about(features), features),
        lambda: unfitted.has_seen(["x"]),
        lambda: unfitted.arrays(),
        lambda: save_model(unfitted, "never-written"),
    ]
    for use in uses:
        with pytest.raises(NotFittedError, match=f"this {type(model).__name__} is not fitted yet"):
            use()


@check
def check_fit_returns_itself_with_fitted_names(model: SimilarityModel, examples: Examples, features: Features) -> None:
    fitted = fresh(model)
    assert fitted.fit(examples, features) is fitted
    assert fitted.get_params() == model.get_params()
    added = vars(fitted).keys() - vars(fresh(model)).keys()
    assert added >= {"n_features_in_", "seen_"}
    assert all(name.endswith("_") and not name.startswith("_") for name in added)
    assert fitted.n_features_in_ == features.vectors.shape[1]


@check
def check_fit_changes_nothing_it_is_given(model: SimilarityModel, examples: Examples, features: Features) -> None:
    """Arrays that cannot be written, as those of a memory map, are no obstacle either."""
    held = [getattr(thing, name) for thing in (examples, features) for name in thing.__dataclass_fields__]
    arrays = [value for value in held if isinstance(value, np.ndarray)]
    before = [array.copy() for array in arrays]
    writable = [array.flags.writeable for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    try:
        fresh(model).fit(examples, features).transform(features)
    finally:
        for array, flag in zip(arrays, writable, strict=True):
            array.flags.writeable = flag
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)


@check
def check_the_same_seed_gives_the_same_numbers(model: SimilarityModel, examples: Examples, features: Features) -> None:
    """Whatever the global generators hold, which it leaves alone."""
    np.random.seed(1)  # noqa: NPY002 the global state is what is tested
    state = np.random.get_state()[1].tolist()  # type: ignore[index] # noqa: NPY002
    first = fresh(model).fit(examples, features)
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index] # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    second = fresh(model).fit(examples, features)
    same_fit(first, second)
    np.testing.assert_array_equal(first.transform(features), second.transform(features))


@check
def check_fitting_again_is_a_fresh_fit(model: SimilarityModel, examples: Examples, features: Features) -> None:
    half = examples.take(np.arange(0, len(examples), 2))
    narrow = Features(features.ids, features.vectors[:, :-2])
    twice = fresh(model).fit(half, narrow).fit(examples, features)
    once = fresh(model).fit(examples, features)
    same_fit(twice, once)
    assert vars(twice).keys() == vars(once).keys()
    np.testing.assert_array_equal(twice.transform(features), once.transform(features))


@check
def check_a_fit_that_fails_leaves_the_model_as_it_was(
    model: SimilarityModel, examples: Examples, features: Features
) -> None:
    damaged = features.vectors.copy()
    damaged[features.rows([examples.ids[0]])] = np.inf
    bad = Features(features.ids, damaged)
    unfitted = fresh(model)
    with pytest.raises(InputError):
        unfitted.fit(examples, bad)
    with pytest.raises(NotFittedError):
        unfitted.transform(features)
    fitted = fresh(model).fit(examples, features)
    before = fitted.transform(features)
    with pytest.raises(InputError):
        fitted.fit(examples, bad)
    np.testing.assert_array_equal(fitted.transform(features), before)


@check
def check_images_outside_the_examples_change_nothing(
    model: SimilarityModel, examples: Examples, features: Features
) -> None:
    """Not their numbers, not that they are there; unless a model is told to learn from all images."""
    if model.get_params().get("transductive"):
        return
    inside = np.isin(features.ids, list(images_of(examples)))
    assert not inside.all()
    changed = features.vectors.copy()
    changed[~inside] = 1e6
    fitted = fresh(model).fit(examples, features)
    same_fit(fitted, fresh(model).fit(examples, Features(features.ids, changed)))
    same_fit(fitted, fresh(model).fit(examples, Features(features.ids[inside], features.vectors[inside])))


@check
def check_transform_gives_unit_rows_of_float32(model: SimilarityModel, examples: Examples, features: Features) -> None:
    fitted = fresh(model).fit(examples, features)
    given = features.vectors.copy()
    vectors = fitted.transform(features)
    assert vectors.dtype == np.float32
    assert vectors.shape[0] == len(features)
    lengths = np.linalg.norm(vectors, axis=1)
    assert (np.isclose(lengths, 1, atol=CLOSE) | (lengths == 0)).all()
    assert (lengths > 0).any()
    np.testing.assert_array_equal(features.vectors, given)
    np.testing.assert_array_equal(fitted.transform(features.vectors), vectors)
    assert fitted.transform(features.vectors[:0]).shape == (0, vectors.shape[1])


@check
def check_pictures_do_not_depend_on_their_company(
    model: SimilarityModel, examples: Examples, features: Features
) -> None:
    fitted = fresh(model).fit(examples, features)
    vectors = fitted.transform(features)
    one_by_one = np.concatenate([fitted.transform(features.vectors[[row]]) for row in range(len(features))])
    np.testing.assert_allclose(one_by_one, vectors, atol=CLOSE)
    order = np.random.default_rng(0).permutation(len(features))
    permuted = Features(features.ids[order], features.vectors[order])
    np.testing.assert_allclose(fitted.transform(permuted), vectors[order], atol=CLOSE)


@check
def check_the_order_of_features_does_not_matter_to_fit(
    model: SimilarityModel, examples: Examples, features: Features
) -> None:
    order = np.random.default_rng(0).permutation(len(features))
    permuted = Features(features.ids[order], features.vectors[order])
    fitted, other = fresh(model).fit(examples, features), fresh(model).fit(examples, permuted)
    if model.get_params().get("transductive"):  # sums over all images, in another order
        assert _cosines_apart(fitted.transform(features), other.transform(features)) < 1e-4
    else:
        same_fit(fitted, other)


@check
def check_distances_are_those_of_the_vectors(model: SimilarityModel, examples: Examples, features: Features) -> None:
    fitted = fresh(model).fit(examples, features)
    questions = questions_about(features)
    vectors = fitted.transform(features)
    reference, a, b = (
        vectors[features.rows(ids)] for ids in (questions.references, questions.candidates_a, questions.candidates_b)
    )
    distances = fitted.distances(questions, features)
    assert isinstance(distances, tuple)
    for found, candidate in zip(distances, (a, b), strict=True):
        assert found.dtype == np.float32
        assert found.shape == (len(questions),)
        assert found.min() >= 0
        assert found.max() <= 2
        np.testing.assert_allclose(found, 1 - (reference * candidate).sum(axis=1), atol=CLOSE)
    swapped = fitted.distances(questions.flipped(), features)
    np.testing.assert_array_equal(swapped, distances[::-1])
    few = questions.take(np.arange(3))  # the ids of the others stay in the table, and need no features
    used = np.isin(features.ids, list(images_of(few)))
    np.testing.assert_allclose(
        fitted.distances(few, Features(features.ids[used], features.vectors[used])),
        [column[:3] for column in distances],
        atol=CLOSE,
    )


@check
def check_features_of_another_length_are_refused(
    model: SimilarityModel, examples: Examples, features: Features
) -> None:
    fitted = fresh(model).fit(examples, features)
    length = features.vectors.shape[1]
    for given in (features.vectors[:, :-1], np.hstack([features.vectors, features.vectors])):
        other = Features(features.ids, given)
        for use in (
            lambda: fitted.transform(other),  # noqa: B023 used at once
            lambda: fitted.distances(questions_about(features), other),  # noqa: B023
        ):
            with pytest.raises(InputError, match=rf"\b{given.shape[1]}\b.*\b{length}\b"):
                use()
    with pytest.raises(InputError, match=rf"\b{length}\b"):
        fitted.transform(features.vectors[0])


@check
def check_images_without_features_are_named(model: SimilarityModel, examples: Examples, features: Features) -> None:
    image = str(examples.ids[1])
    with pytest.raises(InputError, match=f"'{image}'"):
        fresh(model).fit(examples, without(features, image))
    fitted = fresh(model).fit(examples, features)
    questions = questions_about(features)
    asked = str(questions.references[4])
    with pytest.raises(InputError, match=f"'{asked}'"):
        fitted.distances(questions, without(features, asked))


@check
def check_images_whose_features_are_not_numbers_are_named(
    model: SimilarityModel, examples: Examples, features: Features
) -> None:
    image = str(examples.ids[2])
    for value in (np.nan, np.inf):
        damaged = features.vectors.copy()
        damaged[features.rows([image]), 1] = value
        bad = Features(features.ids, damaged)
        with pytest.raises(InputError, match=f"'{image}'.*not finite"):
            fresh(model).fit(examples, bad)
        with pytest.raises(InputError, match=f"'{image}'.*not finite"):
            fresh(model).fit(examples, features).transform(bad)


@check
def check_examples_are_there_and_of_a_known_kind(
    model: SimilarityModel, examples: Examples, features: Features
) -> None:
    with pytest.raises(InputError, match="nothing to learn from"):
        fresh(model).fit(examples.take(np.arange(0)), features)
    with pytest.raises(InputError, match="not on ndarray"):
        fresh(model).fit(features.vectors, features)  # type: ignore[arg-type]


@check
def check_the_images_of_the_examples_are_remembered(
    model: SimilarityModel, examples: Examples, features: Features
) -> None:
    half = examples.take(np.arange(0, len(examples), 2))
    fitted = fresh(model).fit(half, features)
    seen = images_of(half)
    asked = [*features.ids.tolist(), "nobody", ""]
    assert fitted.has_seen(asked).tolist() == [image in seen for image in asked]
    assert fitted.has_seen(np.array(asked)).dtype == np.bool_
    assert fitted.has_seen([]).shape == (0,)


@check
def check_saved_models_give_the_same_bits(model: SimilarityModel, examples: Examples, features: Features) -> None:
    fitted = fresh(model).fit(examples, features)
    with TemporaryDirectory() as folder:
        path = save_model(fitted, Path(folder) / "model")
        loaded = load_model(path)
    assert type(loaded) is type(fitted)
    assert loaded.card_parameters() == fitted.card_parameters()
    same_fit(loaded, fitted)
    np.testing.assert_array_equal(loaded.transform(features), fitted.transform(features))
    for name, value in vars(fitted).items():
        if name.endswith("_") and isinstance(value, int | float | str | dict):
            assert getattr(loaded, name) == value, name
    asked = features.ids
    np.testing.assert_array_equal(loaded.has_seen(asked), fitted.has_seen(asked))
    loaded.fit(examples, features)
    same_fit(loaded, fitted)


def _cosines_apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the greatest difference between the cosines of two sets of vectors."""
    return float(np.abs(one @ one.T - other @ other.T).max())

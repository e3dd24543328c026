"""Classifiers: known things are named, unknown ones are refused as often as was declared."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike import ClassifierModel, Features, Pairs, load_model, save_model
from lookalike.core.errors import InputError, NotFittedError
from lookalike.similarity.classifier_settings import resolve_classifier
from lookalike.similarity.classifier_training import set_aside
from lookalike.similarity.open_set import OpenSet, Trials, fit_open_set, top_two
from lookalike.training.things import Things

VIEWS, LATENT, NUISANCE = 5, 12, 6


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    if not find_spec("torch"):
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pictures(latent: np.ndarray, views: int, seed: int) -> np.ndarray:
    """Draw pictures of things: what they share, and more that they do not."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(latent, views, axis=0)
    rows = rows + 0.25 * rng.normal(size=rows.shape)
    return np.hstack([rows, 1.5 * rng.normal(size=(len(rows), NUISANCE))]).astype(np.float32)


def world(things: int = 120, seed: int = 0) -> tuple[Pairs, Features, np.ndarray]:
    latent = np.random.default_rng(seed).normal(size=(things, LATENT))
    names = [f"{n:03}" + (f"#view-{v}" if v else "") for n in range(things) for v in range(VIEWS)]
    views = [name for name in names if "#" in name]
    features = Features(names, pictures(latent, VIEWS, seed + 1))
    return Pairs.from_ids([name[:3] for name in views], views), features, latent


PUBLISHED = {"mode": "published", "hidden": 64, "learning_rate": 0.2, "epochs": 150, "batch": 32, "weight_decay": 0.0}


@pytest.mark.parametrize(
    "parameters",
    [{"epochs": 0}, {"batch": 32, "learning_rate": 0.003}, PUBLISHED],
    ids=["means", "corrected", "published"],
)
def test_known_things_are_named_and_unknown_ones_refused(parameters: dict[str, Any]) -> None:
    if parameters.get("epochs") != 0:
        pytest.importorskip("torch")
    pairs, features, latent = world()
    model = ClassifierModel(refuse=0.9, **parameters).fit(pairs, features)
    assert model.classes_.tolist() == [f"{n:03}" for n in range(120)]
    labels, probability = model.predict(pictures(latent, 3, seed=50))
    right = labels == np.repeat(model.classes_, 3)
    assert right.mean() > (0.6 if "mode" in parameters else 0.85)
    assert probability[right].mean() > 0.8
    unknown = np.random.default_rng(8).normal(size=(300, LATENT))
    labels, probability = model.predict(pictures(unknown, 1, seed=51))
    assert 0.8 < (labels == "").mean() <= 1
    assert probability.mean() < 0.4
    assert model.open_set_ is not None
    refused, named = (model.open_set_.measured[name] for name in ("refused", "named_right"))
    assert refused["low"] - 0.05 < (labels == "").mean() < refused["high"] + 0.05
    assert (refused["n"], refused["clusters"], named["n"]) == (24 * VIEWS, 24, 96)


def test_cross_entropy_makes_it_better_than_means() -> None:
    """Where directions differ in how much they tell, and the whitening is held back."""
    pytest.importorskip("torch")
    pairs, features, latent = world()
    shares = []
    for epochs in (0, 10):
        model = ClassifierModel(epochs=epochs, shrinkage=0.9, batch=16, learning_rate=0.01, unknown=0.0)
        labels, _ = model.fit(pairs, features).predict(pictures(latent, 3, seed=50))
        shares.append((labels == np.repeat(model.classes_, 3)).mean())
    assert shares[1] > shares[0] + 0.05


def test_probabilities_are_calibrated() -> None:
    """Among as many pictures of unknown things as of known ones, what is sure by p is right in a share of about p."""
    pairs, features, latent = world(things=300)
    model = ClassifierModel(epochs=0).fit(pairs, features)
    known = pictures(latent, 2, seed=60)
    unknown = pictures(np.random.default_rng(9).normal(size=(600, LATENT)), 1, seed=61)
    model.open_set_ = OpenSet(model.open_set_.sureness, 0.0, {}) if model.open_set_ else None  # name everything
    labels, probability = model.predict(np.concatenate([known, unknown]))
    right = labels == np.concatenate([np.repeat(model.classes_, 2), np.full(600, "?")])
    for low, high in ((0.0, 0.2), (0.2, 0.8), (0.8, 1.01)):
        some = (probability >= low) & (probability < high)
        assert abs(right[some].mean() - probability[some].mean()) < 0.12


def test_classes_are_things_that_pairs_connect() -> None:
    pairs, features, _ = world(things=20)
    joined = Pairs.from_ids([*pairs.left, "000"], [*pairs.right, "001"])
    model = ClassifierModel(epochs=0).fit(joined, features)
    assert model.classes_.tolist() == ["000", *(f"{n:03}" for n in range(2, 20))]


def test_too_few_things_name_always() -> None:
    pairs, features, latent = world(things=10)
    model = ClassifierModel(epochs=0).fit(pairs, features)
    assert model.open_set_ is None
    labels, probability = model.predict(pictures(latent, 1, seed=50))
    assert (labels != "").all()
    assert ((probability > 0) & (probability <= 1)).all()


def test_predictions_survive_saving(tmp_path: Path) -> None:
    pairs, features, latent = world(things=60)
    model = ClassifierModel(epochs=0, refuse=0.8).fit(pairs, features)
    loaded = load_model(save_model(model, tmp_path / "model"))
    assert isinstance(loaded, ClassifierModel)
    some = pictures(latent, 1, seed=50)
    for one, other in zip(model.predict(some), loaded.predict(some), strict=True):
        np.testing.assert_array_equal(one, other)
    assert loaded.open_set_ is not None
    assert model.open_set_ is not None
    assert loaded.open_set_.as_dict() == model.open_set_.as_dict()


def test_many_pictures_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, features, latent = world(things=60)
    model = ClassifierModel(epochs=0).fit(pairs, features)
    some = Features([f"{n}" for n in range(60)], pictures(latent, 1, seed=50))
    whole = model.predict(some)
    monkeypatch.setattr(sys.modules["lookalike.similarity.classifier"], "ROWS_AT_ONCE", 7)
    parts = model.predict(some)
    assert parts[0].tolist() == whole[0].tolist()
    np.testing.assert_allclose(parts[1], whole[1], atol=1e-4)
    assert [len(column) for column in model.predict(some.vectors[:0])] == [0, 0]


def test_what_cannot_be_predicted_is_refused() -> None:
    with pytest.raises(NotFittedError):
        ClassifierModel().predict(np.ones((1, 3), np.float32))
    pairs, features, _ = world(things=10)
    model = ClassifierModel(epochs=0).fit(pairs, features)
    with pytest.raises(InputError, match="18 numbers"):
        model.predict(np.ones((2, 3), np.float32))
    bad = Features(["x"], np.full((1, 18), np.nan))
    with pytest.raises(InputError, match="'x' are not finite"):
        model.predict(bad)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"refuse": 1.0}, "refuse is at least 0 and below 1"),
        ({"unknown": -0.1}, "unknown is at least 0"),
        ({"scale": 0.0}, "scale is above 0"),
        ({"mode": "published", "epochs": 0}, "starts at random"),
        ({"mode": "other"}, "no mode 'other'"),
        ({"optimiser": "other"}, "no optimiser 'other'"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve_classifier({"mode": "corrected", **parameters})


def test_one_picture_of_each_known_thing_is_set_aside() -> None:
    thing = np.repeat(np.arange(50), 4)
    every = np.arange(200)
    views = every[every % 4 > 0]
    things = Things.of(views - views % 4, views, thing)
    known, unknown, rows = set_aside(things, resolve_classifier({"mode": "corrected"}))
    assert sorted([*known, *unknown]) == list(range(50))
    assert len(unknown) == 10
    assert sorted(thing[rows]) == known.tolist()
    assert (rows % 4 > 0).all()  # never the original


def test_half_of_the_things_with_two_pictures_lend_one() -> None:
    rows = np.arange(0, 100, 2)
    things = Things.of(rows, rows + 1, np.repeat(np.arange(50), 2))
    known, _, aside = set_aside(things, resolve_classifier({"mode": "corrected"}))
    assert len(aside) == len(known) // 2
    assert (aside % 2 == 1).all()


@pytest.mark.parametrize("refuse", [0.5, 0.9, 0.95])
def test_the_declared_share_of_unknown_pictures_is_refused(refuse: float) -> None:
    rng = np.random.default_rng(0)

    def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
        unknown = np.arange(count) % 2 == 0
        return rng.normal(size=(count, 2)) + np.where(unknown, 0, 2)[:, None], unknown

    evidence, unknown = drawn(800)
    found = fit_open_set(Trials(evidence, ~unknown, unknown, np.arange(800)), refuse)
    fresh, of_unknown = drawn(4000)
    refused = found.probability(fresh[of_unknown]) < found.threshold
    assert refused.mean() == pytest.approx(refuse, abs=0.05)
    measured = found.measured["refused"]
    assert measured["low"] <= refused.mean() + 0.01
    assert measured["high"] >= refused.mean() - 0.01


def test_open_set_needs_both_kinds_of_things() -> None:
    evidence = np.random.default_rng(0).normal(size=(6, 2))
    for unknown, word in ((np.ones(6, bool), "known"), (np.zeros(6, bool), "unknown")):
        with pytest.raises(InputError, match=f"two {word} things"):
            fit_open_set(Trials(evidence, ~unknown, unknown, np.arange(6)), 0.9)


def test_evidence_is_the_best_score_and_its_lead() -> None:
    scores = np.random.default_rng(0).normal(size=(20, 7)).astype(np.float32)
    best, evidence = top_two(scores)
    ordered = np.sort(scores, axis=1)
    np.testing.assert_array_equal(best, scores.argmax(axis=1))
    np.testing.assert_allclose(evidence, np.stack([ordered[:, -1], ordered[:, -1] - ordered[:, -2]], axis=1), atol=1e-6)

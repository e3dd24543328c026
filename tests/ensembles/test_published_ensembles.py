"""The published modes against plain loops written from their description, and each of their oddities alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lookalike.core.features import Features
from lookalike.ensembles.cells import BINS, cell_weights, cells_of, window_accuracy
from lookalike.ensembles.grid import GridEnsemble
from lookalike.ensembles.mlp import MLPEnsemble
from lookalike.ensembles.published_regressors import published_accuracy, published_regressors
from lookalike.ensembles.vote import VoteEnsemble
from lookalike.judgments.table import Judgments
from lookalike.metrics.two_afc import two_afc_accuracy
from lookalike.similarity.identity import IdentityModel

sys.path.insert(0, str(Path(__file__).parent))
import published_loop as loop

MODELS, IMAGES, WIDTH = 4, 400, 12


class World:
    """References of uneven numbers of questions, models that are good in places, distances with ties among them."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.vectors = (rng.normal(size=(IMAGES, WIDTH)) * np.linspace(3, 0.5, WIDTH)).astype(np.float32)
        self.names = np.array([f"{n:04}" for n in range(IMAGES)])
        self.features = Features(self.names, self.vectors)
        self.fitted, self.tested = self._questions(rng, 0, 120, 500), self._questions(rng, 90, 200, 400)
        judgments = self.fitted[0]
        self.models = [IdentityModel().fit(judgments, self.features)] * MODELS

    def _questions(
        self, rng: np.random.Generator, first: int, last: int, count: int
    ) -> tuple[Judgments, NDArray[np.float32], NDArray[np.int64]]:
        references = np.concatenate([np.arange(first, last), rng.integers(first, last, count - (last - first))])
        rng.shuffle(references)
        others = np.array([rng.choice(np.arange(200, IMAGES), 2, replace=False) for _ in range(count)])
        order = rng.integers(0, 2, count)
        chance = 0.7 + 0.29 * np.sin(self.vectors[references, :MODELS] + np.arange(MODELS))
        right = rng.random((count, MODELS)) < chance
        answers = np.where(right, order[:, None], 1 - order[:, None])  # 1: the first image is farther
        gap = np.where(rng.random((count, MODELS)) < 0.1, 0, rng.uniform(0.02, 0.3, (count, MODELS)))
        first_distance = 1 + np.where(answers == 1, gap, -gap) / 2
        distances = np.stack([first_distance.T, 2 - first_distance.T]).astype(np.float32)
        judgments = Judgments.from_ids(self.names[references], *self.names[others.T], 1 - order, order)
        return judgments, distances, references

    def published(self, ensemble: Any) -> NDArray[np.bool_]:
        """Answer the test questions as the published programs do."""
        ensemble.fit(self.fitted[0], self.features, self.fitted[1])
        a, b = ensemble.distances(self.tested[0], self.features, self.tested[1])
        return np.asarray(a > b)

    def accuracy(self) -> dict[int, list[float]]:
        judgments, distances, references = self.fitted
        return loop.accuracy_by_reference(distances, judgments.votes_b.astype(int), references.tolist())

    def loop_answers(self, weights: dict[int, Any]) -> list[int]:
        return loop.predict(weights, self.tested[1].astype(np.float64), self.tested[2].tolist())


WORLDS = [World(seed) for seed in range(3)]


@pytest.mark.parametrize(("world", "mode"), list(zip(WORLDS, ["avg", "max", "thres"], strict=True)))
def test_the_grid_answers_as_the_plain_loop_does(world: World, mode: Any) -> None:
    pca = world.names[:100].tolist()
    ensemble = GridEnsemble(world.models, "published", mode, pca_ids=pca)
    answers = world.published(ensemble)
    points = loop.principal(world.vectors, np.arange(100), 2)
    weights = loop.grid(world.vectors, points, world.accuracy(), mode, world.tested[2].tolist())
    assert answers.tolist() == [bool(answer) for answer in world.loop_answers(weights)]
    ours = ensemble.weights(world.features)
    for reference, expected in weights.items():
        np.testing.assert_allclose(ours[reference], np.array(expected) / sum(expected), atol=1e-6)


@pytest.mark.parametrize("world", WORLDS[:2])
@pytest.mark.parametrize("dim", [2, 8])
def test_the_mlp_answers_as_the_plain_loop_does(world: World, dim: int) -> None:
    ensemble = MLPEnsemble(world.models, "published", dim, pca_ids=world.names[:100], seed=4)
    answers = world.published(ensemble)
    points = loop.principal(world.vectors, np.arange(100), dim)
    weights = loop.mlp(points, world.accuracy(), 4, world.tested[2].tolist())
    assert answers.tolist() == [bool(answer) for answer in world.loop_answers(weights)]
    ours = ensemble.weights(world.features)
    for reference, expected in weights.items():
        np.testing.assert_allclose(ours[reference], expected, atol=1e-5)


@pytest.mark.parametrize("world", WORLDS)
def test_the_vote_counts_as_the_plain_loop_does(world: World) -> None:
    judgments, distances, _ = world.tested
    distances = distances.copy()
    distances[0] += np.where(distances[0] == distances[1], 0.01, 0).astype(np.float32)  # no model is undecided
    ensemble = VoteEnsemble(world.models).fit(world.fitted[0], world.features, world.fitted[1])
    a, b = ensemble.distances(judgments, world.features, distances)
    votes = np.array(loop.majority(distances))
    np.testing.assert_allclose(a, votes / MODELS)
    np.testing.assert_allclose(b, 1 - votes / MODELS)
    assert (votes == MODELS / 2).any()  # 2 against 2, counted as one half
    right = np.where(votes == MODELS / 2, 0.5, (votes > MODELS / 2) == (judgments.votes_b == 1))
    assert two_afc_accuracy(a, b, judgments.votes_a, judgments.votes_b).value == pytest.approx(right.mean())


@pytest.mark.parametrize(("rows", "inputs", "models"), [(37, 3, 2), (450, 8, 3), (1, 2, 2)])
def test_regressors_are_those_of_scikit_learn(rows: int, inputs: int, models: int) -> None:
    """In whole and in short batches, stopped early and after 200 passes; a model that goes on is not touched."""
    rng = np.random.default_rng(rows)
    X = rng.normal(size=(rows, inputs)) * 4
    Y = np.clip(0.7 + 0.1 * np.sin(X @ rng.normal(size=(inputs, models))) + 0.1 * rng.normal(size=(rows, models)), 0, 1)
    accuracy = {row: Y[row].tolist() for row in range(rows)}
    expected = loop.mlp(dict(enumerate(X)), accuracy, 5, range(rows))
    found = published_accuracy(published_regressors(X, Y, 5), X)
    found /= found.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, [expected[row] for row in range(rows)], rtol=0, atol=1e-9)


# One oddity at a time.


def one_reference_each(points: NDArray[Any], right: NDArray[Any]) -> tuple[Judgments, Features, NDArray[np.float32]]:
    """A question per reference, at given places; `right` (R, K) says which models answer as 100 people did: with a."""
    count, models = right.shape
    vectors = np.concatenate([points, np.zeros((2, points.shape[1]))]).astype(np.float32)
    names = [*(f"r{n:03}" for n in range(count)), "x", "y"]
    judgments = Judgments.from_ids(names[:count], ["x"] * count, ["y"] * count, np.full(count, 100), np.zeros(count))
    distances = np.stack([np.where(right.T, 0.2, 0.4), np.full((models, count), 0.3)]).astype(np.float32)
    return judgments, Features(names, vectors), distances


def grid_of(points: NDArray[Any], right: NDArray[Any], **parameters: Any) -> GridEnsemble:
    judgments, features, distances = one_reference_each(points, right)
    models = [IdentityModel().fit(judgments, features)] * right.shape[1]
    return GridEnsemble(models, "published", **parameters).fit(judgments, features, distances)


SQUARE = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 4.0], [10.0, 4.0]])


def test_rows_are_the_second_coordinate_and_columns_the_first() -> None:
    right = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], bool)  # by the second coordinate alone
    table = grid_of(SQUARE, right).table_
    assert table.shape == (BINS, BINS, 2)
    low, high = table[:5, [0, -1]], table[-5:, [0, -1]]
    assert (low == low[0, 0]).all()
    assert (high == high[0, 0]).all()
    assert (low[0, 0] == 1 - high[0, 0]).all()


def test_the_window_reaches_five_cells_back_and_four_ahead() -> None:
    found = window_accuracy(np.array([[100, 100]]), np.array([[1.0]]))
    rows, columns = np.nonzero(~np.isnan(found[:, :, 0]))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (96, 105, 96, 105)
    assert len(rows) == 100
    corner = window_accuracy(np.array([[0, BINS - 1]]), np.array([[1.0]]))
    rows, columns = np.nonzero(~np.isnan(corner[:, :, 0]))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (0, 5, BINS - 5, BINS - 1)


def test_places_outside_the_fitted_range_are_in_the_edge_cells() -> None:
    low, high = np.array([0.0, -1.0]), np.array([1.0, 1.0])
    points = np.array([[-9.0, -9.0], [9.0, 9.0], [1.0, 1.0], [0.0, -1.0], [0.005, -0.99]])
    assert cells_of(points, low, high).tolist() == [[0, 0], [199, 199], [199, 199], [0, 0], [1, 1]]
    right = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], bool)
    ensemble = grid_of(SQUARE, right)
    far = 5 + 1e4 * (SQUARE - SQUARE.mean(axis=0))
    np.testing.assert_array_equal(ensemble.weights(far.astype(np.float32)), ensemble.weights(SQUARE.astype(np.float32)))


def test_every_reference_counts_the_same_however_much_was_asked() -> None:
    """One question that model 1 gets right, and nine about a neighbour that it gets wrong: 1 of 2, not 1 of 10."""
    points = np.concatenate([SQUARE, [[0.001, 0.0]]])
    judgments, features, distances = one_reference_each(points, np.array([[0, 1], *[[1, 1]] * 3, [1, 0]], bool))
    rows = np.repeat(np.arange(5), [1, 1, 1, 1, 9])
    models = [IdentityModel().fit(judgments, features)] * 2
    near = features.vectors[:1]
    for repeated in (np.arange(5), rows):
        ensemble = GridEnsemble(models, "published", "avg")
        ensemble.fit(judgments.take(repeated), features, distances[:, :, repeated])
        np.testing.assert_allclose(ensemble.weights(near), [[0.5, 0.5]])
    corrected = GridEnsemble(models, "corrected", "avg", bandwidth=0.1)
    corrected.fit(judgments.take(rows), features, distances[:, :, rows])
    assert corrected.weights(near)[0, 0] > 0.8


def test_of_equal_distances_a_is_the_answer() -> None:
    """So a model that cannot tell is right where people said a; corrected, half right."""
    judgments, features, distances = one_reference_each(SQUARE, np.ones((4, 2), bool))
    distances[:, 0] = 0.3
    models = [IdentityModel().fit(judgments, features)] * 2
    options: dict[str, Any] = {"weighting": "avg"}
    for asked, shares in ((judgments, [0.5, 0.5]), (judgments.flipped(), [0.0, 1.0])):
        given = distances if asked is judgments else distances[::-1]
        ensemble = GridEnsemble(models, "published", **options).fit(asked, features, given)
        np.testing.assert_allclose(ensemble.weights(features.vectors[:1]), [shares])
        ensemble = GridEnsemble(models, "corrected", bandwidth=5.0, **options).fit(asked, features, given)
        assert ensemble.weights(features.vectors[:1])[0, 0] == pytest.approx(0.5 / 1.5, abs=0.01)


def test_max_gives_empty_windows_to_the_first_model_and_the_corrected_mode_shares_them() -> None:
    right = np.array([[0, 1], [0, 1], [0, 1], [0, 1]], bool)
    middle = SQUARE.mean(axis=0, keepdims=True).astype(np.float32)
    assert grid_of(SQUARE, right, weighting="max").weights(middle).tolist() == [[1.0, 0.0]]
    assert grid_of(SQUARE, right, weighting="avg").weights(middle).tolist() == [[0.5, 0.5]]
    assert grid_of(SQUARE, right, weighting="thres").weights(middle).tolist() == [[0.5, 0.5]]
    assert grid_of(SQUARE, right, weighting="max").weights(SQUARE.astype(np.float32)).tolist() == [[0.0, 1.0]] * 4
    judgments, features, distances = one_reference_each(SQUARE, right)
    models = [IdentityModel().fit(judgments, features)] * 2
    corrected = GridEnsemble(models, "corrected", "avg", bandwidth=0.01).fit(judgments, features, distances)
    np.testing.assert_allclose(corrected.weights(middle), [[0.5, 0.5]], atol=1e-6)


def test_three_quarters_right_is_not_good_enough() -> None:
    weights = cell_weights(np.array([[0.75, 0.76, 0.80], [0.75, 0.70, 0.75], [0.2, 0.1, 0.0]]), "thres", 0.75)
    np.testing.assert_allclose(weights, [[0, 0.76 / 1.56, 0.8 / 1.56], [1, 0, 0], [1, 0, 0]])
    np.testing.assert_allclose(cell_weights(np.zeros((1, 4)), "avg", 0.75), [[0.25] * 4])


def test_the_axes_are_fitted_to_the_named_images_alone() -> None:
    """References spread along the first number; the images for the axes along the second and the third."""
    rng = np.random.default_rng(0)
    points = np.hstack([10 * rng.normal(size=(30, 1)), 0.1 * rng.normal(size=(30, 3))])
    judgments, features, distances = one_reference_each(points, rng.random((30, 2)) < 0.5)
    others = np.tile(np.arange(4.0), (20, 1))
    others[:, 1:3] += 5 * rng.normal(size=(20, 2))
    names = [f"p{n}" for n in range(20)]
    wide = Features([*features.ids, *names], np.concatenate([features.vectors, others]))
    models = [IdentityModel().fit(judgments, wide)] * 2
    for mode in ("published", "corrected"):
        ensemble = GridEnsemble(models, mode, pca_ids=names).fit(judgments, wide, distances)
        assert abs(ensemble.axes_.turn[0]).max() < 1e-6
        np.testing.assert_allclose(ensemble.axes_.mean, others.mean(axis=0), atol=1e-6)
    assert abs(GridEnsemble(models, "published").fit(judgments, wide, distances).axes_.turn[0, 0]) > 0.99


@pytest.mark.parametrize("kind", [GridEnsemble, MLPEnsemble])
def test_distances_are_calibrated_in_the_corrected_mode_alone(kind: Any) -> None:
    world = WORLDS[0]
    judgments, distances, _ = world.fitted
    stretched = np.clip(1 + (distances - 1) * np.array([0.5, 1, 1, 1], np.float32)[:, None], 0, 2)
    published = kind(world.models, "published").fit(judgments, world.features, stretched)
    assert published.calibration_.tolist() == [1.0] * 4
    corrected = kind(world.models, "corrected").fit(judgments, world.features, stretched)
    plain = kind(world.models, "corrected").fit(judgments, world.features, distances)
    ratio = corrected.calibration_ / plain.calibration_
    np.testing.assert_allclose(ratio[0] / ratio[1:], 2, rtol=0.01)


def test_published_weights_of_the_mlp_are_not_clipped() -> None:
    """A model that is always wrong can be predicted to be below 0; corrected, weights are shares."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 2)) * 3
    right = np.stack([points[:, 0] > 0, np.ones(200, bool), rng.random(200) < 0.5], axis=1)
    judgments, features, distances = one_reference_each(points, right)
    models = [IdentityModel().fit(judgments, features)] * 3
    far = (30 * points).astype(np.float32)
    published = MLPEnsemble(models, "published", 2).fit(judgments, features, distances)
    predicted = published_accuracy(published.regressors_, published.axes_.place(far))
    np.testing.assert_allclose(published.weights(far), predicted / predicted.sum(axis=1, keepdims=True), atol=1e-6)
    assert predicted.min() < 0 or predicted.max() > 1
    corrected = MLPEnsemble(models, "corrected", 2).fit(judgments, features, distances)
    assert corrected.weights(far).min() >= 0


def test_published_coordinates_are_as_they_come() -> None:
    """A thousand times larger features change what the published networks learn, and nothing of the corrected ones."""
    world = WORLDS[1]
    judgments, distances, _ = world.fitted
    large = Features(world.features.ids, 1000 * world.features.vectors)
    both = [
        [
            MLPEnsemble(world.models, mode).fit(judgments, features, distances).weights(features)
            for features in (world.features, large)
        ]
        for mode in ("published", "corrected")
    ]
    assert np.abs(both[0][0] - both[0][1]).max() > 0.01
    np.testing.assert_allclose(both[1][0], both[1][1], atol=1e-3)


def test_a_direction_without_spread_is_a_column_of_zeros() -> None:
    """The published map has two coordinates, also of references on a line."""
    right = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], bool)
    ensemble = grid_of(SQUARE * [1.0, 0.0], right)
    assert ensemble.axes_.turn.shape == (2, 2)
    assert np.isfinite(ensemble.table_).all()

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lookalike.judgments.questions import Committee, Informative, Random, State, Uncertain
from lookalike.judgments.questions.basis import Coordinates, fit_basis
from lookalike.judgments.questions.information import answer_probability, mutual_information
from lookalike.judgments.questions.informative import metric_posterior, most_informative
from lookalike.judgments.questions.metric import PRIOR_DEVIATION, MetricPosterior, fit_metric, question_features
from lookalike.judgments.table import Judgments


def vectors(count: int, width: int, seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def gaps(state: State, questions, model: int = 0) -> np.ndarray:
    row = {name: number for number, name in enumerate(state.ids)}
    r, a, b = (state.vectors[model][[row[getattr(q, f)] for q in questions]] for f in ("reference", "a", "b"))
    return (r * a).sum(axis=1) - (r * b).sum(axis=1)


def test_uncertain_asks_smaller_gaps_than_random():
    state = State([str(n) for n in range(80)], [vectors(80, 8, 0)])
    close, chance = (gaps(state, s(0, 0).propose(state, 50, np.random.default_rng(0))) for s in (Uncertain, Random))
    assert np.abs(close).max() < 0.1 * np.median(np.abs(chance))


def test_committee_asks_where_the_models_disagree():
    one = vectors(80, 8, 0)
    other = one.copy()
    other[:12] = vectors(12, 8, 9)  # the models differ about the first twelve images alone
    state = State([str(n) for n in range(80)], [one, other])
    asked = Committee(0, 0).propose(state, 12, np.random.default_rng(0))
    assert (np.sign(gaps(state, asked, 0)) != np.sign(gaps(state, asked, 1))).all()
    assert all({int(q.reference), int(q.a), int(q.b)} & set(range(12)) for q in asked)
    chance = Random(0, 0).propose(state, 50, np.random.default_rng(0))
    assert (np.sign(gaps(state, chance, 0)) != np.sign(gaps(state, chance, 1))).mean() < 0.5


def entropy(p):
    return -p * np.log(p) - (1 - p) * np.log(1 - p)


def test_information_is_that_of_brute_force_over_the_metrics():
    """Sum the joint distribution of metric and answer over a grid of all three entries of a 2 x 2 metric."""
    rng = np.random.default_rng(3)
    features = question_features(*rng.normal(size=(3, 40, 2)))
    root = rng.normal(size=(3, 3)) * 0.2
    posterior = MetricPosterior(np.array([1.0, 0.3, 0.8]), root @ root.T + 0.05 * np.eye(3))
    axis = np.linspace(-5, 5, 31)
    standard = np.array(list(itertools.product(axis, axis, axis)))
    weight = np.exp(-(standard**2).sum(axis=1) / 2)
    weight /= weight.sum()
    metrics = posterior.mean + standard @ np.linalg.cholesky(posterior.covariance).T
    answers = np.clip(1 / (1 + np.exp(-metrics @ features.T)), 1e-12, 1 - 1e-12)
    expected = entropy(weight @ answers) - weight @ entropy(answers)
    mean, variance = features @ posterior.mean, np.einsum("cp,pq,cq->c", features, posterior.covariance, features)
    np.testing.assert_allclose(mutual_information(mean, variance), expected, atol=2e-3)
    np.testing.assert_allclose(answer_probability(mean, variance), weight @ answers, atol=2e-3)
    assert expected[most_informative(posterior, features, 1)[0]] > expected.max() - 4e-3


def test_a_batch_does_not_ask_one_thing_twice():
    posterior = fit_metric(np.zeros((0, 6)), np.zeros(0), np.zeros(0))
    directions = np.zeros((12, 6))
    directions[:9, 1] = np.linspace(4.0, 3.6, 9)  # nine wordings of one question
    directions[9:, [2, 4, 4]] = np.diag([3.0, 2.9, 2.8])
    directions[10, 4] = 2.9
    chosen = most_informative(posterior, directions, 3).tolist()
    assert chosen[0] == 0
    assert set(chosen[1:]) <= {9, 10, 11}


def test_greedy_variances_are_those_of_the_narrowed_posterior():
    """The rank-one updates of the batch equal an inversion of the curvature with the chosen questions added."""
    rng = np.random.default_rng(0)
    features = question_features(*rng.normal(size=(3, 60, 3)))
    posterior = fit_metric(features[:20], np.ones(20), np.zeros(20))
    batch = most_informative(posterior, features, 5)
    precision = np.linalg.inv(posterior.covariance)
    mean, picked = features @ posterior.mean, []
    for _ in range(5):
        variance = np.einsum("cp,pq,cq->c", features, np.linalg.inv(precision), features)
        information = mutual_information(mean, variance)
        information[picked] = -np.inf
        picked.append(int(information.argmax()))
        p = answer_probability(mean[picked[-1:]], variance[picked[-1:]])[0]
        precision += p * (1 - p) * np.outer(features[picked[-1]], features[picked[-1]])
    assert batch.tolist() == picked


def test_the_posterior_is_at_the_maximum_and_weighs_votes():
    rng = np.random.default_rng(1)
    features = question_features(*rng.normal(size=(3, 30, 2)))
    votes_a, votes_b = rng.integers(0, 4, size=(2, 30)).astype(float)
    votes_a[votes_a + votes_b == 0] = 1
    fitted = fit_metric(features, votes_a, votes_b)
    p = 1 / (1 + np.exp(-features @ fitted.mean))
    pull = (fitted.mean - np.array([1.0, 0, 1])) / PRIOR_DEVIATION**2
    np.testing.assert_allclose(features.T @ (votes_a - (votes_a + votes_b) * p), pull, atol=0.05)
    singles = np.repeat(features, (votes_a + votes_b).astype(int), axis=0)
    ones = np.concatenate([[1.0] * int(a) + [0.0] * int(b) for a, b in zip(votes_a, votes_b, strict=True)])
    apart = fit_metric(singles, ones, 1 - ones)
    np.testing.assert_allclose(fitted.mean, apart.mean, atol=1e-6)
    np.testing.assert_allclose(fitted.covariance, apart.covariance, atol=1e-6)


def test_the_features_answer_as_the_metric_does():
    r, a, b = np.random.default_rng(0).normal(size=(3, 20, 4))
    posterior = fit_metric(question_features(r, a, b), np.ones(20), np.zeros(20))
    metric = posterior.matrix
    to_a, to_b = (np.einsum("nk,kl,nl->n", r - x, metric, r - x) for x in (a, b))
    np.testing.assert_allclose(question_features(r, a, b) @ posterior.mean, to_b - to_a)


def test_informative_learns_what_matters_with_fewer_answers_than_random():
    """People look at one of six directions alone; both learners see 80 exact answers."""
    points, hidden = vectors(150, 6, 2), np.diag([1.0, 0, 0, 0, 0, 0])
    unseen = np.random.default_rng(7).normal(size=(3, 3000, 6)) * points.std()
    truth = question_features(*unseen) @ hidden[np.triu_indices(6)] > 0
    basis, accuracy = fit_basis([points]), {}
    features = question_features(*(basis.project([place.astype(np.float32)]) for place in unseen))
    for strategy in (Random(0, 0), Informative(0, 0)):
        state, asked, rng = State([f"{n:03}" for n in range(150)], [points], alike=0.0), [], np.random.default_rng(0)
        for _ in range(8):
            asked += strategy.propose(state, 10, rng)
            r, a, b = (points[[int(getattr(q, f)) for q in asked]][:, 0] for f in ("reference", "a", "b"))
            first = np.abs(r - a) < np.abs(r - b)
            columns = [[getattr(q, f) for q in asked] for f in ("reference", "a", "b")]
            state = state.answered(Judgments.from_ids(*columns, first, ~first))
        accuracy[type(strategy)] = ((features @ metric_posterior(state).mean > 0) == truth).mean()
    assert accuracy[Informative] > accuracy[Random] + 0.01
    assert accuracy[Informative] > 0.85


def test_the_basis_spans_what_the_images_do():
    rng = np.random.default_rng(0)
    plane = (rng.normal(size=(200, 3)) * [5, 3, 1]) @ rng.normal(size=(3, 30))
    models = [plane[:, :10].astype(np.float32), plane[:, 10:].astype(np.float32)]
    places = Coordinates(models).of(np.arange(200))
    assert places.shape == (200, 16)
    exact = ((plane[:, None] - plane[None]) ** 2).sum(axis=2)
    found = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    assert found.max() / exact.max() == pytest.approx(np.median(found[exact > 0] / exact[exact > 0]), rel=1e-3)
    logits = (
        question_features(*(places[rng.integers(200, size=5000)] for _ in range(3))) @ np.eye(16)[np.triu_indices(16)]
    )
    assert logits.std() == pytest.approx(1.0, rel=0.1)

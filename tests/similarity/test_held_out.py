"""Measurements on answers held out, against plain loops; and that nothing leaks from one side to the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from lookalike import AdaptationModel, Features, IdentityModel, Judgments, Pairs
from lookalike.core.errors import InputError
from lookalike.core.progress import Progress
from lookalike.judgments.splits import By
from lookalike.similarity.held_out import held_out_judgments, held_out_pairs
from lookalike.similarity.model import Arrays, SimilarityModel


class Spy(SimilarityModel):
    """The features as they are; writes down what it was fitted on and asked about."""

    def __init__(self, log: list[tuple[set[str], set[str]]] | None = None) -> None:
        self.log = [] if log is None else log

    def _fit(self, examples: Any, features: Features, flipped: Features | None, on_epoch: Any) -> None:
        columns = (
            (examples.left, examples.right)
            if isinstance(examples, Pairs)
            else (examples.references, examples.candidates_a, examples.candidates_b)
        )
        self.learned_ = {str(image) for column in columns for image in column}
        self.given_ = features
        self.log.append((self.learned_, set()))

    def _map(self, rows: np.ndarray) -> np.ndarray:
        of = {row.tobytes(): image for image, row in zip(self.given_.ids.tolist(), self.given_.vectors, strict=True)}
        self.log[-1][1].update(of[row.tobytes()] for row in rows)
        return rows

    def arrays(self) -> Arrays:
        return {}

    def restore(self, arrays: Mapping[str, Any]) -> None: ...


def some_pairs(count: int, noise: float = 1.0) -> tuple[Pairs, Features]:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(count, 6))
    ids = [f"{side}{number:03}" for side in "lr" for number in range(count)]
    rows = np.concatenate([shared + noise * rng.normal(size=shared.shape) for _ in range(2)])
    return Pairs.from_ids(ids[:count], ids[count:]), Features(ids, rows)


def some_judgments(rows: int, images: int, **columns: Any) -> tuple[Judgments, Features]:
    rng = np.random.default_rng(1)
    triplets = np.array([rng.choice(images, 3, replace=False) for _ in range(rows)])
    features = Features([str(image) for image in range(images)], rng.normal(size=(images, 5)))
    votes_a, votes_b = rng.integers(0, 4, (2, rows))
    return Judgments.from_ids(*triplets.astype(str).T, 1 + votes_a, votes_b, **columns), features


def recall(left: np.ndarray, right: np.ndarray, k: int) -> np.ndarray:
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (left, right)]
    similar = unit[0] @ unit[1].T
    there = [i in np.argsort(-similar[i])[:k] for i in range(len(left))]
    back = [i in np.argsort(-similar[:, i])[:k] for i in range(len(left))]
    return np.logical_or(there, back).astype(float)


def test_recalls_are_those_of_a_plain_loop() -> None:
    pairs, features = some_pairs(40)
    logs: list[list[tuple[set[str], set[str]]]] = [[] for _ in range(5)]
    told: list[Progress] = []
    found = held_out_pairs(lambda run: Spy(logs[run]), pairs, features, runs=5, seed=3, on_progress=told.append)
    hits, times = np.zeros((3, 40)), np.zeros(40)
    for [(learned, asked)] in logs:
        assert not learned & asked
        assert (len(learned), len(asked)) == (60, 20)
        test = np.array([image in asked for image in pairs.left.tolist()])
        left, right = (features.vectors[features.rows(ids[test])] for ids in (pairs.left, pairs.right))
        for row, k in enumerate((1, 3, 5)):
            hits[row, test] += recall(left, right, k)
        times += test
    for row, k in enumerate((1, 3, 5)):
        assert found.model[f"aR@{k}"].value == pytest.approx(hits[row].sum() / times.sum())
        assert found.model[f"aR@{k}"].low < found.model[f"aR@{k}"].value < found.model[f"aR@{k}"].high
    assert found.plain == found.model
    assert (found.gain.value, found.gain.low, found.gain.high, found.gain.p) == (0, 0, 0, 1)
    assert (found.divisions, found.test, found.train, found.tested) == (5, 10, 30, int((times > 0).sum()))
    assert [(step.done, step.total) for step in told] == [(done, 5) for done in range(1, 6)]


def test_pairs_with_images_in_common_stay_together() -> None:
    left = [f"l{number // 3}" for number in range(60)]  # three pairs of each left image
    right = [f"r{number}" for number in range(60)]
    ids = sorted({*left, *right})
    features = Features(ids, np.random.default_rng(0).normal(size=(len(ids), 4)))
    logs: list[list[tuple[set[str], set[str]]]] = [[] for _ in range(4)]
    found = held_out_pairs(lambda run: Spy(logs[run]), Pairs.from_ids(left, right), features, runs=4)
    assert all(not learned & asked for [(learned, asked)] in logs)
    assert found.test == 15


def test_another_seed_deals_otherwise_and_the_same_seed_alike() -> None:
    pairs, features = some_pairs(40)

    def measured(seed: int) -> Any:
        return held_out_pairs(lambda _: IdentityModel(), pairs, features, runs=2, seed=seed).model

    assert measured(0) == measured(0)
    assert measured(0) != measured(1)


def test_a_model_that_learns_gains_over_its_features() -> None:
    rng = np.random.default_rng(0)
    shared, noise = rng.normal(size=(160, 4)), 2.5 * rng.normal(size=(2, 160, 4))
    ids = [f"{side}{number}" for side in "lr" for number in range(160)]
    features = Features(ids, np.concatenate([np.hstack([shared, side]) for side in noise]))
    pairs = Pairs.from_ids(ids[:160], ids[160:])
    found = held_out_pairs(lambda _: AdaptationModel("within", reduce=0), pairs, features, runs=4)
    assert found.gain.low > 0.05
    assert found.gain.value == pytest.approx(found.model["aR@1"].value - found.plain["aR@1"].value)


@pytest.mark.parametrize("by", ["image", "reference", "group", "question"])
def test_judgments_are_held_out_as_their_split_says(by: By) -> None:
    judgments, features = some_judgments(150, 60, group=[str(row // 3) for row in range(150)])
    folds = judgments.split(by, 3, 7)
    logs: list[list[tuple[set[str], set[str]]]] = [[] for _ in range(3)]
    found = held_out_judgments(lambda fold: Spy(logs[fold]), judgments, features, by=by, folds=3, seed=7)
    agreed = total = decided = right = tested = 0.0
    for part, [(learned, asked)] in zip(folds, logs, strict=True):
        assert by != "image" or not learned & asked
        a, b = IdentityModel().fit(part.train, features).distances(part.test, features)
        for one, other, for_a, for_b in zip(a, b, part.test.votes_a, part.test.votes_b, strict=True):
            agreed += for_a if one < other else for_b
            total += for_a + for_b
            decided += for_a != for_b
            right += for_a != for_b and (one < other) == (for_a > for_b)
            tested += 1
    assert found.model["votes"].value == pytest.approx(agreed / total)
    assert found.model["majorities"].value == pytest.approx(right / decided)
    assert found.plain == found.model
    assert (found.tested, found.divisions) == (tested, 3)


def test_every_fold_gets_a_model_of_its_own_seed() -> None:
    judgments, features = some_judgments(90, 30)
    seeds: list[int] = []

    def make(fold: int) -> SimilarityModel:
        seeds.append(fold)
        return IdentityModel()

    held_out_judgments(make, judgments, features, by="reference", folds=4)
    assert sorted(seeds) == [0, 1, 2, 3]


def test_values_for_json_have_no_numbers_that_are_none() -> None:
    judgments, features = some_judgments(40, 20)
    one = judgments.take(np.flatnonzero(judgments.reference == judgments.reference[0]))
    found = held_out_judgments(lambda _: IdentityModel(), one, features, by="question", folds=2).as_dict()
    assert found["model"]["votes"]["low"] is None
    assert found["gain"]["p"] is None
    assert found["tested"] == len(one)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda p, f: held_out_pairs(lambda _: IdentityModel(), p, f, test=0.0), "between 0 and 1, not 0"),
        (lambda p, f: held_out_pairs(lambda _: IdentityModel(), p, f, runs=0), "at least 1 run"),
        (lambda p, f: held_out_pairs(lambda _: IdentityModel(), p, f, test=0.05), "leaves 0 to test and 10 to learn"),
        (lambda p, f: held_out_pairs(lambda _: IdentityModel(), p, f, test=0.95), "leaves 9 to test and 1 to learn"),
    ],
)
def test_what_cannot_be_held_out_is_said(measure: Callable[[Pairs, Features], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        measure(*some_pairs(10))

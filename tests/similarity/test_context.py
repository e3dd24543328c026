"""Context models: what is learned, where training starts, and every oddity of the published program by itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn.functional import cross_entropy, linear  # noqa: E402

from lookalike.core.errors import InputError, NotFittedError  # noqa: E402
from lookalike.core.features import Features  # noqa: E402
from lookalike.judgments.pairs import Pairs  # noqa: E402
from lookalike.judgments.table import Judgments  # noqa: E402
from lookalike.similarity.adaptation import AdaptationModel  # noqa: E402
from lookalike.similarity.context import ContextModel  # noqa: E402
from lookalike.similarity.context_settings import ContextSettings  # noqa: E402
from lookalike.similarity.context_training import first_weights  # noqa: E402
from lookalike.similarity.saving import load_model, save_model  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))
from checks import questions_about, some_judgments, some_pairs  # noqa: E402

SMALL = {"width": 6, "reduce": 0}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def people(attends: int, count: int = 240, seed: int = 0) -> tuple[Judgments, Features]:
    """Answers of people who look at one of six numbers alone, about images of which some are asked about."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(60, 6))
    triplets = np.array([rng.choice(60, 3, replace=False) for _ in range(count)])
    r, a, b = (vectors[column, attends] for column in triplets.T)
    names = np.array([f"{n:02}" for n in range(60)])
    return Judgments.from_ids(*names[triplets.T], abs(r - a) < abs(r - b), abs(r - a) >= abs(r - b)), Features(
        names, vectors
    )


def agreement(model: ContextModel, judgments: Judgments, features: Features) -> float:
    a, b = model.distances(judgments, features)
    return float(np.mean((a < b) == (judgments.votes_a > 0)))


def test_it_learns_what_people_look_at() -> None:
    judgments, features = people(2, count=600)
    model = ContextModel(reduce=0, epochs=30, batch=64, seed=1).fit(judgments.take(np.arange(450)), features)
    new = judgments.take(np.arange(450, 600))
    assert agreement(model, new, features) > 0.75 > 0.65 > agreement(_untrained(features, judgments), new, features)
    by_head = np.mean((model.choose(new, features) > 0.5) == (new.votes_a > 0))
    assert by_head > 0.75


def _untrained(features: Features, judgments: Judgments) -> ContextModel:
    return ContextModel(reduce=0, epochs=1, learning_rate=1e-12).fit(judgments, features)


def test_before_training_it_is_the_features() -> None:
    judgments, features = people(0)
    vectors = _untrained(features, judgments).transform(features)
    plain = features.vectors / np.linalg.norm(features.vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors @ vectors.T, plain @ plain.T, atol=1e-5)


def test_pairs_are_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="is fitted on Judgments; for pairs take AdaptationModel"):
        ContextModel(**SMALL).fit(*some_pairs())


class TestChoose:
    def test_swapping_the_candidates_turns_the_probability_round(self) -> None:
        judgments, features = some_judgments()
        model = ContextModel(**SMALL, members=2, epochs=3, seed=2).fit(judgments, features)
        asked = questions_about(features)
        chance, turned = model.choose(asked, features), model.choose(asked.flipped(), features)
        assert chance.dtype == np.float64
        assert chance.shape == (len(asked),)
        np.testing.assert_allclose(chance + turned, 1, atol=1e-6)
        assert chance.std() > 0.01

    def test_the_concatenated_head_need_not_agree_with_itself(self) -> None:
        judgments, features = some_judgments()
        model = ContextModel(**SMALL, mode="published", learning_rate=0.01).fit(judgments, features)
        asked = questions_about(features)
        assert abs(model.choose(asked, features) + model.choose(asked.flipped(), features) - 1).max() > 0.01

    def test_members_are_averaged(self) -> None:
        judgments, features = some_judgments()
        model = ContextModel(**SMALL, members=3, epochs=3).fit(judgments, features)
        asked = questions_about(features)
        single = []
        for number in range(3):
            one = ContextModel(**SMALL, members=3, epochs=3).fit(judgments, features)
            one.members_, one.scales_ = one.members_[number : number + 1], one.scales_[number : number + 1]
            single.append(one.choose(asked, features))
        assert np.std(single, axis=0).max() > 1e-4
        np.testing.assert_allclose(model.choose(asked, features), np.mean(single, axis=0), atol=1e-12)

    def test_it_is_saved_with_the_model(self, tmp_path: Path) -> None:
        judgments, features = some_judgments()
        for mode in ("corrected", "published"):
            model = ContextModel(mode=mode, epochs=2, width=6).fit(judgments, features)
            loaded = load_model(save_model(model, tmp_path / mode))
            assert isinstance(loaded, ContextModel)
            np.testing.assert_array_equal(loaded.choose(judgments, features), model.choose(judgments, features))

    def test_it_says_what_is_missing(self) -> None:
        judgments, features = some_judgments()
        with pytest.raises(NotFittedError):
            ContextModel().choose(judgments, features)
        model = ContextModel(**SMALL, epochs=1).fit(judgments, features)
        with pytest.raises(InputError, match="no features for"):
            model.choose(judgments, Features(["x"], np.zeros((1, 9))))


class TestStart:
    def start(self) -> tuple[ContextModel, Judgments, Features]:
        judgments, features = people(1)
        return ContextModel(reduce=4, width=8, epochs=20, seed=3).fit(judgments, features), judgments, features

    def test_training_begins_with_its_weights_and_components(self) -> None:
        start, judgments, features = self.start()
        few = judgments.take(np.arange(12))
        model = ContextModel(start=start, learning_rate=1e-12).fit(few, features)
        np.testing.assert_allclose(model.transform(features), start.transform(features), atol=1e-6)
        assert model.scale_ == pytest.approx(start.scale_)
        assert model.reduction_ is start.reduction_
        assert model.settings_["width"] == 8

    def test_a_strong_pull_keeps_it_there_and_none_lets_it_go(self) -> None:
        start, _, features = self.start()
        other, _ = people(4)
        ways = []
        for pull in (0.0, 1e4):
            model = ContextModel(start=start, pull=pull, epochs=30).fit(other, features)
            ways.append(float(np.abs(model.transform(features) - start.transform(features)).mean()))
        assert ways[0] > 3 * ways[1]

    def test_it_is_neither_changed_nor_stored(self, tmp_path: Path) -> None:
        start, judgments, features = self.start()
        before = {name: value.copy() for name, value in start.arrays().items()}
        model = ContextModel(start=start).fit(judgments, features)
        for name, value in start.arrays().items():
            np.testing.assert_array_equal(value, before[name])
        loaded = load_model(save_model(model, tmp_path / "own"))
        np.testing.assert_array_equal(loaded.transform(features), model.transform(features))
        assert loaded.get_params() == {**model.get_params(), "start": None}
        assert "start" not in loaded.settings_  # type: ignore[attr-defined]

    def test_copies_share_it(self) -> None:
        from sklearn.base import clone

        start, judgments, features = self.start()
        model = ContextModel(start=start, epochs=2)
        assert model.fresh().start is clone(model).start is start
        one, other = (copy.fit(judgments, features) for copy in (model.fresh(), clone(model)))
        np.testing.assert_array_equal(one.transform(features), other.transform(features))

    def test_its_images_count_as_seen(self) -> None:
        start, _, features = self.start()
        judgments, _ = people(1, count=3, seed=8)
        model = ContextModel(start=start).fit(judgments, features)
        assert model.has_seen(features.ids).all()
        asked, old = model.was_asked(judgments), people(1)[0]
        assert asked.all()
        assert not model.was_asked(old).all()
        assert start.was_asked(old).all()

    @pytest.mark.parametrize(
        ("start", "message"),
        [
            (ContextModel(), "not fitted yet"),
            (AdaptationModel(), "starts from another one, not from AdaptationModel"),
            ("global", "starts from another one, not from str"),
        ],
    )
    def test_what_cannot_be_started_from_is_refused(self, start: Any, message: str) -> None:
        with pytest.raises((InputError, NotFittedError), match=message):
            ContextModel(start=start).fit(*some_judgments())

    def test_other_features_and_shapes_are_refused(self) -> None:
        start, judgments, features = self.start()
        narrow = Features(features.ids, features.vectors[:, :5])
        with pytest.raises(InputError, match="takes 6 numbers an image, these features have 5"):
            ContextModel(start=start).fit(judgments, narrow)
        for name, value in (("width", 9), ("reduce", 3), ("members", 5), ("head", "concatenated")):
            with pytest.raises(InputError, match=f"{name} is that of the model to start from"):
                ContextModel(start=start, **{name: value}).fit(judgments, features)  # type: ignore[arg-type]


class TestPublished:
    """The frozen head of the published program, oddity by oddity."""

    PARAMETERS: ClassVar[dict[str, Any]] = {"mode": "published", "width": 6, "epochs": 1}

    def fit(self, judgments: Judgments, features: Features, **changes: Any) -> ContextModel:
        return ContextModel(**{**self.PARAMETERS, **changes}).fit(judgments, features)

    def test_its_settings(self) -> None:
        settings = ContextModel(mode="published").fit(*some_judgments()).settings_
        wanted = {"epochs": 25, "batch": 8, "learning_rate": 1e-5, "weight_decay": 0.0, "triplet_weight": 0.1}
        wanted |= {"triplet_margin": 0.2, "grade_margin": 0.2, "head": "concatenated", "triplet_on": "plain"}
        wanted |= {"members": 1, "scale": 1.0, "learn_scale": False, "keep": "last", "validation": 0.0, "pull": 0.0}
        wanted |= {"reduce": 0, "dropout": 0.0}
        assert {name: settings[name] for name in wanted} == wanted

    def test_a_whole_training_is_that_of_a_plain_loop(self) -> None:
        """All at once: flips appended, hard answers, margins, unnormalised z, plain Adam, the last weights."""
        judgments, features = some_judgments(count=12)
        found = self.fit(judgments, features, epochs=4, batch=0, learning_rate=0.003)
        weights, losses = plain_training(judgments, features, epochs=4, learning_rate=0.003)
        for name, value in weights.items():
            np.testing.assert_allclose(found.members_[0][name], value, atol=2e-5, err_msg=name)
        assert [epoch["loss"] for epoch in found.history_] == pytest.approx(losses, rel=1e-4)

    def test_features_are_taken_as_long_as_they_come(self) -> None:
        judgments, features = some_judgments()
        model = self.fit(judgments, features, learning_rate=1e-12)
        assert (model.gain_, model.reduction_) == (1.0, None)
        longer = Features(features.ids, 3 * features.vectors)
        other = self.fit(judgments, longer, learning_rate=1e-12)
        assert other.history_[0]["loss"] != pytest.approx(model.history_[0]["loss"], rel=1e-3)
        ours = [
            ContextModel(**SMALL, epochs=1, learning_rate=1e-12).fit(judgments, one).history_[0]["loss"]
            for one in (features, longer)
        ]
        assert ours[0] == pytest.approx(ours[1], rel=1e-5)

    def test_votes_become_hard_answers_and_level_ones_are_for_a(self) -> None:
        judgments, features = some_judgments()
        hard = judgments.votes_a >= judgments.votes_b
        as_hard = replace(judgments, votes_a=hard.astype(np.float32), votes_b=(~hard).astype(np.float32))
        assert (judgments.votes_a != as_hard.votes_a).any()
        one, other = (self.fit(answers, features, learning_rate=0.01) for answers in (judgments, as_hard))
        np.testing.assert_array_equal(one.transform(features), other.transform(features))
        level = replace(judgments, votes_a=np.ones(len(judgments), np.float32), votes_b=judgments.votes_b * 0 + 1)
        always_a = replace(level, votes_b=level.votes_b * 0)
        one, other = (self.fit(answers, features, learning_rate=0.01) for answers in (level, always_a))
        np.testing.assert_array_equal(one.transform(features), other.transform(features))
        soft = [ContextModel(**SMALL, epochs=1).fit(answers, features) for answers in (judgments, as_hard)]
        assert (soft[0].transform(features) != soft[1].transform(features)).any()

    def test_flips_are_appended(self) -> None:
        judgments, features = some_judgments(count=20)
        model = self.fit(judgments, features, batch=8, learning_rate=0.01)
        turned = self.fit(judgments.flipped(), features, batch=0, learning_rate=0.01)
        whole = self.fit(judgments, features, batch=0, learning_rate=0.01)
        np.testing.assert_allclose(whole.transform(features), turned.transform(features), atol=1e-6)
        assert (model.transform(features) != whole.transform(features)).any()

    def test_the_last_weights_are_kept(self) -> None:
        judgments, features = some_judgments()
        kept = [
            self.fit(judgments, features, epochs=12, batch=0, learning_rate=0.2, validation=0.3, patience=2, keep=keep)
            for keep in (None, "best")
        ]
        assert len(kept[0].history_) == 12 > len(kept[1].history_)

    def test_the_head_has_two_outputs_over_three_embeddings(self) -> None:
        judgments, features = some_judgments()
        model = self.fit(judgments, features, learning_rate=0.01)
        [member] = model.members_
        assert member["head"].shape == (2, 27)
        assert member["head_bias"].shape == (2,)
        z = embedded(features.vectors, member)
        rows = [features.rows(ids) for ids in (judgments.references, judgments.candidates_a, judgments.candidates_b)]
        logits = np.concatenate([z[one] for one in rows], axis=1) @ member["head"].T + member["head_bias"]
        expected = np.exp(logits[:, 0]) / np.exp(logits).sum(axis=1)
        np.testing.assert_allclose(model.choose(judgments, features), expected, atol=1e-5)

    def test_accuracies_are_of_one_answer_each_by_argmax_and_by_squared_distances(self) -> None:
        judgments, features = some_judgments()
        model = self.fit(judgments, features, learning_rate=0.01)
        z = embedded(features.vectors, model.members_[0]).astype(np.float64)
        r, a, b = (
            z[features.rows(ids)] for ids in (judgments.references, judgments.candidates_a, judgments.candidates_b)
        )
        order = judgments.votes_b > judgments.votes_a
        squared = ((r - a) ** 2).sum(axis=1) > ((r - b) ** 2).sum(axis=1)
        found = model.accuracies(judgments, features)
        assert found["embedding"] == pytest.approx((squared == order).mean())
        assert found["head"] == pytest.approx(((model.choose(judgments, features) < 0.5) == order).mean())
        by_cosine = np.mean((np.subtract(*model.distances(judgments, features)) > 0) == order)
        assert found["embedding"] != pytest.approx(by_cosine)

    def test_what_is_level_counts_as_a(self) -> None:
        features = Features(["r", "x", "y"], [[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
        answers = Judgments.from_ids(["r", "r", "r"], ["x", "y", "x"], ["y", "x", "y"], [2, 3, 0], [1, 1, 1])
        model = self.fit(answers, features, learning_rate=1e-12)
        model.members_[0]["head"][:] = 0
        model.members_[0]["head_bias"][:] = 0
        assert model.accuracies(answers, features) == {"head": pytest.approx(2 / 3), "embedding": pytest.approx(2 / 3)}
        votes = replace(answers, votes_b=np.array([2, 3, 0], np.float32), votes_a=np.array([1, 1, 1], np.float32))
        assert model.accuracies(votes, features)["embedding"] == pytest.approx(1 / 3)
        corrected = ContextModel(**SMALL, epochs=1).fit(answers, features)
        assert corrected.accuracies(votes, features) == {"head": 0.5, "embedding": 0.5}


def embedded(x: np.ndarray, weights: dict[str, Any]) -> np.ndarray:
    hidden = np.maximum(x @ weights["inner"].T + weights["bias"], 0)
    return np.asarray(x + hidden @ weights["outer"].T)


def plain_training(
    judgments: Judgments, features: Features, epochs: int, learning_rate: float
) -> tuple[dict[str, np.ndarray], list[float]]:
    """Train as the published program trains its head, on a map over features in the place of the network."""
    settings = ContextSettings(mode="published", head="concatenated", members=1, width=6)
    [(begun, _)] = first_weights(settings, features.vectors.shape[1])
    weights = {name: torch.tensor(value, requires_grad=True) for name, value in begun.items()}
    x = torch.tensor(features.vectors)
    rows = [features.rows(ids) for ids in (judgments.references, judgments.candidates_a, judgments.candidates_b)]
    order = (judgments.votes_b > judgments.votes_a).astype(np.int64)
    assert judgments.grades_a is not None
    assert judgments.grades_b is not None
    margin = []
    for one, other in zip(judgments.grades_a.tolist(), judgments.grades_b.tolist(), strict=True):
        margin.append(abs(one - other) / 5 + 0.2 if one and other else 0.2)
    reference, id1, id2 = (np.concatenate([rows[0], rows[0]]), np.concatenate([rows[1], rows[2]]),
                           np.concatenate([rows[2], rows[1]]))  # fmt: skip
    orders, margins = torch.tensor(np.concatenate([order, 1 - order])), torch.tensor(margin + margin)
    optimiser = torch.optim.Adam(weights.values(), lr=learning_rate)
    losses = []
    for _ in range(epochs):
        z = x + linear(torch.relu(linear(x, weights["inner"], weights["bias"])), weights["outer"])
        logits = linear(torch.cat([z[reference], z[id1], z[id2]], 1), weights["head"], weights["head_bias"])
        gap = ((z[reference] - z[id1]) ** 2).sum(1) - ((z[reference] - z[id2]) ** 2).sum(1)
        loss = cross_entropy(logits, orders) + 0.1 * torch.relu(margins - (2 * orders - 1) * gap).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return {name: value.detach().numpy() for name, value in weights.items()}, losses


@pytest.mark.parametrize("on", ["unit", "plain", "layer"])
def test_what_the_triplet_loss_takes_changes_what_is_learned(on: str) -> None:
    judgments, features = some_judgments()
    model = ContextModel(**SMALL, triplet_on=on, triplet_weight=5.0, epochs=3).fit(judgments, features)
    without = ContextModel(**SMALL, triplet_on=on, triplet_weight=0.0, epochs=3).fit(judgments, features)
    assert (model.transform(features) != without.transform(features)).any()
    assert ("gain" in model.members_[0]) == (on == "layer")


def test_graded_answers_ask_for_more() -> None:
    judgments, features = some_judgments()
    ungraded = replace(judgments, grades_a=None, grades_b=None)
    with_grades, without = (
        ContextModel(**SMALL, epochs=2, triplet_weight=1.0).fit(one, features) for one in (judgments, ungraded)
    )
    assert with_grades.history_[0]["loss"] > without.history_[0]["loss"]
    level = ContextModel(**SMALL, epochs=2, triplet_weight=1.0, grade_margin=0.0).fit(judgments, features)
    np.testing.assert_array_equal(level.transform(features), without.transform(features))


def test_validation_stops_it_early_and_needs_something_to_train_on() -> None:
    judgments, features = some_judgments()
    model = ContextModel(**SMALL, epochs=80, validation=0.3, patience=2, learning_rate=0.05).fit(judgments, features)
    assert len({epoch["epoch"] for epoch in model.history_}) < 80
    assert all(epoch["validation_loss"] > 0 for epoch in model.history_)
    with pytest.raises(InputError):
        ContextModel(**SMALL, validation=0.5).fit(judgments.take(np.arange(1)), features)


def test_mirrored_pictures_are_learned_from_too() -> None:
    judgments, features = some_judgments()
    flipped = Features(features.ids, features.vectors[:, ::-1])
    model = ContextModel(**SMALL, epochs=2).fit(judgments, features, flipped)
    alone = ContextModel(**SMALL, epochs=2).fit(judgments, features)
    assert (model.transform(features) != alone.transform(features)).any()


def test_a_damaged_file_is_told_in_one_line(tmp_path: Path) -> None:
    import json

    from safetensors.numpy import load_file, save_file

    judgments, features = some_judgments()
    path = save_model(ContextModel(**SMALL, epochs=1).fit(judgments, features), tmp_path / "m")
    arrays = load_file(path)
    del arrays["member.0.head"]
    save_file(arrays, path)
    import hashlib

    card = json.loads(path.with_suffix(".json").read_text())
    card["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="lacks 'weights of a member'"):
        load_model(path)


def test_examples_of_another_kind() -> None:
    with pytest.raises(InputError, match="nothing to learn from"):
        ContextModel().fit(Pairs.from_ids([], []), some_pairs()[1])

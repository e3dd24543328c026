"""Distances out of fold: no model judges what it was fitted on, whatever it was made of, and every row is judged."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lookalike.core.errors import InputError, NotFittedError
from lookalike.core.features import Features
from lookalike.core.lanes import in_lanes
from lookalike.core.progress import Progress
from lookalike.core.types import Vectors
from lookalike.ensembles.crossfit import out_of_fold, refitted
from lookalike.ensembles.division import divide
from lookalike.ensembles.members import member_distances
from lookalike.judgments.table import Judgments
from lookalike.similarity.adaptation import AdaptationModel
from lookalike.similarity.context import ContextModel
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.model import Arrays, Examples, SimilarityModel, id_hashes, question_hashes
from lookalike.similarity.selected import SelectedModel
from lookalike.training.plan import OnEpoch

sys.path.insert(0, str(Path(__file__).parent))
from crossfit_cases import contexts, divided, own_of

MET: list[tuple[str, set[str], set[int], set[str]]] = []
"""Of every question judged by a spy: the reference, the candidates, the questions and images that it had met."""

LOCK = Lock()


class Spy(SimilarityModel):
    """Remembers what it, and what it started from, was fitted on, and notes it when it judges."""

    questions_: set[int]
    references_: set[str]
    images_: set[str]

    def __init__(self, name: str = "", start: SimilarityModel | None = None) -> None:
        self.name = name
        self.start = start

    def _fit(self, examples: Examples, features: Features, flipped: Features | None, on_epoch: OnEpoch) -> None:
        assert isinstance(examples, Judgments)
        self.questions_ = set(question_hashes(examples).tolist())
        self.references_ = set(examples.references.tolist())
        self.images_ = {*self.references_, *examples.candidates_a.tolist(), *examples.candidates_b.tolist()}
        if isinstance(self.start, Spy):
            self.questions_ |= self.start.questions_
            self.references_ |= self.start.references_
            self.images_ |= self.start.images_

    def _map(self, rows: Vectors) -> Vectors:
        return rows

    def transform_rows(self, features: Features, rows: NDArray[np.int64]) -> Vectors:
        asked = set(features.ids[rows].tolist())
        with LOCK:
            MET.append((self.name, asked, self.questions_, self.images_))
        return super().transform_rows(features, rows)

    def arrays(self) -> Arrays:
        return {}

    def restore(self, arrays: Mapping[str, Any]) -> None:
        raise NotImplementedError


def spied(judgments: Judgments, features: Features, own: NDArray[np.bool_], **options: Any) -> list[tuple[Any, ...]]:
    """Return what each spy had met, per judgment: (K, n) of (questions, images)."""
    models = [Spy(str(number)) for number in range(len(own))]
    MET.clear()
    found = out_of_fold(models, judgments, features, own, **options)
    assert found.shape == (2, len(own), len(judgments))
    assert np.isfinite(found).all()
    return list(MET)


def test_spies_agree() -> None:
    """The same through `out_of_fold`: whoever judges a reference has met neither its questions nor the picture."""
    judgments, features = contexts(shared=5)
    own = np.concatenate([own_of(judgments, 3), np.ones((1, len(judgments)), bool)])
    met = spied(judgments, features, own, folds=4, by="image", seed=0)
    division = divided(judgments, own)
    questions = question_hashes(judgments)
    assert len(met) == 4 * len(division.folds)
    for name in "0123":
        calls = [call for call in met if call[0] == name]
        judged = np.zeros(len(judgments), bool)
        for number in division.folds:
            rows = np.flatnonzero(division.fold == number)
            some = judgments.take(rows)
            asked = {*some.references.tolist(), *some.candidates_a.tolist(), *some.candidates_b.tolist()}
            [call] = [call for call in calls if call[1] == asked]
            judged[rows] = True
            assert call[2].isdisjoint(questions[rows].tolist())
            assert call[3].isdisjoint(some.references.tolist())
            assert call[2] <= set(questions[own[int(name)]].tolist())
        assert judged.all()


def test_a_model_with_one_question_is_replaced_by_plain_features() -> None:
    judgments, features = contexts(count=1)
    own = np.zeros((2, len(judgments)), bool)
    own[0], own[1, 7] = True, True
    MET.clear()
    found = out_of_fold([Spy("0"), SelectedModel(Spy("1"), (3, 9))], judgments, features, own, folds=2)
    spies = [call for call in MET if call[0] == "1"]
    plain = member_distances([SelectedModel.over(IdentityModel.of(6), (3, 9), 12)], judgments, features)
    division = divided(judgments, own, folds=2)
    lonely = division.fold == division.fold[7]
    np.testing.assert_array_equal(found[:, 1, lonely], plain[:, 0, lonely])
    assert not spies  # the copy inside judges by `transform`, the outer one by rows
    np.testing.assert_array_equal(found[:, 1], plain[:, 0])


def test_models_that_were_fitted_on_nothing_here_are_used_as_they_are() -> None:
    judgments, features = contexts(count=2)
    elsewhere, _ = contexts(count=2, seed=9)
    own = own_of(judgments, 2)
    own[1] = False
    model = Spy("as it is").fit(elsewhere, features)
    MET.clear()
    found = out_of_fold([Spy("again"), model], judgments, features, own, folds=3)
    calls = [call for call in MET if call[0] == "as it is"]
    assert len(calls) == 1
    assert calls[0][2] is model.questions_
    np.testing.assert_array_equal(found[:, 1], np.stack(model.distances(judgments, features)))
    with pytest.raises(NotFittedError):
        out_of_fold([Spy("again"), IdentityModel()], judgments, features, own, folds=3)


def test_what_a_model_started_from_is_fitted_anew_too() -> None:
    """A global model has met every judgment; context models that start from it must not hand that on."""
    judgments, features = contexts(shared=4)
    own = own_of(judgments, 3)
    whole = Spy("global").fit(judgments, features)
    models: list[SimilarityModel] = [Spy(str(number), start=whole) for number in range(3)]
    models[2] = SelectedModel(models[2], (0, 12))
    MET.clear()
    out_of_fold(models, judgments, features, own, folds=4)
    division, questions = divided(judgments, own), question_hashes(judgments)
    calls = [call for call in MET if call[0] in "01"]
    assert len(calls) == 2 * len(division.folds)
    for number in division.folds:
        some = judgments.take(division.fold == number)
        asked = {*some.references.tolist(), *some.candidates_a.tolist(), *some.candidates_b.tolist()}
        side = set(questions[division.side(number)].tolist())
        for call in (call for call in calls if call[1] == asked):
            assert call[2] == side  # its own are among those of the global model
            assert call[3].isdisjoint(some.references.tolist())
    assert whole.questions_ == set(questions.tolist())
    assert models[0].get_params()["start"] is whole


def test_what_several_models_start_from_is_fitted_once_per_side(monkeypatch: pytest.MonkeyPatch) -> None:
    judgments, features = contexts()
    own = own_of(judgments, 3)
    deep = Spy("deep").fit(judgments, features)
    whole = Spy("global", start=deep).fit(judgments, features)
    models = [Spy(str(number), start=whole) for number in range(3)]
    fitted: list[str] = []
    before = Spy._fit

    def counted(self: Spy, *rest: Any) -> None:
        fitted.append(self.name)
        before(self, *rest)

    monkeypatch.setattr(Spy, "_fit", counted)
    out_of_fold(models, judgments, features, own, folds=4)
    assert sorted(fitted) == sorted([*["global"] * 4, *["deep"] * 4, *["0", "1", "2"] * 4])


def test_context_models_that_start_from_a_global_one_are_fitted_as_by_hand() -> None:
    pytest.importorskip("torch")
    judgments, features = contexts(count=2, each=80)
    own = own_of(judgments, 2)
    small: dict[str, Any] = {"reduce": 3, "width": 4, "members": 1, "epochs": 2}
    whole = ContextModel(**small).fit(judgments, Features(features.ids, features.vectors[:, 4:]))
    model = SelectedModel(ContextModel(epochs=2, start=whole), (4, 12))
    found = out_of_fold([model], judgments, features, own[:1], folds=2, by="reference")
    division = divided(judgments, own[:1], "reference", 2)
    part = Features(features.ids, features.vectors[:, 4:])
    for number in division.folds:
        side, rows = division.side(number), division.fold == number
        start = whole.fresh().fit(judgments.take(side), part)
        copy = ContextModel(epochs=2, start=start).fit(judgments.take(side & own[0]), part)
        np.testing.assert_allclose(found[:, 0, rows], copy.distances(judgments.take(rows), part), atol=1e-5)
    [plain] = refitted([model], judgments, features, own[:1], np.zeros(len(judgments), bool))
    assert isinstance(plain, SelectedModel)
    assert isinstance(plain.model_, IdentityModel)
    assert plain.columns_ == (4, 12)


def test_a_start_that_was_asked_nothing_here_stays() -> None:
    judgments, features = contexts(count=1)
    elsewhere, _ = contexts(count=1, seed=5)
    start = Spy("start").fit(elsewhere, features)
    own = np.ones((1, len(judgments)), bool)
    [copy] = refitted([Spy("0", start)], judgments, features, own)
    assert copy.get_params()["start"] is start


def test_a_model_whose_start_alone_was_asked_is_not_used_as_it_is() -> None:
    """It has nothing of its own here to be fitted on: its start, fitted anew, stands for it."""
    judgments, features = contexts(count=2)
    one, two = own_of(judgments, 2)
    start = Spy("start").fit(judgments.take(one), features)
    model = Spy("model", start).fit(judgments.take(two), features)
    here = judgments.take(one)
    MET.clear()
    out_of_fold([model], here, features, np.zeros((1, len(here)), bool), folds=3)
    assert {call[0] for call in MET} == {"start"}
    whole = set(question_hashes(here).tolist())
    assert all(call[2] < whole for call in MET)


def test_images_of_the_start_count_as_seen() -> None:
    judgments, features = contexts(count=2)
    one, two = (judgments.take(mine) for mine in own_of(judgments, 2))
    start = Spy("start").fit(one, features)
    model = Spy("model", start).fit(two, features)
    assert model.has_seen(judgments.references).all()
    assert model.was_asked(judgments).tolist() == own_of(judgments, 2)[1].tolist()
    inside = SelectedModel(Spy("model", start)).fit(two, features)
    np.testing.assert_array_equal(inside.seen_, model.seen_)
    assert set(id_hashes(one.references.tolist())) <= set(inside.seen_)


def test_refitted_models_know_one_side_alone() -> None:
    judgments, features = contexts(count=2)
    own = own_of(judgments, 2)
    side = np.arange(len(judgments)) % 3 > 0
    fitted = [Spy("0").fit(judgments.take(own[0]), features), Spy("1").fit(judgments.take(own[1]), features)]
    questions = question_hashes(judgments)
    for number, copy in enumerate(refitted(fitted, judgments, features, own, side)):
        assert isinstance(copy, Spy)
        assert copy is not fitted[number]
        assert copy.questions_ == set(questions[own[number] & side].tolist())
    whole = refitted(fitted, judgments, features, own)
    assert [copy.questions_ for copy in whole] == [model.questions_ for model in fitted]  # type: ignore[attr-defined]
    other = IdentityModel.of(12)
    assert refitted([other], judgments, features, np.zeros((1, len(judgments)), bool), side) == [other]
    [plain] = refitted([fitted[0]], judgments, features, own[:1], ~own[0])
    assert isinstance(plain, IdentityModel)
    assert not plain.has_seen(judgments.references).any()


def test_a_model_is_fitted_as_it_would_be_by_hand() -> None:
    """With columns of its own, in lanes, inside a lane; the same numbers each time."""
    judgments, features = contexts(count=2, shared=6)
    own = own_of(judgments, 2)
    form = AdaptationModel("identity", reduce=3)
    models = [SelectedModel(form, (0, 6)), SelectedModel(form, (4, 12))]
    told: list[Progress] = []
    found = out_of_fold(models, judgments, features, own, folds=3, by="reference", seed=2, on_progress=told.append)
    division = divide(judgments, own, "reference", 3, 2)
    for number, model in enumerate(models):
        for fold in division.folds:
            rows = division.fold == fold
            copy = model.fresh().fit(judgments.take(own[number] & division.side(fold)), features)
            expected = copy.distances(judgments.take(rows), features)
            np.testing.assert_allclose(found[:, number, rows], expected, atol=1e-6)
    assert [one.done for one in told] == list(range(1, 7))
    assert {one.total for one in told} == {6}

    def nested(_: int) -> Any:
        return out_of_fold(models, judgments, features, own, folds=3, by="reference", seed=2)

    for again in in_lanes(nested, range(2), 2):
        np.testing.assert_array_equal(again, found)


def test_what_cannot_be_is_refused() -> None:
    judgments, features = contexts(count=1)
    n = len(judgments)
    model = IdentityModel.of(12)
    for own, words in (
        (np.ones((2, n), bool), rf"bool of shape \(1, {n}\), not bool of \(2, {n}\)"),
        (np.ones(n, bool), rf"\(1, {n}\)"),
        (np.ones((1, n)), "not float64"),
        ([["yes"] * n], "it is bool"),
    ):
        with pytest.raises(InputError, match=words):
            out_of_fold([model], judgments, features, own)
    ones = np.ones((1, n), bool)
    with pytest.raises(InputError, match="no models, or no judgments"):
        out_of_fold([], judgments, features, np.zeros((0, n), bool))
    with pytest.raises(InputError, match="split by image, reference, group or question, not by 'colour'"):
        out_of_fold([model], judgments, features, ones, by="colour")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least 2 folds, not 1"):
        out_of_fold([model], judgments, features, ones, folds=1)
    with pytest.raises(InputError, match="have no groups"):
        out_of_fold([model], judgments, features, ones, by="group")
    with pytest.raises(InputError, match="a side says of each"):
        refitted([model], judgments, features, ones, np.ones(3, bool))
    with pytest.raises(InputError, match="no features for"):
        out_of_fold([model], judgments, Features(features.ids[1:], features.vectors[1:]), ones)


def test_an_error_of_what_models_start_from_reaches_all_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    judgments, features = contexts()
    whole = Spy("global").fit(judgments, features)
    before = Spy._fit

    def broken(self: Spy, *rest: Any) -> None:
        if self.name == "global":
            raise InputError("no light")
        before(self, *rest)

    monkeypatch.setattr(Spy, "_fit", broken)
    with pytest.raises(InputError, match="no light"):
        out_of_fold([Spy(str(n), whole) for n in range(3)], judgments, features, own_of(judgments, 3))

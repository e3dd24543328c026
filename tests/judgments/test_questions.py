from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.judgments.questions import STRATEGIES, Question, State
from lookalike.judgments.questions import pool as pool_module
from lookalike.judgments.questions.pool import draw_pool
from lookalike.judgments.questions.strategy import best_per_reference
from lookalike.judgments.table import Judgments


def images(count: int, models: int = 2, seed: int = 0, width: int = 6) -> State:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(models, count, width)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    return State([f"{n:03}.jpg" for n in rng.permutation(count)], list(vectors))


def answers(questions: list[Question], annotator: str = "ann", seed: int = 0) -> Judgments:
    first = np.random.default_rng(seed).integers(2, size=len(questions))
    columns = [[getattr(q, name) for q in questions] for name in ("reference", "a", "b", "trial")]
    return Judgments.from_ids(*columns[:3], first, 1 - first, trial=columns[3], annotator=[annotator] * len(questions))


def key(question: Question) -> tuple[str, frozenset[str]]:
    return question.reference, frozenset((question.a, question.b))


@pytest.mark.parametrize("name", list(STRATEGIES))
@settings(max_examples=8, deadline=None)
@given(count=st.integers(3, 40), rounds=st.integers(1, 4), seed=st.integers(0, 99))
def test_no_question_is_trivial_or_asked_twice(name, count, rounds, seed):
    rng, state, asked = np.random.default_rng(seed), images(count, seed=seed), []
    strategy = STRATEGIES[name](repeat_share=0.2, flip_share=0.2, gap=2)
    for _ in range(rounds):
        proposed = strategy.propose(state, 15, rng)
        assert all(len({q.reference, q.a, q.b}) == 3 and {q.reference, q.a, q.b} <= set(state.ids) for q in proposed)
        for place, q in enumerate(proposed, start=len(asked)):
            if q.trial:
                old = asked[q.repeats]
                assert not old.trial
                assert place - q.repeats - 1 >= 2
                same = (old.reference, *((old.b, old.a) if q.trial == "flip" else (old.a, old.b)))
                assert (q.reference, q.a, q.b) == same
            else:
                assert q.repeats is None
        asked += proposed
        state = state.answered(answers(asked))
        new = [key(q) for q in asked if not q.trial]
        assert len(set(new)) == len(new)
        again = [q.repeats for q in asked if q.trial]
        assert len(set(again)) == len(again)


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_a_small_collection_is_asked_to_the_last_question(name):
    state, rng = images(5), np.random.default_rng(1)
    strategy = STRATEGIES[name](0.0, 0.0)
    first = strategy.propose(state, 25, rng)
    rest = strategy.propose(state.answered(answers(first)), 25, rng)
    assert (len(first), len(rest)) == (25, 5)  # 5 references, 6 pairs of the four others
    assert len({key(q) for q in first + rest}) == 30
    assert strategy.propose(state.answered(answers(first + rest)), 3, rng) == []


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_the_generator_decides(name):
    state = images(60)
    state = state.answered(answers(STRATEGIES["random"]().propose(state, 40, np.random.default_rng(5))))
    first, second, other = (STRATEGIES[name]().propose(state, 20, np.random.default_rng(s)) for s in (1, 1, 2))
    assert first == second
    assert first != other
    assert len(first) == 20


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_near_identical_images_never_meet(name):
    state = images(30)
    for rows in state.vectors:
        rows[:10] = rows[0]
    alike = {state.ids[n] for n in range(10)}
    asked = STRATEGIES[name](0, 0).propose(state, 120, np.random.default_rng(0))
    assert len(asked) == 120
    assert all(len({q.reference, q.a, q.b} & alike) <= 1 for q in asked)


def test_candidates_are_in_either_order_alike():
    asked = STRATEGIES["random"]().propose(images(30), 1000, np.random.default_rng(0))
    assert 0.45 < np.mean([q.a < q.b for q in asked]) < 0.55


def test_references_are_covered_evenly():
    state, rng, asked = images(100), np.random.default_rng(0), []
    for _ in range(10):
        asked += STRATEGIES["random"](0, 0).propose(state, 20, rng)
        state = state.answered(answers(asked))
    _, counts = np.unique([q.reference for q in asked], return_counts=True)
    assert len(counts) >= 92  # 86 if all were drawn alike
    assert counts.max() <= 3  # 6


def test_a_large_collection_is_looked_at_in_parts(monkeypatch):
    monkeypatch.setattr(pool_module, "IMAGES", 40)
    state = images(200)
    drawn = [draw_pool(state, np.random.default_rng(seed)) for seed in range(30)]
    assert all(len(pool.rows) == 40 and pool.triplets.max() < 40 for pool in drawn)
    assert len(np.unique(np.concatenate([pool.rows for pool in drawn]))) > 190


def test_answers_about_other_images_are_passed_over():
    state = images(6)
    foreign = Judgments.from_ids(["000.jpg", "zzz"], ["001.jpg", "000.jpg"], ["gone", "001.jpg"], [1, 0], [0, 1])
    later = state.answered(foreign)
    assert (later.triplets == -1).sum() == 2
    assert state.ids[later.triplets[0, 0]] == "000.jpg"
    for name in STRATEGIES:
        assert len(STRATEGIES[name](0.4, 0.4, gap=1).propose(later, 10, np.random.default_rng(0))) == 10


def test_each_reference_comes_before_any_comes_twice():
    references = np.array([1, 1, 1, 2, 2, 3])
    scores = np.array([9.0, 8, 7, 1, 2, 0])
    assert best_per_reference(references, scores, 6).tolist() == [0, 4, 5, 1, 3, 2]


def test_what_cannot_be_is_refused():
    vectors = np.eye(3, dtype=np.float32)
    with pytest.raises(InputError, match="at least one model"):
        State(["a", "b", "c"], [])
    with pytest.raises(InputError, match=r"shape \(3, 3\) for 2 images"):
        State(["a", "b"], [vectors])
    with pytest.raises(InputError, match="'b' is listed twice"):
        State(["b", "a", "b"], [vectors])
    with pytest.raises(InputError, match="shares"):
        STRATEGIES["random"](0.5, 0.5)
    with pytest.raises(InputError, match="at least one question"):
        STRATEGIES["random"](gap=0)
    with pytest.raises(InputError, match="three images, there are 2"):
        STRATEGIES["random"]().propose(State(["a", "b"], [vectors[:2]]), 1, np.random.default_rng(0))
    with pytest.raises(InputError, match="0 or more, not -1"):
        STRATEGIES["random"]().propose(State(["a", "b", "c"], [vectors]), -1, np.random.default_rng(0))
    with pytest.raises(InputError, match="two models"):
        STRATEGIES["committee"]().propose(State(["a", "b", "c"], [vectors]), 1, np.random.default_rng(0))
    with pytest.raises(UnknownNameError, match="informative"):
        STRATEGIES["informativ"]

from __future__ import annotations

import numpy as np
import pytest

from lookalike.judgments.questions import STRATEGIES, State
from lookalike.judgments.questions.trials import place_trials
from lookalike.judgments.table import Judgments


def long_session(rows: int, **columns: object) -> State:
    """A state in which `rows` different questions were answered."""
    count = 40
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(count, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = np.array([f"{n:02}" for n in range(count)])
    r, a, b = np.array([(r, a, b) for r in range(count) for a in range(count) for b in range(a) if r not in (a, b)])[
        rng.permutation(count * 741)[:rows]
    ].T
    answers = Judgments.from_ids(ids[r], ids[a], ids[b], np.ones(rows), np.zeros(rows), **columns)
    return State(ids, [vectors], answers)


@pytest.mark.parametrize(("repeats", "flips"), [(0.05, 0.05), (0.2, 0.0), (0.0, 0.3), (0.0, 0.0)])
def test_the_shares_of_trials_are_those_asked_for(repeats, flips):
    state = long_session(3000)
    kinds = [q.trial for q in STRATEGIES["random"](repeats, flips).propose(state, 2000, np.random.default_rng(0))]
    assert len(kinds) == 2000
    for kind, share in (("repeat", repeats), ("flip", flips), ("", 1 - repeats - flips)):
        assert kinds.count(kind) / 2000 == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 2000))


def test_a_trial_never_follows_its_original_closely():
    state = long_session(30)
    for seed in range(40):
        for slot, (_, row) in place_trials(state, 15, (0.4, 0.4), 12, np.random.default_rng(seed)).items():
            assert 30 + slot - row - 1 >= 12


def test_trials_are_taken_from_the_whole_session_where_it_is_long_enough():
    state = long_session(30)
    rows = {row for seed in range(200) for _, row in place_trials(state, 1, (0.9, 0), 12, _rng(seed)).values()}
    assert rows == set(range(18))


def test_only_ones_own_answers_are_repeated():
    state = long_session(60, annotator=["ann", "bob", "cy"] * 20)
    for name, offset in (("ann", 0), ("bob", 1)):
        own = State(state.ids, state.vectors, state.judgments, annotator=name)
        placed = place_trials(own, 40, (0.3, 0.3), 5, _rng(1))
        assert len(placed) > 5
        assert {row % 3 for _, row in placed.values()} == {offset}
        # Five other questions of one's own: those of the others do not count.
        assert all(20 + slot - row // 3 - 1 >= 5 for slot, (_, row) in placed.items())
    assert (
        place_trials(State(state.ids, state.vectors, state.judgments, annotator="dee"), 9, (0.5, 0.4), 1, _rng(0)) == {}
    )


def test_a_question_is_asked_again_once_only():
    state = long_session(4)
    ids = state.judgments
    rows = [0, 1, 2, 3, 0, 1]
    again = Judgments.from_ids(
        ids.references[rows],
        np.where([0, 0, 0, 0, 0, 1], ids.candidates_b[rows], ids.candidates_a[rows]),
        np.where([0, 0, 0, 0, 0, 1], ids.candidates_a[rows], ids.candidates_b[rows]),
        np.ones(6),
        np.zeros(6),
        trial=["", "", "", "", "repeat", "flip"],
    )
    placed = [place_trials(state.answered(again), 20, (0.4, 0.5), 1, _rng(seed)).values() for seed in range(20)]
    assert {row for rows in placed for _, row in rows} == {2, 3}
    assert all(len(rows) <= 2 for rows in placed)


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)

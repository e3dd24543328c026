"""Judgments as training takes them."""

import numpy as np
import pytest

pytest.importorskip("torch")

from lookalike.judgments.table import Judgments
from lookalike.training.questions import agreement, questions_of

ROWS = np.arange(3), np.arange(3, 4)


def some(**columns: object) -> Judgments:
    ids, votes = (["r", "r", "q", "q"], ["x", "y", "x", "z"], ["y", "z", "z", "y"]), ([1, 0, 3, 2], [0, 1, 1, 2])
    made = Judgments.from_ids(*ids, *votes, **columns)
    for column in (made.reference, made.votes_a):
        column.flags.writeable = False
    return made


def test_columns_and_margins() -> None:
    questions = questions_of(some(grades_a=[1, 5, 2, 0], grades_b=[2, 1, 2, 5]), *ROWS)
    ids = some().ids
    assert [ids[row].tolist() for row in questions.images] == [
        ["r", "r", "q", "q"], ["x", "y", "x", "z"], ["y", "z", "z", "y"],
    ]  # fmt: skip
    assert questions.votes_a.tolist() == [1, 0, 3, 2]
    np.testing.assert_allclose(questions.margin, [0.4, 1.0, 0.2, 0.2], rtol=1e-6)
    assert {column.dtype for column in (questions.votes_a, questions.votes_b, questions.margin)} == {np.dtype("f4")}
    assert questions.votes_a.flags.writeable
    np.testing.assert_allclose(questions_of(some(), *ROWS).margin, [0.2] * 4, rtol=1e-6)


def test_to_flip_twice_is_to_ask_the_same() -> None:
    one = questions_of(some(grades_a=[1, 5, 2, 0], grades_b=[2, 1, 2, 5]), *ROWS)
    flipped = one.with_flips()
    assert flipped.train_rows.tolist() == [0, 1, 2, 4, 5, 6]
    assert flipped.validation_rows.tolist() == [3]
    again = flipped.with_flips()
    np.testing.assert_array_equal(again.images[:, 12:], one.images)
    np.testing.assert_array_equal(again.votes_a[12:], one.votes_a)
    np.testing.assert_array_equal(flipped.margin[4:], one.margin)


def test_agreement_weighs_votes_and_halves_ties() -> None:
    questions = questions_of(some(), *ROWS)
    distance_a, distance_b = np.array([0.1, 0.1, 0.3]), np.array([0.2, 0.1, 0.2])
    assert agreement(distance_a, distance_b, questions, questions.train_rows) == pytest.approx((1 + 0.5 + 1) / 6)

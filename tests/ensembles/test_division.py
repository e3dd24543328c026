"""Folds for several models at once: what is judged has not been learned from, and every model keeps much of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.ensembles.division import divide
from lookalike.judgments.splits import By
from lookalike.judgments.table import Judgments
from lookalike.similarity.model import question_hashes

sys.path.insert(0, str(Path(__file__).parent))
from crossfit_cases import contexts, divided, own_of


@pytest.mark.parametrize("by", ["image", "reference", "question"])
@pytest.mark.parametrize("shared", [0, 8, 20])
def test_no_model_has_met_what_it_judges(by: By, shared: int) -> None:
    judgments = contexts(shared=shared)[0]
    own = np.concatenate([own_of(judgments, 3), np.ones((1, len(judgments)), bool)])
    division = divided(judgments, own, by)
    questions = question_hashes(judgments)
    for number in division.folds:
        rows, side = division.fold == number, division.side(number)
        assert not np.isin(questions[rows], questions[side]).any()
        if by != "question":
            assert not np.isin(judgments.reference[rows], judgments.reference[side]).any()
        if by == "image":
            met = np.unique(division.triplets[side])
            assert not np.isin(judgments.reference[rows], met).any()
    assert np.isin(division.fold, division.folds).all()


def test_contexts_without_common_images_are_dealt_one_by_one() -> None:
    """Dealt together, each would fill a fold, and its model would have nothing to be fitted on."""
    judgments, _ = contexts(shared=0)
    own = own_of(judgments, 3)
    for folds in (3, 5):
        division = divided(judgments, own, folds=folds)
        assert division.kept(own) > 0.2
        for mine in own:
            assert len(np.unique(division.fold[mine])) == folds


def test_one_context_is_dealt_as_whole_splits_are() -> None:
    judgments, _ = contexts(count=1, each=150)
    own = np.ones((2, len(judgments)), bool)
    division = divided(judgments, own, folds=4)
    for number, part in enumerate(judgments.split("image", 4, 0)):
        np.testing.assert_array_equal(np.flatnonzero(division.side(number)), part.train_rows)
        assert (division.fold[part.test_rows] == number).all()


def test_a_single_reference_is_divided_by_group_or_question() -> None:
    rng = np.random.default_rng(0)
    triplets = np.array([rng.choice(30, 2, replace=False) for _ in range(90)])
    names = np.array([f"x{n}" for n in range(30)])
    groups = [f"g{n // 3}" for n in range(90)]
    for label in (None, groups):
        judgments = Judgments.from_ids(["r"] * 90, *names[triplets.T], np.ones(90), np.zeros(90), group=label)
        own = np.ones((1, 90), bool)
        division = divided(judgments, own, "image", 3)
        assert division.kept(own) > 0.6
        if label is not None:
            assert judgments.group is not None
            by_group = [set(division.fold[judgments.group.codes == code]) for code in range(30)]
            assert all(len(fold) == 1 for fold in by_group)
        questions = question_hashes(judgments)
        if label is None:
            for number in division.folds:
                assert not np.isin(questions[division.fold == number], questions[division.side(number)]).any()


def test_one_context_of_one_reference_leaves_the_others_as_they_are() -> None:
    judgments, _ = contexts(count=2)
    single = Judgments.from_ids(
        ["r"] * 30, [f"y{n}" for n in range(30)], [f"z{n}" for n in range(30)], [1] * 30, [0] * 30
    )
    both = judgments.joined(single)
    own = np.zeros((3, len(both)), bool)
    own[:2, : len(judgments)] = own_of(judgments, 2)
    own[2, len(judgments) :] = True
    division = divided(both, own)
    assert division.kept(own) > 0.25
    for number in division.folds:
        rows, side = division.fold == number, division.side(number)
        rows[len(judgments) :] = False
        assert not np.isin(both.reference[rows], division.triplets[side]).any()


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_whatever_is_asked_sides_and_folds_keep_apart(data: Any) -> None:
    """Every row has a fold; a side shares no question with what is judged, and nothing it must not by its key."""
    count = data.draw(st.integers(1, 30))
    triplet = st.lists(st.integers(0, 9), min_size=3, max_size=3, unique=True)
    triplets = np.array(data.draw(st.lists(triplet, min_size=count, max_size=count)))
    names = np.array([f"i{n}" for n in range(10)])
    judgments = Judgments.from_ids(*names[triplets.T], np.ones(count), np.zeros(count))
    rows = st.lists(st.booleans(), min_size=count, max_size=count)
    own = np.array(data.draw(st.lists(rows, min_size=1, max_size=3)))
    own[:, data.draw(st.integers(0, count - 1))] = True
    by: By = data.draw(st.sampled_from(["image", "reference", "question"]))
    division = divide(judgments, own, by, data.draw(st.integers(2, 6)), data.draw(st.integers(0, 99)))
    assert (division.fold >= 0).all()
    questions = question_hashes(judgments)
    for number in division.folds:
        judged, side = division.fold == number, division.side(number)
        assert not (judged & side).any()
        assert not np.isin(questions[judged], questions[side]).any()
    assert 0 <= division.kept(own) <= 1

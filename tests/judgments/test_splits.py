"""Folds partition the rows, are the same for the same seed, and by image share nothing."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.core.errors import InputError
from lookalike.judgments.image_folds import image_folds
from lookalike.judgments.readers import read_judgments
from lookalike.judgments.splits import Leakage, Split, split
from lookalike.judgments.table import Judgments


def random_judgments(rows: int, images: int, seed: int, groups: int = 0) -> Judgments:
    rng = np.random.default_rng(seed)
    triplets = np.array([rng.choice(images, 3, replace=False) for _ in range(rows)]).astype(str)
    columns = {"group": rng.integers(0, groups, rows).astype(str)} if groups else {}
    return Judgments.from_ids(*triplets.T, np.ones(rows), np.zeros(rows), **columns)


def rows_of(folds: list[Split]) -> list[list[int]]:
    return [part.test_rows.tolist() for part in folds]


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(40, 120), images=st.integers(30, 60), folds=st.integers(2, 6), seed=st.integers(0, 99))
@pytest.mark.parametrize("by", ["reference", "group", "question"])
def test_folds_partition_the_rows(by: str, rows: int, images: int, folds: int, seed: int) -> None:
    answers = random_judgments(rows, images if by != "question" else 8, seed, groups=30)
    made = split(answers, by, folds, seed)  # type: ignore[arg-type]
    assert sorted(row for part in made for row in part.test_rows.tolist()) == list(range(rows))
    for part in made:
        assert not np.intersect1d(part.train_rows, part.test_rows).size
        assert not part.left_out_rows.size
        assert getattr(part.leakage(), f"{by}s") == 0
    questions = np.sort(np.stack([answers.candidate_a, answers.candidate_b]), axis=0)
    keys = {
        "reference": answers.reference,
        "group": answers.group.codes,  # type: ignore[union-attr]
        "question": np.unique([answers.reference, *questions], axis=1, return_inverse=True)[1],
    }
    largest = np.bincount(keys[by]).max()
    sizes = [len(part.test_rows) for part in made]
    assert max(sizes) - min(sizes) <= largest
    assert rows_of(made) == rows_of(split(answers, by, folds, seed))  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(60, 300), images=st.integers(30, 90), folds=st.integers(2, 5), seed=st.integers(0, 99))
def test_no_test_image_is_in_training(rows: int, images: int, folds: int, seed: int) -> None:
    answers = random_judgments(rows, images, seed)
    made = answers.split(folds=folds, seed=seed)
    assert len(made) == folds
    for part in made:
        assert part.leakage() == Leakage(0, 0, 0, 0, 0)
        train = {*part.train.references, *part.train.candidates_a, *part.train.candidates_b}
        test = {*part.test.references, *part.test.candidates_a, *part.test.candidates_b}
        assert train
        assert test
        assert not train & test
        every = np.concatenate([part.train_rows, part.test_rows, part.left_out_rows])
        assert sorted(every.tolist()) == list(range(rows))
    assert rows_of(made) == rows_of(answers.split(folds=folds, seed=seed))


def test_another_seed_gives_other_folds() -> None:
    answers = random_judgments(200, 60, 0, groups=40)
    for by in ("reference", "image", "group"):
        assert rows_of(split(answers, by, 3, 0)) != rows_of(split(answers, by, 3, 1))  # type: ignore[arg-type]


def test_what_is_asked_together_stays_together() -> None:
    rng = np.random.default_rng(0)
    triplets = np.concatenate([np.array([rng.permutation(6)[:3] for _ in range(20)]) + 6 * part for part in range(30)])
    fold = image_folds(triplets, 180, 5, seed=1)
    assert np.bincount(fold, minlength=5).tolist() == [36] * 5
    assert (fold[triplets] == fold[triplets[:, :1]]).all()


def test_image_folds_are_of_equal_size() -> None:
    answers = random_judgments(3000, 400, 3)
    triplets = np.stack([answers.reference, answers.candidate_a, answers.candidate_b], axis=1).astype(np.int64)
    sizes = np.bincount(image_folds(triplets, 400, 5, seed=0), minlength=5)
    assert sizes.sum() == 400
    assert sizes.min() >= 77
    assert sizes.max() <= 83


def test_leakage_counts() -> None:
    answers = Judgments.from_ids(
        ["r", "r", "q", "p"], ["x", "y", "x", "r"], ["y", "x", "z", "w"], [1] * 4, [0] * 4, group=["1", "1", "2", ""]
    )
    assert Split(np.array([0]), np.array([1]), answers).leakage() == Leakage(1, 2, 3, 1, 1)
    assert Split(np.array([0]), np.array([2]), answers).leakage() == Leakage(0, 1, 1, 0, 0)
    nothing = Split(np.array([2]), np.array([3]), answers).leakage()
    assert nothing == Leakage(0, 0, 0, 0, 0)
    assert not nothing
    assert Split(np.array([0]), np.array([3]), answers).leakage() == Leakage(0, 0, 1, 0, 0)


def test_rows_without_a_group_are_groups_of_their_own() -> None:
    answers = Judgments.from_ids(["r"] * 4, list("abcd"), list("efgh"), [1] * 4, [0] * 4, group=["", "", "1", "1"])
    made = split(answers, "group", 3)
    assert sorted(rows_of(made)) == [[0], [1], [2, 3]]


def test_what_cannot_be_split() -> None:
    answers = random_judgments(50, 40, 0)
    with pytest.raises(InputError, match="have no groups"):
        split(answers, "group")
    with pytest.raises(InputError, match="at least 2 folds"):
        split(answers, "image", 1)
    with pytest.raises(InputError, match="not by 'row'"):
        split(answers, "row")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="20 folds by image need 60 images"):
        split(answers, "image", 20)
    one = Judgments.from_ids(["r"] * 9, list("abcdefghi"), list("bcdefghia"), [1] * 9, [0] * 9)
    with pytest.raises(InputError, match="the image 'r' is in most of them"):
        split(one, "image", 2)
    with pytest.raises(InputError, match="5 folds by reference need as many references: there are 1"):
        split(one, "reference")


def test_the_numbers_of_the_decision_page(shared: Path) -> None:
    for folder, file, tested, trained in (
        ("food-taste", "triplets.csv", 6000, 15_000),
        ("material", "answers.csv", 950, 11_600),
    ):
        made = read_judgments("csv", shared / "data" / folder / file).split(folds=5, seed=0)
        assert not any(part.leakage() for part in made)
        assert sum(len(part.test_rows) for part in made) > tested
        assert np.mean([len(part.train_rows) for part in made]) > trained

"""Tables joined, thinned, converted and written."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from lookalike.core.errors import InputError
from lookalike.judgments.conversions import from_matrix, from_odd_one_out, from_rankings, ranked_pairs
from lookalike.judgments.export import write_parquet
from lookalike.judgments.joining import compact
from lookalike.judgments.readers import read_judgments
from lookalike.judgments.table import Judgments


@pytest.fixture
def plain() -> Judgments:
    return Judgments.from_ids(["r", "q"], ["x", "y"], ["y", "z"], [2, 0], [1, 3])


@pytest.fixture
def rich() -> Judgments:
    return Judgments.from_ids(
        ["r"],
        ["a"],
        ["x"],
        [1],
        [0],
        grades_a=np.array([2], np.int8),
        grades_b=np.array([4], np.int8),
        context=["sea"],
        annotator=["ann"],
        group=["g"],
        trial=["repeat"],
        answered_at=np.array([1e9 + 0.125]),
        response_seconds=np.array([1.5], np.float32),
    )


@pytest.mark.parametrize("swap", [False, True])
def test_joining_fills_what_is_absent(plain: Judgments, rich: Judgments, swap: bool) -> None:
    both = rich.joined(plain) if swap else plain.joined(rich)
    last = 0 if swap else 2
    assert both.ids.tolist() == ["a", "q", "r", "x", "y", "z"]
    assert (both.references[last], both.candidates_a[last], both.candidates_b[last]) == ("r", "a", "x")
    expected = [["r", "q"], ["x", "y"], ["y", "z"]]
    rest = [row for row in range(3) if row != last]
    assert [
        both.references[rest].tolist(),
        both.candidates_a[rest].tolist(),
        both.candidates_b[rest].tolist(),
    ] == expected
    assert both.votes_b[rest].tolist() == [1, 3]
    assert both.context is not None
    assert both.context.values()[rest].tolist() == ["", ""]
    assert both.context.values()[last] == "sea"
    assert both.grades_a is not None
    assert both.grades_a.dtype == np.int8
    assert both.grades_a[rest].tolist() == [0, 0]
    assert both.answered_at is not None
    assert np.isnan(both.answered_at[rest]).all()
    assert both.answered_at[last] == 1e9 + 0.125
    assert both.response_seconds is not None
    assert both.response_seconds.dtype == np.float32
    both.check()


def test_joining_merges_files(plain: Judgments, rich: Judgments) -> None:
    both = plain.with_images({"r": Path("r.jpg")}).joined(rich.with_images({"r": Path("r.jpg"), "a": Path("a.jpg")}))
    assert both.images == {"r": Path("r.jpg"), "a": Path("a.jpg")}
    with pytest.raises(InputError, match="an id means the same file in both"):
        plain.with_images({"r": Path("r.jpg")}).joined(rich.with_images({"r": Path("other.jpg")}))


def test_compact_forgets_images(plain: Judgments) -> None:
    thin = compact(plain.with_images({"r": Path("r.jpg"), "q": Path("q.jpg")}).take(np.array([1])))
    assert thin.ids.tolist() == ["q", "y", "z"]
    assert thin.images == {"q": Path("q.jpg")}
    assert (thin.references[0], thin.candidates_a[0], thin.candidates_b[0]) == ("q", "y", "z")
    assert compact(plain) is plain


def test_files_hold_what_was_said(plain: Judgments, rich: Judgments, tmp_path: Path) -> None:
    both = plain.joined(rich)
    both.to_csv(tmp_path / "out" / "answers.csv")
    text = (tmp_path / "out" / "answers.csv").read_text().splitlines()
    assert text[0].startswith(
        "reference,a,b,votes_a,votes_b,grade_a,grade_b,context,annotator,group,trial,answered_at,"
    )
    assert text[1] == "r,x,y,2,1,,,,,,,,"
    again = read_judgments("csv", tmp_path / "out" / "answers.csv")
    assert again.trial is not None
    assert again.trial.values().tolist() == ["", "", "repeat"]
    np.testing.assert_array_equal(again.answered_at, both.answered_at)
    write_parquet(both, tmp_path / "answers.parquet")
    rows = parquet.read_table(tmp_path / "answers.parquet").to_pylist()
    assert rows[0]["reference"] == "r"
    assert rows[0]["context"] is None
    assert rows[2]["grade_b"] == 4
    assert sorted(file.name for file in tmp_path.iterdir()) == ["answers.parquet", "out"]


def test_rankings() -> None:
    answers = from_rankings(
        ["r", "q"], [["x", "y", "z"], ["z", "x", "y"]], [[1, 1, 3], [2, 4, 5]], annotator=["ann", "bob"]
    )
    assert len(answers) == 6
    assert answers.candidates_b.tolist() == ["y", "z", "z", "x", "y", "y"]
    assert answers.grades_a is not None
    assert answers.grades_b is not None
    assert answers.grades_a.tolist() == [1, 1, 1, 2, 2, 4]
    assert answers.grades_b.tolist() == [1, 3, 3, 4, 5, 5]
    assert answers.group is not None
    assert answers.group.values().tolist() == ["0"] * 3 + ["1"] * 3
    assert answers.annotator is not None
    assert answers.annotator.values()[3] == "bob"
    assert len(from_rankings([], [])) == 0
    assert len(ranked_pairs(5)) == 10
    for bad in ([["x", "y"], ["x"]], [["x"], ["y"]], [["x", "y"]]):
        with pytest.raises(InputError, match="rankings"):
            from_rankings(["r", "q"], bad)


def test_odd_one_out() -> None:
    answers = from_odd_one_out(["a", "x"], ["b", "y"], ["c", "z"], context=["sea", ""])
    assert answers.references.tolist() == ["a", "b", "x", "y"]
    assert answers.candidates_a.tolist() == ["b", "a", "y", "x"]
    assert answers.candidates_b.tolist() == ["c", "c", "z", "z"]
    assert answers.context is not None
    assert answers.context.values().tolist() == ["sea", "sea", "", ""]
    with pytest.raises(InputError, match="judgment 1: the reference is among its own candidates"):
        from_odd_one_out(["a"], ["b"], ["b"])


@settings(max_examples=25, deadline=None)
@given(size=st.integers(3, 8), seed=st.integers(0, 99))
def test_a_matrix_against_loops(size: int, seed: int) -> None:
    table = np.random.default_rng(seed).integers(0, 4, (size, size)).astype(float)
    table[0, 1] = np.nan
    names = [f"i{number}" for number in range(size)]
    expected = set()
    for r in range(size):
        for a in range(size):
            for b in range(size):
                if len({r, a, b}) == 3 and table[r, a] > table[r, b]:
                    expected.add((names[r], names[a], names[b]))
    answers = from_matrix(names, table)
    rows = list(
        zip(answers.references.tolist(), answers.candidates_a.tolist(), answers.candidates_b.tolist(), strict=True)
    )
    assert set(rows) == expected
    assert len(rows) == len(expected)


def test_a_sampled_matrix() -> None:
    table = np.random.default_rng(0).random((30, 30))
    names = [f"i{number}" for number in range(30)]
    some = from_matrix(names, table, count=500, seed=1)
    assert len(some) == 500
    assert some.references.tolist() == from_matrix(names, table, count=500, seed=1).references.tolist()
    assert some.references.tolist() != from_matrix(names, table, count=500, seed=2).references.tolist()
    keys = set(zip(some.reference.tolist(), some.candidate_a.tolist(), some.candidate_b.tolist(), strict=True))
    assert len(keys) == 500
    with pytest.raises(InputError, match="30 images have 12,180 questions, not 20,000"):
        from_matrix(names, table, count=20_000)
    with pytest.raises(InputError, match="30 by 30"):
        from_matrix(names, table[:29])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999))
def test_flipping_twice_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.array([rng.choice(9, 3, replace=False) for _ in range(12)]).astype(str)
    grades = rng.integers(1, 6, (2, 12)).astype(np.int8)
    answers = Judgments.from_ids(*rows.T, rng.random(12) + 0.1, rng.random(12), grades_a=grades[0], grades_b=grades[1])
    chosen = rng.random(12) < 0.5
    once = answers.flipped(chosen)
    assert (once.candidates_a[chosen] == answers.candidates_b[chosen]).all()
    assert (once.votes_a[~chosen] == answers.votes_a[~chosen]).all()
    twice = once.flipped(chosen)
    for name in ("candidates_a", "candidates_b", "votes_a", "votes_b", "grades_a", "grades_b"):
        assert (getattr(twice, name) == getattr(answers, name)).all()

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.judgments.answer import Answer
from lookalike.judgments.columns import Labels
from lookalike.judgments.store import ImportReport, JudgmentStore
from lookalike.judgments.table import LABELS, NUMBERS, Judgments

IDS = ["a", "z/ü'n.jpg", "犬 🐕", "00012", "e\u0301", "\u00e9", 'q"; DROP TABLE answers; --', "é" * 300]
MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def quick_folder() -> Iterator[Path]:
    """A folder in memory where there is one: many small stores, and nobody pulls the plug."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def store(quick_folder: Path, request: pytest.FixtureRequest) -> JudgmentStore:
    return JudgmentStore(quick_folder / f"{request.node.name}?" / "judgments #1.sqlite")


def simple(count: int = 5, seed: int = 0, **columns: Any) -> Judgments:
    rng = np.random.default_rng(seed)
    rows = np.array([rng.choice(50, 3, replace=False) for _ in range(count)])
    names = np.array([f"photo {number}.jpg" for number in range(50)])[rows.T]
    votes = rng.integers(0, 2, count)
    return Judgments.from_ids(*names, votes, 1 - votes, **columns)


def column_values(judgments: Judgments, name: str) -> list[Any] | None:
    """A column as a list, None where no row has a value."""
    column = getattr(judgments, name)
    if column is None:
        return None
    if name in LABELS:
        values = column.values().tolist()
        return values if any(values) else None
    if name in ("grades_a", "grades_b"):
        return column.tolist() if column.any() else None
    return [None if np.isnan(x) else x for x in column.tolist()] if not np.isnan(column).all() else None


def assert_same(found: Judgments, expected: Judgments) -> None:
    assert found.references.tolist() == expected.references.tolist()
    assert found.candidates_a.tolist() == expected.candidates_a.tolist()
    assert found.candidates_b.tolist() == expected.candidates_b.tolist()
    np.testing.assert_array_equal(found.votes_a, expected.votes_a)
    np.testing.assert_array_equal(found.votes_b, expected.votes_b)
    for name in (*LABELS, *NUMBERS):
        assert column_values(found, name) == column_values(expected, name), name
        if getattr(found, name) is not None and name not in LABELS:
            assert getattr(found, name).dtype == getattr(expected, name).dtype


@st.composite
def tables(draw: st.DrawFn) -> Judgments:
    count = draw(st.integers(1, 6))
    rows = [draw(st.permutations(IDS))[:3] for _ in range(count)]

    def column(values: st.SearchStrategy[Any]) -> list[Any] | None:
        return draw(st.none() | st.lists(values, min_size=count, max_size=count))

    def array(values: list[Any] | None, dtype: type) -> Any:
        return None if values is None else np.array(values, dtype)

    label = st.sampled_from(["", "ocean", "Ærø", "flip", "'", "1"])
    seconds = st.floats(0, 2e9, width=32) | st.just(np.nan)
    votes = st.floats(0, 1000, width=32)
    grades = st.integers(0, 5)
    return Judgments.from_ids(
        *([row[place] for row in rows] for place in range(3)),
        draw(st.lists(votes, min_size=count, max_size=count)),
        [draw(votes.filter(bool)) for _ in rows],
        grades_a=array(column(grades), np.int8),
        grades_b=array(column(grades), np.int8),
        **{name: column(label) for name in LABELS},
        answered_at=array(column(st.floats(0, 4e9) | st.just(np.nan)), np.float64),
        response_seconds=array(column(seconds), np.float32),
    )


@settings(max_examples=60, deadline=None)
@given(tables())
def test_every_column_comes_back(quick_folder: Path, judgments: Judgments) -> None:
    path = quick_folder / "judgments.sqlite"
    path.unlink(missing_ok=True)
    store = JudgmentStore(path)
    assert store.import_judgments(judgments, "répondants.csv", "d1") == ImportReport(len(judgments), 0)
    found = store.read()
    assert_same(found, judgments)
    used = {*judgments.references, *judgments.candidates_a, *judgments.candidates_b}
    assert found.ids.tolist() == sorted(used)
    assert store.import_judgments(judgments, "copy.csv", "d1").added == 0
    assert store.count() == len(judgments)


def test_importing_again_adds_nothing_and_equal_rows_are_kept(store: JudgmentStore) -> None:
    twice = Judgments.from_ids(["r", "r"], ["x", "x"], ["y", "y"], [1, 1], [0, 0])
    assert store.import_judgments(twice, "a.csv", "d1") == ImportReport(2, 0)
    assert store.import_judgments(twice, "a.csv", "d1") == ImportReport(0, 2)
    assert len(store.read()) == store.count() == 2
    # Another content under the same name: added, and the caller is told of the earlier one.
    assert store.import_judgments(simple(3), "a.csv", "d2") == ImportReport(3, 0, earlier=2)
    with pytest.raises(InputError, match="imported before, with 2 judgments instead of 3: forget that import"):
        store.import_judgments(simple(3), "a.csv", "d1")
    assert [(one.name, one.digest, one.answers) for one in store.sources()] == [("a.csv", "d1", 2), ("a.csv", "d2", 3)]
    assert abs(store.sources()[0].imported_at - time.time()) < 60


def test_an_error_halfway_undoes_the_import(store: JudgmentStore) -> None:
    def cancel(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.import_judgments(simple(4), "a.csv", "d1", on_progress=cancel)
    assert store.count() == len(store.read()) == 0
    assert store.sources() == []
    bad = replace(simple(4), votes_a=np.zeros(4, np.float32), votes_b=np.zeros(4, np.float32))
    with pytest.raises(InputError, match=r"judgment 0 \(and 3 more\): nobody answered"):
        store.import_judgments(bad, "a.csv", "d1")
    with pytest.raises(InputError, match="at least one judgment"):
        store.import_judgments(simple(4).take(np.array([], int)), "a.csv", "d1")


def test_blocks_are_put_together_in_order(store: JudgmentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lookalike.judgments.store_write.BLOCK", 7)
    monkeypatch.setattr("lookalike.judgments.store_read.BLOCK", 5)
    groups = [f"group {number // 3}" for number in range(100)]
    judgments = simple(100, group=groups, answered_at=np.arange(100.0))
    told: list[int] = []
    store.import_judgments(judgments, "a.csv", "d1", on_progress=lambda progress: told.append(progress.done))
    assert_same(store.read(), judgments)
    assert told == [*range(7, 100, 7), 100]


def test_an_answer_sent_again_is_stored_once(store: JudgmentStore) -> None:
    answer = Answer("r", "x", "y", "b", 2, 5, "ocean", "ann", "g1", "flip", 1234.5, 0.75)
    assert store.add(answer, key="k1")
    assert not store.add(answer, key="k1")
    assert not store.add(replace(answer, answered_at=9999.0), key="k1")
    for change in ({"choice": "a"}, {"context": "new"}, {"grade_a": None}, {"response_seconds": 0.5}, {"group": ""}):
        with pytest.raises(InputError, match="another answer has the key 'k1'"):
            store.add(replace(answer, **change), key="k1")
    assert store.add(answer, key="k2")  # the same words under another key: another answer
    assert store.count() == 2
    expected = Judgments.from_ids(
        *(["r"] * 2, ["x"] * 2, ["y"] * 2, [0, 0], [1, 1]),
        grades_a=np.array([2, 2], np.int8),
        grades_b=np.array([5, 5], np.int8),
        **{"context": ["ocean"] * 2, "annotator": ["ann"] * 2, "group": ["g1"] * 2, "trial": ["flip"] * 2},
        answered_at=np.array([1234.5] * 2),
        response_seconds=np.array([0.75] * 2, np.float32),
    )
    assert_same(store.read(), expected)


def test_an_answer_without_a_time_gets_the_stores(store: JudgmentStore) -> None:
    store.add(Answer("r", "x", "y", "a"), key="k")
    (at,) = store.read().answered_at  # type: ignore[misc]
    assert abs(at - time.time()) < 60
    assert store.read().response_seconds is None


def test_undo_takes_one_answer_back(store: JudgmentStore) -> None:
    store.add(Answer("r", "x", "y", "a"), key="k1")
    store.add(Answer("r", "x", "z", "a"), key="k2")
    assert store.undo("k1")
    assert not store.undo("k1")
    assert store.read().candidates_b.tolist() == ["z"]
    assert store.count() == 1


def test_reading_some(store: JudgmentStore) -> None:
    imported = simple(6, context=["sea", "", "sea", "city", "", "sea"], annotator=["ann"] * 5 + [""])
    store.import_judgments(replace(imported, answered_at=np.array([1.0, np.nan, 3, 4, 5, 6])), "a.csv", "d1")
    store.import_judgments(simple(2, seed=1), "b.csv", "d2")
    store.add(Answer("r", "x", "y", "a", annotator="bob", context="sea", answered_at=4.5), key="k")
    assert [len(store.read(context=name)) for name in ("sea", "", "city", "lake")] == [4, 4, 1, 0]
    assert [len(store.read(annotator=name)) for name in ("ann", "", "bob")] == [5, 3, 1]
    assert [len(store.read(source=name)) for name in ("a.csv", "d2", "b.csv", "", "c.csv")] == [6, 2, 2, 1, 0]
    assert len(store.read(since=4.5)) == 3
    some = store.read(context="sea", annotator="ann", source="a.csv", since=2)
    assert_same(some, replace(imported, answered_at=np.array([0, 0, 3.0, 0, 0, 0])).take(np.array([2])))
    assert set(some.ids) == {some.references[0], some.candidates_a[0], some.candidates_b[0]}
    assert store.annotators() == {"": 3, "ann": 5, "bob": 1}


def test_an_absent_store_is_empty_and_reading_does_not_make_it(store: JudgmentStore) -> None:
    assert len(store.read(context="sea")) == store.count() == 0
    assert store.annotators() == {}
    assert store.sources() == []
    assert not store.path.parent.exists()


def test_forgetting_an_import_leaves_the_rest(store: JudgmentStore, tmp_path: Path) -> None:
    first = simple(5, annotator=["ann"] * 5, group=["g"] * 5)
    store.import_judgments(first, "a.csv", "d1")
    store.import_judgments(Judgments.from_ids(["r"], ["x"], ["y"], [1], [0], annotator=["bob"]), "b.csv", "d2")
    store.add(Answer("r", "x", "q", "a", group="g"), key="k")
    kept = store.read(source=""), store.read(source="b.csv")
    assert store.forget("d1") == 5
    assert_same(store.read(), kept[1].joined(kept[0]))
    assert store.count() == 2
    assert store.annotators() == {"": 1, "bob": 1}
    with pytest.raises(UnknownNameError, match=r"no import 'b\.cvs': did you mean b\.csv"):
        store.forget("b.cvs")
    with pytest.raises(UnknownNameError):
        store.forget("")
    assert store.import_judgments(first, "a.csv", "d1").added == 5


def test_groups_of_two_imports_stay_two(store: JudgmentStore) -> None:
    for name in ("one", "two"):
        store.import_judgments(simple(3, group=["7", "7", f"only {name}"]), f"{name}.csv", name)
    store.add(Answer("r", "x", "y", "a", group="7"), key="k1")
    store.add(Answer("r", "x", "z", "a", group="7"), key="k2")
    both = store.read().group
    assert both is not None
    values = both.values().tolist()
    assert values == ["one.csv#1:7"] * 2 + ["only one"] + ["two.csv#2:7"] * 2 + ["only two"] + ["7"] * 2
    assert both.names.tolist() == sorted(set(values))
    alone = store.read(source="one").group
    assert alone is not None
    assert alone.names.tolist() == ["7", "only one"]


def test_files_of_images_come_back_and_ids_never_change_files_silently(store: JudgmentStore, tmp_path: Path) -> None:
    def answers(folder: str) -> Judgments:
        files = {name: tmp_path / folder / f"{name}.jpg" for name in ("r", "x", "unused")}
        (tmp_path / folder).mkdir(exist_ok=True)
        for file in files.values():
            file.touch()
        return Judgments.from_ids(["r"], ["x"], ["y"], [1], [0], images=files)

    store.import_judgments(answers("old"), "a.csv", "d1")
    expected = {"r": tmp_path / "old" / "r.jpg", "x": tmp_path / "old" / "x.jpg"}
    assert store.read().images == expected
    with pytest.raises(InputError, match=r"the image 'r' is .*old.* in the store and .*new.* here"):
        store.import_judgments(answers("new"), "b.csv", "d2")
    assert store.count() == 1
    assert store.read().images == expected
    store.import_judgments(answers("new"), "a.csv", "d1")  # the same import again: the user says where files are now
    assert store.read().images["r"] == tmp_path / "new" / "r.jpg"
    for file in (tmp_path / "new").iterdir():
        file.unlink()
    store.import_judgments(answers("old"), "b.csv", "d2")  # the files of "new" are gone: moved
    assert store.read().images == expected


def test_threads_share_a_store(quick_folder: Path) -> None:
    store = JudgmentStore(quick_folder / "threads.sqlite")
    added: list[bool] = []
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for place in range(25):
                # Two threads send every answer.
                name = f"{number // 2}-{place}"
                added.append(store.add(Answer(name, "x", "y", "a", annotator=str(number // 2)), key=name))
                store.count()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum(added) == 100
    assert len(set(store.read().references)) == len(store.read()) == store.count() == 100
    assert store.annotators() == {str(number): 25 for number in range(4)}


def test_several_make_the_same_store_at_the_same_moment(quick_folder: Path) -> None:
    together = threading.Barrier(4)
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for turn in range(20):
                together.wait(30)
                JudgmentStore(quick_folder / f"new {turn}.sqlite").add(Answer("r", "x", "y", "a"), key=name)
        except BaseException as error:
            errors.append(error)
            together.abort()

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [JudgmentStore(quick_folder / f"new {turn}.sqlite").count() for turn in range(20)] == [4] * 20


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"choice": "c"}, "the choice of an answer is 'a' or 'b', not 'c'"),
        ({"candidate_a": ""}, "one is empty"),
        ({"candidate_a": "r"}, "three different images"),
        ({"grade_a": 6}, "a grade is 1"),
        ({"grade_b": 0}, "a grade is 1"),
        ({"response_seconds": float("nan")}, "response_seconds is a number of seconds"),
        ({"answered_at": "noon"}, "answered_at is a number of seconds"),
        ({"annotator": "a\0b"}, "has a NUL character"),
        ({"reference": "\udce9.jpg"}, "is not valid Unicode"),
        ({"context": None}, "context is a text, not None"),
    ],
)
def test_an_answer_is_validated(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Answer(**{"reference": "r", "candidate_a": "x", "candidate_b": "y", "choice": "a", **fields})


def test_a_key_and_names_that_cannot_be_stored_are_refused(store: JudgmentStore) -> None:
    with pytest.raises(InputError, match="needs a key"):
        store.add(Answer("r", "x", "y", "a"), key="")
    bad = Judgments.from_ids(["\udce9.jpg"], ["x"], ["y"], [1], [0])
    with pytest.raises(InputError, match="is not valid Unicode"):
        store.import_judgments(bad, "a.csv", "d1")
    labelled = replace(simple(2), context=Labels(np.array([0, 1], np.int32), np.array(["sea", "\udce9"])))
    with pytest.raises(InputError, match="is not valid Unicode"):
        store.import_judgments(labelled, "a.csv", "d1")
    assert store.count() == 0

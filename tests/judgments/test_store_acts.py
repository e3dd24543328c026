"""What one person does at the store: batches, skips, and taking back, in any order and as often as it is sent."""

import sqlite3
from pathlib import Path

import pytest

from lookalike.core.errors import InputError
from lookalike.judgments import store_file
from lookalike.judgments.answer import Answer
from lookalike.judgments.store import JudgmentStore
from lookalike.judgments.store_acts import Skip

ANSWER = Answer("r", "x", "y", "a", annotator="ann", context="sea", answered_at=9.0)


@pytest.fixture
def store(tmp_path: Path) -> JudgmentStore:
    return JudgmentStore(tmp_path / "judgments.sqlite")


def test_a_batch_is_stored_whole_or_not_at_all(store: JudgmentStore) -> None:
    batch = {"1": ANSWER, "2": Answer("r", "x", "z", "b", annotator="ann")}
    assert store.add_all(batch, {"3": Skip("ann", ("r", "y", "z"))}) == [True, True, True]
    assert store.add_all(batch, {"3": Skip("ann", ("r", "y", "z"))}) == [False, False, False]
    other = {"4": ANSWER, "2": Answer("r", "x", "z", "a", annotator="ann")}
    with pytest.raises(InputError, match="another answer has the key '2'"):
        store.add_all(other)
    assert (store.count(), store.skips("ann"), store.skips("bob")) == (2, [Skip("ann", ("r", "y", "z"))], [])


def test_what_was_taken_back_never_comes_again(store: JudgmentStore) -> None:
    store.add(ANSWER, "1")
    assert store.undo("1", annotator="ann") == 1
    assert not store.add(ANSWER, "1")  # sent again, late
    assert store.undo("2") == 0  # before its answer has arrived
    assert store.add_all({"2": ANSWER}, {"2": Skip("ann", ("r", "y", "z"))}) == [False, False]
    assert (store.count(), len(store.read()), store.skips("ann")) == (0, 0, [])


def test_what_was_taken_back_is_kept_apart_in_words(store: JudgmentStore) -> None:
    store.add(ANSWER, "1")
    store.undo("1")
    with sqlite3.connect(store.path) as db:
        (said,) = db.execute("SELECT said FROM withdrawn").fetchone()
    db.close()
    assert '"reference":"r"' in said
    assert '"annotator":"ann"' in said
    assert '"context":"sea"' in said


def test_nobody_takes_back_what_another_said(store: JudgmentStore) -> None:
    store.add_all({"1": ANSWER, "2": Answer("r", "x", "y", "b", annotator="bob")}, {"3": Skip("bob", ("r", "x", "z"))})
    for key in ("2", "3"):
        with pytest.raises(InputError, match=f"the answer '{key}' is not by 'ann'"):
            store.undo("1", key, annotator="ann")
    assert store.count() == 2  # the first one stayed, too


def test_the_mark_changes_with_everything_that_is_read(store: JudgmentStore) -> None:
    marks = [store.mark()]
    for change in (lambda: store.add(ANSWER, "1"), lambda: store.undo("1"), lambda: store.add(ANSWER, "2")):
        change()
        marks.append(store.mark())
    assert len(set(marks)) == len(marks)


def test_given_answers_are_read_by_annotator_through_an_index(store: JudgmentStore) -> None:
    store.add_all({"1": ANSWER, "2": Answer("r", "x", "y", "b", annotator="bob")})
    assert store.read(annotator="bob", source="").votes_b.tolist() == [1]
    assert len(store.read(annotator="eve", source="")) == 0
    assert len(store.read(source="")) == 2


def test_a_file_of_the_first_format_takes_part(store: JudgmentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(store_file, "MIGRATIONS", store_file.MIGRATIONS[:1])
        older.setattr(store_file, "FORMAT", 1)
        with sqlite3.connect(store.path, isolation_level=None) as db:
            store_file._migrate(db)
        db.close()
    assert store.add(ANSWER, "1")
    assert store.undo("1") == 1
    assert not store.add(ANSWER, "1")

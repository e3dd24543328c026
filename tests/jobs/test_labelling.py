"""A labelling session without a server: what is asked, what is stored, and how far somebody has come."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lookalike.core.errors import InputError, UnknownNameError, WorkspaceError
from lookalike.embedding.collection import Collection
from lookalike.jobs import labelling_questions
from lookalike.jobs.labelling import Labelling
from lookalike.jobs.labelling_acts import Chosen, Ranked, Skipped
from lookalike.jobs.labelling_questions import Asked
from lookalike.judgments.readers.read import read_judgments
from lookalike.judgments.store import JudgmentStore


@pytest.fixture(autouse=True)
def answers_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long reading takes on a busy machine, the next question knows of every answer."""
    monkeypatch.setattr(labelling_questions, "READING_SHARE", float("inf"))


@pytest.fixture
def collection(photos: Path) -> Collection:
    collection = Collection.create(photos.parent / ".lookalike", photos)
    collection.sync()
    return collection


@pytest.fixture
def labelling(collection: Collection) -> Labelling:
    return Labelling(collection.workspace.path, "random")


def chosen(asked: Asked, id: str, choice: str = "a", **told: object) -> Chosen:
    a, b = asked.candidates
    return Chosen(id=id, reference=asked.reference, a=a, b=b, choice=choice, trial=asked.trial, **told)  # type: ignore[arg-type]


def store_of(collection: Collection) -> JudgmentStore:
    return JudgmentStore(collection.workspace.judgments_file)


@pytest.mark.parametrize("strategy", ["informative", "random", "uncertain"])
def test_questions_ahead_never_repeat(collection: Collection, strategy: str) -> None:
    labelling = Labelling(collection.workspace.path, strategy)
    batches = [labelling.questions("ann", 10) for _ in range(4)]
    asked = [question for batch in batches for question in batch]
    assert [len(batch) for batch in batches] == [10] * 4
    assert len({question.key for question in asked}) == 40
    assert all(len({question.reference, *question.candidates}) == 3 for question in asked)
    assert {question.trial for question in asked} == {""}  # nothing has been answered


def test_every_question_of_a_small_collection_is_asked_once_and_again_only_at_the_end(
    tmp_path: Path, make_photo: Callable[..., Path]
) -> None:
    for number in range(4):
        make_photo(tmp_path / "photos" / f"{number}.jpg", number)
    Collection.create(tmp_path / ".lookalike", tmp_path / "photos").sync()
    labelling = Labelling(tmp_path / ".lookalike", "random")
    asked = [question for _ in range(4) for question in labelling.questions("ann", 3)]
    assert len({question.key for question in asked}) == len(asked) == 12
    # Handed out, but never answered: what else could be asked?
    again = labelling.questions("ann", 12)
    assert {question.key for question in again} == {question.key for question in asked}
    labelling.take("ann", [chosen(question, f"answer-{n}") for n, question in enumerate(again)])
    assert all(question.trial for question in labelling.questions("ann", 12))
    bobs = [question for _ in range(6) for question in labelling.questions("bob", 3)][:12]
    assert {question.key for question in bobs} == {question.key for question in asked}


def test_what_was_skipped_is_not_asked_again_of_that_person(labelling: Labelling) -> None:
    first = labelling.questions("ann", 5)
    skips = [
        Skipped(id=f"skip-{n:04}", reference=one.reference, candidates=one.candidates) for n, one in enumerate(first)
    ]
    assert (labelling.take("ann", skips), labelling.take("ann", skips)) == (5, 0)
    keys = {one.key for one in first}
    labelling._asker._handed.forget("ann")  # as after a restart
    assert all(one.key not in keys for _ in range(20) for one in labelling.questions("ann", 10))
    assert labelling.progress("ann").skipped == 5


def test_some_questions_are_of_others_so_that_people_can_be_compared(labelling: Labelling) -> None:
    for batch in range(10):
        acts = [chosen(one, f"ann-{batch:03}-{n:03}") for n, one in enumerate(labelling.questions("ann", 40))]
        labelling.take("ann", acts)
    anns = _keys_of(labelling, "ann")
    bobs = []
    for batch in range(15):
        questions = labelling.questions("bob", 20)
        labelling.take("bob", [chosen(one, f"bob-{batch:03}-{n:03}") for n, one in enumerate(questions)])
        bobs += [one for one in questions if not one.trial]
    shared = [one.key for one in bobs if one.key in anns]
    assert 300 * 0.02 < len(shared) < 300 * 0.09
    assert len(set(shared)) == len(shared)


def _keys_of(labelling: Labelling, annotator: str) -> set[object]:
    stored = labelling._store.read(annotator=annotator)
    columns = (stored.references, stored.candidates_a, stored.candidates_b)
    return {Asked(r, (a, b)).key for r, a, b in zip(*(column.tolist() for column in columns), strict=True)}


def test_old_questions_come_again_at_the_declared_shares(labelling: Labelling, collection: Collection) -> None:
    answered: dict[object, Asked] = {}
    trials = []
    for batch in range(60):
        questions = labelling.questions("ann", 10)
        for question in questions:
            if question.trial:
                original = answered[question.key]
                order = original.candidates if question.trial == "repeat" else original.candidates[::-1]
                assert question.candidates == order
                trials.append(question.trial)
            answered[question.key] = question
        acts = [
            chosen(one, f"answer-{batch}-{n}", "ab"[n % 2], response_seconds=2.0) for n, one in enumerate(questions)
        ]
        labelling.take("ann", acts)
    assert 600 * 0.02 < trials.count("repeat") < 600 * 0.09
    assert 600 * 0.02 < trials.count("flip") < 600 * 0.09
    found = labelling.progress("ann")
    assert (found.answers, found.judgments, found.everyone, found.seconds) == (600, 600, 600, 2.0)
    assert (found.repeated.n, found.flipped.n) == (trials.count("repeat"), trials.count("flip"))


def test_a_ranking_is_three_judgments_with_their_own_grades(labelling: Labelling, collection: Collection) -> None:
    asked = labelling.questions("ann", 1, candidates=3)[0]
    x, y, z = asked.candidates
    ranked = Ranked(
        id="ranking-1", reference=asked.reference, candidates=(x, y, z), ranking=(z, x, y), grades=(1, 2, 4)
    )
    assert labelling.take("ann", [ranked]) == 1
    assert labelling.take("ann", [ranked]) == 0
    stored = store_of(collection).read()
    rows = zip(stored.candidates_a, stored.candidates_b, stored.closer_a, strict=True)
    assert [tuple(row) for row in rows] == [(x, y, True), (x, z, False), (y, z, False)]
    assert stored.grades_a is not None
    assert stored.grades_b is not None
    assert list(zip(stored.grades_a.tolist(), stored.grades_b.tolist(), strict=True)) == [(2, 4), (2, 1), (4, 1)]
    assert stored.group is not None
    assert stored.group.values().tolist() == ["ranking-1"] * 3
    assert (labelling.progress("ann").answers, labelling.progress("ann").judgments) == (1, 3)
    assert labelling.undo("ann", ["ranking-1"]) == 3
    assert labelling.take("ann", [ranked]) == 0
    assert len(store_of(collection).read()) == 0


@pytest.mark.parametrize(
    ("ranking", "grades", "message"),
    [
        (("x", "y", "y"), (1, 2, 3), "each once"),
        (("x", "y", "w"), (1, 2, 3), "each once"),
        (("x", "y", "z"), (2, 1, 3), "never go down"),
        (("x", "y", "z"), (1, 2), "never go down"),
    ],
)
def test_a_ranking_that_contradicts_itself_is_refused(
    ranking: tuple[str, ...], grades: tuple[int, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Ranked(id="r", reference="r", candidates=("x", "y", "z"), ranking=ranking, grades=grades)


def test_three_candidates_are_never_copies_and_may_be_shown_in_any_order(labelling: Labelling) -> None:
    asked = [question for _ in range(5) for question in labelling.questions("ann", 10, candidates=3)]
    assert all(len({one.reference, *one.candidates}) == 4 for one in asked)
    assert len({one.key for one in asked}) == len(asked) == 50


def test_an_undo_before_its_answer_holds_and_restarts_forget_nothing(collection: Collection) -> None:
    path = collection.workspace.path
    question = Labelling(path, "random").questions("ann", 1)[0]
    assert Labelling(path).undo("ann", ["answer-1"]) == 0
    assert Labelling(path).take("ann", [chosen(question, "answer-1")]) == 0
    assert Labelling(path).take("ann", [chosen(question, "answer-2")]) == 1
    assert Labelling(path).take("ann", [chosen(question, "answer-2")]) == 0
    assert Labelling(path).progress("ann").answers == 1


def test_wrong_acts_store_nothing(labelling: Labelling, collection: Collection) -> None:
    first, second = labelling.questions("ann", 2)
    good = chosen(first, "answer-1")
    for bad, message in (
        (replace(chosen(second, "answer-2"), a="../secret.jpg"), r"holds no image \.\./secret.jpg"),
        (replace(chosen(second, "answer-2"), b=second.reference), "three different images"),
        (chosen(second, "answer-1"), "another answer has the key"),
        (chosen(first, "answer-2", grade_a=6), "a grade is 1"),
        (chosen(first, "answer-2", context="\0"), "NUL"),
    ):
        with pytest.raises(InputError, match=message):
            labelling.take("ann", [good, bad])
    assert store_of(collection).count() == 0
    for name in ("", "  ", "a\0", "\ud800"):
        with pytest.raises(InputError, match="annotator"):
            labelling.take(name, [good])
        with pytest.raises(InputError, match="annotator"):
            labelling.questions(name, 1)


def test_answers_carry_what_they_were_told_and_no_time_to_come(labelling: Labelling, collection: Collection) -> None:
    first, second = labelling.questions("ann", 2)
    labelling.take("ann", [chosen(first, "answer-1", answered_at=9e9, context="sea", response_seconds=1.5)])
    labelling.take("ann", [chosen(second, "answer-2", answered_at=1000.0)])
    stored = store_of(collection).read()
    assert stored.answered_at is not None
    assert stored.answered_at[0] < 8e9
    assert stored.answered_at[1] == 1000
    assert stored.context is not None
    assert stored.context.values().tolist() == ["sea", ""]


def test_the_export_reads_back(labelling: Labelling, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no judgments yet"):
        labelling.csv()
    questions = labelling.questions("ann", 3)
    labelling.take("ann", [chosen(one, f"answer-{n}", "aba"[n]) for n, one in enumerate(questions)])
    labelling.take("bob", [chosen(questions[0], "answer-9", "b")])
    file = tmp_path / "out.csv"
    file.write_bytes(labelling.csv())
    assert read_judgments("csv", file).closer_a.tolist() == [True, False, True, False]
    file.write_bytes(labelling.csv("bob"))
    assert read_judgments("csv", file).annotator.values().tolist() == ["bob"]  # type: ignore[union-attr]
    with pytest.raises(InputError, match="'eve' gave no judgments"):
        labelling.csv("eve")


def test_pictures_are_large_upright_and_of_the_file_that_was_indexed(
    labelling: Labelling, collection: Collection, photos: Path, make_photo: Callable[..., Path]
) -> None:
    import io

    from PIL import Image

    make_photo(photos / "large.jpg", 50, (1600, 1200))
    collection.sync()
    labelling.questions("ann", 1)
    content = labelling.picture("large.jpg")
    assert content is not None
    assert Image.open(io.BytesIO(content)).size == (800, 600)
    make_photo(photos / "large.jpg", 51, (400, 300))
    collection.sync()
    labelling.questions("ann", 1)
    changed = labelling.picture("large.jpg")
    assert changed is not None
    assert Image.open(io.BytesIO(changed)).size == (400, 300)
    name = "a/000.jpg"
    (photos / name).write_bytes(b"something else")
    assert labelling.picture(name) == collection.thumbnails([name])[name]
    (photos / "b" / "001.jpg").unlink()
    assert labelling.picture("b/001.jpg") == collection.thumbnails(["b/001.jpg"])["b/001.jpg"]
    assert labelling.picture("../.lookalike/workspace.json") is None


def test_new_images_are_asked_about_and_removed_ones_are_not(
    labelling: Labelling, collection: Collection, photos: Path, make_photo: Callable[..., Path]
) -> None:
    labelling.questions("ann", 1)
    make_photo(photos / "new.jpg", 70)
    (photos / "a" / "000.jpg").unlink()
    collection.sync()
    seen = {
        image for _ in range(20) for one in labelling.questions("ann", 20) for image in (one.reference, *one.candidates)
    }
    assert "new.jpg" in seen
    assert "a/000.jpg" not in seen


def test_the_store_is_not_read_all_the_time(labelling: Labelling, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    read = JudgmentStore.read

    def counted(self: JudgmentStore, *given: str, **named: str) -> object:
        reads.append(1)
        return read(self, *given, **named)

    monkeypatch.setattr(JudgmentStore, "read", counted)
    monkeypatch.setattr(labelling_questions, "READING_SHARE", 1e-9)
    for _ in range(5):
        labelling.take("ann", [chosen(one, f"answer-{one.key}") for one in labelling.questions("ann", 2)])
    assert len(reads) == 1


def test_what_is_missing_is_said(tmp_path: Path, make_photo: Callable[..., Path], collection: Collection) -> None:
    with pytest.raises(UnknownNameError, match="did you mean random"):
        Labelling(tmp_path, "randm")
    with pytest.raises(WorkspaceError, match="there is no workspace"):
        Labelling(tmp_path / "none").questions("ann", 1)
    make_photo(tmp_path / "two" / "1.jpg", 1)
    make_photo(tmp_path / "two" / "2.jpg", 2)
    Collection.create(tmp_path / "small", tmp_path / "two").sync()
    with pytest.raises(InputError, match="a question takes 3 images, the collection has 2"):
        Labelling(tmp_path / "small").questions("ann", 1)
    with pytest.raises(InputError, match="committee needs the vectors of two models"):
        Labelling(collection.workspace.path, "committee").questions("ann", 1)


def test_a_committee_is_of_the_encoders_of_the_collection(collection: Collection, network: Path) -> None:
    from lookalike.core.workspace import WorkspaceConfig

    name = f"onnx:{network}"
    Collection.open(collection.workspace.path, name).sync()
    root = str(collection.root)
    collection.workspace.configure(WorkspaceConfig(root, name, ("compact", name)))
    labelling = Labelling(collection.workspace.path, "committee")
    assert len(labelling.questions("ann", 10)) == 10
    assert [part.shape[0] for part in labelling._asker._collection().state.vectors] == [24, 24]


def test_threads_share_a_session(labelling: Labelling, collection: Collection) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def work(person: int) -> int:
        name = f"person {person}"
        questions = [one for _ in range(4) for one in labelling.questions(name, 5)]
        acts = [chosen(one, f"answer-{person}-{n}", "ab"[n % 2]) for n, one in enumerate(questions)]
        return sum(labelling.take(name, [act]) for act in acts)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [20] * 8
    people, counts = np.unique(store_of(collection).read().annotator.values(), return_counts=True)  # type: ignore[union-attr]
    assert (len(people), counts.tolist()) == (8, [20] * 8)


def test_two_processes_of_a_server_never_ask_one_person_the_same(collection: Collection, tmp_path: Path) -> None:
    path, handed = collection.workspace.path, tmp_path / "handed.sqlite"
    workers = [Labelling(path, "random", handed=handed) for _ in range(2)]
    asked = [one for number in range(8) for one in workers[number % 2].questions("ann", 10)]
    assert len({one.key for one in asked}) == len(asked) == 80
    # And what one of them asks of somebody else is nobody's loss.
    assert len(workers[0].questions("bob", 10)) == 10
    workers[0].take("ann", [chosen(asked[0], "answer-1")])
    assert workers[1].progress("ann").answers == 1

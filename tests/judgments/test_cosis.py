"""CoSIS: every count of the published files, the two defects of the arrays, the published splits."""

from pathlib import Path

import numpy as np
import pytest

from lookalike.core.errors import InputError
from lookalike.judgments.readers import read_judgments, read_with_problems
from lookalike.judgments.readers.consistency import circular, contradictory
from lookalike.judgments.readers.cosis import ANCHORS
from lookalike.judgments.readers.cosis_names import read_names
from lookalike.judgments.readers.cosis_splits import published_cluster_split, published_reference_parts, split_refs
from lookalike.judgments.table import Judgments

# Annotations, published rows, rows where id1 and id2 are closer, class ties published and true.
COUNTS = {
    "715": (335, 1002, 488, 514, 12, 52),
    "2723": (336, 1005, 490, 515, 99, 153),
    "389": (335, 1002, 503, 499, 3, 7),
    "1673": (336, 1005, 462, 543, 177, 148),
    "1006": (335, 1002, 523, 479, 15, 46),
    "254": (335, 1002, 525, 477, 132, 151),
    "2352": (334, 999, 501, 498, 18, 9),
    "667": (334, 999, 495, 504, 138, 196),
    "validation": (4003, 12009, 6001, 6008, 288, 301),
    "test": (3335, 10002, 4984, 5018, 6, 2),
}


@pytest.fixture
def cosis(shared: Path) -> Path:
    return shared / "data" / "cosis"


def parts(path: Path, mode: str) -> dict[str, Judgments]:
    clusters = read_judgments("cosis", path, mode=mode, part="clusters")
    assert clusters.context is not None
    made = {anchor: clusters.take(clusters.context.values() == anchor) for anchor in ANCHORS}
    return made | {part: read_judgments("cosis", path, mode=mode, part=part) for part in ("validation", "test")}


def unordered(answers: Judgments) -> np.ndarray:
    """Reference, closer and farther candidate of each row, as one string."""
    closer = np.where(answers.closer_a, answers.candidates_a, answers.candidates_b)
    farther = np.where(answers.closer_a, answers.candidates_b, answers.candidates_a)
    return np.char.add(np.char.add(np.char.add(answers.references, " "), np.char.add(closer, " ")), farther)


def ties(answers: Judgments) -> int:
    assert answers.grades_a is not None
    return int((answers.grades_a == answers.grades_b).sum())


def test_all_counts(cosis: Path) -> None:
    published, corrected = parts(cosis, "published"), parts(cosis, "corrected")
    for name, (annotations, rows, order_0, order_1, tied, truly_tied) in COUNTS.items():
        answers = published[name]
        assert len(answers) == rows
        assert (int(answers.closer_a.sum()), int((~answers.closer_a).sum())) == (order_0, order_1)
        assert ties(answers) == tied
        assert len(corrected[name]) == 3 * annotations
        assert ties(corrected[name].take(np.arange(3 * annotations - rows, 3 * annotations))) == truly_tied
    assert len(read_judgments("cosis", cosis, mode="published")) == 30_027
    assert len(read_judgments("cosis", cosis)) == 30_054
    references = {name: len(np.unique(answers.reference)) for name, answers in published.items()}
    assert references == dict.fromkeys(ANCHORS, 1) | {"validation": 1320, "test": 1010}
    assert len(np.unique(read_judgments("cosis", cosis).reference)) == 2338


def test_arrays_and_text_agree_up_to_flips(cosis: Path) -> None:
    published, corrected = parts(cosis, "published"), parts(cosis, "corrected")
    for name, answers in published.items():
        # Defect A: the first annotation of the files without a header is missing.
        missing = len(corrected[name]) - len(answers)
        assert missing == (0 if name == "validation" else 3)
        rest = corrected[name].take(np.arange(missing, len(corrected[name])))
        assert (unordered(rest) == unordered(answers)).all()
        assert rest.group is not None
        assert answers.group is not None
        assert (rest.group.values() == answers.group.values()).all()


def test_the_classes_of_the_arrays_are_those_of_the_first_two(cosis: Path) -> None:
    for name, answers in parts(cosis, "published").items():
        assert answers.grades_a is not None
        assert answers.grades_b is not None
        low, high = np.minimum(answers.grades_a, answers.grades_b), np.maximum(answers.grades_a, answers.grades_b)
        # Defect B: all three rows of an annotation carry the classes of its first pair.
        for column in (low, high):
            assert (column.reshape(-1, 3) == column[::3, None]).all()
        a_closer = answers.closer_a
        assert (answers.grades_a[a_closer] <= answers.grades_b[a_closer]).all()
        assert (answers.grades_a[~a_closer] >= answers.grades_b[~a_closer]).all()
        if name == "test":
            assert high.max() < 5
    true = parts(cosis, "corrected")["validation"]
    published = parts(cosis, "published")["validation"]
    for one, two in ((true.grades_a, true.grades_b), (published.grades_a, published.grades_b)):
        assert one is not None
        assert two is not None
    sorted_true = np.sort(np.stack([true.grades_a, true.grades_b]), axis=0)  # type: ignore[list-item]
    sorted_published = np.sort(np.stack([published.grades_a, published.grades_b]), axis=0)  # type: ignore[list-item]
    assert int((sorted_true == sorted_published).all(axis=0).sum()) == 4208


def test_contradictions_duplicates_and_no_circles(cosis: Path) -> None:
    published = parts(cosis, "published")
    pairs = {name: int((contradictory(answers) >= 0).sum()) // 2 for name, answers in published.items()}
    assert {name: count for name, count in pairs.items() if count} == {"1673": 1, "667": 1}
    for name, answers in published.items():
        rows = np.stack([answers.reference, answers.candidate_a, answers.candidate_b, answers.closer_a], axis=1)
        duplicates = len(rows) - len(np.unique(rows, axis=0))
        assert duplicates == {"1673": 2, "254": 2, "validation": 2}.get(name, 0)
        assert int((circular(answers) >= 0).sum()) == 2 * pairs[name]


def test_ids_are_photographs_and_contexts_are_anchors(cosis: Path) -> None:
    answers = read_judgments("cosis", cosis)
    assert answers.context is not None
    assert set(answers.context.values()) == {"", *ANCHORS}
    of_715 = answers.take(answers.context.values() == "715")
    assert set(of_715.references) == {"h_1d2f1a0c"}
    names = read_names(cosis / "filename_dict.txt")
    assert len(names.stems) == 20_000
    assert names.stems[names.codes("val", np.array([0, 715, 5000]))[:2]].tolist() == ["h_f5946da2", "h_1d2f1a0c"]
    assert names.codes("val", np.array([5000, -1])).tolist() == [-1, -1]
    test = read_judgments("cosis", cosis, part="test")
    assert (names.numbers("val", test.references) == -1).all()
    validation = read_judgments("cosis", cosis, part="validation")
    clusters = read_judgments("cosis", cosis, mode="published", part="clusters")
    asked = set(validation.references)
    assert not asked & set(clusters.references)
    assert len(asked & {*clusters.candidates_a, *clusters.candidates_b}) == 1032
    sizes = np.unique(np.unique(validation.reference, return_counts=True)[1], return_counts=True)
    assert (
        dict(zip(sizes[0].tolist(), sizes[1].tolist(), strict=True)).items() >= {9: 728, 12: 266, 3: 201, 6: 49}.items()
    )


def test_the_published_cluster_splits(cosis: Path) -> None:
    answers = read_judgments("cosis", cosis, mode="published", part="clusters")
    for anchor in ANCHORS:
        rows = COUNTS[anchor][1]
        train, test = {1002: (668, 334), 1005: (670, 335), 999: (666, 333)}[rows]
        part = published_cluster_split(answers, anchor)
        assert (len(part.train), len(part.test)) == (2 * train, test)
        straight, flips = part.train.take(np.arange(train)), part.train.take(np.arange(train, 2 * train))
        assert (flips.candidates_a == straight.candidates_b).all()
        assert (flips.votes_a == straight.votes_b).all()
        assert (flips.grades_a == straight.grades_b).all()
        leakage = part.leakage()
        assert leakage.references == 1
        assert leakage.groups == (0 if rows == 999 else 1)
        assert 39 <= leakage.candidates <= 58


def test_the_published_parts_of_the_references(cosis: Path) -> None:
    validation = read_judgments("cosis", cosis, mode="published", part="validation")
    part = published_reference_parts(validation, cosis)
    assert (len(part.train), len(part.test)) == (2802, 9207)
    numbers = read_names(cosis / "filename_dict.txt").numbers("val", validation.references)
    first, second = split_refs(numbers)
    assert (len(first), len(second)) == (320, 1000)
    assert first[:5].tolist() == [697, 2786, 3066, 4699, 2880]
    assert second[:5].tolist() == [3486, 1697, 4693, 2285, 1768]
    with pytest.raises(InputError, match="validation set"):
        published_reference_parts(read_judgments("cosis", cosis, part="test"), cosis)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Files of the same form, with three annotations of cluster 715 and one of each other file."""
    lines = [f"{number} val v{number}" for number in range(5000)] + [f"{number} train t{number}" for number in range(9)]
    (tmp_path / "filename_dict.txt").write_text("\n".join(lines) + "\n")
    for folder in ("txt_labels", "npy_labels"):
        (tmp_path / folder).mkdir()
    texts = {f"dist_{anchor}": f"{anchor} 1 1 2 2 3 5\n" for anchor in ANCHORS}
    texts["dist_715"] = "715 1 1 2 2 3 5\n715 2 1 3 1 4 1\n715 9 2 8 3 7 4\n\n"
    texts["mulref_val"] = "ref order1 class1 order2 class2 order3 class3\n4 5 1 6 2 7 3\n"
    texts["mulref_test"] = "4 5 1 6 2 7 3\n"
    for stem, text in texts.items():
        (tmp_path / "txt_labels" / f"{stem}.txt").write_text(text)
        rows = np.array([[1, 2, 1, 4, 6, 5], [0, 1, 2, 4, 5, 7], [0, 1, 2, 4, 6, 7]], np.float64)
        np.save(tmp_path / "npy_labels" / f"{stem}.npy", rows)
    return tmp_path


def test_small_files_of_the_same_form(small: Path) -> None:
    answers = read_judgments("cosis", small, part="clusters")
    first = answers.take(np.arange(9))
    assert first.candidates_a.tolist() == ["v1", "v1", "v2", "v2", "v2", "v3", "v9", "v9", "v8"]
    assert first.candidates_b.tolist() == ["v2", "v3", "v3", "v3", "v4", "v4", "v8", "v7", "v7"]
    assert first.grades_a is not None
    assert first.grades_b is not None
    assert first.grades_a.tolist() == [1, 1, 2, 1, 1, 1, 2, 2, 3]
    assert first.grades_b.tolist() == [2, 5, 5, 1, 1, 1, 3, 4, 4]
    assert first.group is not None
    assert first.group.values()[::3].tolist() == ["dist_715:1", "dist_715:2", "dist_715:3"]
    assert read_judgments("cosis", small, part="test").references.tolist() == ["t4"] * 3
    published = read_judgments("cosis", small, mode="published", part="validation")
    assert published.votes_a.tolist() == [0, 1, 1]
    assert published.candidates_a.tolist() == ["v6", "v5", "v6"]
    assert published.group is not None
    assert set(published.group.values()) == {"mulref_val:2"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("715 1 1 2 2 3", "seven whole numbers are needed"),
        ("715 1 1 2 x 3 5", "seven whole numbers are needed"),
        ("715 1 3 2 2 3 5", "the classes of candidates in order of closeness go down"),
        ("715 1 1 2 2 3 9", "a class is 1"),
        ("715 1 1 2 2 9999 5", "an image is not in filename_dict.txt"),
        ("715 1 1 715 2 3 5", "the reference is among its own candidates"),
        ("715 1 1 1 2 3 5", "the two candidates are the same image"),
    ],
)
def test_damaged_text_is_named_with_its_line(small: Path, line: str, reason: str) -> None:
    path = small / "txt_labels" / "dist_389.txt"
    path.write_text(f"389 1 1 2 2 3 5\n{line}\n")
    with pytest.raises(InputError, match=r"dist_389\.txt, row 2: "):
        read_judgments("cosis", small)
    reading = read_with_problems("cosis", small)
    assert {(problem.file, problem.row) for problem in reading.problems} == {(str(path), 2)}
    assert reading.problems[0].reason.startswith(reason)


def test_damaged_arrays_and_names(small: Path) -> None:
    array = small / "npy_labels" / "mulref_val.npy"
    np.save(array, np.array([[0, 1, 2, 4, 5, 6], [7, 1, 2, 4, 5, 6.0]]))
    with pytest.raises(InputError, match=r"mulref_val\.npy, row 2: the order is 0 or 1"):
        read_judgments("cosis", small, mode="published")
    np.save(array, np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(InputError, match="not a NumPy array of numbers"):
        read_judgments("cosis", small, mode="published")
    np.save(array, np.zeros((3, 5)))
    with pytest.raises(InputError, match="six columns"):
        read_judgments("cosis", small, mode="published")
    with pytest.raises(InputError, match="mode is"):
        read_judgments("cosis", small, mode="legacy")
    with pytest.raises(InputError, match="part is one of"):
        read_judgments("cosis", small, part="train")
    (small / "filename_dict.txt").write_text("0 val a\n1 test b\n")
    with pytest.raises(InputError, match=r"filename_dict\.txt, row 2: needs a number, val or train"):
        read_judgments("cosis", small)
    (small / "filename_dict.txt").unlink()
    with pytest.raises(InputError, match="only this file explains"):
        read_judgments("cosis", small)

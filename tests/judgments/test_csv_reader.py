"""The csv formats: columns by name, problems by line, speed."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.judgments.readers import read_judgments, read_pairs, read_with_problems
from lookalike.judgments.table import Judgments


def write(folder: Path, text: str, name: str = "answers.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_votes_are_kept_and_columns_go_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, "Votes_B,note,b, a ,reference,votes_a\n1,x,c2,c1,r,2.5\n")
    answers = read_judgments("csv", path)
    assert (answers.references[0], answers.candidates_a[0], answers.candidates_b[0]) == ("r", "c1", "c2")
    assert (answers.votes_a[0], answers.votes_b[0]) == (2.5, 1)
    assert answers.context is None


def test_all_optional_columns(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "reference,a,b,choice,grade_a,grade_b,context,annotator,group,trial,answered_at,response_seconds\n"
        "r,x,y,A,1,5,sea,ann,g1,,1970-01-01T00:01:00Z,2.5\n"
        "r,x,z,b,,,,,,repeat,90,\n",
    )
    answers = read_judgments("csv", path)
    assert answers.closer_a.tolist() == [True, False]
    assert answers.grades_a is not None
    assert answers.grades_a.tolist() == [1, 0]
    assert answers.answered_at is not None
    assert answers.answered_at.tolist() == [60, 90]
    assert answers.response_seconds is not None
    assert np.isnan(answers.response_seconds[1])
    for column, values in (("context", ["sea", ""]), ("annotator", ["ann", ""]), ("trial", ["", "repeat"])):
        assert getattr(answers, column).values().tolist() == values


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffreference,closer,farther\r\nr,x,y\r\n",
        "reference\tcloser\tfarther\nr\tx\ty",
        "reference;closer;farther\nr;x;y\n",
        "reference,closer,farther\rr,x,y\r",
    ],
    ids=["bom and crlf", "tabs, no last newline", "semicolons", "cr"],
)
def test_spellings_of_a_table(tmp_path: Path, text: str) -> None:
    answers = read_judgments("csv", write(tmp_path, text))
    assert answers.ids.tolist() == ["r", "x", "y"]
    assert answers.closer_a.tolist() == [True]


def test_quoted_cells_and_blank_lines_do_not_shift_rows(tmp_path: Path) -> None:
    path = write(tmp_path, 'reference,closer,farther,note\n"a, b",x,y,"two\nlines"\n\nr,x,x,\n')
    reading = read_with_problems("csv", path)
    assert reading.judgments.references.tolist() == ["a, b"]
    assert [(problem.file, problem.row) for problem in reading.problems] == [(str(path), 5)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("r,r,y,1,0", "the reference is among its own candidates"),
        ("r,x,x,1,0", "the two candidates are the same image"),
        ("r,,y,1,0", "an image has no id"),
        ("r,x,y,-1,3", "votes must be numbers that are not negative"),
        ("r,x,y,0,0", "nobody answered: both votes are 0"),
        ("r,x,y,two,1", "votes_a is not a number: 'two'"),
        ("r,x,y,1,", "votes_b is not a number: ''"),
        ("r,x,y,1,nan", "votes_b is not a number: 'nan'"),
        ("r,x,y,1", "4 cells where the header has 5"),
        ("r,x,y,1,2,3", "6 cells where the header has 5"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path: Path, row: str, reason: str) -> None:
    path = write(tmp_path, f"reference,a,b,votes_a,votes_b\nr,x,y,1,0\n{row}\nq,x,y,0,2\n")
    with pytest.raises(InputError, match="row 3: ") as stopped:
        read_judgments("csv", path)
    assert str(stopped.value).startswith(f"{path}, row 3: {reason}: correct the file")
    reading = read_with_problems("csv", path)
    assert [problem.row for problem in reading.problems] == [3]
    assert reading.judgments.references.tolist() == ["r", "q"]
    assert read_judgments("csv", path, on_problem="leave_out").votes_b.tolist() == [0, 2]


def test_the_message_counts_the_other_problems(tmp_path: Path) -> None:
    path = write(tmp_path, "reference,closer,farther\nr,x,x\nr,r,y\nr,x,y\nr,y,y\n")
    with pytest.raises(InputError, match=r"row 2: the two candidates are the same image \(and 2 more problems\): "):
        read_judgments("csv", path)


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("choice", "left", "choice is a or b, not 'left'"),
        ("grade_a", "6", "a grade is 1"),
        ("grade_a", "300", "a grade is 1"),
        ("grade_a", "1.5", "a grade is 1"),
        ("answered_at", "yesterday", "answered_at is not understood: 'yesterday'"),
        ("response_seconds", "fast", "response_seconds is not a number: 'fast'"),
        ("trial", "again", "trial is empty, repeat or flip"),
    ],
)
def test_optional_columns_are_checked(tmp_path: Path, column: str, cell: str, reason: str) -> None:
    header = "reference,a,b,choice" + ("" if column == "choice" else f",{column}")
    row = f"r,x,y,{cell}" if column == "choice" else f"r,x,y,a,{cell}"
    reading = read_with_problems("csv", write(tmp_path, f"{header}\n{row}\n"))
    assert len(reading.judgments) == 0
    assert [problem.row for problem in reading.problems] == [2]
    assert reading.problems[0].reason.startswith(reason)


def test_contradictions_name_each_other(tmp_path: Path) -> None:
    path = write(tmp_path, "reference,closer,farther\nr,x,y\nq,x,y\nr,y,x\n")
    reading = read_with_problems("csv", path)
    assert [(problem.row, problem.reason) for problem in reading.problems] == [
        (2, "contradicts row 4: the same question, the opposite answer"),
        (4, "contradicts row 2: the same question, the opposite answer"),
    ]
    assert reading.judgments.references.tolist() == ["q"]


def test_circles_name_their_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "reference,closer,farther\nr,x,y\nr,y,z\nr,z,x\nr,x,w\nq,z,x\n")
    reading = read_with_problems("csv", path)
    assert [problem.row for problem in reading.problems] == [2, 3, 4]
    assert reading.problems[0].reason.startswith("goes in a circle with rows 3, 4")
    assert reading.judgments.references.tolist() == ["r", "q"]


def test_people_may_disagree_and_trials_may_be_repeated(tmp_path: Path) -> None:
    people = write(tmp_path, "reference,closer,farther,annotator\nr,x,y,ann\nr,y,x,bob\n")
    assert len(read_judgments("csv", people)) == 2
    trials = write(tmp_path, "reference,a,b,choice,trial\nr,x,y,a,\nr,x,y,b,repeat\nr,y,x,a,flip\n", "trials.csv")
    assert len(read_judgments("csv", trials)) == 3
    counted = write(tmp_path, "reference,a,b,votes_a,votes_b\nr,x,y,1,0\nr,x,y,0,1\n", "counted.csv")
    assert len(read_judgments("csv", counted)) == 2


def test_headers_that_cannot_be_used(tmp_path: Path) -> None:
    for text, words in (
        ("", "the first line must name the columns"),
        ("reference,a,b\nr,x,y\n", "needs the columns reference,a,b,votes_a,votes_b, or reference,a,b,choice"),
        ("reference,closer,closer,farther\n", "the column 'closer' is there twice"),
    ):
        with pytest.raises(InputError, match=words):
            read_judgments("csv", write(tmp_path, text))
    for text in ("reference,closer,farther\n", "reference,closer,farther"):
        assert len(read_judgments("csv", write(tmp_path, text))) == 0


def test_other_encodings_are_named(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(b"reference,closer,farther\nr,x,y\nr,caf\xe9,y\n")
    with pytest.raises(InputError, match=r"latin\.csv, row 3: not UTF-8 text"):
        read_judgments("csv", path)


def test_unknown_names(tmp_path: Path) -> None:
    path = write(tmp_path, "reference,closer,farther\nr,x,y\n")
    with pytest.raises(UnknownNameError, match="did you mean cosis"):
        read_judgments("cosiss", path)
    with pytest.raises(UnknownNameError, match="did you mean folders"):
        read_pairs("folder", path)
    with pytest.raises(InputError, match="the format csv has no option 'sep': its options are delimiter"):
        read_judgments("csv", path, sep=";")
    with pytest.raises(InputError, match="no such file"):
        read_judgments("csv", tmp_path / "absent.csv")
    with pytest.raises(InputError, match="on_problem is"):
        read_judgments("csv", path, on_problem="ignore")  # type: ignore[arg-type]


def test_images_by_name_then_stem(tmp_path: Path) -> None:
    for name in ("photos/r.jpg", "photos/sub/x.PNG", "photos/y.jpg", "photos/sub/y.jpg", "photos/note.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    path = write(
        tmp_path,
        "reference,closer,farther\nr,x,sub/y.jpg\nr,x,y.jpg\nr,x,y\nr,x,note\nr.jpg,x,y.jpg\nr,x.png,sub/y.jpg\n",
    )
    reading = read_with_problems("csv", path, images=tmp_path / "photos")
    assert [(problem.row, problem.reason) for problem in reading.problems] == [
        (4, "the image 'y' may be y.jpg or sub/y.jpg: ids of this folder need their full name"),
        (5, "no file in the folder has the name or the stem 'note'"),
        (6, "the ids 'r' and 'r.jpg' are the same file: use one of them"),
        (7, "the ids 'x' and 'x.png' are the same file: use one of them"),
    ]
    found = {name: file.relative_to(tmp_path / "photos").as_posix() for name, file in reading.judgments.images.items()}
    assert found == {"r": "r.jpg", "x": "sub/x.PNG", "y.jpg": "y.jpg", "sub/y.jpg": "sub/y.jpg"}
    assert reading.judgments.ids.tolist() == ["r", "sub/y.jpg", "x", "y.jpg"]
    with pytest.raises(InputError, match="no such folder of images"):
        read_judgments("csv", path, images=tmp_path / "nothing")


def test_pairs(tmp_path: Path) -> None:
    path = write(tmp_path, "right,left\ny,x\nz,z\n,w\n")
    pairs = read_pairs("csv", path, on_problem="leave_out")
    assert (pairs.left.tolist(), pairs.right.tolist(), pairs.ids.tolist()) == (["x"], ["y"], ["x", "y"])
    with pytest.raises(InputError, match=r"row 3: an image is paired with itself \(and 1 more problem\)"):
        read_pairs("csv", path)


ids = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=6)
votes = st.floats(0, 1000, width=32)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    names = data.draw(st.lists(ids, min_size=3, max_size=8, unique=True))
    count = data.draw(st.integers(1, 6))
    rows = [data.draw(st.permutations(names)) for _ in range(count)]
    labels = st.lists(st.one_of(st.just(""), ids), min_size=count, max_size=count)
    answers = Judgments.from_ids(
        *([row[place] for row in rows] for place in range(3)),
        votes_a=[data.draw(votes) + 1 for _ in rows],
        votes_b=[data.draw(votes) for _ in rows],
        context=data.draw(labels),
        annotator=data.draw(labels),
        grades_a=np.array([data.draw(st.integers(0, 5)) for _ in rows], np.int8),
        answered_at=np.array([data.draw(st.floats(0, 2e9) | st.just(np.nan)) for _ in rows]),
    )
    path = tmp_path_factory.mktemp("csv") / "out.csv"
    answers.to_csv(path)
    again = read_judgments("csv", path)
    for column in ("references", "candidates_a", "candidates_b"):
        assert getattr(again, column).tolist() == getattr(answers, column).tolist()
    for column in ("votes_a", "votes_b", "grades_a", "answered_at"):
        np.testing.assert_array_equal(getattr(again, column), getattr(answers, column))
    for column in ("context", "annotator"):
        assert getattr(again, column).values().tolist() == getattr(answers, column).values().tolist()


def test_two_hundred_thousand_rows_take_no_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 5000, (200_000, 2))
    rows = (f"r{one % 977},a{one},b{two},1,2\n" for one, two in numbers.tolist())
    path = write(tmp_path, "reference,a,b,votes_a,votes_b\n" + "".join(rows))
    start = time.perf_counter()
    answers = read_judgments("csv", path)
    assert len(answers) == 200_000
    assert time.perf_counter() - start < 3


def test_the_shared_answers(shared: Path) -> None:
    data = shared / "data"
    food = read_judgments("csv", data / "food-taste" / "triplets.csv", images=data / "food-taste" / "images")
    assert (len(food), len(food.ids), len(food.images)) == (25_150, 3_749, 3_749)
    material = read_judgments("csv", data / "material" / "answers.csv", images=data / "material" / "images")
    assert (len(material), len(material.ids)) == (22_801, 100)
    most = np.maximum(material.votes_a, material.votes_b).sum() / (material.votes_a + material.votes_b).sum()
    assert round(float(most), 3) == 0.838

"""NIGHTS, BAPPS, THINGS, Salmon, Totally Looks Like and folders, on files of their form."""

from pathlib import Path

import numpy as np
import pytest

from lookalike.core.errors import InputError
from lookalike.judgments.readers import read_judgments, read_pairs, read_pairs_with_problems, read_with_problems
from lookalike.judgments.readers.tll import published_names

NIGHTS = """id,left_vote,right_vote,votes,ref_path,left_path,right_path,split,is_imagenet,prompt
0,1.0,0.0,7,ref/000/000.png,distort/000/000_0.png,distort/000/000_1.png,train,False,"a cat, asleep"
1,0.0,1.0,4,ref/000/001.png,distort/000/001_0.png,distort/000/001_1.png,test,True,a dog
2,0.25,0.75,8,ref/000/002.png,distort/000/002_0.png,distort/000/002_1.png,test,False,a car
3,2,5,7,ref/000/003.png,distort/000/003_0.png,distort/000/003_1.png,val,False,a tree
"""


def test_nights_keeps_votes(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(NIGHTS)
    answers = read_judgments("nights", tmp_path)
    assert answers.votes_a.tolist() == [7, 0, 2, 2]
    assert answers.votes_b.tolist() == [0, 4, 6, 5]
    assert answers.references[0] == "ref/000/000.png"
    assert answers.candidates_b[1] == "distort/000/001_1.png"


def test_nights_by_split_and_votes(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(NIGHTS)
    assert read_judgments("nights", path, split="test").votes_b.tolist() == [4, 6]
    assert read_judgments("nights", path, split="test_imagenet").votes_b.tolist() == [4]
    assert read_judgments("nights", path, split="test_no_imagenet", min_votes=6).votes_b.tolist() == [6]
    assert read_judgments("nights", path, min_votes=7.5).ids.tolist() == [
        "distort/000/002_0.png",
        "distort/000/002_1.png",
        "ref/000/002.png",
    ]
    with pytest.raises(InputError, match="split is one of"):
        read_judgments("nights", path, split="testing")


def test_nights_columns_go_by_name_and_votes_need_not_be_there(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("right_path,left_path,ref_path,right_vote,left_vote\nb.png,a.png,r.png,2,3\n")
    answers = read_judgments("nights", path)
    assert (answers.candidates_a[0], answers.votes_a[0], answers.votes_b[0]) == ("a.png", 3, 2)


def test_nights_names_bad_rows_of_the_chosen_split(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(
        NIGHTS + "4,1,1,9,ref/4.png,l4.png,r4.png,test,False,x\n5,one,0,9,ref/5.png,l5.png,r5.png,test,False,x\n"
    )
    reading = read_with_problems("nights", path, split="test")
    assert [(problem.row, problem.reason) for problem in reading.problems] == [
        (6, "left_vote and right_vote add up neither to 1 nor to votes"),
        (7, "left_vote is not a number: 'one'"),
    ]
    assert len(read_judgments("nights", path, split="val")) == 1


@pytest.fixture
def bapps(tmp_path: Path) -> Path:
    for subset, name, share in (("val/cnn", "000000", 0.8), ("val/cnn", "000001", 0.0), ("val/color", "000000", 1.0)):
        for part in ("ref", "p0", "p1", "judge"):
            (tmp_path / subset / part).mkdir(parents=True, exist_ok=True)
        for part in ("ref", "p0", "p1"):
            (tmp_path / subset / part / f"{name}.png").touch()
        np.save(tmp_path / subset / "judge" / f"{name}.npy", np.array([share], np.float32))
    return tmp_path


def test_bapps_shares(bapps: Path) -> None:
    answers = read_judgments("bapps", bapps)
    np.testing.assert_allclose(answers.votes_b, [0.8, 0, 1])
    np.testing.assert_allclose(answers.votes_a, [0.2, 1, 0], atol=1e-7)
    assert answers.references.tolist() == [
        "val/cnn/ref/000000.png",
        "val/cnn/ref/000001.png",
        "val/color/ref/000000.png",
    ]
    assert answers.images["val/cnn/p1/000000.png"] == bapps / "val/cnn/p1/000000.png"
    np.testing.assert_allclose(read_judgments("bapps", bapps / "val" / "cnn", people=5).votes_b, [4, 0])


def test_bapps_problems(bapps: Path) -> None:
    (bapps / "val/cnn/p1/000000.png").unlink()
    np.save(bapps / "val/cnn/judge/000001.npy", np.array([1.5]))
    (bapps / "val/color/judge/000000.npy").write_bytes(b"nothing")
    reading = read_with_problems("bapps", bapps)
    assert len(reading.judgments) == 0
    assert [(Path(problem.file).name, problem.reason) for problem in reading.problems] == [
        ("000000.npy", "no image of this name in p1"),
        ("000001.npy", "the share of people for p1 is 0 to 1, not 1.5"),
        ("000000.npy", "not a NumPy file of one number"),
    ]
    with pytest.raises(InputError, match=r"and 2 more problems"):
        read_judgments("bapps", bapps)
    with pytest.raises(InputError, match="holds judge/"):
        read_judgments("bapps", bapps / "val/cnn/ref")


def test_things_lines(tmp_path: Path) -> None:
    path = tmp_path / "trainset.txt"
    path.write_text("10 20 30\n1 2 0\n\n")
    answers = read_judgments("things", path)
    assert answers.references.tolist() == ["10", "20", "1", "2"]
    assert answers.candidates_a.tolist() == ["20", "10", "2", "1"]
    assert answers.candidates_b.tolist() == ["30", "30", "0", "0"]
    assert answers.closer_a.all()
    assert answers.group is not None
    assert answers.group.values().tolist() == ["0", "0", "1", "1"]


def test_things_lines_that_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "trainset.txt"
    path.write_text("10 20 30\n1 2\n\n5 5 6\n")
    reading = read_with_problems("things", path)
    assert len(reading.judgments) == 2
    assert [problem.row for problem in reading.problems] == [2, 4, 4]
    with pytest.raises(InputError, match=r"trainset\.txt, row 2: three ids are needed"):
        read_judgments("things", path)


@pytest.mark.parametrize("choices", [("3", "1", "2"), ("30", "10", "20")], ids=["places", "ids"])
def test_things_table(tmp_path: Path, choices: tuple[str, ...]) -> None:
    path = tmp_path / "triplets.csv"
    rows = "".join(f"10\t20\t30\t{choice}\t{person}\n" for choice, person in zip(choices, "xyx", strict=True))
    path.write_text("image1\timage2\timage3\tchoice\tsubject_id\n" + rows)
    answers = read_judgments("things", path)
    assert answers.candidates_b.tolist() == ["30", "30", "10", "10", "20", "20"]
    assert answers.references.tolist() == ["10", "20", "20", "30", "10", "30"]
    assert answers.candidates_a.tolist() == ["20", "10", "30", "20", "30", "10"]
    assert answers.annotator is not None
    assert answers.annotator.values().tolist() == ["x", "x", "y", "y", "x", "x"]


def test_things_names(tmp_path: Path) -> None:
    (tmp_path / "unique_id.txt").write_text("aardvark\nabacus\naccordion\n")
    lines = tmp_path / "lines.txt"
    lines.write_text("0 1 2\n0 1 3\n")
    reading = read_with_problems("things", lines, names=tmp_path / "unique_id.txt")
    assert reading.judgments.references.tolist() == ["aardvark", "abacus"]
    assert [problem.row for problem in reading.problems] == [2, 2]
    table = tmp_path / "table.csv"
    table.write_text("image1,image2,image3,choice\n1,2,3,1\n")
    answers = read_judgments("things", table, names=tmp_path / "unique_id.txt")
    assert answers.candidates_b.tolist() == ["aardvark"] * 2
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("image1,image2,image3,choice\n1,2,3,1\n1,2,3,7\n")
    with pytest.raises(InputError, match=r"wrong\.csv, row 2: choice is neither|wrong\.csv, row 3: choice is neither"):
        read_judgments("things", wrong)


def test_salmon(tmp_path: Path) -> None:
    path = tmp_path / "responses.csv"
    path.write_text(
        "alg_ident,head,left,right,winner,loser,puid,response_time,time_received\n"
        "RR,0,1,2,2,1,ann,1.5,1600000000.25\nRR,0,1,2,1,2,bob,2.5,1600000001\n"
    )
    answers = read_judgments("salmon", path)
    assert (answers.references[0], answers.candidates_a[0], answers.candidates_b[0]) == ("0", "2", "1")
    assert answers.closer_a.all()
    assert answers.annotator is not None
    assert answers.annotator.values().tolist() == ["ann", "bob"]
    assert answers.response_seconds is not None
    assert answers.response_seconds.tolist() == [1.5, 2.5]
    assert answers.answered_at is not None
    assert answers.answered_at[0] == 1600000000.25
    with pytest.raises(InputError, match="head_filename"):
        read_judgments("salmon", path, ids="filename")


def test_salmon_file_names_and_contradictions(tmp_path: Path) -> None:
    path = tmp_path / "responses.csv"
    path.write_text(
        "head,winner,loser,head_filename,winner_filename,loser_filename,puid\n"
        "0,1,2,r.jpg,x.jpg,y.jpg,ann\n0,2,1,r.jpg,y.jpg,x.jpg,ann\n0,1,3,r.jpg,x.jpg,z.jpg,ann\n"
    )
    reading = read_with_problems("salmon", path)
    assert [problem.row for problem in reading.problems] == [2, 3]
    assert reading.judgments.ids.tolist() == ["r.jpg", "x.jpg", "z.jpg"]
    assert read_with_problems("salmon", path, ids="number").judgments.ids.tolist() == ["0", "1", "3"]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_folders(tmp_path: Path) -> None:
    touch(
        tmp_path, "source/a.jpg", "source/sub/b.png", "source/c.jpg", "target/a.jpg", "target/sub/b.jpg", "target/d.jpg"
    )
    touch(tmp_path, "source/notes.txt")
    reading = read_pairs_with_problems("folders", tmp_path)
    assert reading.pairs.left.tolist() == ["source/a.jpg", "source/sub/b.png"]
    assert reading.pairs.right.tolist() == ["target/a.jpg", "target/sub/b.jpg"]
    assert reading.pairs.images["target/sub/b.jpg"] == tmp_path / "target/sub/b.jpg"
    assert [problem.reason for problem in reading.problems] == ["no image of this name in target/"]
    with pytest.raises(InputError, match=r"c\.jpg: no image of this name in target/: correct"):
        read_pairs("folders", tmp_path)
    with pytest.raises(InputError, match="neither left/ and right/ nor source/ and target/"):
        read_pairs("folders", tmp_path / "source")


def test_tll_by_name_and_by_list(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{side}/{name}.jpg" for side in ("left", "right") for name in ("00003", "00001", "00002")))
    pairs = read_pairs("tll", tmp_path)
    assert pairs.left.tolist() == ["left/00001.jpg", "left/00002.jpg", "left/00003.jpg"]
    assert pairs.right.tolist() == ["right/00001.jpg", "right/00002.jpg", "right/00003.jpg"]
    names = tmp_path / "TLL_obj.csv"
    names.write_text(",TLL_obj\n0,00003.jpg\n1,00001.jpg\n2,00009.jpg\n3,00003.jpg\n4,00001.jpg\n5,00009.jpg\n")
    reading = read_pairs_with_problems("tll", tmp_path, split_list=names)
    assert reading.pairs.left.tolist() == ["left/00003.jpg", "left/00001.jpg"]
    assert reading.pairs.ids.tolist() == ["left/00001.jpg", "left/00003.jpg", "right/00001.jpg", "right/00003.jpg"]
    assert [problem.row for problem in reading.problems] == [4]
    with pytest.raises(InputError, match="holds no folder left/"):
        read_pairs("tll", tmp_path / "left")


def test_tll_with_a_table_of_pairs(tmp_path: Path) -> None:
    touch(tmp_path, "left/aaa.jpg", "left/bbb.jpg", "right/xyz.jpg")
    (tmp_path / "pairs.csv").write_text("left,right\nbbb,xyz\naaa,uvw\n")
    reading = read_pairs_with_problems("tll", tmp_path)
    assert (reading.pairs.left.tolist(), reading.pairs.right.tolist()) == (["left/bbb.jpg"], ["right/xyz.jpg"])
    assert [(problem.row, problem.reason) for problem in reading.problems] == [
        (3, "there is no file of the image 'right/uvw'")
    ]


def test_the_shared_pairs(shared: Path) -> None:
    folder = shared / "data" / "tll"
    pairs = read_pairs("tll", folder)
    assert (len(pairs), len(pairs.images)) == (1500, 3000)
    assert pairs.left.tolist() == sorted(pairs.left.tolist())
    names = list(published_names(folder / "TLL_obj.csv"))
    assert (len(names), names[0], names[-1]) == (4199, "00001.jpg", "06014.jpg")

"""Importing, evaluating, exporting: the commands around people's judgments."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike import Judgments, load_encoder
from lookalike.core.vectors import unit_rows
from lookalike.jobs.import_judgments import digest

Run = Callable[..., tuple[int, str, str]]


def write_answers(path: Path, rows: list[tuple[object, ...]], header: str = "reference,a,b,votes_a,votes_b") -> Path:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def read_rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture
def answers(photos: Path, tmp_path: Path) -> Path:
    """Sixty questions about the photographs, answered at random."""
    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(60):
        reference, a, b = rng.choice(names, 3, replace=False)
        rows.append((reference, a, b, int(rng.integers(0, 4)), int(rng.integers(1, 4))))
    return write_answers(tmp_path / "answers.csv", rows)


def test_import_counts_and_a_second_time_adds_nothing(lookalike: Run, answers: Path, photos: Path) -> None:
    code, out, _ = lookalike("import", "csv", answers, "--images", photos, "--json")
    first = json.loads(out)
    assert (code, first["judgments"], first["images"], first["rejected"], first["added"]) == (0, 60, 24, [], 60)
    code, out, _ = lookalike("import", "csv", answers, "--images", photos, "--json")
    assert (code, json.loads(out)["judgments"], json.loads(out)["added"]) == (0, 60, 0)
    code, out, _ = lookalike("judgments", "show", "--json")
    assert json.loads(out)["judgments"] == 60


def test_evaluate_agrees_with_a_plain_loop(lookalike: Run, answers: Path, photos: Path, network: Path) -> None:
    lookalike("import", "csv", answers, "--images", photos, "--quiet")
    name = f"onnx:{network}"
    code, out, _ = lookalike("evaluate", "--encoder", "classic", "--encoder", name, "--plot", "p.png", "--json")
    found = json.loads(out)
    assert code == 0
    assert {row["model"] for row in found["rows"]} == {"classic", name}
    expected = {}
    for encoder in (load_encoder("classic"), load_encoder(name)):
        right = total = most = 0.0
        for row in read_rows(answers):
            images = [photos / row[column] for column in ("reference", "a", "b")]
            r, a, b = unit_rows(encoder.encode(images)).astype(np.float64)
            votes_a, votes_b = float(row["votes_a"]), float(row["votes_b"])
            right += votes_a if r @ a > r @ b else votes_b
            total += votes_a + votes_b
            most += max(votes_a, votes_b)
        expected[encoder.name] = right / total
        assert found["ceiling"] == pytest.approx(most / total)
    for row in found["rows"]:
        assert row["accuracy"] == pytest.approx(expected[row["model"]])
        assert row["low"] <= row["accuracy"] <= row["high"]
        assert row["n"] == 60
    best, other = found["rows"]
    assert best["behind"] is None
    assert other["behind"]["value"] == pytest.approx(best["accuracy"] - other["accuracy"])
    with Image.open("p.png") as plot:
        assert plot.width > 500


def test_evaluate_takes_the_encoders_of_the_workspace_and_encodes_once(
    lookalike: Run, answers: Path, photos: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookalike("index", photos, "--quiet")
    lookalike("index", photos, "--encoder", f"onnx:{network}", "--quiet")
    lookalike("import", "csv", answers, "--quiet")  # ids are paths in the collection: no --images needed
    code, out, _ = lookalike("evaluate", "--json")
    models = {row["model"] for row in json.loads(out)["rows"]}
    assert (code, models) == (0, {"compact", f"onnx:{network}"})
    monkeypatch.setattr("lookalike.embedding.encoder.Encoder.forward", lambda *_: pytest.fail("encoded again"))
    assert lookalike("evaluate", "--json")[1] == out


def test_people_see_a_leaderboard(lookalike: Run, answers: Path, photos: Path) -> None:
    lookalike("import", "csv", answers, "--images", photos)
    code, out, _ = lookalike("evaluate", "--quiet")
    assert code == 0
    assert out.index("ceiling") < out.index("compact") < out.index("chance")


def test_contexts_and_sources_choose_judgments(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    rows = [(names[i], names[i + 1], names[i + 2], 1, 0, "ab"[i % 2]) for i in range(9)]
    one = write_answers(tmp_path / "one.csv", rows, "reference,a,b,votes_a,votes_b,context")
    two = write_answers(tmp_path / "two.csv", rows[:3], "reference,a,b,votes_a,votes_b,context")
    for file in (one, two):
        lookalike("import", "csv", file, "--images", photos)
    assert json.loads(lookalike("evaluate", "--json")[1])["judgments"] == 12
    assert json.loads(lookalike("evaluate", "--json", "--context", "b")[1])["judgments"] == 5
    assert json.loads(lookalike("evaluate", "--json", "--source", two)[1])["judgments"] == 3
    code, _, err = lookalike("evaluate", "--context", "nowhere")
    assert (code, "no judgments of that source or context" in err) == (2, True)


def test_rows_that_cannot_be_used_stop_or_are_left_out(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    rows = [(*names[:3], 1, 0), (names[0], names[0], names[1], 1, 0), (names[1], "gone.jpg", names[2], 0, 1)]
    file = write_answers(tmp_path / "bad.csv", rows)
    code, out, err = lookalike("import", "csv", file, "--images", photos)
    assert (code, out) == (2, "")
    assert "row 3" in err
    assert lookalike("judgments", "show")[0] == 2
    code, out, _ = lookalike("import", "csv", file, "--images", photos, "--leave-out", "--json")
    found = json.loads(out)
    assert (code, found["judgments"]) == (1, 1)
    assert [(entry["row"], "gone.jpg" in entry["reason"]) for entry in found["rejected"]] == [(3, False), (4, True)]


def test_agreement_of_repeated_flipped_and_shared_questions(lookalike: Run, tmp_path: Path) -> None:
    rows = [
        ("r", "x", "y", "a", "ann", ""),
        ("r", "x", "y", "a", "ann", "repeat"),
        ("r", "y", "x", "b", "ann", "flip"),
        ("r", "x", "y", "a", "bob", ""),
        ("s", "x", "y", "b", "ann", ""),
        ("s", "x", "y", "a", "bob", ""),
    ]
    file = write_answers(tmp_path / "trials.csv", rows, "reference,a,b,choice,annotator,trial")
    lookalike("import", "csv", file)
    code, out, _ = lookalike("judgments", "agreement", "--json")
    found = json.loads(out)
    assert (code, found["questions"], found["answered_again"]) == (0, 2, 2)
    assert found["ceiling"]["value"] == pytest.approx(5 / 6)
    ann = next(person for person in found["annotators"] if person["annotator"] == "ann")
    assert (ann["repeated"]["value"], ann["flipped"]["value"]) == (1, 1)
    assert "Krippendorff" in lookalike("judgments", "agreement")[1]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_judgments_come_out_as_they_went_in(lookalike: Run, answers: Path, tmp_path: Path, suffix: str) -> None:
    lookalike("import", "csv", answers)
    code, out, _ = lookalike("judgments", "export", f"out{suffix}", "--json")
    assert (code, json.loads(out)["judgments"]) == (0, 60)
    if suffix == ".csv":
        read = read_rows(Path("out.csv"))
        given = read_rows(answers)
        assert [{**row, "votes_a": float(row["votes_a"]), "votes_b": float(row["votes_b"])} for row in read] == [
            {**row, "votes_a": float(row["votes_a"]), "votes_b": float(row["votes_b"])} for row in given
        ]
    else:
        import pyarrow.parquet

        assert pyarrow.parquet.read_table("out.parquet").num_rows == 60
    assert lookalike("judgments", "export", "out.txt")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "cvs", "answers.csv"], "did you mean csv"),
        (["import", "csv", "nowhere.csv"], "nowhere.csv"),
        (["import", "csv", "answers.csv", "--option", "mode"], "NAME=VALUE"),
        (["import", "csv", "answers.csv", "--option", "colour=red"], "colour"),
        (["import", "csv", "answers.csv", "--option", "images=x"], "not an option of the format"),
        (["evaluate", "--plot", "x.txt"], "change the suffix"),
        (["import", "csv", "answers.csv", "--images", "nowhere"], "nowhere"),
        (["evaluate"], "has no judgments"),
        (["judgments", "agreement"], "no such judgments"),
    ],
)
def test_bad_input_is_one_line(lookalike: Run, answers: Path, arguments: list[str], message: str) -> None:
    code, out, err = lookalike(*arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert message in err


def test_judgments_without_files_are_named(lookalike: Run, answers: Path) -> None:
    lookalike("import", "csv", answers)
    code, _, err = lookalike("evaluate")
    assert (code, "no file is known for the image" in err) == (2, True)


def test_the_digest_follows_what_judgments_say_and_not_where_files_lie(tmp_path: Path) -> None:
    one = Judgments.from_ids(["r"], ["x"], ["y"], [1], [0])
    assert digest(one) == digest(one.with_images({"r": tmp_path / "r.jpg"}))
    others = [
        Judgments.from_ids(["r"], ["x"], ["y"], [0], [1]),
        Judgments.from_ids(["r"], ["y"], ["x"], [1], [0]),
        Judgments.from_ids(["r"], ["x"], ["y"], [1], [0], context=["sea"]),
        Judgments.from_ids(["r"], ["x"], ["y"], [1], [0], annotator=["sea"]),
    ]
    assert len({digest(judgments) for judgments in [one, *others]}) == 5

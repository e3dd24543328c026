"""The commands, run in this process as a user would type them: outputs, exit codes, one-line errors."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Run = Callable[..., tuple[int, str, str]]
MakePhoto = Callable[..., Path]


def test_index_search_compare_duplicates_as_json(lookalike: Run, photos: Path) -> None:
    code, out, _ = lookalike("index", photos, "--json")
    answer = json.loads(out)
    assert code == 0
    assert (answer["images"], answer["rejected"], answer["added"]) == (24, [], 24)
    assert answer["seconds"] > 0
    assert answer["images_per_second"] > 0

    query = photos / "b" / "001.jpg"
    code, out, _ = lookalike("search", query, "-k", 3, "--json")
    answer = json.loads(out)
    assert (code, answer["query"], len(answer["results"])) == (0, str(query), 3)
    assert answer["results"][0]["image"] == "b/001.jpg"
    assert answer["results"][0]["distance"] == pytest.approx(0, abs=1e-5)
    assert all(r["distance"] + r["similarity"] == pytest.approx(1, abs=1e-5) for r in answer["results"])

    code, out, _ = lookalike("compare", query, query, photos / "a" / "000.jpg", "--json")
    answer = json.loads(out)
    assert (code, answer["closer"]) == (0, "a")
    assert answer["probability_a"] > 0.5
    assert answer["distance_a"] < answer["distance_b"]

    Image.open(query).save(photos / "copy.jpg", quality=60)
    lookalike("index", photos, "--quiet")
    code, out, _ = lookalike("duplicates", "--json")
    (group,) = json.loads(out)["groups"]
    assert {entry["image"] for entry in group} == {"b/001.jpg", "copy.jpg"}
    assert set(group[0]) == {"image", "distance"}


def test_rejected_files_are_listed_and_the_exit_code_is_1(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    (photos / "torn.jpg").write_bytes((photos / "a" / "000.jpg").read_bytes()[:400])
    (photos / "empty.png").write_bytes(b"")
    code, out, _ = lookalike("index", photos, "--json")
    answer = json.loads(out)
    assert (code, answer["images"]) == (1, 24)
    assert [entry["path"] for entry in answer["rejected"]] == ["empty.png", "torn.jpg"]
    assert json.loads((tmp_path / ".lookalike" / "rejected.json").read_text()) == answer["rejected"]
    code, out, _ = lookalike("index", photos)
    assert code == 1
    assert "2 files could not be read" in out
    assert "torn.jpg: " in out


def test_people_get_a_table_a_sheet_and_a_record(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    code, out, _ = lookalike("index", photos, "--quiet")
    assert (code, "24 images" in out) == (0, True)
    code, out, err = lookalike("search", photos / "a" / "000.jpg", "--sheet", "sheet.png", "--quiet")
    assert (code, err) == (0, "")
    assert "a/000.jpg" in out
    with Image.open("sheet.png") as sheet:
        assert sheet.width == 1600
    code, out, _ = lookalike("compare", *[photos / name for name in ("a/000.jpg", "a/000.jpg", "b/001.jpg")])
    assert "is closer than" in out
    code, out, _ = lookalike("duplicates")
    assert "0 groups" in out
    (record,) = (tmp_path / ".lookalike" / "runs").iterdir()
    assert json.loads(record.read_text())["result"]["images"] == 24


def test_the_workspace_remembers_its_encoder(lookalike: Run, photos: Path, network: Path) -> None:
    lookalike("index", photos, "--encoder", f"onnx:{network}", "--quiet")
    code, out, _ = lookalike("search", photos / "a" / "000.jpg", "--json")
    with_network = json.loads(out)["results"]
    assert code == 0
    code, out, _ = lookalike("compare", *[photos / name for name in ("a/000.jpg", "a/003.jpg", "b/001.jpg")], "--json")
    distances = {hit["image"]: hit["distance"] for hit in with_network}
    if "a/003.jpg" in distances:
        assert json.loads(out)["distance_a"] == pytest.approx(distances["a/003.jpg"], abs=1e-5)
    code, _, err = lookalike("search", photos / "a" / "000.jpg", "--encoder", "classic", "--quiet")
    assert (code, "no images encoded by classic" in err) == (2, True)


def test_a_moved_folder_needs_no_encoding(lookalike: Run, photos: Path) -> None:
    lookalike("index", photos, "--quiet")
    moved = photos.rename(photos.parent / "renamed")
    code, out, _ = lookalike("index", moved, "--json")
    assert (code, json.loads(out)["unchanged"]) == (0, 24)


def test_a_folder_that_is_away_is_not_taken_for_another(lookalike: Run, photos: Path, make_photo: MakePhoto) -> None:
    lookalike("index", photos, "--quiet")
    photos.rename(photos.parent / "unplugged")
    make_photo(photos.parent / "other" / "x.jpg", 1)
    code, _, err = lookalike("index", photos.parent / "other", "--quiet")
    assert (code, "which is not there now" in err) == (2, True)
    code, _, err = lookalike("index", photos.parent / "unplugged" / "a", "--quiet")
    assert (code, "which is not there now" in err) == (2, True)
    (photos.parent / "unplugged").rename(photos)
    code, out, _ = lookalike("index", photos, "--json")
    assert (code, json.loads(out)["unchanged"]) == (0, 24)


def test_a_part_with_another_encoder_leaves_the_workspace_its_own(lookalike: Run, photos: Path, network: Path) -> None:
    lookalike("index", photos, "--quiet")
    code, out, _ = lookalike("index", photos / "a", "--encoder", f"onnx:{network}", "--json")
    answer = json.loads(out)
    assert (code, answer["images"], answer["without_vectors"]) == (0, 8, 16)
    code, out, _ = lookalike("search", photos / "a" / "000.jpg", "-k", 100, "--json")
    assert len(json.loads(out)["results"]) == 24
    lookalike("index", photos, "--encoder", f"onnx:{network}", "--quiet")
    code, out, _ = lookalike("encoders", "show", "--json")
    assert json.loads(out)["name"] == f"onnx:{network}"
    assert json.loads(lookalike("encoders", "list", "--json")[1])["indexed"] == ["compact", f"onnx:{network}"]


def test_a_lost_table_is_made_again(lookalike: Run, photos: Path) -> None:
    lookalike("index", photos, "--quiet")
    shutil.rmtree(".lookalike/collection")
    assert lookalike("search", photos / "a" / "000.jpg", "--quiet")[0] == 2
    code, out, _ = lookalike("index", photos, "--json")
    assert (code, json.loads(out)["added"]) == (0, 24)


def test_the_demo_does_not_write_into_somebodys_photographs(lookalike: Run, photos: Path) -> None:
    code, _, err = lookalike("demo", photos.parent, "--count", 80)
    assert (code, "holds something else" in err) == (2, True)


def test_names_with_markup_and_a_closed_pipe_are_harmless(photos: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lookalike", "index", str(photos), "--workspace", str(tmp_path / "w [old] [/b]")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "w [old] [/b]: 24 added" in done.stdout
    closed = subprocess.run(
        f"{shlex.join(command)} --json | true; exit ${{PIPESTATUS[0]}}", shell=True, executable="/bin/bash", check=False
    )
    assert closed.returncode == 0


def test_another_folder_needs_another_workspace(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    lookalike("index", photos / "a", "--quiet")
    code, out, err = lookalike("index", photos / "b")
    assert (code, out) == (2, "")
    assert "use --workspace DIR" in err
    code, out, _ = lookalike("index", photos / "b", "--workspace", "other", "--json")
    assert (code, json.loads(out)["images"]) == (0, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["index", "nowhere"], "nowhere does not exist"),
        (["index", "file.txt"], "file.txt is a file"),
        (["index", ".", "--encoder", "clasic"], "did you mean classic"),
        (["index", ".", "--encoder", "onnx:no.onnx"], "there is no file no.onnx"),
        (["search", "file.txt"], "there is no workspace at .lookalike"),
        (["compare", "file.txt", "file.txt", "file.txt"], "file.txt: not an image"),
        (["compare", "nowhere.jpg", "file.txt", "file.txt"], "nowhere.jpg: no such file"),
        (["duplicates"], "there is no workspace at .lookalike"),
        (["duplicates", "--threshold", "7"], "--threshold"),
        (["search"], "QUERY"),
        (["nonsense"], "nonsense"),
    ],
)
def test_bad_input_is_exit_code_2_and_says_what(lookalike: Run, arguments: list[str], message: str) -> None:
    Path("file.txt").write_text("not a picture")
    code, out, err = lookalike(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_an_error_of_ours_is_exit_code_3_and_one_line(lookalike: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lookalike.jobs.compare.compare_images", lambda *_: 1 / 0)
    code, _, err = lookalike("compare", "a", "b", "c")
    assert (code, len(err.splitlines())) == (3, 1)
    assert "internal error: ZeroDivisionError" in err


def test_an_interrupted_run_says_so(lookalike: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lookalike.jobs.compare.compare_images", interrupted)
    code, _, err = lookalike("compare", "a", "b", "c")
    assert (code, "interrupted" in err) == (130, True)


def test_encoders_are_listed_and_shown(lookalike: Run, network: Path) -> None:
    code, out, _ = lookalike("encoders", "list", "--json")
    assert code == 0
    assert {"classic", "onnx:PATH"} <= set(json.loads(out)["encoders"])
    code, out, _ = lookalike("encoders", "show", f"onnx:{network}", "--json")
    assert json.loads(out)["dim"] == 8
    code, out, _ = lookalike("encoders", "show", "classic")
    assert "input_size" in out


def test_the_demo_runs_the_whole_loop(lookalike: Run, tmp_path: Path) -> None:
    code, out, _ = lookalike("demo", "d", "--count", 80, "--json")
    answer = json.loads(out)
    assert (code, answer["images"], answer["rejected"]) == (0, 80, [])
    assert answer["precision_at_10"] > 0.4
    assert set(answer["results"]) == {"indoor", "city", "ocean", "field", "mountain", "forest", "flower", "abstract"}
    board = answer["leaderboard"]
    assert {row["model"] for row in board["rows"]} == {
        "compact", "global", *answer["results"], "vote", "grid", "mlp", "gate",
    }  # fmt: skip
    assert all(row["seen"] == 0 for row in board["rows"])
    assert board["rows"][0]["accuracy"] > 0.55
    for made in (answer["sheet"], answer["gate_sheet"], board["path"]):
        assert Path(made).is_file()
    code, out, _ = lookalike(
        "search", "d/queries/city/0000.jpg", "--workspace", "d/.lookalike", "--model", "gate", "--json", "-k", 1
    )
    assert code == 0


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "lookalike", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("lookalike ")

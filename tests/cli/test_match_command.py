"""`lookalike match`, `evaluate --matches` and `duplicates --model` on small photographs and edited copies of them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike.cli.commands.match import as_json
from lookalike.core.features import Features
from lookalike.core.workspace import Workspace
from lookalike.embedding.feature_sets import FeatureSet, compute_set
from lookalike.embedding.match_copies import CopyLens
from lookalike.jobs.match import Wanted, match_folders
from lookalike.judgments.pairs import Pairs
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.saving import save_model

Run = Callable[..., tuple[int, str, str]]
PARTNERED, STRANGERS, TARGETS = 12, 4, 30


def draw(seed: int) -> Image.Image:
    """A picture with form and detail; the ones of 64 cells cannot be taken for each other."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(Image.fromarray(rng.integers(0, 256, (*cells, 3), dtype=np.uint8)).resize((96, 72), 3), np.float32)
        for cells in ((6, 8), (24, 32))
    ]
    return Image.fromarray((0.7 * layers[0] + 0.3 * layers[1]).astype(np.uint8))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`target/` of 30 pictures; `source/` of 12 weakly edited copies of the first ones and 4 strangers; truth.csv."""
    folder = tmp_path_factory.mktemp("matching")
    for name in ("source", "target/more"):
        (folder / name).mkdir(parents=True)
    lines = ["source,target"]
    for number in range(TARGETS):
        path = folder / "target" / ("more" if number % 2 else "") / f"t{number:02}.png"
        draw(number).save(path)
        if number < PARTNERED:
            copy = CopyLens(1, "weak", seed=3).picture(path)
            copy.save(folder / "source" / f"s{number:02}.jpg", quality=90)
            lines.append(f"s{number:02}.jpg,{path.relative_to(folder / 'target').as_posix()}")
    for number in range(STRANGERS):
        draw(900 + number).save(folder / "source" / f"z{number}.png")
    (folder / "truth.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def matched(world: Path) -> dict[str, Any]:
    """What the command prints, after it has learned from fewer copies than usual; the workspace keeps that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lookalike.embedding.match_copies.COPIES", 60)
        found = match_folders(
            world / "work",
            world / "source",
            world / "target",
            Wanted(3),
            encoder="classic",
            table=world / "m.csv",
            sheet=world / "m.png",
        )
    (world / "m.json").write_text(json.dumps(as_json(found)))
    return as_json(found)


def test_sources_find_their_targets_and_strangers_are_not_believed(matched: dict[str, Any], world: Path) -> None:
    truth = dict(csv.reader((world / "truth.csv").read_text().splitlines()))
    assert [one["source"] for one in matched["matches"]] == sorted(p.name for p in (world / "source").iterdir())
    first = {one["source"]: one["targets"][0] for one in matched["matches"]}
    right = [name for name in first if first[name]["target"] == truth.get(name)]
    assert len(right) >= 11
    assert np.mean([first[name]["probability"] > 0.5 for name in right]) > 0.8
    assert all(first[f"z{number}.png"]["probability"] < 0.5 for number in range(STRANGERS))
    for one in matched["matches"]:
        sure = [target["probability"] for target in one["targets"]]
        assert len(sure) == 3
        assert sure == sorted(sure, reverse=True)
        assert all(0 <= target["distance"] <= 2 for target in one["targets"])
    assert (matched["sources"], matched["targets"], matched["rejected"]) == (PARTNERED + STRANGERS, TARGETS, [])
    assert matched["sureness"]["calibration_error"] < 0.2
    with Image.open(world / "m.png") as sheet:
        assert sheet.width == 1600


def test_the_table_and_the_json_are_evaluated_alike(lookalike: Run, matched: dict[str, Any], world: Path) -> None:
    told = [
        json.loads(lookalike("evaluate", "--matches", world / file, "--truth", world / "truth.csv", "--json")[1])
        for file in ("m.csv", "m.json")
    ]
    assert told[0].pop("calibration_error") == pytest.approx(told[1]["calibration_error"], abs=1e-5)
    assert told[0] == {name: value for name, value in told[1].items() if name != "calibration_error"}
    found = told[1]
    assert (found["sources"], found["partnered"]) == (PARTNERED + STRANGERS, PARTNERED)
    assert found["recalls"]["1"]["value"] > 0.85
    assert list(found["recalls"]) == ["1"]
    half = found["thresholds"][0]
    assert half["precision"]["value"] > 0.8
    assert half["recall"]["value"] == pytest.approx(half["answered"] * half["precision"]["value"] / PARTNERED)
    assert 0 <= found["calibration_error"] < 0.35
    code, out, _ = lookalike("evaluate", "--matches", world / "m.csv", "--truth", world / "truth.csv")
    assert (code, "recall@1" in out, "believed from" in out) == (0, True, True)


def test_one_to_one_gives_no_target_twice_and_the_threshold_leaves_out(
    lookalike: Run, matched: dict[str, Any], world: Path
) -> None:
    folders = (world / "source", world / "target", "--workspace", world / "work")
    arguments = ("match", *folders, "--encoder", "classic", "--quiet", "--json")
    code, out, _ = lookalike(*arguments, "--one-to-one", "--threshold", 0.3)
    given = [one["targets"] for one in json.loads(out)["matches"]]
    assert code == 0
    assert max(map(len, given)) == 1
    names = [targets[0]["target"] for targets in given if targets]
    assert len(names) == len(set(names)) >= 9
    assert all(targets[0]["probability"] >= 0.3 for targets in given if targets)
    sure = json.loads(lookalike(*arguments, "--threshold", 0.9)[1])["matches"]
    assert all(one["probability"] >= 0.9 for match in sure for one in match["targets"])
    low, high = (
        json.loads(lookalike(*arguments, "-k", 1, "--prior", prior)[1])["matches"][0]["targets"][0]["probability"]
        for prior in (0.05, 0.95)
    )
    assert low < high


def test_what_was_learned_is_kept_and_known_pairs_teach_instead(
    lookalike: Run, matched: dict[str, Any], world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = (world / "source", world / "target", "--workspace", world / "work")
    arguments = ("match", *folders, "-k", 3, "--encoder", "classic", "--json")
    with monkeypatch.context() as patch:
        patch.setattr("lookalike.jobs.match_sureness.learn_sureness", lambda *_: pytest.fail("learned again"))
        again = json.loads(lookalike(*arguments)[1])
    assert again["matches"] == matched["matches"]
    code, out, _ = lookalike(*arguments, "--pairs", world / "truth.csv")
    assert (code, json.loads(out)["sureness"]["searches"]) == (0, 2 * PARTNERED)
    (kept,) = (world / "work" / "matching").iterdir()
    before = kept.read_text()
    kept.write_text("{}")
    monkeypatch.setattr("lookalike.embedding.match_copies.COPIES", 60)
    assert json.loads(lookalike(*arguments)[1])["matches"] == matched["matches"]
    assert kept.read_text() == before


def test_known_pairs_are_checked_before_anything_is_computed(
    lookalike: Run, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lookalike.jobs.match.open_matcher", lambda *_: pytest.fail("an encoder was loaded"))
    Path("wrong.csv").write_text("source,target\nnowhere.jpg,a.jpg\n")
    code, _, err = lookalike("match", world / "source", world / "target", "--pairs", "wrong.csv")
    assert (code, err) == (2, "lookalike: wrong.csv: the source 'nowhere.jpg' is not there\n")


def test_one_picture_damaged_files_and_a_single_target(lookalike: Run, world: Path) -> None:
    (Path("t") / "deep").mkdir(parents=True)
    Image.open(world / "target" / "t00.png").save("t/deep/only.png")
    Path("t/bad.jpg").write_text("no picture")
    code, out, _ = lookalike("match", world / "source" / "s00.jpg", "t", "--json")
    found = json.loads(out)
    assert (code, found["sureness"], [entry["path"] for entry in found["rejected"]]) == (1, None, ["t/bad.jpg"])
    (one,) = found["matches"]
    assert (one["source"], one["targets"][0]["target"]) == ("s00.jpg", "deep/only.png")
    assert one["targets"][0]["probability"] is None
    code, out, _ = lookalike("match", world / "source", "t", "--one-to-one", "--workspace", world / "work")
    assert (code, "too few targets" in out, out.count("deep/only.png")) == (1, True, 1)
    for arguments, message in (
        (("match", "t/bad.jpg", "t"), "looks like text"),
        (("match", "nowhere", "t"), "no folder nowhere"),
        (("match", "t", world / "source" / "s00.jpg"), "is a file"),
        (("match", "t", "t", "--threshold", 0.5), "too few targets"),
        (("match", "t", "t", "--prior", 1), "both excluded"),
        (("match", "t", "t", "--sheet", "s.txt"), "change the suffix"),
        (("evaluate", "--truth", "x.csv"), "give --matches FILE too"),
        (("evaluate", "--matches", "x.csv", "--encoder", "classic"), "only --truth goes with it"),
        (("evaluate", "--matches", "x.csv"), "No such file"),
    ):
        code, _, err = lookalike(*arguments, "--quiet")
        assert (code, message in err, err.count("\n")) == (2, True, 1), err


def test_files_of_matches_that_cannot_be_used(lookalike: Run) -> None:
    for text, message in (
        ("source,target\n", "lacks the column 'distance'"),
        ("source,target,distance\na,b,far\n", "line 2: the distance or the probability is no number"),
        ("source,target,distance\na,b,3\n", "a distance is in"),
        ("source,target,distance\na,b,1\na,b,1\n", "stands twice"),
        ("source,target,distance\n", "holds no matches"),
    ):
        Path("m.csv").write_text(text)
        code, _, err = lookalike("evaluate", "--matches", "m.csv")
        assert (code, message in err) == (2, True), err
    Path("m.csv").write_text("source,target,distance\na.jpg,t/a.jpg,0.1\n")
    Path("held/t").mkdir(parents=True)
    draw(0).save("held/t/a.jpg")
    found = json.loads(lookalike("evaluate", "--matches", "m.csv", "--targets", "held", "--json")[1])
    assert (found["recalls"]["1"]["value"], found["thresholds"], found["calibration_error"]) == (1.0, [], None)
    Path("t.csv").write_text("left,right\nb.jpg,a.jpg\n")
    assert "no row about the source 'b.jpg'" in lookalike("evaluate", "--matches", "m.csv", "--truth", "t.csv")[2]


def test_equal_names_are_right_only_among_the_targets_that_were_searched(lookalike: Run) -> None:
    for name in ("a.jpg", "deep/b.jpg", "deep/a.jpg", "c.jpg"):
        path = Path("held") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(0).save(path)
    rows = ("a.jpg,deep/a.jpg,0.1,0.9", "b.jpg,c.jpg,0.2,0.8", "x/c.jpg,,,", "stranger.jpg,a.jpg,0.3,0.7")
    Path("m.csv").write_text("\n".join(("source,target,distance,probability", *rows)) + "\n")
    found = json.loads(lookalike("evaluate", "--matches", "m.csv", "--targets", "held", "--json")[1])
    assert (found["sources"], found["partnered"]) == (4, 3)
    assert found["recalls"]["1"]["value"] == pytest.approx(1 / 3)  # b and c have partners that were missed
    half = found["thresholds"][0]
    assert (half["answered"], half["precision"]["value"]) == (3, pytest.approx(1 / 3))
    # One hit, at the top, of four right pairs: a.jpg has two partners.
    assert found["average_precision"]["value"] == pytest.approx(1 / 4)
    for arguments, message in (
        ((), "Give --truth FILE, or --targets DIR"),
        (("--targets", "held/deep"), "names the target 'c.jpg', which is not in held/deep"),
        (("--targets", "nowhere"), "no folder nowhere"),
        (("--targets", "held", "--truth", "m.csv"), "leave it out with --truth"),
    ):
        code, out, err = lookalike("evaluate", "--matches", "m.csv", *arguments)
        assert (code, out, message in err, err.count("\n")) == (2, "", True, 1), err
    Path("m.csv").write_text("source,target,distance\nstranger.jpg,a.jpg,0.1\n")
    assert "no source has a partner" in lookalike("evaluate", "--matches", "m.csv", "--targets", "held")[2]
    assert "give --matches FILE too" in lookalike("evaluate", "--targets", "held")[2]


def test_both_folders_are_checked_before_anything_is_computed(
    lookalike: Run, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lookalike.jobs.match.open_matcher", lambda *_: pytest.fail("it was begun"))
    Path("empty").mkdir()
    Path("broken").mkdir()
    for name in ("a.jpg", "b.png"):
        Path("broken", name).write_text("no picture")
    for arguments, message in (
        ((world / "source", "nowhere"), "no folder nowhere"),
        ((world / "source", "empty"), "empty has no images that can be used"),
        ((world / "source", "broken"), "broken has no images that can be used (2 cannot be read)"),
        ((world / "source" / "s00.jpg", "broken"), "broken has no images that can be used (2 cannot be read)"),
        (("empty", world / "target"), "empty has no images that can be used"),
        (("broken", world / "target"), "broken has no images that can be used (2 cannot be read)"),
    ):
        code, out, err = lookalike("match", *arguments)
        assert (code, out, message in err, err.count("\n")) == (2, "", True, 1), err
    assert not Path(".lookalike").exists()


def test_duplicates_by_a_model_are_those_of_its_features(
    lookalike: Run, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = Path("photos")
    photos.mkdir()
    for number in range(12):
        draw(number).save(photos / f"{number:02}.png")
    draw(0).resize((80, 60)).save(photos / "00-small.jpg")
    draw(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(photos / "01-turned.png")
    assert lookalike("index", photos, "--quiet")[0] == 0
    held = Workspace(Path(".lookalike"))
    computed = compute_set(held, FeatureSet("", ("classic",)), {"a": photos / "00.png", "b": photos / "01.png"})
    model = IdentityModel().fit(
        Pairs.from_ids(["a"], ["b"]), Features(computed.features.ids, computed.features.vectors)
    )
    about = {"encoders": ["classic"], "fingerprint": computed.fingerprint}
    save_model(model, held.models_folder / "plain.safetensors", about)
    monkeypatch.setattr("lookalike.embedding.match_copies.COPIES", 10)
    groups = json.loads(lookalike("duplicates", "--model", "plain", "--json")[1])["groups"]
    assert [[one["image"] for one in group] for group in groups] == [["00.png", "00-small.jpg"]]
    groups = json.loads(lookalike("duplicates", "--model", "plain", "--mirrored", "--json")[1])["groups"]
    assert [[one["image"] for one in group] for group in groups] == [
        ["00.png", "00-small.jpg"],
        ["01-turned.png", "01.png"],
    ]
    assert lookalike("duplicates", "--model", "plain", "--encoder", "classic")[0] == 2
    code, out, err = lookalike("match", photos, world / "target", "--model", "plain", "-k", 1, "--json")
    assert code == 0, err
    assert json.loads(out)["matcher"] == "plain"


def test_matching_loads_neither_torch_nor_sklearn(tmp_path: Path, world: Path, matched: dict[str, Any]) -> None:
    code = (
        "import sys; from lookalike.cli.main import run\n"
        f"folders = [{str(world)!r} + '/' + name for name in ('source', 'target', 'work')]\n"
        "assert run(['match', *folders[:2], '--workspace', folders[2], '--one-to-one', '--json']) == 0\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'sklearn')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr

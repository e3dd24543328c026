"""Feature sets and matched pairs on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def pair_folder(tmp_path: Path, make_photo: Callable[..., Path]) -> Path:
    folder = tmp_path / "pairs"
    for number in range(8):
        make_photo(folder / "left" / f"{number}.jpg", number)
        make_photo(folder / "right" / f"{number}.jpg", number, size=(60, 45))
    return folder


def test_sets_are_defined_listed_and_computed(lookalike: Run, photos: Path, network: Path) -> None:
    name = f"onnx:{network}"
    code, out, _ = lookalike("features", "define", "two", "--encoder", "classic", "--encoder", name, "--json")
    assert (code, json.loads(out)) == (0, {"name": "two", "encoders": ["classic", name]})
    code, out, _ = lookalike("features", "list", "--json")
    assert json.loads(out) == {"sets": [{"name": "two", "encoders": ["classic", name]}]}
    assert "classic" in lookalike("features", "list")[1]
    code, out, _ = lookalike("features", "compute", "two", "--images", photos, "--json")
    found = json.loads(out)
    assert (code, found["images"], found["rejected"]) == (0, 24, [])
    assert found["dim"] == sum(entry["dim"] for entry in found["encoders"])
    assert [entry["name"] for entry in found["encoders"]] == ["classic", name]


def test_computing_for_the_collection_is_done_once_and_lists_what_it_left_out(
    lookalike: Run, photos: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookalike("index", photos, "--quiet")
    lookalike("features", "define", "net", "--encoder", f"onnx:{network}")
    code, out, _ = lookalike("features", "compute", "net", "--flipped", "--json")
    assert (code, json.loads(out)["images"]) == (0, 24)
    with monkeypatch.context() as patch:
        patch.setattr("lookalike.embedding.encoder.Encoder.forward", lambda *_: pytest.fail("encoded again"))
        assert lookalike("features", "compute", "net", "--flipped", "--images", photos, "--json")[0] == 0
    (photos / "a" / "000.jpg").write_bytes(b"no longer an image")
    code, out, _ = lookalike("features", "compute", "net", "--flipped", "--json")
    found = json.loads(out)
    assert (code, found["images"], [entry["path"] for entry in found["rejected"]]) == (1, 23, ["a/000.jpg"])
    code, out, _ = lookalike("features", "compute", "net")
    assert (code, "1 file could not be read" in out, "a/000.jpg" in out) == (1, True, True)


def test_pairs_are_evaluated(lookalike: Run, pair_folder: Path, network: Path) -> None:
    name = f"onnx:{network}"
    arguments = ("evaluate", "--pairs", pair_folder, "--encoder", "classic", "--encoder", name)
    code, out, _ = lookalike(*arguments, "--plot", "p.png", "--json")
    found = json.loads(out)
    assert (code, found["pairs"]) == (0, 8)
    assert {row["model"] for row in found["rows"]} == {"classic", name}
    assert set(found["chance"]) == {"1", "3", "5"}
    for place, row in enumerate(found["rows"]):
        assert row["recalls"]["1"] == {"value": row["accuracy"], "low": row["low"], "high": row["high"]}
        assert row["recalls"]["1"]["value"] <= row["recalls"]["3"]["value"] <= row["recalls"]["5"]["value"]
        assert row["n"] == 8
        assert (row["behind"] is None) == (place == 0)
    with Image.open("p.png") as plot:
        assert plot.width > 500
    code, out, _ = lookalike(*arguments, "--quiet")
    assert code == 0
    assert out.index("aR@1") < out.index("classic") < out.index("chance") < out.index("8 pairs")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "--pairs", "nowhere"], "nowhere"),
        (["evaluate", "--pairs", "pairs", "--context", "sea"], "leave them out with --pairs"),
        (["evaluate", "--images", "pairs"], "give --pairs PATH too"),
        (["evaluate", "--pairs", "pairs", "--plot", "p.txt"], "change the suffix"),
        (["evaluate", "--pairs", "pairs", "--pair-format", "tl"], "did you mean tll"),
        (["features", "define", "a/b", "--encoder", "classic"], "cannot name a feature set"),
        (["features", "define", "a", "--encoder", "clasic"], "did you mean classic"),
        (["features", "compute", "a"], "run `lookalike features define a` first"),
    ],
)
def test_bad_input_is_one_line(lookalike: Run, pair_folder: Path, arguments: list[str], message: str) -> None:
    code, out, err = lookalike(*arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert message in err


def test_a_set_without_images_says_what_is_missing(lookalike: Run, tmp_path: Path) -> None:
    lookalike("features", "define", "plain", "--encoder", "classic")
    code, _, err = lookalike("features", "compute", "plain")
    assert (code, "no workspace" in err) == (2, True)
    (tmp_path / "empty").mkdir()
    code, _, err = lookalike("features", "compute", "plain", "--images", "empty")
    assert (code, "no images that could be encoded" in err) == (2, True)

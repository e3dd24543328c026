"""``lookalike evaluate --edits``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


def test_encoders_stand_in_one_table_by_edit_and_strength(lookalike: Run, photos: Path, network: Path) -> None:
    name = f"onnx:{network}"
    arguments = ["evaluate", "--edits", photos, "--encoder", "classic", "--encoder", name, "--queries", 6]
    code, out, _ = lookalike(*arguments, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["photographs"], found["queries"], found["gallery"], found["copies"]) == (6, 54, 24, 0)
    assert {row["model"] for row in found["rows"]} == {"classic", name}
    for strength in ("weak", "middle", "strong"):
        assert [row["behind_by_strength"][strength] for row in found["rows"]].count(None) == 1
    for place, row in enumerate(found["rows"]):
        values = [row["recalls"][k]["value"] for k in ("1", "5", "15")]
        assert values == sorted(values)
        assert row["n"] == 54
        assert 0 < row["map"]["value"] <= 1
        assert set(row["by_strength"]) == {"weak", "middle", "strong"}
        assert set(row["by_edit"]) == set(found["edits"])
        assert (row["behind"] is None) == (place == 0)
        for strength, behind in row["behind_by_strength"].items():
            ahead = max(other["by_strength"][strength]["recalls"]["1"]["value"] for other in found["rows"])
            own = row["by_strength"][strength]["recalls"]["1"]["value"]
            assert (behind or {"value": 0})["value"] == pytest.approx(ahead - own)
            assert behind is None or set(behind) == {"value", "low", "high", "p"}
        for edit, cells in row["by_edit_and_strength"].items():
            mean = sum(cell["value"] for cell in cells.values()) / 3
            assert row["by_edit"][edit]["recalls"]["1"]["value"] == pytest.approx(mean)
    code, out, _ = lookalike(*arguments, "--quiet")
    assert code == 0
    order = [out.index(words) for words in ("recall@1", "54 edited copies of 6", "by strength", "by edit")]
    assert order == sorted(order)


def test_chosen_edits_distractors_and_damaged_files(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    (tmp_path / "more" / "good.jpg").write_bytes((photos / "a" / "000.jpg").read_bytes())
    code, out, _ = lookalike(
        "evaluate", "--edits", photos, "--distractors", "more", "--edit", "mirror", "--strength", "weak",
        "--queries", 3, "--sheet", "s.png", "--plot", "p.png", "--json",
    )  # fmt: skip
    found = json.loads(out)
    assert code == 1
    assert [entry["path"] for entry in found["rejected"]] == ["more/broken.jpg"]
    assert (found["queries"], found["gallery"], found["copies"]) == (3, 24, 1)
    assert (found["edits"], found["strengths"]) == (["mirror"], ["weak"])
    assert Path("s.png").is_file()
    assert Path("p.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--edits", "nowhere"], "nowhere"),
        (["--edits", "photos", "--pairs", "photos"], "leave out"),
        (["--edits", "photos", "--edit", "crap"], "did you mean crop"),
        (["--edits", "photos", "--strength", "mild"], "no strength 'mild'"),
        (["--edits", "photos", "--model", "no"], "has no models"),
        (["--queries", "3"], "give --edits PHOTOS too"),
        (["--sheet", "s.png"], "give --edits PHOTOS too"),
    ],
)
def test_bad_input_is_one_line(lookalike: Run, photos: Path, arguments: list[str], message: str) -> None:
    code, out, err = lookalike("evaluate", *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert message in err

"""`lookalike reproduce cosis` on stand-in pictures under the names of the photographs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.judgments.readers.cosis import ANCHORS

Run = Callable[..., tuple[int, str, str]]
CANDIDATES, REFERENCES = range(30), range(30, 45)


@pytest.fixture
def cosis(tmp_path: Path) -> Path:
    """Labels in the published form about blocks of colour; people look at the first colour of a picture."""
    rng, folder = np.random.default_rng(0), tmp_path / "cosis"
    photos = {("val", number) for number in (*CANDIDATES, *REFERENCES, *map(int, ANCHORS))}
    photos |= {("train", number) for number in (*CANDIDATES, *REFERENCES)}
    colours = {}
    for split, number in sorted(photos):
        colours[split, number] = rng.integers(0, 256, (3, 3, 3)).astype(np.uint8)
        path = folder / "photos" / split / f"{split}{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(colours[split, number]).resize((48, 48), Image.Resampling.NEAREST).save(path)
    lines = [f"{number} val val{number}" for number in range(5000)] + [f"{n} train train{n}" for n in range(50)]
    (folder / "filename_dict.txt").write_text("\n".join(lines) + "\n")

    def annotations(split: str, references: list[int], count: int) -> list[list[int]]:
        rows = []
        for reference in references:
            for _ in range(count):
                three = rng.choice(CANDIDATES, 3, replace=False).tolist()
                seen = colours[split, reference][0, 0].astype(float)
                three.sort(key=lambda one: np.abs(colours[split, one][0, 0] - seen).sum())
                rows.append([reference, three[0], 1, three[1], 2, three[2], 4])
        return rows

    tables = {f"dist_{anchor}": annotations("val", [int(anchor)], 12) for anchor in ANCHORS}
    tables["mulref_val"] = annotations("val", list(REFERENCES), 3)
    tables["mulref_test"] = annotations("train", list(REFERENCES), 3)
    for kind in ("txt_labels", "npy_labels"):
        (folder / kind).mkdir()
    for stem, rows in tables.items():
        text = "".join(" ".join(map(str, row)) + "\n" for row in rows)
        head = "ref order1 class1 order2 class2 order3 class3\n" if stem == "mulref_val" else ""
        (folder / "txt_labels" / f"{stem}.txt").write_text(head + text)
        pairs = [(row[0], row[1 + 2 * i], row[1 + 2 * j]) for row in rows for i, j in ((0, 1), (0, 2), (1, 2))]
        turned = rng.integers(0, 2, len(pairs))
        array = [[t, 1, 2, r, *((b, a) if t else (a, b))] for t, (r, a, b) in zip(turned, pairs, strict=True)]
        np.save(folder / "npy_labels" / f"{stem}.npy", np.array(array, np.float64))
    return folder


def test_the_published_experiment_and_ours(lookalike: Run, cosis: Path) -> None:
    options = ("--labels", cosis, "--images", cosis / "photos", "--encoder", "classic")
    code, out, err = lookalike("reproduce", "cosis", *options, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert list(found["local"]) == list(ANCHORS)
    assert {one["head"]["n"] for one in found["local"].values()} == {12}
    contexts = {f"context {anchor}" for anchor in ANCHORS}
    assert {row["model"] for row in found["published"]["rows"]} == {
        "features",
        "global",
        "vote",
        "grid",
        "mlp",
        *contexts,
    }
    assert found["published"]["judgments"] == found["ours"]["judgments"] == 135
    names = {row["model"] for row in found["ours"]["rows"]}
    assert {"ours: gate", "ours: global", "published: global", "features"} <= names
    assert sum(name.startswith("published: ") for name in names) == 3
    best = found["ours"]["rows"][0]
    assert best["accuracy"] > 0.5
    assert best["behind"] is None

    code, out, _ = lookalike("reproduce", "cosis", *options)
    assert code == 0
    assert "in its own cluster" in out
    assert "As published" in out
    code, _, err = lookalike("reproduce", "cosis", "--labels", cosis, "--images", cosis / "npy_labels", "--quiet")
    assert (code, err.count("\n")) == (2, 1)

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.core.errors import InputError, StorageError
from lookalike.core.progress import Progress
from lookalike.images.samples import FACTORS, SCENES_FILE, draw_scenes, read_scenes, render, write_samples

_HEADER = "path,context,seed," + ",".join(FACTORS)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    scenes = draw_scenes(11, seed=1)
    told: list[Progress] = []
    paths = write_samples(tmp_path, scenes, size=64, on_progress=told.append)
    rows = read_scenes(tmp_path / SCENES_FILE)
    assert [scene for _, scene in rows] == scenes
    assert [tmp_path / name for name, _ in rows] == paths
    assert paths[8] == tmp_path / "indoor" / "0001.jpg"
    assert [step.done for step in told] == list(range(1, 12))
    assert told[-1].total == 11
    with Image.open(paths[2]) as picture:
        assert picture.format == "JPEG"
        stored = np.asarray(picture.convert("RGB"), float)
    assert np.abs(stored - render(scenes[2], 64)).mean() < 6.0
    assert not list(tmp_path.rglob(".*"))


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    scenes = draw_scenes(3, seed=1)
    first = [path.read_bytes() for path in write_samples(tmp_path, scenes, size=64)]
    assert [path.read_bytes() for path in write_samples(tmp_path, scenes, size=64)] == first


def test_no_scenes_give_an_empty_table(tmp_path: Path) -> None:
    assert write_samples(tmp_path, []) == []
    assert read_scenes(tmp_path / SCENES_FILE) == []


def test_a_failed_run_leaves_no_table(tmp_path: Path) -> None:
    (tmp_path / "city").write_text("in the way")
    with pytest.raises(StorageError):
        write_samples(tmp_path, draw_scenes(8, seed=1), size=64)
    assert not (tmp_path / SCENES_FILE).exists()


def test_bad_size_and_quality_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="quality"):
        write_samples(tmp_path, [], quality=0)
    with pytest.raises(InputError, match="at least 64"):
        write_samples(tmp_path, draw_scenes(1, seed=0), size=8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,context,seed\n", "column palette is missing"),
        (f"{_HEADER}\nx.jpg,ocean,1{',0.5' * 8},two\n", "line 2"),
        (f"{_HEADER}\nx.jpg,ocean,1{',0.5' * 9}\nx.jpg,oceans,1{',0.5' * 9}\n", "line 3.*did you mean ocean"),
        (f"{_HEADER}\nx.jpg,ocean,1,0.5\n", "line 2"),
        (f"{_HEADER}\nx.jpg,ocean,1{',1.5' * 9}\n", "line 2.*must be in"),
    ],
)
def test_a_wrong_table_is_refused_naming_the_line(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "scenes.csv"
    table.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_scenes(table)
    assert "\n" not in str(caught.value)


def test_an_absent_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scenes\.csv"):
        read_scenes(tmp_path / "scenes.csv")

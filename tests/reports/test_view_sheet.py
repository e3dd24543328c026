"""The sheet of views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.core.errors import InputError
from lookalike.reports.view_sheet import ViewRow, view_sheet

COLOURS = ((200, 10, 10), (10, 200, 10), (10, 10, 200))


def flat(colour: tuple[int, int, int], height: int = 50, width: int = 50) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def test_every_picture_stands_in_its_row_and_column(tmp_path: Path) -> None:
    rows = [ViewRow(f"{at}.jpg", [flat(COLOURS[(at + k) % 3]) for k in range(3)]) for at in range(2)]
    view_sheet(tmp_path / "sheet.png", "Views", ["plain", "view 1", "view 2"], rows)
    with Image.open(tmp_path / "sheet.png") as sheet:
        pixels = np.asarray(sheet)
    centres = {}
    for number, colour in enumerate(COLOURS):
        ys, xs = np.nonzero((pixels == colour).all(axis=2))
        assert len(ys) == 2 * 220 * 220
        middle = (ys.min() + ys.max()) / 2
        centres[number] = [(ys < middle).sum(), xs[ys < middle].mean(), xs[ys > middle].mean()]
    assert [centres[k][0] for k in range(3)] == [220 * 220] * 3
    first, second = [centres[k][1] for k in range(3)], [centres[k][2] for k in range(3)]
    assert first == sorted(first)
    assert second == [first[(k + 2) % 3] for k in range(3)]


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".png"])
def test_many_columns_odd_shapes_and_long_names(tmp_path: Path, suffix: str) -> None:
    row = ViewRow("a/very/long/" * 20 + "name.jpg", [flat(COLOURS[0], 1, 300), flat(COLOURS[1], 300, 2)] * 8)
    view_sheet(tmp_path / f"s{suffix}", "Odd", [f"column number {k}" for k in range(16)], [row])
    with Image.open(tmp_path / f"s{suffix}") as sheet:
        assert sheet.width == 80 + 16 * 122 - 10


def test_what_cannot_be_drawn_is_said_before(tmp_path: Path) -> None:
    one = ViewRow("a.jpg", [flat(COLOURS[0])])
    with pytest.raises(InputError, match="change the suffix"):
        view_sheet(tmp_path / "sheet.gif", "T", ["plain"], [one])
    with pytest.raises(InputError, match=r"a\.jpg has 1 pictures for 2 columns"):
        view_sheet(tmp_path / "sheet.png", "T", ["plain", "view"], [one])
    with pytest.raises(InputError, match="no views"):
        view_sheet(tmp_path / "sheet.png", "T", ["plain"], [])
    assert not list(tmp_path.iterdir())

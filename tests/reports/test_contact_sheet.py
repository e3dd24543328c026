from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lookalike.core.errors import ImageDecodeError, InputError
from lookalike.images.decode import decode, thumbnail
from lookalike.reports.contact_sheet import Section, Tile, contact_sheet, justified_rows

MakePhoto = Callable[..., Path]


@given(st.lists(st.floats(0.01, 100), max_size=30))
def test_rows_hold_every_picture_once_in_order_and_are_as_wide_as_asked(aspects: list[float]) -> None:
    rows = justified_rows(aspects, width=1000, height=200, gap=10)
    assert [number for row in rows for number in row.members] == list(range(len(aspects)))
    for row in rows[:-1]:
        assert sum(row.widths) + 10 * (len(row.widths) - 1) == pytest.approx(1000)
        assert row.height <= 240
    for row in rows[-1:]:
        assert sum(row.widths) + 10 * (len(row.widths) - 1) <= 1000 + 1e-6


def tile(path: Path, name: str = "name.jpg") -> Tile:
    return Tile(path, thumbnail(decode(path).image), name, "0.123")


def test_the_sheet_shows_the_pictures(tmp_path: Path) -> None:
    colours = {"red": (200, 10, 10), "green": (10, 200, 10), "blue": (10, 10, 200)}
    for name, colour in colours.items():
        Image.new("RGB", (300, 300), colour).save(tmp_path / f"{name}.png")
    tiles = [tile(tmp_path / "green.png"), tile(tmp_path / "blue.png")]
    contact_sheet(tmp_path / "sheet.png", "Title", [Section(tmp_path / "red.png", tiles)])
    with Image.open(tmp_path / "sheet.png") as sheet:
        pixels = np.asarray(sheet).reshape(-1, 3)
    for colour in colours.values():
        assert (pixels == colour).all(axis=1).sum() > 30_000


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_sheets_of_other_formats_many_sections_and_odd_pictures(
    tmp_path: Path, make_photo: MakePhoto, suffix: str
) -> None:
    wide = make_photo(tmp_path / "wide.jpg", 1, size=(900, 30))
    tall = make_photo(tmp_path / "tall.jpg", 2, size=(30, 900))
    sections = [Section(wide, [tile(tall, "a/very/long/" * 20 + "name.jpg"), tile(wide)]), Section(tall, [])]
    contact_sheet(tmp_path / f"sheet{suffix}", "Odd", sections)
    with Image.open(tmp_path / f"sheet{suffix}") as sheet:
        assert sheet.width == 1600


def test_a_lost_original_is_drawn_from_its_thumbnail(tmp_path: Path, make_photo: MakePhoto) -> None:
    photo = make_photo(tmp_path / "photo.jpg", 1)
    kept = tile(photo)
    contact_sheet(tmp_path / "with.png", "T", [Section(photo, [kept])])
    lost = Tile(tmp_path / "gone.jpg", kept.thumbnail, kept.name, kept.note)
    contact_sheet(tmp_path / "without.png", "T", [Section(photo, [lost])])
    with Image.open(tmp_path / "with.png") as one, Image.open(tmp_path / "without.png") as other:
        assert one.size == other.size


def test_what_cannot_be_drawn_is_said(tmp_path: Path, make_photo: MakePhoto) -> None:
    photo = make_photo(tmp_path / "photo.jpg", 1)
    with pytest.raises(InputError, match="change the suffix"):
        contact_sheet(tmp_path / "sheet.pdf", "T", [Section(photo, [])])
    with pytest.raises(ImageDecodeError):
        contact_sheet(tmp_path / "sheet.png", "T", [Section(tmp_path / "no.jpg", [])])
    assert not (tmp_path / "sheet.png").exists()

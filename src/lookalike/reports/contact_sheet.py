"""A contact sheet: one picture that shows a query and what was found for it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lookalike.core.errors import ImageDecodeError, InputError
from lookalike.core.files import write_aside
from lookalike.images.decode import decode

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

__all__ = ["Section", "Tile", "check_sheet", "contact_sheet", "justified_rows", "sheet_font", "shortened"]

WIDTH, MARGIN, GAP, HEADER = 1600, 40, 14, 104
LARGE_QUERY, SMALL_QUERY, ROW_HEIGHT, CAPTION = 400, 220, 210, 30
PAPER, INK, FAINT = (250, 249, 246), (32, 33, 36), (128, 130, 134)
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of a sheet.

    Attributes
    ----------
    path : Path, optional
        The original; where there is none, or it can no longer be read, the thumbnail stands in.
    thumbnail : bytes
        A JPEG.
    name, note : str
        Written under it, left and right.
    """

    path: Path | None
    thumbnail: bytes
    name: str
    note: str


@dataclass(frozen=True, slots=True)
class Section:
    """A query, and what was found for it.

    Attributes
    ----------
    query : Path
        Its file; the name is written under it.
    tiles : sequence of Tile
        Closest first.
    thumbnail : bytes
        A JPEG that is drawn for the query, where it is no file.
    """

    query: Path
    tiles: Sequence[Tile]
    thumbnail: bytes = b""


def check_sheet(file: Path) -> None:
    """Raise an `InputError` where a sheet cannot be written under this name, before any work is done.

    Examples
    --------
    >>> check_sheet(Path("sheet.png"))
    """
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(f"{file}: a sheet is written as {', '.join(SUFFIXES)}; change the suffix")


def contact_sheet(file: Path, title: str, sections: Sequence[Section]) -> None:
    """Draw queries and the pictures found for them, in justified rows, and write the sheet.

    Parameters
    ----------
    file : Path
        Where to write; the suffix chooses PNG, JPEG or WebP.
    title : str
        The line on top.
    sections : sequence of Section
        One query each; a single one is drawn larger.

    Raises
    ------
    InputError
        The suffix is none of these.
    ImageDecodeError
        A query cannot be read.
    """
    from PIL import Image, ImageDraw

    check_sheet(file)
    query_width = LARGE_QUERY if len(sections) == 1 else SMALL_QUERY
    blocks = [_lay_out(section, query_width) for section in sections]
    sheet = Image.new("RGB", (WIDTH, HEADER + sum(block.height for block in blocks) + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN - 8), title, INK, sheet_font(30))
    top = HEADER
    for block in blocks:
        _draw_block(sheet, draw, block, top)
        top += block.height
    with write_aside(file) as aside:
        sheet.save(aside)


@dataclass(frozen=True, slots=True)
class _Block:
    """A section, its pictures decoded and its rows laid out."""

    section: Section
    query: Image.Image
    pictures: list[Image.Image]
    rows: list[Row]
    left: int
    height: int


def _lay_out(section: Section, query_width: int) -> _Block:
    from PIL import Image

    left = MARGIN + query_width + MARGIN
    pictures = [_picture(tile) for tile in section.tiles]
    rows = justified_rows([p.width / p.height for p in pictures], WIDTH - left - MARGIN, ROW_HEIGHT, GAP)
    query = decode(section.thumbnail or section.query, min_side=query_width).image
    scale = min(query_width / query.width, 1.5 * query_width / query.height)
    size = (max(1, round(query.width * scale)), max(1, round(query.height * scale)))
    query = query.resize(size, Image.Resampling.LANCZOS)
    found = sum(round(row.height) + CAPTION + GAP for row in rows)
    return _Block(section, query, pictures, rows, left, max(found, query.height + CAPTION + GAP))


def _draw_block(sheet: Image.Image, draw: ImageDraw.ImageDraw, block: _Block, top: int) -> None:
    from PIL import Image

    sheet.paste(block.query, (MARGIN, top))
    _caption(draw, MARGIN, top + block.query.height, block.query.width, block.section.query.name, "query")
    for row in block.rows:
        x = float(block.left)
        for number, width in zip(row.members, row.widths, strict=True):
            size = (round(x + width) - round(x), round(row.height))
            sheet.paste(block.pictures[number].resize(size, Image.Resampling.LANCZOS), (round(x), top))
            tile = block.section.tiles[number]
            _caption(draw, round(x), top + size[1], size[0], tile.name, tile.note)
            x += width + GAP
        top += round(row.height) + CAPTION + GAP


@dataclass(frozen=True, slots=True)
class Row:
    """Pictures side by side at one height: their numbers, widths and the height, in pixels."""

    members: list[int]
    widths: list[float]
    height: float


def justified_rows(aspects: Sequence[float], width: float, height: float, gap: float) -> list[Row]:
    """Lay pictures in rows that are all exactly `width` wide, except the last.

    Parameters
    ----------
    aspects : sequence of float
        Width over height of each picture; taken within 0.4 to 3, so that a strip does not fill a row.
    width, height, gap : float
        Of a row, wished, and between pictures, in pixels.

    Examples
    --------
    >>> [(row.members, round(row.height)) for row in justified_rows([1.5, 1.5, 1.5, 1], 610, 200, 10)]
    [([0, 1], 200), ([2, 3], 240)]
    """
    rows: list[Row] = []
    members: list[int] = []
    for number in range(len(aspects)):
        members.append(number)
        fitted = _row(aspects, members, width, gap)
        if fitted.height <= height * 1.2:
            rows.append(fitted)
            members = []
    if members:
        last = _row(aspects, members, width, gap)
        scale = min(1, height / last.height)
        rows.append(Row(members, [w * scale for w in last.widths], last.height * scale))
    return rows


def _row(aspects: Sequence[float], members: list[int], width: float, gap: float) -> Row:
    shapes = [min(max(aspects[number], 0.4), 3) for number in members]
    height = (width - gap * (len(members) - 1)) / sum(shapes)
    return Row(list(members), [shape * height for shape in shapes], height)


def _picture(tile: Tile) -> Image.Image:
    from PIL import Image

    try:
        return decode(tile.thumbnail if tile.path is None else tile.path, min_side=ROW_HEIGHT).image
    except ImageDecodeError:
        with Image.open(io.BytesIO(tile.thumbnail)) as image:
            return image.convert("RGB")


def _caption(draw: ImageDraw.ImageDraw, x: int, y: int, width: int, name: str, note: str) -> None:
    """Write a name, shortened in its middle where it is too long, and a note at the right."""
    font = sheet_font(15)
    room = width - draw.textlength(note, font) - 12
    shown = shortened(name, lambda text: draw.textlength(text, font) <= room)
    draw.text((x, y + 6), shown, INK, font)
    draw.text((x + width, y + 6), note, FAINT, font, anchor="ra")


def shortened(name: str, fits: Callable[[str], bool]) -> str:
    """Return a name, with as much of its middle left out as needed to fit; empty where nothing fits.

    Examples
    --------
    >>> shortened("photographs/2024/lake.jpg", lambda text: len(text) <= 12)
    'pho…lake.jpg'
    """
    if fits(name):
        return name
    for keep in range(len(name) - 1, 1, -1):
        head = keep // 3
        text = name[:head] + "…" + name[len(name) - (keep - head) :]
        if fits(text):
            return text
    return ""


def sheet_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the letters of sheets, of some height in pixels.

    Examples
    --------
    >>> sheet_font(15).getlength("sheet") > 20
    True
    """
    from PIL import ImageFont

    return ImageFont.load_default(size)

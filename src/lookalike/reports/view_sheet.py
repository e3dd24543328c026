"""A sheet of views: what a training, or a test bench, really shows of some pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lookalike.core.errors import InputError
from lookalike.core.files import write_aside
from lookalike.core.types import Pixels
from lookalike.reports.contact_sheet import FAINT, INK, PAPER, check_sheet, sheet_font, shortened

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

__all__ = ["ViewRow", "view_sheet"]

WIDTH, MARGIN, GAP, HEADER, CAPTION = 1600, 40, 10, 96, 28
MOST_SIDE, LEAST_SIDE = 220, 112


@dataclass(frozen=True, slots=True)
class ViewRow:
    """One picture, as it is and in its views.

    Attributes
    ----------
    name : str
        Of its file; written under it.
    pictures : sequence of uint8 (H, W, 3)
        As many as there are columns; of any size and shape.
    """

    name: str
    pictures: Sequence[Pixels]


def view_sheet(file: Path, title: str, columns: Sequence[str], rows: Sequence[ViewRow]) -> None:
    """Draw pictures below each other and their views side by side, and write the sheet.

    Parameters
    ----------
    file : Path
        Where to write; the suffix chooses PNG, JPEG or WebP.
    title : str
        The line on top.
    columns : sequence of str
        What stands over them: ``["plain", "view 1", "view 2"]``.
    rows : sequence of ViewRow

    Raises
    ------
    InputError
        The suffix is none of these, there is nothing to draw, or a row has more or fewer pictures than columns.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> file = Path(tempfile.mkdtemp()) / "views.png"
    >>> black = np.zeros((8, 8, 3), np.uint8)
    >>> view_sheet(file, "Views", ["plain", "view 1"], [ViewRow("lake.jpg", [black, black])])
    >>> file.stat().st_size > 1000
    True
    """
    from PIL import Image, ImageDraw

    check_sheet(file)
    if not rows or not columns:
        raise InputError(f"{file}: there are no views to draw")
    for row in rows:
        if len(row.pictures) != len(columns):
            raise InputError(f"{file}: {row.name} has {len(row.pictures)} pictures for {len(columns)} columns")
    room = (WIDTH - 2 * MARGIN - GAP * (len(columns) - 1)) // len(columns)
    side = min(MOST_SIDE, max(LEAST_SIDE, room))
    width = 2 * MARGIN + len(columns) * (side + GAP) - GAP
    width = max(width, 2 * MARGIN + int(sheet_font(26).getlength(title)))
    sheet = Image.new("RGB", (width, HEADER + CAPTION + len(rows) * (side + CAPTION) + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN - 8), title, INK, sheet_font(26))
    for number, heading in enumerate(columns):
        _write(draw, (MARGIN + number * (side + GAP), HEADER), heading, side, FAINT)
    for number, row in enumerate(rows):
        _draw_row(sheet, draw, row, HEADER + CAPTION + number * (side + CAPTION), side)
    with write_aside(file) as aside:
        sheet.save(aside)


def _draw_row(sheet: Image.Image, draw: ImageDraw.ImageDraw, row: ViewRow, top: int, side: int) -> None:
    from PIL import Image

    for number, pixels in enumerate(row.pictures):
        left = MARGIN + number * (side + GAP)
        scale = side / max(pixels.shape[:2])
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        picture = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
        sheet.paste(picture, (left + (side - size[0]) // 2, top + (side - size[1]) // 2))
    _write(draw, (MARGIN, top + side), row.name, side, INK)


def _write(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, width: int, ink: tuple[int, int, int]) -> None:
    font = sheet_font(15)
    draw.text((at[0], at[1] + 4), shortened(text, lambda one: draw.textlength(one, font) <= width), ink, font)

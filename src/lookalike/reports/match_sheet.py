"""A contact sheet of matches: a row for every source, with its targets beside it and how sure each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lookalike.reports.contact_sheet import Section, Tile, contact_sheet

__all__ = ["SHEET_ROWS", "MatchRow", "match_sheet"]

SHEET_ROWS = 25
"""Sources on a sheet: more could not be looked at, and some formats end at 16,383 pixels."""
SHEET_TARGETS = 3


@dataclass(frozen=True, slots=True)
class MatchRow:
    """A source and its targets.

    Attributes
    ----------
    source : Path
    name : str
        Written under it.
    targets : sequence of (Path, str, str)
        Likeliest first: the file, its name, and a note such as ``"97%"``.
    """

    source: Path
    name: str
    targets: Sequence[tuple[Path, str, str]]


def match_sheet(file: Path, title: str, rows: Sequence[MatchRow]) -> None:
    """Draw matches and write the sheet; at most `SHEET_ROWS` sources with the first few targets of each.

    Parameters
    ----------
    file : Path
        The suffix chooses PNG, JPEG or WebP.
    title : str
    rows : sequence of MatchRow

    Raises
    ------
    InputError
        The suffix is none of these.
    ImageDecodeError
        A picture can no longer be read.
    """
    sections = [
        Section(row.source, [Tile(path, b"", name, note) for path, name, note in row.targets[:SHEET_TARGETS]])
        for row in rows[:SHEET_ROWS]
    ]
    contact_sheet(file, title, sections)

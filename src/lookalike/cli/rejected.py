"""Files that could not be read, named on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.images.folder import Rejected

__all__ = ["show_rejected"]

SHOWN = 10


def show_rejected(screen: RichConsole, rejected: Sequence[Rejected], all_of_them: str) -> None:
    """Say which files could not be read, and why: the first few, and where all of them are listed.

    Examples
    --------
    >>> from rich.console import Console
    >>> from lookalike.images.folder import Rejected
    >>> show_rejected(Console(), [Rejected("a.jpg", "the file is empty")], "--json lists all")
    1 file could not be read:
      a.jpg: the file is empty
    """
    if rejected:
        files = "1 file" if len(rejected) == 1 else f"{len(rejected):,} files"
        screen.print(f"[yellow]{files} could not be read:[/]")
    for entry in rejected[:SHOWN]:
        screen.print(f"  {entry.path}: {entry.reason}", markup=False, soft_wrap=True)
    if len(rejected) > SHOWN:
        screen.print(f"  … and {len(rejected) - SHOWN:,} more ({all_of_them})", markup=False, soft_wrap=True)

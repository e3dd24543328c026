"""How much memory a search may take: ``LOOKALIKE_MEMORY``, or ``--memory``, such as 2GB."""

from __future__ import annotations

import os
import re
from pathlib import Path

from lookalike.core.errors import InputError

__all__ = ["VARIABLE", "memory_left", "parse_bytes"]

VARIABLE = "LOOKALIKE_MEMORY"
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
UNKNOWN = 300_000_000
"""What a process takes before it has an index, where the system does not say it."""


def parse_bytes(text: str) -> int:
    """Return how many bytes a size means.

    Raises
    ------
    InputError
        It is none.

    Examples
    --------
    >>> parse_bytes("2GB"), parse_bytes("512 MiB"), parse_bytes("1.5g")
    (2000000000, 536870912, 1500000000)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?\s*", text.upper())
    if found is None or not (number := float(found[1])):
        raise InputError(f"{text!r} is no size of memory: say 2GB or 512MB")
    unit = UNITS[found[2]]
    return int(number * (1024 ** [*UNITS].index(found[2]) if found[3] else unit))


def memory_left() -> int | None:
    """Return how many bytes of the budget the process has not taken yet; None where there is no budget.

    Raises
    ------
    InputError
        The variable holds no size.

    Examples
    --------
    >>> memory_left() is None or memory_left() > 0
    True
    """
    budget = os.environ.get(VARIABLE)
    return None if not budget else max(1, parse_bytes(budget) - _taken())


def _taken() -> int:
    """Return the bytes in memory of this process that are not mapped files."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()
        return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return UNKNOWN

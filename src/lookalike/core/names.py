"""Names that people give to what a workspace keeps; they become names of files."""

from __future__ import annotations

import re

from lookalike.core.errors import InputError

__all__ = ["check_name", "is_name"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def is_name(text: str) -> bool:
    """Return whether a text can be a name: letters, digits, ``.``, ``_`` and ``-``, at most 64.

    Examples
    --------
    >>> is_name("taste-2"), is_name("../taste"), is_name("")
    (True, False, False)
    """
    return NAME.fullmatch(text) is not None


def check_name(kind: str, name: str) -> str:
    """Return a name, or raise an `InputError` that says what it cannot name.

    Examples
    --------
    >>> check_name("model", "taste")
    'taste'
    """
    if not is_name(name):
        raise InputError(f"'{name}' cannot name a {kind}: use letters, digits, '.', '_' and '-', at most 64")
    return name

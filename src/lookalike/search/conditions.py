"""What a filter is made of, evaluated on columns of images by Arrow's functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = [
    "COLUMNS",
    "TEXTS",
    "AllOf",
    "AnyOf",
    "AnyText",
    "Comparison",
    "Condition",
    "Not",
    "NumberAmong",
    "Pattern",
    "TextAmong",
    "WithinFolder",
    "glob_pattern",
    "holds",
    "like_pattern",
]

COLUMNS = {
    "path": "text",
    "folder": "text",
    "name": "text",
    "format": "text",
    "width": "number",
    "height": "number",
    "size": "number",
    "modified": "time",
}
"""Kinds of the columns that a filter may name."""

TEXTS = frozenset(name for name, kind in COLUMNS.items() if kind == "text")

FUNCTIONS = {
    "=": "equal",
    "!=": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}

FOLDER = r"(?s)\A(?:(.*)/)?[^/]*\z"
NAME = r"(?s)\A(?:.*/)?([^/]*)\z"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column of numbers or times against a number (times: nanoseconds since 1970), or against another column."""

    column: str
    sign: str
    value: float | None
    other: str = ""


@dataclass(frozen=True, slots=True)
class AnyText:
    """Whether a text stands before or after another, by code points."""

    column: str
    sign: str
    value: str


@dataclass(frozen=True, slots=True)
class NumberAmong:
    """Whether a number is one of some."""

    column: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TextAmong:
    """Whether a text is one of some."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WithinFolder:
    """Whether an image is in a folder, or in one below it; all are in the folder of no name."""

    folder: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """Whether a text fits a regular expression."""

    column: str
    expression: str


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary of a condition."""

    part: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    """Conditions that must all hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Conditions of which one must hold."""

    parts: tuple[Condition, ...]


Condition: TypeAlias = Comparison | AnyText | NumberAmong | TextAmong | WithinFolder | Pattern | Not | AllOf | AnyOf


def holds(condition: Condition, images: pa.Table) -> NDArray[np.bool_]:
    """Return for which rows of a table of images a condition holds, bool (N,).

    Examples
    --------
    >>> images = pa.table({"path": ["a/x.jpg", "b/y.jpg"], "width": [3, 4], "height": [4, 4]})
    >>> holds(AllOf((Comparison("width", ">=", None, "height"), Not(WithinFolder("a")))), images)
    array([False,  True])
    """
    match condition:
        case Not(part):
            return ~holds(part, images)
        case AllOf(parts):
            return np.asarray(np.logical_and.reduce([holds(part, images) for part in parts]), np.bool_)
        case AnyOf(parts):
            return np.asarray(np.logical_or.reduce([holds(part, images) for part in parts]), np.bool_)
        case _:
            found = _simple(condition, images)
            return np.asarray(found.to_numpy(zero_copy_only=False) if isinstance(found, pa.Array) else found, np.bool_)


def _simple(condition: Condition, images: pa.Table) -> Any:
    """Evaluate what stands alone."""
    match condition:
        case Comparison(column, sign, value, other):
            right = _column(images, other) if other else pa.scalar(value)
            return pc.call_function(FUNCTIONS[sign], [_column(images, column), right])
        case AnyText(column, sign, text):
            return pc.call_function(FUNCTIONS[sign], [_column(images, column), pa.scalar(text, pa.large_string())])
        case NumberAmong(column, numbers):
            return pc.is_in(_column(images, column).cast(pa.float64()), pa.array(numbers, pa.float64()))
        case TextAmong(column, texts):
            return pc.is_in(_column(images, column), pa.array(texts, pa.large_string()))
        case WithinFolder(folder):
            return pc.starts_with(_column(images, "path"), f"{folder}/" if folder else "")
        case Pattern(column, expression):
            return pc.match_substring_regex(_column(images, column), expression)
    raise AssertionError(condition)


def like_pattern(text: str) -> str:
    r"""Return the regular expression of SQL's ``like``: ``%`` is anything, ``_`` one character, case does not count.

    Examples
    --------
    >>> like_pattern("img%")
    '(?is)\\Aimg.*\\z'
    """
    parts = {"%": ".*", "_": "."}
    return r"(?is)\A" + "".join(parts.get(one) or _literal(one) for one in text) + r"\z"


def glob_pattern(text: str) -> str:
    r"""Return the regular expression of a shell pattern: ``*`` is anything, slashes as well, ``?`` one character.

    ``[abc]`` is one of these and ``[!abc]`` none of these; a bracket that is not closed is itself.

    Examples
    --------
    >>> glob_pattern("*.jp[eg]")
    '(?s)\\A.*\\.jp[eg]\\z'
    """
    made, at = [], 0
    while at < len(text):
        one, end = text[at], text.find("]", at + 2 + (text[at + 1 : at + 2] == "!"))
        at += 1
        if one == "[" and end > 0:
            made.append(_one_of(text[at:end]))
            at = end + 1
        else:
            made.append({"*": ".*", "?": "."}.get(one) or _literal(one))
    return r"(?s)\A" + "".join(made) + r"\z"


def _one_of(inside: str) -> str:
    """Return the expression of what stands in brackets; a range that runs backwards holds nothing."""
    without = inside.startswith("!")
    left, parts = inside[without:], []
    while left:
        if len(left) > 2 and left[1] == "-":
            if left[0] <= left[2]:
                parts.append(f"{_literal(left[0])}-{_literal(left[2])}")
            left = left[3:]
        else:
            parts.append(_literal(left[0]))
            left = left[1:]
    if not parts:
        return "." if without else r"[^\x00-\x{10FFFF}]"
    return f"[{'^' if without else ''}{''.join(parts)}]"


def _literal(one: str) -> str:
    return re.escape(one) if one.isascii() and one.isprintable() else f"\\x{{{ord(one):x}}}"


def _column(images: pa.Table, name: str) -> pa.Array:
    """Return a column in one piece; text as large strings, and what follows from the path."""
    kept = {"modified": "mtime_ns", "folder": "path", "name": "path"}.get(name, name)
    values = images.column(kept)
    if name not in TEXTS:
        return pa.concat_arrays([pa.array([], values.type), *values.chunks])
    whole = pa.concat_arrays([pa.array([], pa.large_string()), *values.cast(pa.large_string()).chunks])
    if name == kept:
        return whole
    return pc.replace_substring_regex(whole, FOLDER if name == "folder" else NAME, r"\1")

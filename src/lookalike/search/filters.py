"""Filters: which images a search is about, as an expression over what the table knows of each.

``width > 1000 and (folder = 'holiday' or not name like 'img%')`` is read by a small parser of our own, and evaluated by
Arrow's functions on columns: nothing that is written in a filter ever becomes code or SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NoReturn, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.search.conditions import (
    COLUMNS,
    TEXTS,
    AllOf,
    AnyOf,
    AnyText,
    Comparison,
    Condition,
    Not,
    NumberAmong,
    Pattern,
    TextAmong,
    WithinFolder,
    glob_pattern,
    holds,
    like_pattern,
)

__all__ = ["Filter"]

DEEPEST = 100
"""Parentheses and nots inside each other."""

Literal: TypeAlias = "int | float | str"

TOKEN = re.compile(
    r"""\s*(?: (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
        | (?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
        | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
        | (?P<sign><=|>=|<>|!=|==|=|<|>|\(|\)|,)
        | (?P<end>\Z) )""",
    re.VERBOSE,
)
SIGNS = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
KEYWORDS = frozenset({"and", "or", "not", "in", "like", "glob"})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    place: int


class Filter:
    """A filter that was understood.

    Columns are ``path``, ``folder``, ``name``, ``format`` (text), ``width``, ``height`` (pixels), ``size`` (bytes) and
    ``modified`` (a time). They are compared by ``= != < <= > >=``, ``in (...)``, ``like`` (``%`` and ``_``; whatever
    the case) and ``glob`` (``*``, ``?``, ``[a-z]``), and joined by ``and``, ``or``, ``not`` and parentheses.
    ``folder = 'x'`` holds in x and in all folders below it, ``folder glob 'x'`` in x alone.

    Parameters
    ----------
    text : str

    Raises
    ------
    InputError
        It is not understood, with the place; or there is no such column, or it is of another kind than its value.

    Examples
    --------
    >>> images = pa.table({"path": ["a/x.jpg", "a/b/y.png", "z.jpg"], "width": [900, 1200, 3000]})
    >>> Filter("width > 1000 or folder = 'a'").holds(images)
    array([ True,  True,  True])
    >>> Filter("folder = 'a' and not name like '%.JPG'").holds(images)
    array([False,  True, False])
    """

    def __init__(self, text: str) -> None:
        if not text.isascii() and text != text.encode("utf-8", "replace").decode():
            raise InputError(f"the filter {text!r} is not text")
        self.text = text
        self._condition = _Parser(text).whole()

    def holds(self, images: pa.Table) -> NDArray[np.bool_]:
        """Return which images of a table fit, bool (N,).

        Parameters
        ----------
        images : pyarrow table
            With the columns of `lookalike.search.store.ImageTable.described`.
        """
        return holds(self._condition, images)


class _Parser:
    """Reads a filter from left to right; ``or`` binds weakest, then ``and``, then ``not``."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._token = self._read()

    def whole(self) -> Condition:
        if self._token.kind == "end":
            self._fail("the filter is empty", self._token)
        found = self._either()
        if self._token.kind != "end":
            self._fail(f"'{self._token.text}' is not expected", self._token)
        return found

    def _either(self) -> Condition:
        return self._joined("or", self._both, AnyOf)

    def _both(self) -> Condition:
        return self._joined("and", self._one, AllOf)

    def _joined(self, word: str, part: Callable[[], Condition], joined: type[AnyOf] | type[AllOf]) -> Condition:
        parts = [part()]
        while self._skip(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else joined(tuple(parts))

    def _one(self) -> Condition:
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(f"more than {DEEPEST} parentheses and nots stand inside each other", self._token)
        if self._skip("not"):
            found: Condition = Not(self._one())
        elif self._skip("("):
            found = self._either()
            self._expect(")")
        else:
            found = self._compared()
        self._depth -= 1
        return found

    def _compared(self) -> Condition:
        """Read a column and what it is compared with; or a value and the column that it is compared with."""
        first = self._token
        if first.kind in ("number", "text"):
            value = self._value()
            sign, column = self._sign(), self._token
            name = self._column()
            return self._by_sign(name, column, TURNED.get(sign, sign), value, first)
        name = self._column()
        turned = self._skip("not")
        operator = self._token
        for word, read in (("in", self._listed), ("like", self._pattern), ("glob", self._pattern)):
            if self._skip(word):
                found = read(name, first, word)
                return Not(found) if turned else found
        if turned:
            self._fail("in, like or glob is expected after not", operator)
        sign, place = self._sign(), self._token
        if place.kind == "word":
            return self._by_column(name, sign, self._column(), place)
        return self._by_sign(name, first, sign, self._value(), place)

    def _by_column(self, name: str, sign: str, other: str, place: _Token) -> Condition:
        for one in (name, other):
            if COLUMNS[one] != "number":
                self._fail(f"'{one}' cannot be compared with another column: only numbers can", place)
        return Comparison(name, sign, None, other)

    def _by_sign(self, name: str, column: _Token, sign: str, value: Literal, place: _Token) -> Condition:
        if COLUMNS[name] == "time":
            if sign in ("=", "!="):
                self._fail("'modified' is compared by <, <=, > or >=", column)
            return Comparison(name, sign, self._time(value, place))
        value = self._fitting(name, value, place)
        if isinstance(value, str) and sign in ("=", "!="):
            found = self._is(name, (value,))
            return Not(found) if sign == "!=" else found
        if isinstance(value, str):
            return AnyText(name, sign, value)
        return Comparison(name, sign, value)

    def _listed(self, name: str, column: _Token, _: str) -> Condition:
        if COLUMNS[name] == "time":
            self._fail("'modified' is compared by <, <=, > or >=", column)
        self._expect("(")
        values: list[Literal] = []
        while not values or self._skip(","):
            place = self._token
            values.append(self._fitting(name, self._value(), place))
        self._expect(")")
        texts = tuple(value for value in values if isinstance(value, str))
        if texts:
            return self._is(name, texts)
        return NumberAmong(name, tuple(float(value) for value in values))

    def _pattern(self, name: str, column: _Token, word: str) -> Condition:
        if name not in TEXTS:
            self._fail(f"'{name}' is no text that {word} could be asked about", column)
        place = self._token
        value = self._value()
        if not isinstance(value, str):
            self._fail(f"{word} needs a text in quotes", place)
        return Pattern(name, like_pattern(value) if word == "like" else glob_pattern(value))

    def _is(self, name: str, texts: tuple[str, ...]) -> Condition:
        """Equality of texts; a folder holds what is in the folders below it, a format has one name in any case."""
        if name == "folder":
            return AnyOf(tuple(WithinFolder(_plain_folder(text)) for text in texts))
        if name == "format":
            texts = tuple("JPEG" if text.upper() == "JPG" else text.upper() for text in texts)
        return TextAmong(name, texts)

    def _fitting(self, name: str, value: Literal, place: _Token) -> Literal:
        if isinstance(value, str) != (name in TEXTS):
            needed = "a text in quotes" if name in TEXTS else "a number"
            self._fail(f"'{name}' is compared with {needed}, not with {place.text}", place)
        return value

    def _time(self, value: Literal, place: _Token) -> int:
        """Return nanoseconds since 1970 of a date or a time; without a zone it is one of this machine's."""
        try:
            when = datetime.fromisoformat(str(value) if isinstance(value, str) else "").astimezone()
        except (ValueError, OverflowError, OSError):
            self._fail("'modified' is compared with a text like '2026-01-31' or '2026-01-31 14:00'", place)
        return max(-LAST, min(LAST, (when - EPOCH) // timedelta(microseconds=1) * 1000))

    def _value(self) -> Literal:
        token = self._token
        if token.kind not in ("number", "text"):
            self._fail(f"a number or a text in quotes is expected{_instead(token)}", token)
        self._token = self._read()
        if token.kind == "text":
            quote = token.text[0]
            return token.text[1:-1].replace(quote * 2, quote)
        number = float(token.text)
        return int(token.text) if token.text.lstrip("+-").isdigit() and abs(number) < LAST else number

    def _column(self) -> str:
        token = self._token
        name = token.text.lower()
        if token.kind != "word" or name in KEYWORDS:
            self._fail(f"a column is expected{_instead(token)}", token)
        if name not in COLUMNS:
            self._fail(f"there is no column '{token.text}'", token)
        self._token = self._read()
        return name

    def _sign(self) -> str:
        token = self._token
        if token.text not in SIGNS or token.kind != "sign":
            self._fail(f"a comparison (= != < <= > >= in like glob) is expected{_instead(token)}", token)
        self._token = self._read()
        return SIGNS[token.text]

    def _skip(self, text: str) -> bool:
        """Step over a keyword or a sign, if it is the next."""
        if self._token.kind not in ("word", "sign") or self._token.text.lower() != text:
            return False
        self._token = self._read()
        return True

    def _expect(self, text: str) -> None:
        if not self._skip(text):
            self._fail(f"'{text}' is expected{_instead(self._token)}", self._token)

    def _read(self) -> _Token:
        found = TOKEN.match(self._text, self._at)
        if found is None:
            rest = self._text[self._at :]
            place = self._at + len(rest) - len(rest.lstrip())
            what = "a text has no end" if self._text[place] in "'\"" else f"{self._text[place]!r} is not understood"
            self._fail(what, _Token("end", "", place))
        kind = str(found.lastgroup)
        self._at = found.end()
        return _Token(kind, found[kind], found.start(kind))

    def _fail(self, what: str, token: _Token) -> NoReturn:
        raise InputError(
            f"{what}, at character {token.place + 1} of the filter: the columns are {', '.join(sorted(COLUMNS))}"
        )


def _instead(token: _Token) -> str:
    return "" if token.kind == "end" else f", not {token.text if token.kind == 'text' else repr(token.text)}"


def _plain_folder(text: str) -> str:
    """Return a folder as it stands in paths: nothing for the root, no slash at the end.

    Examples
    --------
    >>> _plain_folder("./trips/alps/"), _plain_folder(".")
    ('trips/alps', '')
    """
    return "/".join(part for part in text.split("/") if part not in ("", "."))

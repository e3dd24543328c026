"""Filters against an evaluator in plain Python, which walks over rows."""

import fnmatch
import re
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.core.errors import InputError
from lookalike.search.filters import Filter

Row = dict[str, object]
Says = Callable[[Row], bool]
SIGNS: dict[str, Callable[[object, object], bool]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,  # type: ignore[operator]
    "<=": lambda a, b: a <= b,  # type: ignore[operator]
    ">": lambda a, b: a > b,  # type: ignore[operator]
    ">=": lambda a, b: a >= b,  # type: ignore[operator]
}
LETTERS = "abAB/._-' %*?[]\\é木"
NUMBERS = ("width", "height", "size")


def row_of(path: str, width: int, height: int, size: int, kind: str) -> Row:
    folder, _, name = path.rpartition("/")
    known = {"path": path, "folder": folder, "name": name, "format": kind}
    return known | {"width": width, "height": height, "size": size}


def table(rows: list[Row]) -> pa.Table:
    columns = {
        "path": pa.string(),
        "format": pa.string(),
        "width": pa.int32(),
        "height": pa.int32(),
        "size": pa.int64(),
    }
    made = {name: pa.array([row[name] for row in rows], kind) for name, kind in columns.items()}
    return pa.table(made | {"mtime_ns": pa.array([0] * len(rows), pa.int64())})


texts = st.text(LETTERS, max_size=6)
numbers = st.one_of(st.integers(-5, 9), st.sampled_from([0.5, 2.0, 1e3, 2**40, 3e30]))
rows = st.lists(
    st.builds(
        row_of,
        texts,
        st.integers(0, 6),
        st.integers(0, 6),
        st.sampled_from([0, 1, 2**40]),
        st.sampled_from(["JPEG", "PNG"]),
    ),
    min_size=1,
    max_size=8,
)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def like(text: str) -> str:
    return "".join({"%": ".*", "_": "."}.get(one, re.escape(one)) for one in text)


def parts(folder: str) -> str:
    return "/".join(part for part in folder.split("/") if part not in ("", "."))


@st.composite
def simple(draw: st.DrawFn) -> tuple[str, Says]:
    """A comparison, and what it says of a row."""
    kind = draw(st.sampled_from(["number", "turned", "columns", "text", "format", "in", "numbers", "like", "folder"]))
    sign = draw(st.sampled_from(list(SIGNS)))
    says = SIGNS[sign]
    column = draw(st.sampled_from(NUMBERS))
    number, text = draw(numbers), draw(texts)
    word = draw(st.sampled_from(["path", "name"]))
    if kind == "number":
        return f"{column.upper()}{sign} {number}", lambda row: says(row[column], number)
    if kind == "turned":
        return f"{number} {sign} {column}", lambda row: says(number, row[column])
    if kind == "columns":
        other = draw(st.sampled_from(NUMBERS))
        return f"{column} {sign} {other}", lambda row: says(row[column], row[other])
    if kind == "text":
        return f"{word} {sign} {quoted(text)}", lambda row: says(row[word], text)
    if kind == "format":
        return "format in ('jpg')", lambda row: row["format"] == "JPEG"
    if kind == "in":
        some = draw(st.lists(texts, min_size=1, max_size=3))
        return f"{word} NOT In ({','.join(map(quoted, some))})", lambda row: row[word] not in some
    if kind == "numbers":
        many = draw(st.lists(numbers, min_size=1, max_size=3))
        return f"{column} in ({', '.join(map(str, many))})", lambda row: row[column] in many
    if kind == "like":
        expression = re.compile(like(text), re.DOTALL | re.IGNORECASE)
        return f"{word} like {quoted(text)}", lambda row: expression.fullmatch(str(row[word])) is not None
    beneath = parts(text)
    return f"folder = {quoted(text)}", lambda row: not beneath or str(row["path"]).startswith(beneath + "/")


def joined(inner: st.SearchStrategy[tuple[str, Says]]) -> st.SearchStrategy[tuple[str, Says]]:
    both = st.tuples(inner, inner)
    return st.one_of(
        inner.map(lambda one: (f"not ({one[0]})", lambda row: not one[1](row))),
        both.map(lambda two: (f"({two[0][0]}) and ({two[1][0]})", lambda row: two[0][1](row) and two[1][1](row))),
        both.map(lambda two: (f"({two[0][0]} Or {two[1][0]})", lambda row: two[0][1](row) or two[1][1](row))),
    )


@settings(deadline=None)  # the machine may be busy
@given(rows, st.recursive(simple(), joined, max_leaves=5))
def test_a_filter_says_what_plain_python_says(some: list[Row], asked: tuple[str, Says]) -> None:
    text, says = asked
    assert Filter(text).holds(table(some)).tolist() == [says(row) for row in some]


@settings(deadline=None)  # the machine may be busy
@given(st.lists(texts, min_size=1, max_size=6), st.text("ab/.*?[]!-_\\", max_size=7))
def test_globs_are_those_of_the_shell(paths: list[str], pattern: str) -> None:
    some = [row_of(path, 1, 1, 1, "PNG") for path in paths]
    expected = [fnmatch.fnmatchcase(path, pattern) for path in paths]
    assert Filter(f"path glob {quoted(pattern)}").holds(table(some)).tolist() == expected


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=30))
def test_whatever_is_written_is_a_filter_or_one_line(text: str) -> None:
    said = ""
    try:
        Filter(text).holds(table([row_of("a/b.jpg", 1, 2, 3, "JPEG")]))
    except InputError as error:
        said = str(error)
    assert "\n" not in said


def test_and_binds_before_or_and_not_before_both() -> None:
    some = table([row_of("x", w, h, 0, "PNG") for w in (0, 1) for h in (0, 1)])
    found = Filter("not width = 1 and height = 1 or width = 1 and not height = 1").holds(some)
    assert found.tolist() == [False, True, True, False]
    assert Filter(" and ".join(["width >= 0"] * 500)).holds(some).all()


def test_folders_hold_those_below_them_and_a_pattern_holds_one() -> None:
    some = table([row_of(path, 1, 1, 1, "PNG") for path in ("x/1", "x/y/2", "xy/3", "4", "x")])
    for text, expected in {
        "folder = 'x'": "11000",
        "folder = './x/'": "11000",
        "folder != 'x'": "00111",
        "folder = 'x/y'": "01000",
        "folder glob 'x'": "10000",
        "folder glob ''": "00011",
        "folder = '.'": "11111",
        'folder in ("xy", "x/y")': "01100",
        "name = 'x'": "00001",
    }.items():
        assert "".join(str(int(one)) for one in Filter(text).holds(some)) == expected, text


def test_times_are_dates_of_this_machine_or_of_a_zone() -> None:
    day = int(datetime(2026, 1, 31, tzinfo=UTC).timestamp()) * 10**9
    local = int(datetime(2026, 1, 31).timestamp()) * 10**9
    some = pa.table({"mtime_ns": pa.array([day - 1, day, day + 1, local])})
    assert Filter("modified >= '2026-01-31T00:00Z'").holds(some).tolist()[:3] == [False, True, True]
    assert Filter("'2026-01-31 01:00+01:00' < modified").holds(some).tolist()[:3] == [False, False, True]
    assert Filter("modified >= '2026-01-31' and modified <= '2026-01-31'").holds(some).tolist()[3]
    assert Filter("modified < '9999-12-31' and modified > '0001-01-02'").holds(some).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the filter is empty, at character 1"),
        ("widht > 3", "there is no column 'widht', at character 1"),
        ("width > ", "a number or a text in quotes is expected, at character 9"),
        ("width > 3 height", "'height' is not expected, at character 11"),
        ("(width > 3", "')' is expected, at character 11"),
        ("width > 'x'", "'width' is compared with a number, not with 'x', at character 9"),
        ("name = 3", "'name' is compared with a text in quotes, not with 3, at character 8"),
        ("width in (1, 'x')", "'width' is compared with a number, not with 'x', at character 14"),
        ("width in ()", "a number or a text in quotes is expected, not ')', at character 11"),
        ("width like 'x'", "'width' is no text that like could be asked about, at character 1"),
        ("name like 3", "like needs a text in quotes, at character 11"),
        ("name not = 'x'", "in, like or glob is expected after not, at character 10"),
        ("name = 'x", "a text has no end, at character 8"),
        ("width > 3; drop table", "';' is not understood, at character 10"),
        ("name = format", "'name' cannot be compared with another column: only numbers can, at character 8"),
        ("width 3", "a comparison (= != < <= > >= in like glob) is expected, not '3', at character 7"),
        ("and", "a column is expected, not 'and', at character 1"),
        ("modified = '2026-01-31'", "'modified' is compared by <, <=, > or >=, at character 1"),
        ("modified in ('2026-01-31')", "'modified' is compared by <, <=, > or >=, at character 1"),
        ("modified > 'soon'", "'modified' is compared with a text like '2026-01-31' or '2026-01-31 14:00'"),
        ("modified > 2026", "'modified' is compared with a text like"),
        ("(" * 5000, "more than 100 parentheses and nots stand inside each other, at character 101"),
        ("name = '\udcff'", "is not text"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_place(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Filter(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    if "is not text" not in message:
        columns = "folder, format, height, modified, name, path, size, width"
        assert str(caught.value).endswith(f"of the filter: the columns are {columns}")


def test_an_empty_table_is_filtered_too() -> None:
    assert Filter("folder = 'x' or name like 'a%'").holds(table([])).tolist() == []
    assert np.array_equal(Filter("width < 3").holds(table([])), np.zeros(0, np.bool_))

"""Tables of text (CSV, TSV) by column, without a Python object per row."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Rows
from lookalike.judgments.columns import Codes, Labels
from lookalike.judgments.problems import Fault, Problem

__all__ = ["TextTable", "number", "seconds_since_1970"]

BLOCK = 16 << 20
SEPARATORS = (",", "\t", ";")


class TextTable:
    r"""A file with one header line, its columns found by name, whatever their order and letter case.

    Parameters
    ----------
    path : Path
        UTF-8 text, with or without a byte order mark; cells may be quoted.
    delimiter : str, optional
        Without it, the one of comma, tab and semicolon that the header line has most of.

    Attributes
    ----------
    problems : list of Problem
        Lines with another number of cells than the header; they are not rows of the table.

    Raises
    ------
    InputError
        The file cannot be read, is not UTF-8, is empty, or names a column twice.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "answers.csv"
    >>> _ = path.write_text("Reference,votes\nr,2\nq,x\n")
    >>> table = TextTable(path)
    >>> (codes,), ids = table.ids("reference")
    >>> ids[codes].tolist()
    ['r', 'q']
    >>> values, (bad, reason) = table.numbers("votes")
    >>> values.tolist(), bad.tolist(), reason(1), table.locate(np.array([1]))[0][1]
    ([2.0, nan], [False, True], "votes is not a number: 'x'", 3)
    """

    def __init__(self, path: Path, delimiter: str | None = None) -> None:
        self.path = path
        header = _header(path)
        self._delimiter = delimiter or max(SEPARATORS, key=header.count)
        names = [name.strip().casefold() for name in next(csv.reader([header], delimiter=self._delimiter), [])]
        twice = next((name for name in names if name and names.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"{path}, row 1: the column '{twice}' is there twice")
        self.names = names
        self.problems: list[Problem] = []
        self._table = self._read()

    def _read(self) -> Any:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        keys = [str(place) for place in range(len(self.names))]
        malformed: list[int] = []

        def skip(row: Any) -> str:
            malformed.append(row.actual_columns)
            return "skip"

        try:
            table = arrow_csv.read_csv(
                self.path,
                arrow_csv.ReadOptions(column_names=keys, skip_rows=1, block_size=BLOCK),
                arrow_csv.ParseOptions(delimiter=self._delimiter, newlines_in_values=True, invalid_row_handler=skip),
                arrow_csv.ConvertOptions(column_types=dict.fromkeys(keys, pa.string()), strings_can_be_null=False),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error) or "Could not skip" in str(error):
                return pa.table({key: pa.array([], pa.string()) for key in keys})
            raise InputError(_unreadable(self.path, error)) from error
        if malformed:
            self._name_malformed(len(malformed))
        return table

    def _name_malformed(self, count: int) -> None:
        for line, cells in self._records():
            if cells != len(self.names):
                reason = f"{cells} cell{'s' if cells != 1 else ''} where the header has {len(self.names)}"
                self.problems.append(Problem(str(self.path), line, reason))
        if len(self.problems) != count:
            raise InputError(f"{self.path}: {count} rows have another number of cells than the header")

    def _records(self) -> Any:
        """Yield the line and the number of cells of each record after the header, as an editor counts lines."""
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=self._delimiter)
            next(reader, None)
            line = reader.line_num + 1
            try:
                for cells in reader:
                    if cells:
                        yield line, len(cells)
                    line = reader.line_num + 1
            except csv.Error as error:
                raise InputError(f"{self.path}, row {line}: {error}") from error

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def require(self, *alternatives: Sequence[str]) -> Sequence[str]:
        """Return the first of the alternative sets of columns that the file has.

        Raises
        ------
        InputError
            It has none of them.
        """
        for columns in alternatives:
            if all(name in self for name in columns):
                return columns
        wanted = ", or ".join(",".join(columns) for columns in alternatives)
        raise InputError(f"{self.path}: needs the columns {wanted}; it has {','.join(self.names) or 'none'}")

    def locate(self, rows: Rows) -> list[tuple[str, int | None]]:
        """Return the file and the line of each row. Reads the file again: for the few rows that are wrong."""
        wanted, lines = set(rows.tolist()), dict[int, int]()
        good = (line for line, cells in self._records() if cells == len(self.names))
        for row, line in enumerate(good):
            if row in wanted:
                lines[row] = line
        return [(str(self.path), lines.get(int(row))) for row in rows]

    def _column(self, name: str) -> Any:
        import pyarrow.compute as pc

        return pc.utf8_trim_whitespace(self._table.column(self.names.index(name)))

    def ids(self, *names: str) -> tuple[list[Codes], NDArray[np.str_]]:
        """Return columns of labels as int32 codes (-1 for an empty cell), and the sorted distinct labels."""
        import pyarrow as pa

        chunks = [chunk for name in names for chunk in self._column(name).chunks]
        coded = pa.chunked_array(chunks, pa.string()).dictionary_encode().combine_chunks()
        if isinstance(coded, pa.ChunkedArray):
            coded = (
                pa.concat_arrays(coded.chunks) if coded.num_chunks else pa.array([], pa.string()).dictionary_encode()
            )
        labels = np.asarray(coded.dictionary.to_pylist(), np.str_)
        order = np.argsort(labels)
        places = np.empty(len(labels), np.int32)
        places[order] = np.arange(len(labels), dtype=np.int32)
        labels = labels[order]
        codes = places[coded.indices.to_numpy(zero_copy_only=False)]
        if len(labels) and labels[0] == "":
            labels, codes = labels[1:], codes - 1
        return np.split(codes, len(names)), labels

    def labels(self, name: str) -> Labels | None:
        """Return an optional column of labels; None when the file does not have it."""
        if name not in self:
            return None
        (codes,), names = self.ids(name)
        return Labels(codes, names)

    def numbers(
        self, name: str, parse: Callable[[str], float] | None = None, optional: bool = False
    ) -> tuple[NDArray[np.float64], Fault]:
        """Return a column as float64, NaN where it cannot be, and the rows where it cannot be.

        Parameters
        ----------
        name : str
        parse : callable, optional
            From a cell to a number; raises ValueError. Without it, cells are decimal numbers.
        optional : bool
            Whether a cell may be empty.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self._column(name)
        if parse is None:
            try:
                empty = pc.equal(column, "")
                values = pc.if_else(empty, None, column).cast(pa.float64()).to_numpy()
                values = np.asarray(values, np.float64)
                good = np.isfinite(values) | (optional & empty.to_numpy())
            except pa.ArrowInvalid:
                values, good = self._parsed(name, number, optional)
        else:
            values, good = self._parsed(name, parse, optional)
        kind = "a number" if parse is None else "understood"
        return values, (~good, lambda row: f"{name} is not {kind}: '{column[row]}'")

    def _parsed(
        self, name: str, parse: Callable[[str], float], optional: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Parse the distinct cells of a column one by one."""
        (codes,), texts = self.ids(name)
        values, good = np.full(len(texts) + 1, np.nan), np.zeros(len(texts) + 1, np.bool_)
        good[-1] = optional
        for place, text in enumerate(texts.tolist()):
            try:
                values[place], good[place] = parse(text), True
            except ValueError:
                continue
        return values[codes], good[codes]


def number(text: str) -> float:
    """Read a finite decimal number; anything else is a ValueError.

    Examples
    --------
    >>> number("2.5")
    2.5
    """
    value = float(text)
    if not math.isfinite(value) or "_" in text:
        raise ValueError(text)
    return value


def seconds_since_1970(text: str) -> float:
    """Read a moment: seconds since 1970, or ISO 8601 (UTC where it names no zone).

    Examples
    --------
    >>> seconds_since_1970("1970-01-02T00:00:00Z"), seconds_since_1970("12.5")
    (86400.0, 12.5)
    """
    try:
        return number(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _header(path: Path) -> str:
    try:
        with path.open("rb") as file:
            line = file.readline()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        header = next(iter(line.decode("utf-8-sig").splitlines()), "")
    except UnicodeDecodeError:
        raise InputError(f"{path}, row 1: not UTF-8 text") from None
    if not header.strip():
        raise InputError(f"{path}: the first line must name the columns; it is empty")
    return header


def _unreadable(path: Path, error: Exception) -> str:
    data = path.read_bytes()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return f"{path}, row {data[: wrong.start].count(10) + 1}: not UTF-8 text"
    return f"{path}: not a table of text ({error})"

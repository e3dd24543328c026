"""Judgments as a CSV or a Parquet file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.core.files import write_aside
from lookalike.judgments.columns import Labels
from lookalike.judgments.table import LABELS, Judgments

__all__ = ["COLUMNS", "write_csv", "write_parquet"]

COLUMNS = {
    "reference": "reference",
    "candidate_a": "a",
    "candidate_b": "b",
    "votes_a": "votes_a",
    "votes_b": "votes_b",
    "grades_a": "grade_a",
    "grades_b": "grade_b",
    "context": "context",
    "annotator": "annotator",
    "group": "group",
    "trial": "trial",
    "answered_at": "answered_at",
    "response_seconds": "response_seconds",
}
"""Attributes of `Judgments`, and what their columns are called in a file."""

SPECIAL = re.compile(r'[,"\r\n]')


def write_csv(judgments: Judgments, path: Path) -> None:
    """Write a CSV file (UTF-8, commas, one header line) that ``read_judgments("csv", path)`` reads back exactly.

    Columns: ``reference,a,b,votes_a,votes_b`` and those of ``grade_a``, ``grade_b``, ``context``, ``annotator``,
    ``group``, ``trial``, ``answered_at`` (seconds since 1970, UTC) and ``response_seconds`` that there are. What was
    not said is empty. The file appears whole or not at all. The files of the images are not in it.

    Raises
    ------
    StorageError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "answers.csv"
    >>> write_csv(Judgments.from_ids(["r"], ["x"], ["y"], [2], [1], context=["sea"]), path)
    >>> print(path.read_text().strip())
    reference,a,b,votes_a,votes_b,context
    r,x,y,2,1,sea
    """
    from pyarrow import csv

    table = _table(judgments)
    # pyarrow quotes its own header always, and all text or none.
    quoting = "needed" if _needs_quotes(judgments) else "none"
    options = csv.WriteOptions(include_header=False, quoting_style=quoting)
    with write_aside(path) as aside, aside.open("wb") as file:
        file.write((",".join(table.column_names) + "\n").encode())
        if len(judgments):
            csv.write_csv(table, file, options)


def write_parquet(judgments: Judgments, path: Path) -> None:
    """Write a Parquet file with the columns of `write_csv`; what was not said is null.

    Raises
    ------
    StorageError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pyarrow import parquet
    >>> path = Path(tempfile.mkdtemp()) / "answers.parquet"
    >>> write_parquet(Judgments.from_ids(["r"], ["x"], ["y"], [2], [1]), path)
    >>> parquet.read_table(path).to_pylist()
    [{'reference': 'r', 'a': 'x', 'b': 'y', 'votes_a': 2.0, 'votes_b': 1.0}]
    """
    from pyarrow import parquet

    with write_aside(path) as aside:
        parquet.write_table(_table(judgments), aside, compression="zstd")


def _table(judgments: Judgments) -> Any:
    import pyarrow as pa

    ids = pa.array(judgments.ids.tolist(), pa.string())
    columns = {}
    for attribute, name in COLUMNS.items():
        column = getattr(judgments, attribute)
        if column is None:
            continue
        if isinstance(column, Labels):
            names = pa.array(column.names.tolist(), pa.string())
            columns[name] = names.take(pa.array(column.codes, mask=column.codes < 0))
        elif attribute in ("reference", "candidate_a", "candidate_b"):
            columns[name] = ids.take(pa.array(column))
        elif attribute.startswith("grades"):
            columns[name] = pa.array(column, mask=column == 0)
        else:
            columns[name] = pa.array(column, mask=np.isnan(column))
    return pa.table(columns)


def _needs_quotes(judgments: Judgments) -> bool:
    labels = [getattr(judgments, name) for name in LABELS]
    names = [judgments.ids, *(column.names for column in labels if column is not None)]
    return any(SPECIAL.search(name) for some in names for name in some.tolist())

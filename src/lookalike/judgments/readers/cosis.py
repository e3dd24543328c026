"""The format ``cosis``: the labels of CoSIS, as annotated or as published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.judgments.columns import Labels
from lookalike.judgments.conversions import ranked_pairs
from lookalike.judgments.problems import Fault, Problem
from lookalike.judgments.readers.cosis_names import CosisNames, read_names
from lookalike.judgments.readers.registry import JUDGMENT_READERS, Draft
from lookalike.judgments.table import Judgments

__all__ = ["ANCHORS", "read_cosis"]

ANCHORS = ("715", "2723", "389", "1673", "1006", "254", "2352", "667")
"""The references of the eight clusters, in the order of the published ensembles; what each shows is not on record."""

FILES = {
    "clusters": tuple(f"dist_{anchor}" for anchor in ANCHORS),
    "validation": ("mulref_val",),
    "test": ("mulref_test",),
}
COLUMNS = ("ref", "a", "b", "votes", "grade_a", "grade_b")
FIRST_LINE = 2
"""The line of the annotation that the published rows 0 to 2 come from: line 1 is a header, or was taken for one."""

Table: TypeAlias = NDArray[np.int64]


@JUDGMENT_READERS.register("cosis")
def read_cosis(
    path: Path,
    *,
    mode: Literal["corrected", "published"] = "corrected",
    part: Literal["clusters", "validation", "test", "all"] = "all",
) -> Draft:
    """Read CoSIS; see ``docs/formats/cosis.md``.

    Ids are the stems of the photographs (``h_f5946da2``), found through ``filename_dict.txt``. The judgments of a
    cluster have its anchor as context (``"715"``). The three judgments that one annotation gives form a group.

    Parameters
    ----------
    path : Path
        The folder with ``filename_dict.txt``, ``txt_labels/`` and ``npy_labels/``.
    mode : {"corrected", "published"}
        ``"corrected"`` makes judgments of the text files: every annotation, each pair with its own two grades,
        candidate a being the closer one. ``"published"`` takes the arrays as they are: the first annotation of nine
        files is missing, all three pairs carry the grades of the two best candidates, a and b as in the array.
    part : {"clusters", "validation", "test", "all"}
        The eight clusters, the 1,320 references of the validation set, the 1,010 of the test set, or all three.
    """
    if mode not in ("corrected", "published"):
        raise InputError(f'mode is "corrected" or "published", not {mode!r}')
    if part not in (*FILES, "all"):
        raise InputError(f"part is one of {', '.join(FILES)}, all, not {part!r}")
    names = read_names(path / "filename_dict.txt")
    read: Callable[[Path, list[Problem]], tuple[Table, Table]] = _annotated if mode == "corrected" else _published
    folder, suffix = ("txt_labels", "txt") if mode == "corrected" else ("npy_labels", "npy")
    problems: list[Problem] = []
    tables, lines, origins, stems = (
        [],
        [],
        [],
        [stem for known in (FILES if part == "all" else (part,)) for stem in FILES[known]],
    )
    for number, stem in enumerate(stems):
        table, line = read(path / folder / f"{stem}.{suffix}", problems)
        tables.append(table)
        lines.append(line)
        origins.append(np.full(len(table), number))
    columns = dict(zip(COLUMNS, np.concatenate(tables).T, strict=True))
    return _draft(columns, np.concatenate(lines), np.concatenate(origins), stems, names, problems, path, mode)


def _draft(
    columns: dict[str, NDArray[np.int64]],
    lines: Table,
    origin: NDArray[np.int64],
    stems: list[str],
    names: CosisNames,
    problems: list[Problem],
    path: Path,
    mode: str,
) -> Draft:
    split = np.array(["train" if stem == "mulref_test" else "val" for stem in stems])[origin]
    reference, a, b = (names.codes(split, columns[name]) for name in ("ref", "a", "b"))
    grades = [columns[name] for name in ("grade_a", "grade_b")]
    odd = np.any([(grade < 1) | (grade > 5) for grade in grades], axis=0)
    unknown = (reference < 0) | (a < 0) | (b < 0)
    votes = columns["votes"]
    faults: list[Fault] = [
        (unknown, "an image is not in filename_dict.txt"),
        (odd, "a class is 1 (almost the same) to 5 (irrelevant)"),
        ((votes < 0) | (votes > 1), "the order is 0 or 1"),
    ]
    anchor_of = np.array([ANCHORS.index(stem[5:]) if stem.startswith("dist_") else -1 for stem in stems], np.int32)
    groups, members = np.unique(
        origin * (int(lines.max(initial=0)) + 1) + lines, return_index=True, return_inverse=True
    )[1:]
    group_names = np.array([f"{stems[origin[row]]}:{lines[row]}" for row in groups], np.str_)
    made = Judgments(
        names.stems,
        reference,
        a,
        b,
        votes_a=votes.astype(np.float32),
        votes_b=(1 - votes).astype(np.float32),
        grades_a=np.where(odd, 0, grades[0]).astype(np.int8),
        grades_b=np.where(odd, 0, grades[1]).astype(np.int8),
        context=Labels(anchor_of[origin], np.array(ANCHORS)),
        group=Labels(members.astype(np.int32), group_names),
    )
    starts = np.searchsorted(origin, np.arange(len(stems)))

    def locate(rows: NDArray[np.int64]) -> list[tuple[str, int | None]]:
        """Name the line of the text file, or the row of the array."""
        if mode == "corrected":
            return [(str(path / "txt_labels" / f"{stems[origin[row]]}.txt"), int(lines[row])) for row in rows]
        return [
            (str(path / "npy_labels" / f"{stems[origin[row]]}.npy"), int(row - starts[origin[row]]) + 1) for row in rows
        ]

    return Draft(made, locate, faults, problems)


def _annotated(path: Path, problems: list[Problem]) -> tuple[Table, Table]:
    """Make pairs of the rankings of a text file; the columns are `COLUMNS`."""
    rankings, lines = [], []
    for line, text in enumerate(_text(path).splitlines(), 1):
        cells = text.split()
        if not cells or (line == 1 and cells[0] == "ref"):
            continue
        if len(cells) != 7 or not all(cell.isdecimal() for cell in cells):
            reason = "seven whole numbers are needed: ref candidate class candidate class candidate class"
            problems.append(Problem(str(path), line, reason))
            continue
        ranking = [int(cell) for cell in cells]
        if not ranking[2] <= ranking[4] <= ranking[6]:
            problems.append(Problem(str(path), line, "the classes of candidates in order of closeness go down"))
            continue
        rankings.append(ranking)
        lines.append(line)
    table = np.array(rankings, np.int64).reshape(-1, 7)
    pairs = ranked_pairs(3)
    candidates, grades = table[:, 1::2], table[:, 2::2]
    a, b = candidates[:, pairs[:, 0]].ravel(), candidates[:, pairs[:, 1]].ravel()
    first, second = grades[:, pairs[:, 0]].ravel(), grades[:, pairs[:, 1]].ravel()
    reference = np.repeat(table[:, 0], len(pairs))
    made = np.stack([reference, a, b, np.ones_like(a), first, second], axis=1)
    return made, np.repeat(np.array(lines, np.int64), len(pairs))


def _published(path: Path, _: list[Problem]) -> tuple[Table, Table]:
    """Read an array of the columns order, cls1, cls2, ref, id1, id2; order 0 says that id1 is closer."""
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: not a NumPy array of numbers ({error})") from error
    if array.ndim != 2 or array.shape[1] != 6 or array.dtype.kind not in "fiu" or (array != np.round(array)).any():
        raise InputError(f"{path}: needs whole numbers in six columns: order, cls1, cls2, ref, id1, id2")
    order, grade_a, grade_b, reference, a, b = array.astype(np.int64).T
    line = np.arange(len(array)) // 3 + FIRST_LINE
    return np.stack([reference, a, b, 1 - order, grade_a, grade_b], axis=1), line


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error

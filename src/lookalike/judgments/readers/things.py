"""The format ``things``: odd-one-out answers, of THINGS and in files of the same form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.judgments.columns import Codes, Labels
from lookalike.judgments.conversions import odd_one_out_codes
from lookalike.judgments.problems import Fault, Locate, Problem
from lookalike.judgments.readers.registry import JUDGMENT_READERS, Draft, numbered_lines
from lookalike.judgments.readers.tables import TextTable
from lookalike.judgments.table import Judgments

__all__ = ["read_things"]

IMAGES = ("image1", "image2", "image3")


@JUDGMENT_READERS.register("things")
def read_things(path: Path, *, names: str | Path | None = None, first: int | None = None) -> Draft:
    """Read odd-one-out answers; see ``docs/formats/things.md``.

    Each answer gives two judgments, one of either picture of the similar pair: the other one is closer than the odd
    one. Both get the same `group`.

    Parameters
    ----------
    path : Path
        Lines of three ids, the third being the odd one (``trainset.txt``); or a table with the columns ``image1``,
        ``image2``, ``image3`` and ``choice``: the place of the odd one, 1 to 3, or its id.
    names : path, optional
        A file with one name per line, for files whose ids are numbers (``unique_id.txt``): the names become the ids.
    first : int, optional
        The number of the first name; 0 for lines, 1 for a table without it, as in the published files.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; the format things is one file of it")
    with path.open("rb") as file:
        header = file.readline().decode("utf-8", "replace").casefold()
    if all(name in header for name in IMAGES):
        draft = _from_table(path)
        first = 1 if first is None else first
    else:
        draft = _from_lines(path)
        first = 0 if first is None else first
    return draft if names is None else _named(draft, Path(names), first)


def _from_table(path: Path) -> Draft:
    table = TextTable(path)
    table.require((*IMAGES, "choice"))
    columns, ids = table.ids(*IMAGES, "choice")
    images, choice = np.stack(columns[:3]), columns[3]
    places = np.array([np.flatnonzero(ids == str(place))[:1].sum() if str(place) in ids else -2 for place in (1, 2, 3)])
    as_place = choice[None] == places[:, None]
    as_image = choice[None] == images
    # Numbers of images may be 1 to 3 too: they are places only if every choice can be one.
    odd = as_place if as_place.any(axis=0).all() else as_image
    fault: Fault = (odd.sum(axis=0) != 1, "choice is neither 1, 2 or 3 nor one of the three images")
    position = odd.argmax(axis=0)
    rows = np.arange(len(table))
    pair = images[(position + 1) % 3, rows], images[(position + 2) % 3, rows]
    swap = position == 1
    one, two = np.where(swap, pair[1], pair[0]), np.where(swap, pair[0], pair[1])
    draft = _draft(ids, one, two, images[position, rows], table.locate, [fault], table.problems)
    annotator = table.labels("subject_id")
    if annotator is None:
        return draft
    return replace(draft, judgments=replace(draft.judgments, annotator=annotator.take(np.repeat(rows, 2))))


def _from_lines(path: Path) -> Draft:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text") from error
    cells = [line.replace(",", " ").split() for line in lines]
    problems = [
        Problem(str(path), number, f"three ids are needed, the third being the odd one: {len(some)} found")
        for number, some in enumerate(cells, 1)
        if len(some) not in (0, 3)
    ]
    good = np.array([number for number, some in enumerate(cells) if len(some) == 3], np.int64)
    flat = np.array([name for some in cells if len(some) == 3 for name in some], np.str_)
    ids, codes = np.unique(flat, return_inverse=True)
    one, two, odd = codes.reshape(-1, 3).T.astype(np.int32)
    lines_of = numbered_lines(path, 1)
    return _draft(ids, one, two, odd, lambda rows: lines_of(good[rows]), [], problems)


def _draft(
    ids: NDArray[np.str_],
    one: Codes,
    two: Codes,
    odd: Codes,
    locate: Locate,
    faults: list[Fault],
    problems: list[Problem],
) -> Draft:
    reference, a, b = odd_one_out_codes(one, two, odd)
    votes = np.ones(len(reference), np.float32)
    trials = np.arange(len(one), dtype=np.int32)
    group = Labels(np.repeat(trials, 2), trials.astype(np.str_))
    made = Judgments(ids, reference, a, b, votes, np.zeros_like(votes), group=group)
    doubled: list[Fault] = [(np.repeat(mask, 2), reason) for mask, reason in faults]
    return Draft(made, lambda rows: locate(rows // 2), doubled, problems)


def _named(draft: Draft, file: Path, first: int) -> Draft:
    """Replace ids that are numbers by names."""
    try:
        names = file.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror or error})") from error
    names = [name.strip() for name in names]
    made = draft.judgments
    numbers = [int(name) - first if name.isdecimal() else -1 for name in made.ids.tolist()]
    known = np.array([0 <= number < len(names) and bool(names[number]) for number in numbers], np.bool_)
    renamed = np.array([names[n] if ok else old for n, ok, old in zip(numbers, known, made.ids.tolist(), strict=True)])
    ids, places = np.unique(renamed.astype(np.str_), return_inverse=True)
    columns: dict[str, Any] = {}
    unknown = np.zeros(len(made), np.bool_)
    for name in ("reference", "candidate_a", "candidate_b"):
        codes = getattr(made, name)
        unknown |= ~known[codes]
        columns[name] = places[codes].astype(np.int32)
    fault: Fault = (unknown, f"an image has no name in {file}")
    return replace(draft, judgments=replace(made, ids=ids, **columns), faults=[*draft.faults, fault])

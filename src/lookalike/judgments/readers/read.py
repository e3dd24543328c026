"""From a format and a path to judgments or pairs, every row checked."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.registry import Registry
from lookalike.judgments.columns import Codes
from lookalike.judgments.joining import compact
from lookalike.judgments.pairs import Pairs
from lookalike.judgments.problems import Fault, OnProblem, Problem, settle
from lookalike.judgments.readers.consistency import inconsistencies
from lookalike.judgments.readers.image_files import ImageFiles
from lookalike.judgments.readers.registry import JUDGMENT_READERS, PAIR_READERS, Draft
from lookalike.judgments.table import Judgments

__all__ = [
    "PairReading",
    "Reading",
    "formats",
    "read_judgments",
    "read_pairs",
    "read_pairs_with_problems",
    "read_with_problems",
]


@dataclass(frozen=True, slots=True)
class Reading:
    """Judgments that were read, and the rows that were left out."""

    judgments: Judgments
    problems: list[Problem]


@dataclass(frozen=True, slots=True)
class PairReading:
    """Pairs that were read, and the rows that were left out."""

    pairs: Pairs
    problems: list[Problem]


def formats() -> dict[str, list[str]]:
    """Return the names of the formats of judgments and of pairs.

    Examples
    --------
    >>> formats()["pairs"]
    ['csv', 'folders', 'tll']
    """
    _load_readers()
    return {"judgments": list(JUDGMENT_READERS), "pairs": list(PAIR_READERS)}


def read_judgments(
    format: str, path: str | Path, images: str | Path | None = None, on_problem: OnProblem = "stop", **options: Any
) -> Judgments:
    r"""Read judgments.

    Parameters
    ----------
    format : str
        ``"cosis"``, ``"nights"``, ``"bapps"``, ``"things"``, ``"salmon"`` or ``"csv"``; see ``docs/formats``.
    path : path
        The file or the folder of the data set.
    images : path, optional
        A folder: each id becomes the file of this name in it, or else the one file with this stem. An id without a
        file is a problem of its rows.
    on_problem : {"stop", "leave_out"}
        What to do with rows that cannot be used.
    **options
        Of the format.

    Returns
    -------
    Judgments

    Raises
    ------
    UnknownNameError
        There is no such format; near names are listed.
    InputError
        The format has no such option, the files cannot be read, or a row has a problem: the message names the
        file and the line.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "answers.csv"
    >>> _ = path.write_text("reference,a,b,votes_a,votes_b\nr,x,y,3,1\n")
    >>> read_judgments("csv", path).votes_a.tolist()
    [3.0]
    """
    return read_with_problems(format, path, images, on_problem, **options).judgments


def read_pairs(
    format: str, path: str | Path, images: str | Path | None = None, on_problem: OnProblem = "stop", **options: Any
) -> Pairs:
    r"""Read matched pairs; ``"tll"``, ``"folders"`` or ``"csv"``. Parameters and errors are those of `read_judgments`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "pairs.csv"
    >>> _ = path.write_text("left,right\nx,y\n")
    >>> read_pairs("csv", path).right.tolist()
    ['y']
    """
    return read_pairs_with_problems(format, path, images, on_problem, **options).pairs


def read_with_problems(
    format: str,
    path: str | Path,
    images: str | Path | None = None,
    on_problem: OnProblem = "leave_out",
    **options: Any,
) -> Reading:
    r"""Read judgments as `read_judgments` does, and tell which rows were left out, and why.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "answers.csv"
    >>> _ = path.write_text("reference,closer,farther\nr,x,y\nr,x,x\n")
    >>> reading = read_with_problems("csv", path)
    >>> len(reading.judgments), reading.problems[0].row, reading.problems[0].reason
    (1, 3, 'the two candidates are the same image')
    """
    draft: Draft = _reader(JUDGMENT_READERS, format, options)(_existing(path), **options)
    made = draft.judgments
    faults = [*draft.faults, *made.faults()]
    files: Mapping[str, Path] | None = made.images or None
    if images is not None:
        files, missing = _resolve(made.ids, Path(images))
        faults += _without_file(missing, made.ids, made.reference, made.candidate_a, made.candidate_b)
    if draft.single:
        sound = np.ones(len(made), np.bool_)
        for mask, _ in faults:
            sound &= ~mask
        faults += _inconsistent(made, sound, draft)
    keep, problems = settle(len(made), faults, draft.locate, draft.problems, on_problem)
    kept = made if keep is None else made.take(np.flatnonzero(keep))
    return Reading(compact(kept.with_images(files or {})), problems)


def read_pairs_with_problems(
    format: str,
    path: str | Path,
    images: str | Path | None = None,
    on_problem: OnProblem = "leave_out",
    **options: Any,
) -> PairReading:
    """Read pairs as `read_pairs` does, and tell which rows were left out, and why."""
    draft = _reader(PAIR_READERS, format, options)(_existing(path), **options)
    left, right = draft.left, draft.right
    faults: list[Fault] = [
        ((left < 0) | (right < 0), "an image has no id"),
        (left == right, "an image is paired with itself"),
    ]
    files: Mapping[str, Path] = draft.images
    if images is not None or files:
        missing = {name: f"there is no file of the image '{name}'" for name in draft.ids.tolist() if name not in files}
        if images is not None:
            files, missing = _resolve(draft.ids, Path(images))
        faults += _without_file(missing, draft.ids, left, right)
    keep, problems = settle(len(left), faults, draft.locate, draft.problems, on_problem)
    if keep is not None:
        left, right = left[keep], right[keep]
    used, places = np.unique(np.concatenate([left, right]), return_inverse=True)
    ids = draft.ids[used]
    left, right = np.split(places.astype(np.int32), 2)
    known = {name: files[name] for name in ids.tolist() if name in files}
    return PairReading(Pairs(ids, left, right, known), problems)


def _load_readers() -> None:
    """Import every file of the folder: readers file themselves in the registry."""
    package = import_module("lookalike.judgments.readers")
    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")


def _reader(registry: Registry[Any], format: str, options: Mapping[str, Any]) -> Any:
    _load_readers()
    reader = registry[format]
    parameters = inspect.signature(reader).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            has = f"its options are {', '.join(known)}" if known else "it has none"
            raise InputError(f"the format {format} has no option '{name}': {has}")
    return reader


def _existing(path: str | Path) -> Path:
    if not Path(path).exists():
        raise InputError(f"{path}: there is no such file or folder")
    return Path(path)


def _resolve(ids: NDArray[np.str_], folder: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """Return the files of the ids, and what is wrong with the others."""
    index = ImageFiles(folder)
    found = {name: index.find(name) for name in ids.tolist()}
    missing = {name: place for name, place in found.items() if isinstance(place, str)}
    files: dict[str, Path] = {}
    first: dict[Path, str] = {}
    for name, place in found.items():
        if isinstance(place, str):
            continue
        # Under two ids, one photograph could be trained and tested on.
        if first.setdefault(place, name) != name:
            missing[name] = f"the ids '{first[place]}' and '{name}' are the same file: use one of them"
        else:
            files[name] = place
    return files, missing


def _without_file(missing: Mapping[str, str], ids: NDArray[np.str_], *columns: Codes) -> list[Fault]:
    if not missing:
        return []
    lost = np.append(np.isin(ids, np.array(list(missing))), False)

    def reason(column: Codes) -> Callable[[int], str]:
        return lambda row: missing[str(ids[column[row]])]

    return [(lost[column], reason(column)) for column in columns]


def _inconsistent(made: Judgments, sound: NDArray[np.bool_], draft: Draft) -> list[Fault]:
    """Find contradictions and circles among the rows that are otherwise sound."""
    rows = np.flatnonzero(sound)
    faults: list[Fault] = []
    for mask, reason in inconsistencies(made.take(rows), lambda some: draft.locate(rows[some])):
        whole = np.zeros(len(made), np.bool_)
        whole[rows[mask]] = True
        faults.append((whole, _moved(reason, rows)))
    return faults


def _moved(reason: str | Callable[[int], str], rows: NDArray[np.int64]) -> str | Callable[[int], str]:
    """Let a reason for positions in `rows`, which ascend, take what stands there."""
    return reason if isinstance(reason, str) else lambda row: reason(int(np.searchsorted(rows, row)))

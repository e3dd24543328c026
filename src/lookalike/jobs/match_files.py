"""Matches as files: the table that `match` writes, and reading it, or the JSON of `match`, back."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.core.errors import InputError
from lookalike.core.files import read_json, write_aside

__all__ = ["COLUMNS", "Match", "Target", "read_matches", "read_truth", "write_matches"]

TRUTH = (("source", "target"), ("left", "right"))
COLUMNS = ("source", "rank", "target", "distance", "probability")


@dataclass(frozen=True, slots=True)
class Target:
    """A target of a source.

    Attributes
    ----------
    target : str
        Path in its folder.
    distance : float
        In [0, 2].
    probability : float or None
        Of showing the same; None where it is not known.
    """

    target: str
    distance: float
    probability: float | None


@dataclass(frozen=True, slots=True)
class Match:
    """A source, and its targets, likeliest first; perhaps none."""

    source: str
    targets: list[Target]


def write_matches(path: Path, matches: Sequence[Match]) -> None:
    """Write matches as a table, a row per source and target; a source without any has a row with empty cells.

    Raises
    ------
    StorageError

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "m.csv"
    >>> write_matches(file, [Match("a.jpg", [Target("b.jpg", 0.25, 0.9)]), Match("c.jpg", [])])
    >>> print(file.read_text())
    source,rank,target,distance,probability
    a.jpg,1,b.jpg,0.250000,0.900000
    c.jpg,,,,
    <BLANKLINE>
    >>> read_matches(file) == [Match("a.jpg", [Target("b.jpg", 0.25, 0.9)]), Match("c.jpg", [])]
    True
    """
    with write_aside(path) as aside, aside.open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle, lineterminator="\n")
        table.writerow(COLUMNS)
        for match in matches:
            if not match.targets:
                table.writerow([match.source, "", "", "", ""])
            for rank, one in enumerate(match.targets, 1):
                sure = "" if one.probability is None else f"{one.probability:.6f}"
                table.writerow([match.source, rank, one.target, f"{one.distance:.6f}", sure])


def read_matches(path: Path) -> list[Match]:
    """Read what `write_matches` wrote, or what ``lookalike match --json`` printed; by the suffix ``.json``.

    Raises
    ------
    InputError
        There is no such file, or a row of it cannot be used; the message names it.
    """
    try:
        found = _from_json(path) if path.suffix.lower() == ".json" else _from_table(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise InputError(f"{path}: it is not UTF-8 text") from None
    if not found:
        raise InputError(f"{path}: it holds no matches")
    return found


def read_truth(path: Path) -> list[tuple[str, str]]:
    r"""Read known matches: a table with the columns ``source,target``, or ``left,right``; a row per match.

    Raises
    ------
    InputError
        There is no such file, it lacks the columns, or a row of it an image; the message names it.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "truth.csv"
    >>> _ = file.write_text("left,right\na.jpg,a.jpg\n")
    >>> read_truth(file)
    [('a.jpg', 'a.jpg')]
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            table = csv.DictReader(handle)
            names = [pair for pair in TRUTH if set(pair) <= set(table.fieldnames or ())]
            if not names:
                raise InputError(f"{path}: the first line names neither source,target nor left,right")
            found = [(row[names[0][0]] or "", row[names[0][1]] or "") for row in table]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise InputError(f"{path}: it is not UTF-8 text") from None
    for number, pair in enumerate(found, 2):
        if not all(pair):
            raise InputError(f"{path}, line {number}: an image has no name")
    if not found:
        raise InputError(f"{path}: it holds no matches")
    return found


def _from_json(path: Path) -> list[Match]:
    values = read_json(path)
    if not isinstance(values, dict) or not isinstance(values.get("matches"), list):
        raise InputError(f"{path}: no output of `lookalike match --json` ('matches' is missing)")
    rows: list[tuple[str, str, Any, Any]] = []
    for number, match in enumerate(values["matches"]):
        try:
            rows.append((match["source"], "", None, None))
            rows += [(match["source"], one["target"], one["distance"], one["probability"]) for one in match["targets"]]
        except (KeyError, TypeError):
            raise InputError(
                f"{path}: match {number} lacks its source or the target, distance or probability"
            ) from None
    return _gathered(path, ((f"match of '{row[0]}'", row) for row in rows))


def _from_table(path: Path) -> list[Match]:
    with path.open(newline="", encoding="utf-8-sig") as handle:
        table = csv.DictReader(handle)
        missing = [name for name in ("source", "target", "distance") if name not in (table.fieldnames or ())]
        if missing:
            raise InputError(f"{path}: the first line lacks the column '{missing[0]}': {','.join(COLUMNS)} are needed")
        rows = (
            (f"line {number}", (row["source"], row["target"], row["distance"] or None, row.get("probability") or None))
            for number, row in enumerate(table, 2)
        )
        return _gathered(path, rows)


def _gathered(path: Path, rows: Iterable[tuple[str, tuple[str, str, Any, Any]]]) -> list[Match]:
    """Put rows together by source, in the order in which they stand."""
    found: dict[str, list[Target]] = {}
    for where, (source, target, distance, sure) in rows:
        targets = found.setdefault(source, [])
        if not target:
            continue
        try:
            apart, chance = float(distance), None if sure is None else float(sure)
        except (TypeError, ValueError):
            raise InputError(f"{path}, {where}: the distance or the probability is no number") from None
        if not 0 <= apart <= 2 or not (chance is None or 0 <= chance <= 1):
            raise InputError(f"{path}, {where}: a distance is in [0, 2], a probability in [0, 1]")
        if any(one.target == target for one in targets):
            raise InputError(f"{path}, {where}: the target '{target}' stands twice for '{source}'")
        targets.append(Target(target, apart, chance))
    return [Match(source, targets) for source, targets in found.items()]

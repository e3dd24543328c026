"""How sure the matches among some targets are: learned from edited copies of these, or from matches that are known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.files import read_json, write_json
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Pixels, Rows, Vectors
from lookalike.core.workspace import Workspace
from lookalike.embedding.lens import EDITS_VERSION
from lookalike.embedding.match_copies import COPIES, CopyLens, Sureness, draw_copies, learn_sureness
from lookalike.embedding.matching import Looks, Queries
from lookalike.images.decode import decode
from lookalike.images.edits import EDITS
from lookalike.jobs.match_files import read_truth
from lookalike.jobs.matcher import Matcher

__all__ = ["Side", "known_matches", "rows_by_name", "sureness_by_copies", "sureness_by_pairs"]

FORMAT = 1
VERSION = 1
"""Raised when the same targets come to give other probabilities."""

THUMBNAIL = 128
"""Pixels of the shorter side of what is looked at."""


@dataclass(frozen=True, eq=False)
class Side:
    """The pictures of one folder.

    Attributes
    ----------
    files : dict of str to Path
        By id, in the order of the features.
    features : Features
    """

    files: dict[str, Path]
    features: Features

    @cached_property
    def names(self) -> list[str]:
        """The ids."""
        return list(self.files)

    @cached_property
    def paths(self) -> list[Path]:
        """The files."""
        return list(self.files.values())

    def thumbnail(self, row: int) -> Pixels:
        """Return what is looked at of a picture, uint8 (H, W, 3)."""
        return np.asarray(decode(self.paths[row], min_side=THUMBNAIL).image)

    def __len__(self) -> int:
        return len(self.files)


def sureness_by_copies(
    workspace: Workspace,
    matcher: Matcher,
    right: Side,
    targets: Vectors,
    neighbours: int,
    on_progress: OnProgress = silent,
) -> Sureness | None:
    """Learn from edited copies of the targets; kept in the workspace, in ``matching/``, until anything changes.

    Parameters
    ----------
    right : Side
        The targets.
    targets : float32 (N, D)
        What the matcher makes of them.
    neighbours : int
        How many targets are found for each query.

    Returns
    -------
    Sureness, or None
        None for a single target: there is nothing to tell it from.
    """
    made_by = [FORMAT, VERSION, EDITS_VERSION, COPIES, neighbours, *EDITS]
    kept = workspace.path / "matching" / f"{matcher.digest(right.files, targets)}.json"
    held = _kept(kept, made_by)
    if held is not None:
        return held
    drawn, times = draw_copies(len(right))
    chosen = {right.names[row]: right.paths[row] for row in drawn.tolist()}
    lenses = [CopyLens(number) for number in range(times)]
    queries = matcher.queries(matcher.see_through(chosen, lenses, on_progress))

    def copy(query: int) -> Pixels:
        number, which = divmod(query, len(drawn))
        return np.asarray(decode(lenses[number].picture(right.paths[drawn[which]]), min_side=THUMBNAIL).image)

    looks = Looks(copy, right.thumbnail)
    found = learn_sureness(queries, np.tile(drawn, times), targets, looks, neighbours, on_progress)
    if found is not None:
        write_json(kept, {"made_by": made_by, **found.as_dict()})
    return found


def sureness_by_pairs(
    path: Path, left: Side, queries: Queries, right: Side, targets: Vectors, neighbours: int
) -> Sureness | None:
    """Learn from known matches: a table with the columns ``source,target``, or ``left,right``.

    Images are named as `match` names them, by path in their folder; the name of the file alone will do where no other
    has it.

    Raises
    ------
    InputError
        The table cannot be read, or names an image that is not there.
    """
    asked, true = known_matches(path, left.names, right.names)
    looks = Looks(lambda query: left.thumbnail(int(asked[query])), right.thumbnail)
    return learn_sureness(queries.take(asked), true, targets, looks, neighbours)


def known_matches(path: Path, sources: list[str], targets: list[str]) -> tuple[Rows, Rows]:
    """Read known matches, and return where their images stand among names; see `sureness_by_pairs`.

    Raises
    ------
    InputError
    """
    pairs = read_truth(path)
    return (
        rows_by_name(sources, [one for one, _ in pairs], f"{path}: the source"),
        rows_by_name(targets, [one for _, one in pairs], f"{path}: the target"),
    )


def rows_by_name(ids: list[str], wanted: list[str], what: str) -> Rows:
    """Return where names stand among ids, int64 (n,): whole paths, or names of files that only one path has.

    Raises
    ------
    InputError
        A name is not there, or several paths end in it.

    Examples
    --------
    >>> rows_by_name(["a/1.jpg", "b/2.jpg"], ["2.jpg", "a/1.jpg"], "the source").tolist()
    [1, 0]
    """
    whole = {name: row for row, name in enumerate(ids)}
    by_name: dict[str, list[int]] = {}
    for row, name in enumerate(ids):
        by_name.setdefault(PurePosixPath(name).name, []).append(row)
    rows = []
    for name in wanted:
        found = [whole[name]] if name in whole else by_name.get(name, [])
        if len(found) != 1:
            raise InputError(f"{what} '{name}' is {'not there' if not found else f'the name of {len(found)} images'}")
        rows.append(found[0])
    return np.array(rows, np.int64)


def _kept(path: Path, made_by: list[Any]) -> Sureness | None:
    """Return what an earlier run learned; None where there is nothing, or nothing that can be used."""
    if not path.is_file():
        return None
    try:
        values = read_json(path)
        return Sureness.from_dict(values) if values["made_by"] == made_by else None
    except (InputError, KeyError, TypeError, ValueError):
        return None  # damaged, or of another version: it is learned anew

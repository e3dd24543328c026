"""How sure a match is, learned without labels: edited copies of the targets themselves are matched against them.

Of each copy two things are seen: what its own picture among the targets looks like, and with that taken out, what the
nearest wrong ones look like. Half of these searches have a partner to find, so that is what the probabilities assume.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Pixels, Rows, Vectors
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.lens import EDITS_VERSION, EditLens, chance
from lookalike.embedding.matching import LOOKED, Candidates, Looks, Queries, evidence, nearest
from lookalike.images.edits import EDITS, Strength
from lookalike.metrics.match_probability import (
    MatchProbability,
    fit_match_probability,
    held_out_log_odds,
    probability_of,
)
from lookalike.metrics.probabilities import expected_calibration_error

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["COPIES", "CopyLens", "Sureness", "draw_copies", "learn_sureness"]

COPIES = 200
"""How many edited copies are made, or a few less."""

COPIES_OF_ONE = 3
"""How many other targets are looked at to see whether they are copies of a true one."""

SPARE = 5
"""Neighbours more than are used, so that copies among the targets can be left out."""


@dataclass(frozen=True, slots=True)
class CopyLens:
    """An edited copy of every picture, by an edit that its name decides: all edits are about equally frequent.

    Attributes
    ----------
    number : int
        From 0; up to the number of edits, each has another edit of the same picture.
    strength : {"weak", "middle", "strong"}
    seed : int

    Examples
    --------
    >>> CopyLens(2).name
    'copies_middle_0_2_v1'
    """

    number: int
    strength: Strength = "middle"
    seed: int = 0

    @property
    def name(self) -> str:
        """Strength, seed, number and a version."""
        return f"copies_{self.strength}_{self.seed}_{self.number}_v{EDITS_VERSION}"

    def pixels(self, encoder: Encoder, path: str | Path) -> Pixels:
        """Return the pixels of the copy; see `lookalike.embedding.lens.Lens`."""
        return self._edit(path).pixels(encoder, path)

    def picture(self, path: str | Path) -> Image.Image:
        """Return the edited copy of a file.

        Raises
        ------
        ImageDecodeError
        """
        return self._edit(path).picture(path)

    def _edit(self, path: str | Path) -> EditLens:
        names = list(EDITS)
        first = int(chance(self.seed, "copies", self.strength, Path(path).name).integers(len(names)))
        return EditLens(names[(first + self.number) % len(names)], self.strength, self.seed)


@dataclass(frozen=True, slots=True)
class Sureness:
    """What makes probabilities of evidence, and how well it does.

    Attributes
    ----------
    probability : MatchProbability
    searches : int
        That it was fitted on; half of them, or so, had a partner to find.
    calibration_error : float or None
        Expected calibration error of the probabilities of nearest targets, by five-fold cross-validation; in [0, 1].
        None where there are too few to tell.
    found_first : float
        Share of those with a partner that had it nearest.
    """

    probability: MatchProbability
    searches: int
    calibration_error: float | None
    found_first: float

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**asdict(self), "probability": self.probability.as_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Sureness:
        """Take back what `as_dict` returned."""
        fitted = MatchProbability.from_dict(values["probability"])
        return cls(fitted, int(values["searches"]), values["calibration_error"], float(values["found_first"]))


def draw_copies(targets: int, seed: int = 0) -> tuple[Rows, int]:
    """Return the targets to copy, by row, int64 (n,), and how many copies to make of each.

    Examples
    --------
    >>> draw_copies(10_000)[0].shape, draw_copies(40)[0].shape, draw_copies(40)[1]
    ((200,), (40,), 5)
    """
    if targets >= COPIES:
        return np.sort(np.random.default_rng(seed).choice(targets, COPIES, replace=False)).astype(np.int64), 1
    return np.arange(targets), min(len(EDITS), ceil(COPIES / max(targets, 1)))


def learn_sureness(
    queries: Queries,
    true: Rows,
    targets: Vectors,
    looks: Looks,
    neighbours: int,
    on_progress: OnProgress = silent,
) -> Sureness | None:
    """Fit probabilities on queries whose targets are known.

    Parameters
    ----------
    queries : Queries
    true : int64 (Q,)
        The row of the target that shows the same.
    targets : float32 (N, D)
    looks : Looks
        At these queries and targets.
    neighbours : int
        How many targets are found for each query.

    Returns
    -------
    Sureness, or None
        None where nothing can be told apart: there is a single target, or fewer than two queries' targets are known.
    """
    found = nearest(queries, targets, neighbours + SPARE)
    there, _ = found.without(_twins(found, true, targets, looks), neighbours + 1)
    agreements = looks.agreements(there.rows, LOOKED + 1, on_progress)
    tables, same, groups, first = [], [], [], []
    for taken_out in (False, True):
        own = there.rows == true[:, None]
        kept, columns = there.without(own & taken_out, neighbours)
        seen = np.take_along_axis(agreements, columns, axis=1)
        seen[:, LOOKED:] = np.nan
        table, real = evidence(kept, targets, seen), kept.rows >= 0
        tables.append(table[real])
        same.append((kept.rows == true[:, None])[real])
        groups.append(np.broadcast_to(true[:, None], real.shape)[real])
        first.append(np.broadcast_to(np.arange(real.shape[1]) == 0, real.shape)[real])
    rows, right, nearest_one = np.concatenate(tables), np.concatenate(same), np.concatenate(first)
    if right.all() or not right.any() or len(np.unique(true)) < 2:
        return None
    fitted = fit_match_probability(rows, right)
    error = _calibration_error(rows, right, np.concatenate(groups), nearest_one)
    return Sureness(fitted, 2 * len(queries), error, float((there.rows[:, 0] == true).mean()))


def _calibration_error(
    rows: NDArray[np.float64], right: NDArray[np.bool_], groups: Rows, nearest_one: NDArray[np.bool_]
) -> float | None:
    """Return how far probabilities of nearest targets, by fits on other targets, are from what came true."""
    try:
        held = probability_of(held_out_log_odds(rows, right, groups))[nearest_one]
    except InputError:  # so few that some fit would have nothing to tell apart
        return None
    return expected_calibration_error(held, right[nearest_one], ~right[nearest_one])


def _twins(found: Candidates, true: Rows, targets: Vectors, looks: Looks) -> NDArray[np.bool_]:
    """Mark candidates that are copies of the true target (Q, K): they are no wrong answers.

    Copies are looked for among the few targets that are nearest to the true one.
    """
    known, place = np.unique(true, return_inverse=True)
    around = nearest(Queries.of(targets[known]), targets, COPIES_OF_ONE + 1).rows
    copies = np.full(around.shape, -2, np.int64)
    for number, column in np.argwhere(around != known[:, None]):
        if looks.same_target(int(known[number]), int(around[number, column])):
            copies[number, column] = around[number, column]
    return np.asarray((found.rows[:, :, None] == copies[place][:, None, :]).any(axis=2), np.bool_)

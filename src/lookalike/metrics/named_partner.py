"""Top-k hits of queries that have a partner, or several, among all targets; in blocks, ties in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.types import Rows, Vectors
from lookalike.metrics.checks import Floats

__all__ = ["partner_hits"]

BLOCK = 64
TIE = 1e-6
"""Distances that differ less differ by the rounding of the product alone."""


def partner_hits(queries: Vectors, targets: Vectors, partners: Sequence[Rows], depth: int) -> Floats:
    """Return, per query, the probability that a partner is among the first k targets, for every k up to `depth`.

    Targets at the same distance stand in no order: with j places left for n of them, r of which are partners, a partner
    is among the first with probability ``1 - C(n - r, j) / C(n, j)``.

    Parameters
    ----------
    queries : float32 (Q, D)
        Unit rows.
    targets : float32 (N, D)
        Unit rows.
    partners : sequence of int64 arrays
        The targets that count, by row: one at least for each query.
    depth : int
        1 to N.

    Returns
    -------
    float64 (Q, depth)
        In [0, 1], ascending along the depth.

    Raises
    ------
    InputError
        A query has no partner, or the depth is out of range.

    Examples
    --------
    >>> partner_hits(np.eye(2, dtype=np.float32)[:1], np.eye(2, dtype=np.float32), [np.array([1])], 2)
    array([[0., 1.]])
    """
    if not 1 <= depth <= len(targets):
        raise InputError(f"depth: {depth} is not between 1 and the {len(targets)} targets")
    lonely = [row for row, found in enumerate(partners) if not len(found)]
    if lonely or len(partners) != len(queries):
        raise InputError(f"partners: query {lonely[0] if lonely else len(partners)} has none")
    hits = np.empty((len(queries), depth))
    for start in range(0, len(queries), BLOCK):
        distances = 1 - queries[start : start + BLOCK] @ targets.T
        for row, apart in enumerate(distances, start):
            near = apart[partners[row]].min()
            tied = np.abs(apart - near) <= TIE
            ours = int(tied[partners[row]].sum())
            hits[row] = _among_first(
                int((apart < near).sum() - (tied & (apart < near)).sum()), int(tied.sum()), ours, depth
            )
    return hits


def _among_first(before: int, tied: int, ours: int, depth: int) -> Floats:
    """Return for every k the probability that one of `ours` of `tied` items, after `before` others, is among k."""
    missed, chance = 1.0, np.zeros(depth)
    for place in range(min(tied, depth - before)):
        missed *= max(tied - ours - place, 0) / (tied - place)
        chance[before + place] = 1 - missed
    if depth > before + tied:
        chance[before + tied :] = 1.0
    return chance

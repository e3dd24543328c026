"""Asymmetric recall, for pairs: a match counts if either side finds the other.

``aR@k = mean over i of [i is among the k nearest rights of left i, or among the k nearest lefts of right i]``
(Risser-Maroix, Marzouki, Djeghim, Kurtz and Loménie, Learning an adaptation function to assess image visual
similarities, 2021).

The rank of a match is 1 plus the items strictly closer, and items at the same distance stand before it or after it with
equal chance, in each direction by itself. A collapsed model, to which everything is at the same distance, so gets no
more than chance, ``1 - (1 - k/n)^2``; under a plain sort it could get anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lookalike.core.errors import InputError
from lookalike.metrics.checks import Floats, Ints, as_table

__all__ = [
    "MatchRanks",
    "asymmetric_recall_at_k",
    "asymmetric_recall_chance",
    "match_ranks",
    "match_ranks_of_vectors",
]

BLOCK = 1 << 22  # distances held at a time
SAME = 1e-6  # float32 inner products of the same two vectors differ by less, whatever the order of summation


@dataclass(frozen=True, slots=True)
class MatchRanks:
    """Where the match of every item stands, from left to right (row 0) and from right to left (row 1).

    Attributes
    ----------
    closer : int64 (2, n)
        Other items strictly closer than the match.
    tied : int64 (2, n)
        Other items at the same distance as the match.
    """

    closer: Ints
    tied: Ints

    def hits(self, k: int) -> Floats:
        """Return the probability that either direction has the match among its k nearest (n,); 0 or 1 without ties.

        Examples
        --------
        >>> ranks = match_ranks([[0.1, 0.2], [0.5, 0.3]])
        >>> ranks.hits(1)
        array([1., 1.])
        """
        missed = 1 - self.directed_hits(k)
        return np.asarray(1 - missed[0] * missed[1])

    def directed_hits(self, k: int) -> Floats:
        """Return the same for each direction by itself (2, n).

        Examples
        --------
        >>> match_ranks([[0.1, 0.2], [0.1, 0.3]]).directed_hits(1)
        array([[1. , 0. ],
               [0.5, 0. ]])
        """
        pairs = self.closer.shape[1]
        if not 1 <= k <= pairs:
            raise InputError(f"k: {k} is not in 1 to {pairs}, the number of pairs")
        return np.asarray(np.clip((k - self.closer) / (self.tied + 1), 0, 1))


def asymmetric_recall_at_k(distances: ArrayLike, k: int) -> float:
    """Return aR@k.

    Parameters
    ----------
    distances : float (n, n)
        From left i (row) to right j (column); the match of i is i.
    k : int
        1 to n.

    Returns
    -------
    float
        In [0, 1]; not less than recall in either direction, growing with k, 1 at k = n. For an interval, give
        ``match_ranks(distances).hits(k)`` to `lookalike.metrics.retrieval.mean_over_queries`.

    Raises
    ------
    InputError
        Not a square matrix, a distance that is NaN, a k out of range.

    Examples
    --------
    >>> asymmetric_recall_at_k([[0.2, 0.1], [0.3, 0.9]], 1)
    0.5
    """
    return float(match_ranks(distances).hits(k).mean())


def match_ranks(distances: ArrayLike) -> MatchRanks:
    """Rank every match both ways in a matrix of distances.

    Parameters
    ----------
    distances : float (n, n)
        From left i (row) to right j (column).

    Examples
    --------
    >>> match_ranks([[0.2, 0.1], [0.3, 0.9]]).closer
    array([[1, 1],
           [0, 1]])
    """
    table = as_table("distances", distances, 2)
    if table.shape[0] != table.shape[1]:
        raise InputError(f"distances: the matrix must be square, not {table.shape}")
    if np.isnan(table).any():
        raise InputError(f"distances: row {int(np.isnan(table).any(axis=1).argmax())} holds NaN")
    match = np.diagonal(table)
    closer = np.stack([(table < match[:, None]).sum(axis=1), (table < match).sum(axis=0)])
    tied = np.stack([(table == match[:, None]).sum(axis=1), (table == match).sum(axis=0)])
    return MatchRanks(closer, tied - 1)  # less the match itself


def match_ranks_of_vectors(left: ArrayLike, right: ArrayLike) -> MatchRanks:
    """Rank every match both ways by cosine distance, holding a block of distances at a time.

    Distances that differ by no more than a millionth are taken as the same, so the order of summation decides nothing.

    Parameters
    ----------
    left, right : float (n, D)
        Unit rows (or zeros); row i of one matches row i of the other. Computed in float32 unless they are float64.

    Examples
    --------
    >>> match_ranks_of_vectors(np.eye(3), np.eye(3)).hits(1)
    array([1., 1., 1.])
    """
    lefts, rights = (_unit_or_zero(name, rows) for name, rows in (("left", left), ("right", right)))
    if lefts.shape != rights.shape:
        raise InputError(f"right: shape {rights.shape}, but left has {lefts.shape}")
    pairs = len(lefts)
    match = 1 - np.einsum("ij,ij->i", lefts, rights)
    closer, tied = np.zeros((2, pairs), np.int64), np.zeros((2, pairs), np.int64)
    step = max(1, BLOCK // pairs)
    for first in range(0, pairs, step):
        rows = slice(first, first + step)
        ahead = 1 - lefts[rows] @ rights.T
        for direction, own, axis in ((0, match[rows, None], 1), (1, match[None, :], 0)):
            target = rows if direction == 0 else slice(None)
            nearer = (ahead < own - SAME).sum(axis=axis)
            closer[direction, target] += nearer
            tied[direction, target] += (ahead <= own + SAME).sum(axis=axis) - nearer
    return MatchRanks(closer, np.maximum(tied - 1, 0))  # less the match itself


def asymmetric_recall_chance(n: int, k: int) -> float:
    """Return the aR@k expected of n pairs when all distances are independent draws of one distribution.

    Parameters
    ----------
    n : int
        Pairs.
    k : int
        1 to n.

    Returns
    -------
    float

    Notes
    -----
    Both directions rank the same number, the distance of the match, so they are not independent: given that a share u
    of all distances is smaller, each direction hits with ``F(u) = P(Binomial(n - 1, u) < k)``, and the chance is
    ``1 - integral of (1 - F)^2``. Expanding, with the beta integral,
    ``2k/n - sum over i, j < k of C(n-1, i) C(n-1, j) / ((2n - 1) C(2n - 2, i + j))``.
    The usual ``1 - (1 - k/n)^2`` takes the directions as independent and is an upper limit: at k = 1 it is about
    ``2/n``, and the value here about ``1.5/n``.

    Examples
    --------
    >>> round(asymmetric_recall_chance(1049, 1), 6), round(1 - (1 - 1 / 1049) ** 2, 6)
    (0.00143, 0.001906)
    """
    if not 1 <= k <= n:
        raise InputError(f"k: {k} is not in 1 to {n}, the number of pairs")
    factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, 2 * n)))])

    def log_choose(of: int, some: NDArray[np.int64]) -> Floats:
        return np.asarray(factorial[of] - factorial[some] - factorial[of - some])

    j = np.arange(k)
    ways = log_choose(n - 1, j)
    both = math.fsum(float(np.exp(ways[i] + ways - log_choose(2 * n - 2, i + j)).sum()) for i in range(k)) / (2 * n - 1)
    return 2 * k / n - both


def _unit_or_zero(name: str, rows: ArrayLike) -> NDArray[np.float32] | Floats:
    given = np.asarray(rows)
    table = as_table(name, given, 2)
    bad = ~np.isfinite(table).all(axis=1)
    if bad.any():
        raise InputError(f"{name}: row {int(bad.argmax())} is not finite")
    norms = np.linalg.norm(table, axis=1)
    bad = (norms > 0) & (np.abs(norms - 1) > 1e-3)
    if bad.any():
        row = int(bad.argmax())
        raise InputError(f"{name}: row {row} has norm {norms[row]:g}; unit rows are needed")
    return table if given.dtype == np.float64 else table.astype(np.float32)

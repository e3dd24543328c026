"""What heads for matching do before they learn: group pictures by thing, hold things out, and whiten within things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.types import Rows, Vectors
from lookalike.judgments.pairs import Pairs
from lookalike.similarity.model import Examples, paired_rows
from lookalike.similarity.prepared import in_order_of_ids
from lookalike.similarity.within import within_pair_whitening
from lookalike.training.things import Things

__all__ = ["Base", "Grouped", "divided", "grouped", "whitened_base"]

ROWS, DIFFERENCES = 8192, 32768
"""At most so many rows tell the principal components, and so many differences how pictures of a thing differ."""

ROUNDS = 3
"""Times the covariance is applied to directions drawn by chance."""

PRIOR = 1 / 7
"""How many differences per direction the assumption counts for that all directions differ alike: found on features of
photographs and copies of them, of 20 to 1,300 things."""

FEWEST = 8
"""Things that are held out at least; of fewer nothing can be told."""


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """The pictures of pairs.

    Attributes
    ----------
    rows : float32 (N, d)
        Features, in the order of the ids; those of the mirrored pictures below them.
    things : Things
    """

    rows: Vectors
    things: Things


def grouped(examples: Examples, features: Features, flipped: Features | None) -> Grouped:
    """Take the features of all images of pairs, and group them by thing.

    Raises
    ------
    InputError
        The examples are judgments, or all images show one thing.
    """
    if not isinstance(examples, Pairs):
        raise InputError("matching is learned from pairs, not from judgments: take AdaptationModel or ContextModel")
    used, (left, right) = in_order_of_ids(paired_rows(examples, features), features.ids)
    shown = np.empty(len(used), np.int64)
    of_ids = examples.things()
    for places, codes in ((left, examples.left_rows), (right, examples.right_rows)):
        shown[places] = of_ids[codes]
    views = [features] if flipped is None else [features, flipped]
    parts = [one.vectors[one.rows(features.ids[used])] for one in views]
    rows = parts[0] if len(parts) == 1 else np.concatenate(parts)  # which would copy one part too
    sides = [np.concatenate([side + len(used) * number for number in range(len(views))]) for side in (left, right)]
    things = Things.of(sides[0], sides[1], np.tile(shown, len(views)))
    if len(things) < 2:
        raise InputError("all pairs show the same thing: to tell things apart takes two at least")
    return Grouped(rows, things)


def divided(count: int, share: float, seed: int) -> tuple[Rows, Rows]:
    """Hold out a share of the things by chance, and return the numbers of the others and of these.

    None are held out where the share is of fewer than eight, or would leave fewer than two to train on.

    Examples
    --------
    >>> [len(part) for part in divided(100, 0.1, 0)], [len(part) for part in divided(30, 0.1, 0)]
    ([90, 10], [30, 0])
    """
    held = round(share * count)
    if held < FEWEST or count - held < 2:
        held = 0
    order = np.random.default_rng([seed, 2]).permutation(count)
    return np.sort(order[held:]), np.sort(order[:held])


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """Where a head starts: ``(x - mean) @ turn``.

    Attributes
    ----------
    mean : float32 (d,)
    turn : float32 (d, k)
    """

    mean: Vectors
    turn: Vectors

    def apply(self, rows: Vectors) -> Vectors:
        """Map rows (N, d) to (N, k), of length 1 on average."""
        return np.asarray(rows @ self.turn - self.mean @ self.turn, np.float32)  # without a copy of all rows


def whitened_base(group: Grouped, numbers: Rows, reduce: int, shrinkage: float, seed: int) -> Base:
    """Learn in closed form where pictures of one thing differ, and let those directions count less.

    Principal components (about), then `lookalike.similarity.within.within_pair_whitening` of the differences of pairs:
    between each original and its views.

    Parameters
    ----------
    group : Grouped
    numbers : int64 (n,)
        The things to learn from.
    reduce : int
        Principal components to keep; 0 for all features as they are, less their mean.
    shrinkage : float
        As in `within_pair_whitening`; 0 for ``d / (d + 7 n)`` with `n` differences in `d` directions.
    seed : int
        Of the sample that is taken where pictures are many.
    """
    things, rng = group.things, np.random.default_rng([seed, 3])
    chosen = np.zeros(len(things), bool)
    chosen[numbers] = True
    members = _sample(things.members[np.repeat(chosen, np.diff(things.starts))], ROWS, rng)
    of_pairs = np.flatnonzero(np.repeat(chosen, np.diff(things.pair_starts)))
    pairs = _sample(of_pairs, DIFFERENCES, rng)
    rows = group.rows[members]
    mean = np.asarray(rows.mean(axis=0), np.float32)
    turn = _widest(np.asarray(rows - mean, np.float32), reduce or rows.shape[1], rng)
    apart = group.rows[things.left[pairs]] - group.rows[things.right[pairs]]
    differences: Vectors = np.asarray(np.matmul(apart, turn), np.float32)
    if differences.any():  # views that change nothing, as of an encoder that sees no colours, tell nothing
        turn = turn @ within_pair_whitening(differences, shrinkage or _shrinkage(turn.shape[1], len(of_pairs)))
    length = float(np.linalg.norm((rows - mean) @ turn, axis=1).mean())
    return Base(mean, np.ascontiguousarray(turn / (length or 1.0), np.float32))


def _shrinkage(directions: int, differences: int) -> float:
    return PRIOR * directions / (PRIOR * directions + differences)


def _widest(centred: Vectors, wanted: int, rng: np.random.Generator) -> Vectors:
    """Return orthonormal columns (d, k) that span about the directions in which rows differ most.

    By subspace iteration (Halko, Martinsson and Tropp, Finding structure with randomness, 2011, algorithm 4.4): what
    comes after does not depend on the basis, and the decomposition of a large covariance takes twenty times as long.
    """
    count, columns = centred.shape
    if columns <= wanted:
        return np.eye(columns, dtype=np.float32)
    if count <= wanted:
        return np.linalg.qr(centred.T)[0]
    span = rng.standard_normal((columns, wanted), np.float32)
    for _ in range(ROUNDS):
        span = _orthonormal(_orthonormal(centred.T @ (centred @ span)))
    return span


def _orthonormal(columns: Vectors) -> Vectors:
    """Return columns with the same span that are orthonormal, by a Cholesky decomposition of their inner products.

    A tenth of the time of Householder's; what it loses where columns are nearly dependent, a second time gives back.
    """
    columns = np.asarray(columns, np.float64)
    inner = columns.T @ columns
    inner[np.diag_indices_from(inner)] *= 1 + 1e-12 * len(inner)
    return np.asarray(np.linalg.solve(np.linalg.cholesky(inner), columns.T).T, np.float32)


def _sample(rows: Rows, most: int, rng: np.random.Generator) -> Rows:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))

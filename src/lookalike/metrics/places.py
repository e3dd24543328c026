"""Where the one right item of a gallery stands for each query, counted without sorting.

Items at the same distance as the right one stand before or after it with equal chance, so every value is the
expectation over their orders: a collapsed model, to which everything is equally far, gets no more than chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lookalike.core.errors import InputError
from lookalike.core.types import Rows, Vectors
from lookalike.metrics.checks import Floats, Ints

__all__ = ["Places", "places_of_matches"]

BLOCK = 1 << 22  # similarities held at a time
SAME = 1e-6  # float32 inner products of the same two vectors differ by less, whatever the order of summation


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """How many items stand before the right one, and how many beside it.

    Attributes
    ----------
    closer : int64 (Q,)
        Items strictly closer than the right one.
    tied : int64 (Q,)
        Other items at the same distance.
    """

    closer: Ints
    tied: Ints

    def hits(self, k: int) -> Floats:
        """Return the probability that the right item is among the first k (Q,); 0 or 1 without ties.

        Examples
        --------
        >>> Places(np.array([0, 1, 0]), np.array([0, 0, 3])).hits(1)
        array([1.  , 0.  , 0.25])
        """
        if k < 1:
            raise InputError(f"k: {k} is below 1")
        return np.asarray(np.clip((k - self.closer) / (self.tied + 1), 0, 1))

    def precisions(self) -> Floats:
        """Return the average precision of each query (Q,), which with one right item is the mean of ``1 / place``.

        Examples
        --------
        >>> Places(np.array([0, 1, 0]), np.array([0, 0, 1])).precisions()
        array([1.  , 0.5 , 0.75])
        """
        last = self.closer + self.tied + 1
        sums = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, last.max(initial=0) + 1))])
        return np.asarray((sums[last] - sums[self.closer]) / (self.tied + 1))


def places_of_matches(queries: Vectors, gallery: Vectors, matches: Rows | ArrayLike) -> Places:
    """Find the place of the right item of each query by inner product, holding a block of products at a time.

    Products that differ by no more than a millionth count as the same, so the order of summation decides nothing.

    Parameters
    ----------
    queries : float32 (Q, D)
    gallery : float32 (G, D)
        Rows of one norm; a larger product is closer.
    matches : int (Q,)
        The row of the right item of each query.

    Returns
    -------
    Places

    Raises
    ------
    InputError
        The shapes do not fit, or a row is not one of the gallery.

    Examples
    --------
    >>> rows = np.eye(3, dtype=np.float32)
    >>> places_of_matches(rows[[0, 1]], rows, [0, 2]).closer
    array([0, 1])
    """
    right = np.asarray(matches, np.int64)
    if (
        queries.ndim != 2
        or gallery.ndim != 2
        or queries.shape[1] != gallery.shape[1]
        or right.shape != queries.shape[:1]
    ):
        raise InputError(f"queries {queries.shape}, gallery {gallery.shape} and matches {right.shape} do not fit")
    if len(right) and not 0 <= right.min() <= right.max() < len(gallery):
        raise InputError(f"matches: rows {right.min()} to {right.max()} are not all among the {len(gallery)} items")
    closer, tied = np.zeros((2, len(queries)), np.int64)
    step = max(1, BLOCK // max(1, len(gallery)))
    for first in range(0, len(queries), step):
        rows = slice(first, first + step)
        similar = queries[rows] @ gallery.T
        own = np.take_along_axis(similar, right[rows, None], axis=1)
        closer[rows] = (similar > own + SAME).sum(axis=1)
        tied[rows] = (similar >= own - SAME).sum(axis=1) - closer[rows] - 1  # less the right one itself
    return Places(closer, tied)

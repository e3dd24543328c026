"""An order in which vectors that are near each other stand side by side: what a search reads together lies together.

A graph of a million vectors is hundreds of megabytes, and a search touches thousands of places of it. Side by side they
share pages and lines of the cache; queries of a batch in such an order find there what the one before has read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Rows, Vectors

__all__ = ["COORDINATES", "nearby_order"]

COORDINATES = 24
"""So many directions are enough to say what is near."""

LOOKED_AT = 2_000
"""Vectors that say in which coordinate a group is longest."""


def nearby_order(points: Vectors, group: int = 16) -> Rows:
    """Halve the vectors where they are longest, and the halves again, down to groups.

    Parameters
    ----------
    points : float32 (N, d)
        A few coordinates of each.
    group : int
        At most so many stay together as they come.

    Returns
    -------
    int64 (N,)
        Every place once.

    Examples
    --------
    >>> nearby_order(np.array([[0.1], [5.0], [0.2], [5.1]], np.float32), group=2).tolist()
    [0, 2, 1, 3]
    """
    done: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    left = [np.arange(len(points))]
    while left:
        rows = left.pop()
        if len(rows) <= max(group, 1):
            done.append(np.sort(rows))
            continue
        longest = int(np.argmax(points[rows[:: -(-len(rows) // LOOKED_AT)]].var(axis=0)))
        half = len(rows) // 2
        rows = rows[np.argpartition(points[rows, longest], half)]
        left += [rows[half:], rows[:half]]
    return np.concatenate(done)

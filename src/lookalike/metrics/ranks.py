"""Items in rank order, each place with the tie that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lookalike.core.errors import InputError
from lookalike.metrics.checks import Floats, Ints
from lookalike.metrics.groups import sums_by_code

__all__ = ["Ranks", "measure_blocks"]

BLOCK = 1 << 20  # entries of the distance matrix sorted at a time


@dataclass(frozen=True, slots=True)
class Ranks:
    """Gains in rank order (q, G), and of each place the tie it belongs to: start, size, and sum of gains."""

    gains: Floats
    start: Ints
    size: Ints
    total: Floats

    @property
    def place(self) -> Ints:
        """Places from 0, (G,)."""
        return np.arange(self.gains.shape[1])

    def expected(self) -> Floats:
        """Return the expected gain at each place."""
        return self.total / self.size

    def precisions(self) -> Floats:
        """Return the expected product of relevance and precision at each place."""
        rows = np.arange(len(self.gains))[:, None]
        before = (np.cumsum(self.gains, axis=1) - self.gains)[rows, self.start]
        within = (self.place - self.start) * (self.total - 1) / np.maximum(self.size - 1, 1)
        return self.expected() * (before + 1 + within) / (self.place + 1)

    def pessimistic_precisions(self, k: int) -> Floats:
        """Return average precision over what was found, ties in the worst order (q,)."""
        late = self.place - self.start >= self.size - self.total
        worst = late[:, :k].astype(np.float64)
        found = np.cumsum(worst, axis=1)
        products = worst * found / (self.place[:k] + 1)
        return np.asarray(products.sum(axis=1) / np.maximum(found[:, -1], 1))


def _ranks(gains: Floats, distances: Floats | None) -> Ranks:
    queries, items = gains.shape
    if distances is None:
        start = np.broadcast_to(np.arange(items), gains.shape)
        return Ranks(gains, start, np.ones(gains.shape, np.int64), gains)
    order = np.argsort(distances, axis=1, kind="stable")
    ordered = np.take_along_axis(distances, order, axis=1)
    gains = np.take_along_axis(gains, order, axis=1)
    opens = np.ones(gains.shape, np.bool_)
    opens[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    tie = np.cumsum(opens.ravel()) - 1  # every row opens a tie, so none crosses rows
    size, total = np.bincount(tie), sums_by_code(tie, gains.ravel())
    start = np.flatnonzero(opens) % items
    return Ranks(gains, *(column[tie].reshape(queries, items) for column in (start, size, total)))


def measure_blocks(gains: Floats, k: int, distances: ArrayLike | None, measure: Callable[[Ranks], Floats]) -> Floats:
    """Measure a block of queries at a time."""
    queries, items = gains.shape
    if not 1 <= k <= items:
        raise InputError(f"k: {k} is not in 1 to {items}, the number of ranked items")
    apart = None if distances is None else np.asarray(distances)
    if apart is not None and apart.shape != gains.shape:
        raise InputError(f"distances: shape {apart.shape}, but there is relevance of shape {gains.shape}")
    step = max(1, BLOCK // items)
    values = np.empty(queries)
    for first in range(0, queries, step):
        block = slice(first, first + step)
        near = None if apart is None else apart[block].astype(np.float64)
        if near is not None and np.isnan(near).any():
            row = first + int(np.isnan(near).any(axis=1).argmax())
            raise InputError(f"distances: row {row} holds NaN")
        values[block] = measure(_ranks(gains[block], near))
    return values

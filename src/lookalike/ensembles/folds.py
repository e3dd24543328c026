"""Folds over the references, by which ensembles choose how far to trust what they learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lookalike.core.lanes import cores, in_lanes
from lookalike.core.types import Rows

__all__ = ["in_order", "reference_folds", "softmax"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def reference_folds(references: int, folds: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield the references to fit on and those held out, ascending, fold by fold; each is held out once.

    Parameters
    ----------
    references : int
        How many there are; fewer than two give no folds.
    folds : int
        At most as many as there are references.
    seed : int

    Examples
    --------
    >>> [held.tolist() for _, held in reference_folds(5, 2, seed=0)]
    [[1, 2, 3], [0, 4]]
    """
    if references < 2:
        return
    count = min(folds, references)
    fold = np.empty(references, np.int64)
    fold[np.random.default_rng(seed).permutation(references)] = np.arange(references) % count
    for number in range(count):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def in_order(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return the result of `work` for every item, in the order of the items; the work is done in lanes.

    Examples
    --------
    >>> in_order(lambda number: number * number, [3, 1, 2])
    [9, 1, 4]
    """
    results: dict[int, Result] = dict(
        in_lanes(lambda place: (place, work(items[place])), range(len(items)), max(1, min(len(items), cores())))
    )
    return [results[place] for place in range(len(items))]


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``exp(x)``, divided by its sum over the row, float64 (N, K).

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    turned = np.ascontiguousarray(logits.T)  # the models first: reductions over a short last axis are slow
    turned -= turned.max(axis=0)
    np.exp(turned, out=turned)
    turned /= turned.sum(axis=0)
    return np.ascontiguousarray(turned.T)

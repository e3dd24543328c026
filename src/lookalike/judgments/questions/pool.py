"""The questions that may be asked: drawn from a part of the images, without trivial and repeated ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Rows
from lookalike.judgments.questions.state import State

__all__ = ["Pool", "draw_pool"]

IMAGES = 512
REFERENCES = 64
PAIRS = 64
ENUMERATED = 34
"""Up to this many images, all of their questions (at most 17,952) are listed instead of drawn."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Questions to choose from.

    Attributes
    ----------
    rows : int64 (P,)
        The images drawn, by their rows in the state.
    distances : float32 (M, P, P)
        Between them, by each model.
    triplets : int64 (C, 3)
        Reference, a and b, by their places in `rows`. No image twice in a question, no near-identical ones, no
        question twice in either order of its candidates, none that was asked before.
    """

    rows: Rows
    distances: NDArray[np.float32]
    triplets: Rows

    @property
    def gaps(self) -> NDArray[np.float32]:
        """By how much a is closer than b, per model: distance of b minus distance of a, float32 (M, C)."""
        r, a, b = self.triplets.T
        return np.asarray(self.distances[:, r, b] - self.distances[:, r, a], np.float32)


def draw_pool(state: State, rng: np.random.Generator) -> Pool:
    """Draw questions.

    A fresh part of the collection each time, so that the work does not grow with the collection and, over many
    proposals, all of it is covered. In it the images that were a reference least often are the references, so that
    no region of the collection is left without judgments; their candidates are drawn evenly.

    Parameters
    ----------
    state : State
    rng : numpy.random.Generator

    Returns
    -------
    Pool
        Without questions where none is left.

    Examples
    --------
    >>> state = State(["r", "x", "y"], [np.eye(3, dtype=np.float32)])
    >>> len(draw_pool(state, np.random.default_rng(0)).triplets)
    3
    """
    count = len(state.ids)
    rows = np.sort(rng.choice(count, min(count, IMAGES), replace=False)).astype(np.int64)
    distances = np.stack([_distances(model[rows]) for model in state.vectors])
    drawn = _all(len(rows)) if len(rows) <= ENUMERATED else _some(_references(state, rows, rng), len(rows), rng)
    drawn = rng.permutation(drawn)
    mirrored = rng.random(len(drawn)) < 0.5
    drawn[mirrored] = drawn[mirrored][:, [0, 2, 1]]
    return Pool(rows, distances, _fresh(drawn, distances.mean(axis=0) > state.alike, _places(state, rows)))


def _distances(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors = np.asarray(vectors, np.float32)
    return np.asarray(np.clip(1 - vectors @ vectors.T, 0, 2), np.float32)


def _references(state: State, rows: Rows, rng: np.random.Generator) -> Rows:
    """Return the places of the images that were a reference least often; ties are broken by chance."""
    asked = state.triplets[:, 0]
    used = np.bincount(asked[asked >= 0], minlength=len(state.ids))[rows]
    return np.asarray(np.lexsort((rng.random(len(rows)), used))[:REFERENCES], np.int64)


def _all(count: int) -> Rows:
    r, a, b = np.meshgrid(*[np.arange(count)] * 3, indexing="ij")
    return np.stack([r, a, b], axis=-1)[a < b].astype(np.int64)


def _some(references: Rows, count: int, rng: np.random.Generator) -> Rows:
    pairs = rng.integers(count, size=(len(references) * PAIRS, 2))
    return np.column_stack([np.repeat(references, PAIRS), pairs]).astype(np.int64)


def _places(state: State, rows: Rows) -> Rows:
    """Return the answered questions, all of whose images were drawn, by places in `rows`."""
    # One place more than there are images: the row -1, of an image not at hand, finds -1 there.
    place = np.full(len(state.ids) + 1, -1, np.int64)
    place[rows] = np.arange(len(rows))
    asked = place[state.triplets]
    return np.asarray(asked[(asked >= 0).all(axis=1)], np.int64)


def _fresh(drawn: Rows, differ: NDArray[np.bool_], asked: Rows) -> Rows:
    """Keep each question once, where its three images differ and it was not asked."""
    r, a, b = drawn.T
    apart = (r != a) & (r != b) & (a != b) & differ[r, a] & differ[r, b] & differ[a, b]
    drawn = drawn[apart]
    keys = _keys(drawn, len(differ))
    _, first = np.unique(keys, return_index=True)
    first = np.sort(first)
    return np.asarray(drawn[first][~np.isin(keys[first], _keys(asked, len(differ)))], np.int64)


def _keys(triplets: Rows, count: int) -> Rows:
    """Give every question a number, the same in either order of a and b."""
    pairs = np.sort(triplets[:, 1:], axis=1)
    return np.asarray((triplets[:, 0] * count + pairs[:, 0]) * count + pairs[:, 1], np.int64)

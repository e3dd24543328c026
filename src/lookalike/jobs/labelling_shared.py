"""Questions that somebody else has answered: asked of another person, they tell how far people agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.judgments.questions import Question, State

__all__ = ["answered_by_others"]


def answered_by_others(state: State, count: int, rng: np.random.Generator) -> list[Question]:
    """Draw questions that others have answered and this state's annotator has not.

    Parameters
    ----------
    state : State
        With an annotator; answers without a name count as somebody else's.
    count : int
        How many at most.
    rng : numpy.random.Generator
        Also says which candidate comes first.

    Returns
    -------
    list of Question
        Each once. Nobody can tell them from new ones.

    Examples
    --------
    >>> from lookalike.judgments.table import Judgments
    >>> answers = Judgments.from_ids(["r", "x"], ["x", "y"], ["y", "r"], [1, 1], [0, 0], annotator=["ann", "bob"])
    >>> state = State(["r", "x", "y"], [np.eye(3, dtype=np.float32)], answers, annotator="bob")
    >>> [question.reference for question in answered_by_others(state, 5, np.random.default_rng(0))]
    ['r']
    """
    judgments = state.judgments
    if judgments is None or count < 1:
        return []
    own = np.zeros(len(judgments), np.bool_)
    if judgments.annotator is not None:
        own = judgments.annotator.values() == state.annotator
    known = (state.triplets >= 0).all(axis=1)
    others = np.flatnonzero(known & ~own)
    _, first = np.unique(_keys(state, others), return_index=True)
    others = others[first]
    others = others[~np.isin(_keys(state, others), _keys(state, np.flatnonzero(known & own)))]
    drawn = []
    for row in rng.choice(others, min(count, len(others)), replace=False) if len(others) else ():
        r, a, b = (str(state.ids[place]) for place in state.triplets[row])
        drawn.append(Question(r, b, a) if rng.random() < 0.5 else Question(r, a, b))
    return drawn


def _keys(state: State, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give every question a number, the same in either order of a and b."""
    triplets, count = state.triplets[rows], len(state.ids)
    low, high = triplets[:, 1:].min(axis=1), triplets[:, 1:].max(axis=1)
    return np.asarray((triplets[:, 0] * count + low) * count + high, np.int64)

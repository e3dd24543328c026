"""Which old questions are asked again, and when."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Rows
from lookalike.judgments.questions.state import State

__all__ = ["place_trials"]


def place_trials(
    state: State, count: int, shares: tuple[float, float], gap: int, rng: np.random.Generator
) -> dict[int, tuple[str, int]]:
    """Place repeated and flipped questions among the next ones.

    Parameters
    ----------
    state : State
    count : int
        How many questions will be asked.
    shares : tuple of float
        Of repeated and of flipped ones.
    gap : int
        At least so many other questions lie between an answer and its repetition.
    rng : numpy.random.Generator

    Returns
    -------
    dict of int to (str, int)
        By position among the next questions: ``"repeat"`` or ``"flip"``, and the row of the judgments to ask again.
        A question is asked again once at most; where no answer is old enough, nothing is placed.

    Examples
    --------
    >>> from lookalike.judgments.table import Judgments
    >>> answer = Judgments.from_ids(["r"], ["x"], ["y"], [1], [0])
    >>> state = State(["r", "x", "y"], [np.eye(3, dtype=np.float32)], answer)
    >>> place_trials(state, 5, (0.0, 0.99), gap=3, rng=np.random.default_rng(0))
    {3: ('flip', 0)}
    """
    draws = rng.random(count)
    kinds = np.where(draws < shares[0], "repeat", "flip")
    own = _own_rows(state)
    eligible = own[_repeatable(state, own)]
    # Position of every own answer in this annotator's session; the next question has the position len(own).
    age = len(own) - np.searchsorted(own, eligible)
    placed: dict[int, tuple[str, int]] = {}
    used = np.zeros(len(eligible), np.bool_)
    for slot in np.flatnonzero(draws < sum(shares)):
        old = np.flatnonzero(~used & (age + slot - 1 >= gap))
        if len(old):
            pick = int(rng.choice(old))
            used[pick] = True
            placed[int(slot)] = (str(kinds[slot]), int(eligible[pick]))
    return placed


def _own_rows(state: State) -> Rows:
    """Return the rows of the answers by this annotator; all rows where none is named."""
    judgments = state.judgments
    rows = np.arange(len(state.triplets))
    if judgments is None or not state.annotator:
        return rows
    if judgments.annotator is None:
        return np.asarray(rows[:0], np.int64)
    return np.asarray(rows[judgments.annotator.values() == state.annotator], np.int64)


def _repeatable(state: State, own: Rows) -> NDArray[np.bool_]:
    """Tell which of these answers are to new questions that were answered only this once, about images at hand."""
    triplets = state.triplets[own]
    pairs = np.column_stack([triplets[:, :1], np.sort(triplets[:, 1:], axis=1)])
    _, group, size = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    single = size[group.reshape(-1)] == 1
    trial = None if state.judgments is None else state.judgments.trial
    new = np.ones(len(own), np.bool_) if trial is None else trial.values()[own] == ""
    return np.asarray(single & new & (triplets >= 0).all(axis=1), np.bool_)

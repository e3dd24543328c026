"""What every strategy does: draw fresh questions, choose among them, and mix in trials for quality control."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.registry import Registry
from lookalike.core.types import Rows
from lookalike.judgments.questions.pool import Pool, draw_pool
from lookalike.judgments.questions.state import State
from lookalike.judgments.questions.trials import place_trials

__all__ = ["STRATEGIES", "Question", "Strategy", "best_per_reference"]


@dataclass(frozen=True, slots=True)
class Question:
    """One question: whether `a` or `b` is closer to `reference`.

    Attributes
    ----------
    reference, a, b : str
        Images.
    trial : str
        Empty for a new question; ``"repeat"`` or ``"flip"`` (a and b exchanged) for one asked again.
    repeats : int or None
        The row of the judgments that is asked again.

    Examples
    --------
    >>> Question("r", "x", "y")
    Question(reference='r', a='x', b='y', trial='', repeats=None)
    """

    reference: str
    a: str
    b: str
    trial: str = ""
    repeats: int | None = None


class Strategy(ABC):
    """A way to choose questions.

    Parameters
    ----------
    repeat_share, flip_share : float
        Shares of the questions that are old ones, asked again as they were or with a and b exchanged, to measure how
        consistent the annotator is. Drawn by chance, so nobody can foresee them; 0 or more, together under 1.
    gap : int
        At least so many other questions lie between an answer and its repetition.

    Raises
    ------
    InputError
        A share or the gap is out of range.
    """

    def __init__(self, repeat_share: float = 0.05, flip_share: float = 0.05, gap: int = 10) -> None:
        if not (repeat_share >= 0 and flip_share >= 0 and repeat_share + flip_share < 1):
            raise InputError(f"shares of trials are 0 or more and under 1 together: {repeat_share}, {flip_share}")
        if gap < 1:
            raise InputError(f"at least one question must lie between an answer and its repetition, not {gap}")
        self.repeat_share, self.flip_share, self.gap = repeat_share, flip_share, gap

    def propose(self, state: State, count: int, rng: np.random.Generator) -> list[Question]:
        """Propose the next questions.

        Parameters
        ----------
        state : State
        count : int
            How many.
        rng : numpy.random.Generator
            The same generator, state and count give the same questions.

        Returns
        -------
        list of Question
            In the order to ask them; fewer where no more fresh ones are found.

        Raises
        ------
        InputError
            A negative count, or fewer than three images.
        """
        if count < 0:
            raise InputError(f"the count of questions must be 0 or more, not {count}")
        if len(state.ids) < 3:
            raise InputError(f"a question takes three images, there are {len(state.ids)}")
        trials = place_trials(state, count, (self.repeat_share, self.flip_share), self.gap, rng)
        pool = draw_pool(state, rng)
        wanted = count - len(trials)
        chosen = np.empty(0, np.int64)
        if len(pool.triplets) and wanted:
            chosen = self.choose(pool, state, wanted, rng)[:wanted]
        fresh = iter(pool.rows[pool.triplets[chosen]])
        questions = []
        for slot in range(count):
            if slot in trials:
                kind, row = trials[slot]
                r, a, b = state.triplets[row]
                questions.append(_question(state, r, *((b, a) if kind == "flip" else (a, b)), kind, row))
            elif (triplet := next(fresh, None)) is not None:
                questions.append(_question(state, *triplet))
            else:
                break  # a trial that moved up would follow its original too closely
        return questions

    @abstractmethod
    def choose(self, pool: Pool, state: State, count: int, rng: np.random.Generator) -> Rows:
        """Choose among the questions of a pool.

        Returns
        -------
        int64 (at most count,)
            Places in ``pool.triplets``, which has at least one.
        """


STRATEGIES: Registry[type[Strategy]] = Registry("question strategy")
"""Strategies by name; call an entry to make one."""


def best_per_reference(references: Rows, scores: NDArray[np.floating], count: int) -> Rows:
    """Choose the questions of the highest scores, but each reference once before any reference twice.

    Parameters
    ----------
    references : int64 (C,)
        One per question.
    scores : float (C,)
        Higher is better; ties go to the first.
    count : int
        How many to choose.

    Returns
    -------
    int64 (min(count, C),)

    Examples
    --------
    >>> best_per_reference(np.array([7, 7, 3]), np.array([0.9, 0.8, 0.1]), count=2).tolist()
    [0, 2]
    """
    order = np.argsort(-scores, kind="stable")
    by_reference = order[np.argsort(references[order], kind="stable")]
    _, start, size = np.unique(references[by_reference], return_index=True, return_counts=True)
    turn = np.empty(len(order), np.int64)
    turn[by_reference] = np.arange(len(order)) - np.repeat(start, size)
    return np.asarray(order[np.argsort(turn[order], kind="stable")][:count], np.int64)


def _question(state: State, r: int, a: int, b: int, trial: str = "", repeats: int | None = None) -> Question:
    return Question(str(state.ids[r]), str(state.ids[a]), str(state.ids[b]), trial, repeats)

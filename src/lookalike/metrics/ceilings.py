"""How well anything could do, given how far annotators disagree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lookalike.core.errors import InputError
from lookalike.metrics.checks import Floats, Ints, as_choices, as_votes, same_length
from lookalike.metrics.groups import as_codes, sums_by_code
from lookalike.metrics.intervals import LEVEL, RESAMPLES, bootstrap_ratio
from lookalike.metrics.two_afc import Accuracy

__all__ = ["SplitHalf", "ceiling", "split_half_ceiling"]


@dataclass(frozen=True, slots=True)
class SplitHalf:
    """How well the majority of one half of the annotators predicts the other half.

    Attributes
    ----------
    value, low, high : float
        The share of answers predicted, in [0, 1]; `low` and `high` are NaN where there are fewer than two clusters.
    n : int
        Questions that were counted.
    left_out : int
        Questions that fewer than two annotators answered.
    """

    value: float
    low: float
    high: float
    n: int
    left_out: int


def ceiling(
    votes_a: ArrayLike,
    votes_b: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Accuracy:
    """Return the best accuracy that any fixed distance can reach on these votes.

    A distance says the same every time, so of each row it wins at most the larger side:
    ``sum(max(votes_a, votes_b)) / sum(votes_a + votes_b)``.

    Parameters
    ----------
    votes_a, votes_b : float (n,)
        One row per question, all its votes together: the same question in two rows would make the ceiling too high.
    clusters, level, resamples, seed
        As in `lookalike.metrics.two_afc.two_afc_accuracy`.

    Returns
    -------
    Accuracy

    Notes
    -----
    This is the ceiling on the votes at hand. Questions with few votes make it optimistic (with one vote each it is 1);
    `split_half_ceiling` is not so misled.

    Examples
    --------
    >>> ceiling([3, 1, 2], [1, 3, 2]).value
    0.6666666666666666
    """
    a, b = as_votes(votes_a, votes_b)
    found = bootstrap_ratio(np.maximum(a, b), a + b, clusters, level=level, resamples=resamples, seed=seed)
    return Accuracy(found.value, found.low, found.high, found.n)


def split_half_ceiling(
    questions: ArrayLike,
    annotators: ArrayLike,
    choices: ArrayLike,
    *,
    repeats: int = 100,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> SplitHalf:
    """Return how well the majority of a random half of the annotators predicts the answers of the other half.

    Parameters
    ----------
    questions : int or str (n,)
        Which question each answer is to. Both orders of the candidates are one question only if `choices` are turned
        to one order.
    annotators : int or str (n,)
        Who answered; where that is unknown, the number of the answer. Answers of one person to one question stay in
        one half.
    choices : str (n,)
        ``"a"`` or ``"b"``.
    repeats : int
        How many random splits are averaged.
    clusters : int or str (n,), optional
        As in `two_afc_accuracy`, a label per answer; without, every question is its own cluster.
    level, resamples, seed
        Of the interval; `seed` also draws the splits.

    Returns
    -------
    SplitHalf

    Raises
    ------
    InputError
        Columns of different length, an answer that is not a or b, or no question with two annotators.

    Notes
    -----
    Each question is split by itself, its annotators cut in two; an odd one goes to either side at random. A tied
    majority predicts half of the answers. Half of the people know less than all of them, so this is a lower estimate
    of what can be reached, as `ceiling` is an upper one.

    Examples
    --------
    >>> split_half_ceiling(["q"] * 4 + ["r"], ["ann", "bob", "cid", "dee", "ann"], ["a", "a", "a", "a", "b"]).left_out
    1
    """
    if repeats < 1:
        raise InputError(f"repeats: {repeats} is not at least 1")
    chose_a = as_choices(choices)
    question, _ = as_codes("questions", questions)
    annotator, names = as_codes("annotators", annotators)
    same_length(choices=chose_a, questions=question, annotators=annotator)
    # A unit is what one person said about one question, in a fixed order.
    found, first, unit = np.unique(question * len(names) + annotator, return_index=True, return_inverse=True)
    unit_question = found // len(names)
    people = np.bincount(unit_question)
    counted = people > 1
    if not counted.any():
        raise InputError("questions: none was answered by two annotators")
    votes = np.stack([sums_by_code(unit, chose_a), sums_by_code(unit, ~chose_a)], axis=1)
    agreeing, total = _expected_agreement(unit_question, people, votes, repeats, seed)
    labels = None
    if clusters is not None:
        label = np.asarray(clusters)
        same_length(choices=chose_a, clusters=label)
        labels = label[first][np.unique(unit_question, return_index=True)[1]][counted]
    estimate = bootstrap_ratio(agreeing[counted], total[counted], labels, level=level, resamples=resamples, seed=seed)
    left_out = int((~counted).sum())
    return SplitHalf(estimate.value, estimate.low, estimate.high, int(counted.sum()), left_out)


def _expected_agreement(
    question: Ints, people: NDArray[np.int64], votes: Floats, repeats: int, seed: int
) -> tuple[Floats, Floats]:
    """Return the predicted and all answers of the predicted half per question, averaged over random splits.

    Parameters
    ----------
    question : int (U,)
        The question of each unit, ascending.
    people : int (Q,)
        Units of each question.
    votes : float (U, 2)
        Answers a and b of each unit.
    """
    rng = np.random.default_rng(seed)
    before = np.cumsum(people) - people
    predicted, answers = np.zeros(len(people)), np.zeros(len(people))
    for _ in range(repeats):
        shuffled = np.lexsort((rng.random(len(question)), question))
        place = np.arange(len(question)) - before[question]
        half = (people + rng.integers(2, size=len(people))) // 2
        asked = place < half[question]
        sides = [
            np.stack([sums_by_code(question[side], votes[shuffled][side, c], len(people)) for c in (0, 1)])
            for side in (asked, ~asked)
        ]
        (for_a, for_b), (rest_a, rest_b) = sides
        rest = rest_a + rest_b
        predicted += np.where(for_a > for_b, rest_a, np.where(for_b > for_a, rest_b, rest / 2))
        answers += rest
    return predicted / repeats, answers / repeats

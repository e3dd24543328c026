"""Single answers that cannot all be meant: the opposite of another one, or part of a circle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Rows
from lookalike.judgments.problems import Fault, Locate
from lookalike.judgments.table import Judgments

__all__ = ["circular", "contradictory", "inconsistencies"]

SHOWN = 5
"""Rows of a circle that a message names."""


def contradictory(judgments: Judgments) -> Rows:
    """Find answers to a question whose opposite the same annotator gave too.

    Rows without an annotator count as one annotator's. Repeated and flipped trials are left aside: they are
    asked to see whether people change their minds.

    Parameters
    ----------
    judgments : Judgments
        One person's answer per row.

    Returns
    -------
    int64 (n,)
        The first row that says the opposite; -1 where none does.

    Examples
    --------
    >>> answers = Judgments.from_ids(["r", "r", "q"], ["x", "y", "x"], ["y", "x", "y"], [1, 1, 1], [0, 0, 0])
    >>> contradictory(answers).tolist()
    [1, 0, -1]
    """
    rows, closer, farther, person = _answers(judgments)
    low, high = np.minimum(closer, farther), np.maximum(closer, farther)
    question = _number(np.stack([person, judgments.reference[rows], low, high]))
    forward = (closer < farther).astype(np.int64)
    firsts = np.full((2, int(question.max(initial=-1)) + 1), -1, np.int64)
    # Written backwards, the first row of each question and direction stays.
    firsts[forward[::-1], question[::-1]] = rows[::-1]
    found = np.full(len(judgments), -1, np.int64)
    found[rows] = firsts[1 - forward, question]
    return found


def circular(judgments: Judgments) -> Rows:
    """Find answers that go in a circle, of one reference and annotator: x closer than y, y than z, z than x.

    Circles of any length are found; two opposite answers are the shortest.

    Parameters
    ----------
    judgments : Judgments
        As for `contradictory`.

    Returns
    -------
    int64 (n,)
        The same number for the answers of circles that hang together; -1 for answers in none.

    Examples
    --------
    >>> answers = Judgments.from_ids(["r"] * 4, ["x", "y", "z", "x"], ["y", "z", "x", "w"], [1] * 4, [0] * 4)
    >>> (circular(answers) >= 0).tolist()
    [True, True, True, False]
    """
    rows, closer, farther, person = _answers(judgments)
    place = np.stack([person, judgments.reference[rows]])
    nodes = _number(np.concatenate([np.vstack([place, closer]), np.vstack([place, farther])], axis=1))
    source, target = np.split(nodes, 2)
    edges = np.arange(len(rows))
    size = int(nodes.max(initial=-1)) + 1
    # What nothing leads to, or from, is in no circle. Peel it off until nothing changes.
    while len(edges):
        leads, led = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
        leads[source[edges]] = led[target[edges]] = True
        inside = edges[led[source[edges]] & leads[target[edges]]]
        if len(inside) == len(edges):
            break
        edges = inside
    part = np.full(size, -1, np.int64)
    for node, label in _strong_parts(source[edges].tolist(), target[edges].tolist()).items():
        part[node] = label
    edges = edges[part[source[edges]] == part[target[edges]]]
    found = np.full(len(judgments), -1, np.int64)
    found[rows[edges]] = part[source[edges]]
    return found


def inconsistencies(judgments: Judgments, locate: Locate) -> list[Fault]:
    """Return contradictory and circular answers as faults that name the other rows.

    Examples
    --------
    >>> answers = Judgments.from_ids(["r", "r"], ["x", "y"], ["y", "x"], [1, 1], [0, 0])
    >>> (mask, reason), _ = inconsistencies(answers, lambda rows: [("a.csv", int(row) + 2) for row in rows])
    >>> reason(0)
    'contradicts row 3: the same question, the opposite answer'
    """
    opposite = contradictory(judgments)
    opposed = opposite >= 0
    circle = np.where(opposed, -1, circular(judgments))
    round_about = circle >= 0
    # One look into the file for all the rows that messages name.
    named = np.flatnonzero(opposed | round_about)
    lines = dict(zip(named.tolist(), (line for _, line in locate(named)), strict=True)) if len(named) else {}
    rings: dict[int, list[int]] = {}
    for row in np.flatnonzero(round_about).tolist():
        rings.setdefault(int(circle[row]), []).append(row)

    def contradicts(row: int) -> str:
        return f"contradicts row {lines[int(opposite[row])]}: the same question, the opposite answer"

    def turns(row: int) -> str:
        ring = rings[int(circle[row])]
        others = ", ".join(str(lines[other]) for other in ring[:SHOWN] if other != row)
        more = f" and {len(ring) - SHOWN} more" if len(ring) > SHOWN else ""
        return f"goes in a circle with rows {others}{more}: x closer than y, y than z, z than x"

    return [(opposed, contradicts), (round_about, turns)]


def _answers(judgments: Judgments) -> tuple[Rows, Rows, Rows, Rows]:
    """Return the rows that count, their closer and farther candidates, and a number per person."""
    told = judgments.votes_a != judgments.votes_b
    if judgments.trial is not None:
        told &= judgments.trial.codes < 0
    rows = np.flatnonzero(told)
    first = judgments.closer_a[rows]
    a, b = judgments.candidate_a[rows].astype(np.int64), judgments.candidate_b[rows].astype(np.int64)
    person = np.zeros(len(rows), np.int64)
    if judgments.annotator is not None:
        person += judgments.annotator.codes[rows] + 1
    return rows, np.where(first, a, b), np.where(first, b, a), person


def _number(keys: NDArray[np.int64]) -> Rows:
    """Give each distinct column of `keys` a number."""
    numbers = np.zeros(keys.shape[1], np.int64)
    for key in keys:
        # Numbers stay below n, labels below 2^31: the combination fits into an int64.
        numbers = np.unique(numbers * (int(key.max(initial=0)) + 1) + key, return_inverse=True)[1]
    return numbers


def _strong_parts(source: list[int], target: list[int]) -> dict[int, int]:
    """Label the strongly connected parts of a graph (Tarjan 1972), without recursion."""
    after: dict[int, list[int]] = {}
    for s, t in zip(source, target, strict=True):
        after.setdefault(s, []).append(t)
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    part: dict[int, int] = {}
    waiting: list[int] = []
    for root in after:
        if root in index:
            continue
        work = [(root, 0)]
        while work:
            node, done = work.pop()
            if done == 0:
                index[node] = low[node] = len(index)
                waiting.append(node)
            else:
                low[node] = min(low[node], low[after[node][done - 1]])
            for place in range(done, len(after.get(node, ()))):
                following = after[node][place]
                if following not in index:
                    work += [(node, place + 1), (following, 0)]
                    break
                if following not in part:
                    low[node] = min(low[node], index[following])
            else:
                if low[node] == index[node]:
                    while part.get(node) != node:
                        part[waiting.pop()] = node
    return part

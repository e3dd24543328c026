"""What an ensemble is fitted on: how far apart each model finds the candidates, and what people said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Rows
from lookalike.metrics.calibration import logistic
from lookalike.metrics.probabilities import log_loss

__all__ = ["Answers", "Floats", "calibrate", "likeliest_temperature"]

Floats = NDArray[np.float64]
Votes = NDArray[np.floating[Any]]

NEWTON = 100
RANGE = 10.0
"""How many times the median a model's calibration may differ from it, either way."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Judgments as ensembles see them, sorted by reference.

    Attributes
    ----------
    gaps : float64 (n, K)
        ``c_k (d_kb - d_ka)``: above 0 where model k finds a closer.
    votes_a, votes_b : float64 (n,)
    reference : int64 (n,)
        Place of the reference, from 0 to R - 1, ascending; none is missing.
    """

    gaps: Floats
    votes_a: Floats
    votes_b: Floats
    reference: Rows
    sums: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make the sparse matrix (R, n) that sums over the rows of each reference."""
        from scipy.sparse import csr_matrix

        rows = len(self.reference)
        starts = np.searchsorted(self.reference, np.arange(self.references + 1))
        made = csr_matrix((np.ones(rows), np.arange(rows), starts), shape=(self.references, rows))
        object.__setattr__(self, "sums", made)

    @classmethod
    def of(cls, gaps: Floats, votes_a: Votes, votes_b: Votes, reference: Rows) -> Answers:
        """Sort by reference, rows of one reference as they come.

        Examples
        --------
        >>> answers = Answers.of(np.array([[0.1], [0.2]]), np.array([1, 0]), np.array([0, 1]), np.array([1, 0]))
        >>> answers.gaps.ravel().tolist(), answers.reference.tolist()
        ([0.2, 0.1], [0, 1])
        """
        order = np.argsort(reference, kind="stable")
        a, b = (np.asarray(votes, np.float64)[order] for votes in (votes_a, votes_b))
        return cls(np.ascontiguousarray(gaps[order]), a, b, np.asarray(reference, np.int64)[order])

    @property
    def references(self) -> int:
        """How many references there are."""
        return int(self.reference[-1]) + 1

    def by_reference(self, values: Floats) -> Floats:
        """Return sums over the rows of each reference, float64 (R, ...)."""
        return np.asarray(self.sums @ values)

    def right(self, tie: float = 0.5) -> tuple[Floats, Floats]:
        """Return how many votes each model agrees with, float64 (R, K), and how many there are, (R,).

        Parameters
        ----------
        tie : float
            Share of a row's votes for a, the rest being those for b, that agree where a model has both equally far:
            0.5 counts half of all votes, 1 takes a tie for an answer "a".
        """
        a, b = self.votes_a[:, None], self.votes_b[:, None]
        level = tie * a + (1 - tie) * b
        agreeing = np.where(self.gaps > 0, a, np.where(self.gaps < 0, b, level))
        return self.by_reference(agreeing), self.by_reference(self.votes_a + self.votes_b)

    def foretold(self) -> tuple[Floats, Floats]:
        """Return how far each model foretells the votes, float64 (R, K), and how many there are, (R,).

        A vote counts by the probability that the model gives it, at the temperature that suits this model best. That
        says more of a model than whether it is right: of few votes per reference, the latter is mostly chance. All is
        divided by one number, so that a vote has the variance 1/4, as of a coin that is right or not.

        Examples
        --------
        >>> sure = Answers(np.array([[0.1, 1.0], [0.1, -1.0]]), np.ones(2), np.zeros(2), np.array([0, 1]))
        >>> [votes.round(2).tolist() for votes in sure.foretold()]
        [[[0.83, 0.5], [0.83, 0.5]], [1.0, 1.0]]
        """
        a, b = self.votes_a[:, None], self.votes_b[:, None]
        temperatures = [likeliest_temperature(gaps, self.votes_a, self.votes_b) for gaps in self.gaps.T]
        columns = zip(self.gaps.T, temperatures, strict=True)
        chance = np.stack([logistic(-gaps, temperature) for gaps, temperature in columns], axis=1)
        mean = (a * chance + b * (1 - chance)).sum(axis=0) / (a + b).sum()
        variance = (a * (chance - mean) ** 2 + b * (1 - chance - mean) ** 2).sum(axis=0) / (a + b).sum()
        unit = 2 * np.sqrt(variance.mean()) or 1.0
        return self.by_reference(a * chance + b * (1 - chance)) / unit, self.by_reference(self.votes_a + self.votes_b)

    def margins(self, weights: Floats) -> Floats:
        """Return the gaps of the ensemble, float64 (n,), for weights per reference, (R, K)."""
        return (self.gaps * weights.take(self.reference, axis=0)) @ np.ones(weights.shape[1])

    def loss(self, weights: Floats) -> float:
        """Return the log loss of the votes, at the temperature that suits these weights best."""
        margins = self.margins(weights)
        temperature = likeliest_temperature(margins, self.votes_a, self.votes_b)
        return log_loss(logistic(-margins, temperature), self.votes_a, self.votes_b)

    def of_references(self, chosen: Rows) -> Answers:
        """Return the answers about some references, int (r,) ascending, which become 0 to r - 1."""
        place = np.full(self.references, -1)
        place[chosen] = np.arange(len(chosen))
        kept = place[self.reference] >= 0
        return Answers(self.gaps[kept], self.votes_a[kept], self.votes_b[kept], place[self.reference[kept]])


def likeliest_temperature(margins: Floats, votes_a: Votes, votes_b: Votes) -> float:
    """Return the temperature under which votes are most likely, having added one vote, half to each answer.

    Without it, answers that are all right would have the temperature 0: certainty, from however few of them.

    Parameters
    ----------
    margins : float (n,)
        ``distance_b - distance_a``.
    votes_a, votes_b : float (n,)

    Returns
    -------
    float
        Above 0; infinity where the margins point no better than the wrong way.

    Examples
    --------
    >>> round(likeliest_temperature(np.array([0.1, 0.2]), np.ones(2), np.zeros(2)), 3)
    0.099
    """
    # For lengths of margins the derivative of the likelihood by the slope falls, ever slower: from 0, Newton's steps
    # approach the root from below.
    length = np.abs(margins)
    for_it = np.where(margins > 0, votes_a, votes_b) + 0.5 / len(margins)
    total = votes_a + votes_b + 1 / len(margins)
    unit = float(length.max(initial=0))
    if unit == 0:
        return np.inf
    length, slope = length / unit, 0.0
    for _ in range(NEWTON):
        other = np.exp(-slope * length)
        chance = 1 / (1 + other)
        pulled = length * (for_it - total * chance)
        step = float(pulled.sum() / ((length**2 * total) @ (chance * other * chance)))
        slope += step
        if step <= 1e-10 * slope:
            break
    return unit / slope if slope > 0 else np.inf


def calibrate(gaps: Floats, votes_a: Votes, votes_b: Votes) -> Floats:
    """Return a positive number per model that makes their distances comparable, the largest being 1.

    In proportion to the slope of each model's own logistic fit: a gap of a model that is often right, or whose
    distances are all small, counts for more.

    Parameters
    ----------
    gaps : float (n, K)
        ``d_kb - d_ka``.
    votes_a, votes_b : float (n,)

    Returns
    -------
    float64 (K,)
        Within a factor 10 of the median; so is that of a model that is no better than chance.

    Examples
    --------
    >>> gaps = np.array([[0.1, 1.0], [0.2, 2.0], [-0.1, -1.0]])
    >>> calibrate(gaps, np.array([1, 1, 1]), np.array([0, 0, 0])).round(3)
    array([1. , 0.1])
    """
    slopes = np.array([1 / likeliest_temperature(column, votes_a, votes_b) for column in gaps.T])
    if not (slopes > 0).any():
        return np.ones(len(slopes))
    middle = float(np.median(slopes[slopes > 0]))
    slopes = np.clip(slopes, middle / RANGE, middle * RANGE)
    return np.asarray(slopes / slopes.max())

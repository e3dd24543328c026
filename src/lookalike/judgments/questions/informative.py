"""Questions whose answers are expected to tell most about the metric people use."""

from __future__ import annotations

import numpy as np

from lookalike.core.types import Rows
from lookalike.judgments.questions.information import Numbers, answer_probability, mutual_information
from lookalike.judgments.questions.metric import MetricPosterior, fit_metric, question_features
from lookalike.judgments.questions.pool import Pool
from lookalike.judgments.questions.state import State
from lookalike.judgments.questions.strategy import STRATEGIES, Strategy

__all__ = ["Informative", "metric_posterior", "most_informative"]

SHORTLIST = 400
ANSWERS = 2000
"""The posterior is fitted to so many answers at most, the latest: beyond that, it is narrow and fitting is slow."""


@STRATEGIES.register("informative")
class Informative(Strategy):
    """Ask what is expected to tell most about the metric.

    The posterior of a metric over the principal coordinates of the vectors is fitted to the answers so far
    (`fit_metric`); questions are chosen by the mutual information between their answer and the metric
    (`mutual_information`), one after the other, as if those chosen before had been answered, so that a batch does not
    ask the same thing twice (`most_informative`). Give it the vectors of frozen features: it learns by itself what
    matters in them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> vectors = rng.normal(size=(20, 4)).astype(np.float32)
    >>> vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    >>> state = State([f"{n:02}" for n in range(20)], [vectors])
    >>> len(Informative().propose(state, 5, rng))
    5
    """

    def choose(self, pool: Pool, state: State, count: int, rng: np.random.Generator) -> Rows:  # noqa: ARG002
        """Choose the most informative questions; see `Strategy.choose`."""
        places = state.coordinates(pool.rows)
        features = question_features(*(places[column] for column in pool.triplets.T))
        return most_informative(metric_posterior(state), features, count)


def metric_posterior(state: State) -> MetricPosterior:
    """Fit the posterior of the metric to the answers of a state about images at hand.

    Examples
    --------
    >>> state = State(["r", "x", "y"], [np.eye(3, dtype=np.float32)])
    >>> metric_posterior(state).matrix.shape
    (3, 3)
    """
    rows = np.flatnonzero((state.triplets >= 0).all(axis=1))[-ANSWERS:]
    features = question_features(*(state.coordinates(column) for column in state.triplets[rows].T))
    if state.judgments is None:
        return fit_metric(features, np.zeros(0), np.zeros(0))
    votes = (state.judgments.votes_a[rows], state.judgments.votes_b[rows])
    return fit_metric(features, *(column.astype(np.float64) for column in votes))


def most_informative(posterior: MetricPosterior, features: Numbers, count: int) -> Rows:
    """Choose questions greedily by expected information, each given those chosen before it.

    An answer, whatever it will be, narrows the posterior by about its expected curvature. That changes the variances
    of all other questions by a product of rank one, and their means not at all.

    Parameters
    ----------
    posterior : MetricPosterior
    features : float64 (C, P)
        From `question_features`, one row per question that may be asked.
    count : int
        How many to choose.

    Returns
    -------
    int64 (min(count, C),)

    Examples
    --------
    The second question repeats the first with other words; the third is about something else:

    >>> posterior = fit_metric(np.zeros((0, 3)), np.zeros(0), np.zeros(0))
    >>> most_informative(posterior, np.array([[3.0, 0, -3], [2.9, 0, -2.9], [0, 2.5, 0]]), count=2).tolist()
    [0, 2]
    """
    mean = features @ posterior.mean
    spread = features @ posterior.covariance
    variance = np.einsum("cp,cp->c", spread, features)
    # Variances only fall as questions are chosen, so what tells little now will not be chosen later either.
    kept = np.argsort(-mutual_information(mean, variance), kind="stable")[: max(SHORTLIST, 4 * count)]
    features, mean, spread, variance = features[kept], mean[kept], spread[kept], variance[kept]
    chosen: list[int] = []
    directions: list[Numbers] = []
    for _ in range(min(count, len(kept))):
        information = mutual_information(mean, variance)
        information[chosen] = -np.inf
        pick = int(information.argmax())
        chosen.append(pick)
        p = answer_probability(mean[pick : pick + 1], variance[pick : pick + 1])[0]
        direction = spread[pick] - sum((d * (d @ features[pick]) for d in directions), np.zeros(features.shape[1]))
        direction /= np.sqrt(variance[pick] + 1.0 / max(p * (1 - p), 1e-6))
        directions.append(direction)
        variance = np.maximum(variance - (features @ direction) ** 2, 0.0)
    return np.asarray(kept[chosen], np.int64)

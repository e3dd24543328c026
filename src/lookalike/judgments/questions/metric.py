"""What the answers say about the metric: its posterior, by Laplace's approximation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MetricPosterior", "fit_metric", "question_features"]

Numbers = NDArray[np.float64]

PRIOR_DEVIATION = 0.8
ROUNDS = 25


@dataclass(frozen=True, slots=True)
class MetricPosterior:
    """A normal distribution over metrics.

    Attributes
    ----------
    mean : float64 (P,)
        The entries of the symmetric matrix of the metric; see `question_features` for their order.
    covariance : float64 (P, P)
        Of these entries.
    """

    mean: Numbers
    covariance: Numbers

    @property
    def matrix(self) -> Numbers:
        """The mean metric, float64 (K, K), symmetric; it may have negative directions."""
        size = round((np.sqrt(8 * len(self.mean) + 1) - 1) / 2)
        row, column = np.triu_indices(size)
        half = np.zeros((size, size))
        half[row, column] = np.where(row == column, self.mean / 2, self.mean / np.sqrt(2))
        return np.asarray(half + half.T, np.float64)


def question_features(reference: Numbers, a: Numbers, b: Numbers) -> Numbers:
    """Return the features by which a metric answers a question: linear, one per entry of its matrix.

    Under the metric `W` the log odds of "a is closer" are ``(r-b)^T W (r-b) - (r-a)^T W (r-a)``, linear in the entries
    of `W`. Off-diagonal entries, of which there are two alike, are scaled by ``sqrt(2)``, so that a prior with one
    deviation for all entries does not depend on how the axes are turned.

    Parameters
    ----------
    reference, a, b : float64 (n, K)
        Coordinates.

    Returns
    -------
    float64 (n, K (K + 1) / 2)
        In the order of ``numpy.triu_indices(K)``.

    Examples
    --------
    >>> question_features(np.zeros((1, 2)), np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]])).tolist()
    [[-1.0, 0.0, 4.0]]
    """
    row, column = np.triu_indices(reference.shape[1])
    to_a, to_b = reference - a, reference - b
    products = to_b[:, row] * to_b[:, column] - to_a[:, row] * to_a[:, column]
    return np.asarray(products * np.where(row == column, 1.0, np.sqrt(2.0)), np.float64)


def fit_metric(features: Numbers, votes_a: Numbers, votes_b: Numbers) -> MetricPosterior:
    """Fit the posterior of the metric to answers.

    The prior is normal around the identity, which is the distance of the vectors themselves, with the deviation
    `PRIOR_DEVIATION` for every entry; the likelihood is logistic. Its maximum is found by Newton's method with
    step halving (the problem is convex), and the posterior is the normal distribution with the same maximum and
    curvature (Laplace's approximation; MacKay 1992).

    This is the crowd kernel's idea (Tamuz, Liu, Belongie, Shamir and Kalai 2011: keep a distribution over what the
    answers leave open, ask what narrows it most) with a metric over known features in the place of free coordinates
    for every image as there and in t-STE (van der Maaten and Weinberger 2012). Free coordinates say nothing of an image
    that nobody was asked about; a metric does.

    Parameters
    ----------
    features : float64 (n, P)
        From `question_features`; ``P == K (K + 1) / 2``. No rows give the prior.
    votes_a, votes_b : float64 (n,)
        Answers.

    Returns
    -------
    MetricPosterior

    Examples
    --------
    >>> fit_metric(np.zeros((0, 3)), np.zeros(0), np.zeros(0)).matrix.tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    prior = _identity(features.shape[1])
    precision = 1.0 / PRIOR_DEVIATION**2
    mean, loss = prior, np.inf
    for _ in range(ROUNDS):
        gradient, curvature = _slopes(mean, features, votes_a, votes_b)
        gradient += precision * (mean - prior)
        curvature[np.diag_indices_from(curvature)] += precision
        if not len(features):
            break
        step = -np.linalg.solve(curvature, gradient)
        share, before = 1.0, _loss(mean, prior, precision, features, votes_a, votes_b)
        while (loss := _loss(mean + share * step, prior, precision, features, votes_a, votes_b)) > before + 1e-9:
            share /= 2
        mean = mean + share * step
        if before - loss < 1e-4:
            break
    return MetricPosterior(mean, np.asarray(np.linalg.inv(curvature), np.float64))


def _identity(entries: int) -> Numbers:
    size = round((np.sqrt(8 * entries + 1) - 1) / 2)
    row, column = np.triu_indices(size)
    return np.asarray(row == column, np.float64)


def _slopes(mean: Numbers, features: Numbers, votes_a: Numbers, votes_b: Numbers) -> tuple[Numbers, Numbers]:
    """Return the gradient (P,) and the curvature (P, P) of the negative log likelihood."""
    p = 0.5 + 0.5 * np.tanh(features @ mean / 2)
    votes = votes_a + votes_b
    weighted = features * np.sqrt(votes * p * (1 - p))[:, None]
    return features.T @ (votes * p - votes_a), weighted.T @ weighted


def _loss(
    mean: Numbers, prior: Numbers, precision: float, features: Numbers, votes_a: Numbers, votes_b: Numbers
) -> float:
    logits = features @ mean
    answers = votes_a * np.logaddexp(0, -logits) + votes_b * np.logaddexp(0, logits)
    return float(answers.sum() + precision / 2 * ((mean - prior) ** 2).sum())

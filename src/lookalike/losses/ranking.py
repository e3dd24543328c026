"""The losses of a ranking head: how likely the answers are, and how far apart an ordered pair of embeddings is."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["grade_margins", "order_triplet_loss", "ranking_loss", "squared_distances"]


def ranking_loss(log_odds: Any, votes_a: Any, votes_b: Any) -> Any:
    """Return the cross-entropy of a ranking head: the mean negative log likelihood of the votes.

    ``P(a is closer) = sigmoid(log_odds)``. A head with two outputs (l_a, l_b) and the cross-entropy over them is the
    same with ``log_odds = l_a - l_b``. Soft answers weigh both sides.

    Parameters
    ----------
    log_odds : float tensor (n,)
        That a is closer.
    votes_a, votes_b : float tensor (n,)
        Not negative, not both 0.

    Returns
    -------
    float tensor ()
        ``ln 2`` for a head that says nothing.

    Examples
    --------
    >>> round(float(ranking_loss(torch.tensor([2.0, 2.0]), torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))), 4)
    1.1269
    >>> round(float(ranking_loss(torch.zeros(1), torch.tensor([3.0]), torch.tensor([1.0]))), 4)  # ln 2
    0.6931
    """
    softplus = torch.nn.functional.softplus
    return (votes_a * softplus(-log_odds) + votes_b * softplus(log_odds)).sum() / (votes_a + votes_b).sum()


def order_triplet_loss(squared_a: Any, squared_b: Any, votes_a: Any, votes_b: Any, margin: Any) -> Any:
    """Return the order triplet loss: the candidate that was chosen should be closer by a margin.

    A vote for a costs ``max(0, m - (d2(R, b) - d2(R, a)))`` and a vote for b the same with the sides swapped; the mean
    over all votes. With one vote a row this is the published ``mean max(0, m - s (d2(R, a) - d2(R, b)))`` with
    ``s = 2 order - 1`` and order 1 where b is closer (Liao and Chen, Image similarity using an ensemble of
    context-sensitive models, 2024).

    Parameters
    ----------
    squared_a, squared_b : float tensor (n,)
        Squared Euclidean distances of the reference to its two candidates, see `squared_distances`.
    votes_a, votes_b : float tensor (n,)
        Not negative, not both 0.
    margin : float or float tensor (n,)
        m, not negative; see `grade_margins`.

    Returns
    -------
    float tensor ()
        0 where every chosen candidate is closer by its margin at least, and no vote is for the other.

    Examples
    --------
    >>> near, far, one, none = (torch.tensor([value]) for value in (0.1, 0.5, 1.0, 0.0))
    >>> [round(float(order_triplet_loss(near, far, one, none, margin)), 4) for margin in (0.2, 1.0)]
    [0.0, 0.6]
    >>> round(float(order_triplet_loss(near, far, none, one, 0.2)), 4)
    0.6
    """
    gap = squared_b - squared_a
    cost = votes_a * torch.relu(margin - gap) + votes_b * torch.relu(margin + gap)
    return cost.sum() / (votes_a + votes_b).sum()


def squared_distances(left: Any, right: Any) -> Any:
    """Return squared Euclidean distances row by row, of the rows as they are.

    Parameters
    ----------
    left, right : float tensor (n, D)

    Returns
    -------
    float tensor (n,)

    Examples
    --------
    >>> squared_distances(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 4.0]]))
    tensor([25.])
    """
    return ((left - right) ** 2).sum(1)


def grade_margins(grades_a: Any, grades_b: Any, margin: float = 0.2, step: float = 0.2) -> Any:
    """Return the margins of the order triplet loss: ``step |grade_a - grade_b| + margin``.

    The published ``|cls1 - cls2| / 5 + 0.2`` is what the defaults say. Where one of the grades was not said there is
    no difference.

    Parameters
    ----------
    grades_a, grades_b : tensor or array (n,)
        1 (almost the same) to 5 (irrelevant); 0 where it was not said.
    margin, step : float

    Returns
    -------
    float tensor or array (n,)
        0.2 to 1.0 by default.

    Examples
    --------
    >>> grade_margins(torch.tensor([1, 3, 0]), torch.tensor([5, 4, 5]))
    tensor([1.0000, 0.4000, 0.2000])
    """
    return step * abs(grades_a - grades_b) * (grades_a > 0) * (grades_b > 0) + margin

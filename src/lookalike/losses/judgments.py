"""The loss of judgments: how unlikely the answers are when the closer candidate is the likelier one."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["two_afc_loss"]


def two_afc_loss(distance_a: Any, distance_b: Any, votes_a: Any, votes_b: Any, scale: Any, margin: Any = 0.0) -> Any:
    """Return the mean negative log likelihood of the votes.

    ``P(a is closer) = sigmoid(scale * (distance_b - distance_a))``; each vote for a costs
    ``softplus(-scale * (distance_b - distance_a - margin))`` and each vote for b the same with the sides swapped.
    Without a margin this is the likelihood itself; a margin asks for a gap of that size before an answer counts as
    explained.

    Parameters
    ----------
    distance_a, distance_b : float tensor (n,)
        ``1 - cosine`` of each candidate to the reference.
    votes_a, votes_b : float tensor (n,)
        Not negative, not both 0: soft answers weigh both sides.
    scale : float or float tensor ()
        Of the logistic curve, positive: 1 over the temperature.
    margin : float or float tensor (n,)
        In units of distance, not negative.

    Returns
    -------
    float tensor ()
        ``ln 2`` where all distances are equal and there is no margin.

    Examples
    --------
    >>> near, far, one, none = (torch.tensor([value]) for value in (0.1, 0.9, 1.0, 0.0))
    >>> round(float(two_afc_loss(near, far, one, none, 10.0)), 6)
    0.000335
    >>> round(float(two_afc_loss(near, far, none, one, 10.0)), 4)
    8.0003
    """
    gap = distance_b - distance_a
    for_a = torch.nn.functional.softplus(-scale * (gap - margin))
    for_b = torch.nn.functional.softplus(scale * (gap + margin))
    return (votes_a * for_a + votes_b * for_b).sum() / (votes_a + votes_b).sum()

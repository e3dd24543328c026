"""Losses of triplets: a picture is closer to one of its thing than to one of another, by a margin."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["CLIPPED_AT", "rank_hinge", "semi_hard_triplet"]

CLIPPED_AT = 1e-7
"""Where the published program of `rank_hinge` clips embeddings, from 0 and from 1."""


def semi_hard_triplet(rows: Any, labels: Any, margin: float = 1.0) -> Any:
    """Return the semi-hard triplet loss over all pairs of one label in a batch.

    For every anchor i and other picture j of its label, the negative k is the one with the smallest squared distance
    that is still larger than that of j; where there is none, the one with the largest. The loss is the mean over all
    (i, j) of ``max(0, margin + d2(i, j) - d2(i, k))`` (Schroff, Kalenichenko and Philbin, FaceNet, 2015; in the form of
    TensorFlow Addons' TripletSemiHardLoss, which Identical Image Retrieval was trained with).

    Parameters
    ----------
    rows : float tensor (n, D)
        Unit rows.
    labels : int tensor (n,)
    margin : float

    Returns
    -------
    float tensor ()
        0 where there is no pair of one label, or no other label.

    Examples
    --------
    >>> rows = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 2.0]]))
    >>> round(float(semi_hard_triplet(rows, torch.tensor([0, 0, 1, 1]))), 4)
    0.4571
    """
    distances = (2 - 2 * rows @ rows.T).clamp_min(0)
    same = labels[:, None] == labels
    other = ~same
    positive = same.fill_diagonal_(False) & other.any(1, keepdim=True)
    anchors, positives = positive.nonzero(as_tuple=True)
    if not len(anchors):
        return (rows * 0).sum()
    with torch.no_grad():
        ordered, place = distances.masked_fill(~other, torch.inf).sort(1)
        # Of every pair at once: how many negatives of the anchor are no farther than the positive.
        nearer = torch.searchsorted(ordered, distances, right=True)[anchors, positives]
        count = other.sum(1)[anchors]
        chosen = place[anchors, torch.where(nearer < count, nearer, count - 1)]
    return torch.relu(margin + distances[anchors, positives] - distances[anchors, chosen]).mean()


def rank_hinge(query: Any, positive: Any, negative: Any, gap: float = 1.0, published: bool = False) -> Any:
    """Return the hinge loss of deep ranking: ``mean max(0, gap + d2(q, p) - d2(q, n))`` over triplets.

    After Wang, Song, Leung, Rosenberg, Wang, Philbin, Chen and Wu, Learning fine-grained image similarity with deep
    ranking, 2014, equation 2.

    Parameters
    ----------
    query, positive, negative : float tensor (n, D)
        Unit rows.
    gap : float
    published : bool
        As in the program that the source system cites: numbers below 0 are clipped to about 0 before Euclidean (not
        squared) distances are taken, and the hinge is over the whole batch at once, so that easy triplets pay for hard
        ones.

    Returns
    -------
    float tensor ()

    Examples
    --------
    >>> one, other = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    >>> [float(rank_hinge(one, other, other.flip(0), published=mode)) for mode in (False, True)]
    [2.5, 1.0]
    """
    if not published:
        nearer, farther = (((query - side) ** 2).sum(1) for side in (positive, negative))
        return torch.relu(gap + nearer - farther).mean()
    query, positive, negative = (side.clamp(CLIPPED_AT, 1 - CLIPPED_AT) for side in (query, positive, negative))
    # The root has no gradient at 0, where a picture meets itself.
    nearer, farther = (((query - side) ** 2).sum(1).clamp_min(CLIPPED_AT**2).sqrt() for side in (positive, negative))
    return torch.relu((gap + nearer - farther).mean())

"""The contrastive loss of single pairs, and which pairs of a batch it takes at each stage of a curriculum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from lookalike.core.errors import InputError

__all__ = ["Bounds", "margin_loss", "mined_pairs", "relaxing_bounds"]


def margin_loss(distance: Any, same: Any, margin: float = 1.0) -> Any:
    """Return the contrastive loss of pairs: ``mean [ same d^2 + (1 - same) max(0, margin - d)^2 ] / 2``.

    After Hadsell, Chopra and LeCun, Dimensionality reduction by learning an invariant mapping, 2006, equation 4.

    Parameters
    ----------
    distance : float tensor (n,)
        Euclidean.
    same : bool tensor (n,)
        Whether both show the same thing.
    margin : float

    Returns
    -------
    float tensor ()
        0 where things fall together and all others are a margin apart, and where there are no pairs.

    Examples
    --------
    >>> round(float(margin_loss(torch.tensor([0.5, 0.5, 2.0]), torch.tensor([True, False, False]))), 4)
    0.0833
    """
    cost = torch.where(same, distance**2, torch.relu(margin - distance) ** 2)
    return cost.sum() / (2 * max(1, len(distance)))


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which pairs a stage of the curriculum takes, by how far apart their pictures were before training.

    Attributes
    ----------
    positive : float
        Pairs of one thing are no farther apart.
    negative : float
        Pairs of two things are no closer.
    """

    positive: float
    negative: float


def relaxing_bounds(positive: Any, negative: Any, stages: int) -> list[Bounds]:
    """Return the bounds of every stage, the easy pairs first: they grow for one thing, and shrink for two.

    The first of S stages takes the closest ``1/S`` of the pairs of one thing and the farthest ``1/S`` of the others,
    the last all of them: online pair mining as in Appalaraju and Chaoji, Image similarity using deep CNN and curriculum
    learning, 2017, with shares in the place of distances found by hand.

    Parameters
    ----------
    positive, negative : float tensor (m,)
        Distances of some pairs of each kind.
    stages : int

    Raises
    ------
    InputError
        There are no pairs of one kind, or no stages.

    Examples
    --------
    >>> for bounds in relaxing_bounds(torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.7, 0.9]), 2):
    ...     print(round(bounds.positive, 2), round(bounds.negative, 2))
    0.2 0.7
    0.3 0.5
    """
    if stages < 1:
        raise InputError(f"a curriculum has at least 1 stage, not {stages}")
    if not len(positive) or not len(negative):
        raise InputError("a curriculum needs pairs of one thing and pairs of two things")
    shares = torch.arange(1, stages + 1, dtype=positive.dtype) / stages
    near, far = torch.quantile(positive, shares), torch.quantile(negative, 1 - shares)
    return [Bounds(*both) for both in zip(near.tolist(), far.tolist(), strict=True)]


def mined_pairs(before: Any, now: Any, labels: Any, bounds: Bounds) -> tuple[Any, Any, Any]:
    """Choose pairs of a batch: all of one thing that the bounds allow, and as hard ones of two things as they allow.

    Parameters
    ----------
    before : float tensor (n, n)
        Distances that the bounds are about.
    now : float tensor (n, n)
        Distances as they are learned: of the pictures of other things that the bounds allow, each picture takes the
        closest by these.
    labels : int tensor (n,)
    bounds : Bounds

    Returns
    -------
    left, right : int64 tensor (m,)
    same : bool tensor (m,)

    Examples
    --------
    >>> apart = torch.tensor([[0.0, 0.2, 0.9, 0.5], [0.2, 0.0, 0.8, 0.9], [0.9, 0.8, 0.0, 0.4], [0.5, 0.9, 0.4, 0.0]])
    >>> [column.tolist() for column in mined_pairs(apart, apart, torch.tensor([0, 0, 1, 1]), Bounds(0.3, 0.6))]
    [[0, 0, 1, 2, 3], [1, 2, 2, 1, 1], [True, False, False, False, False]]
    """
    alike = labels[:, None] == labels
    left, right = (torch.triu(alike, 1) & (before <= bounds.positive)).nonzero(as_tuple=True)
    allowed = ~alike & (before >= bounds.negative)
    closest = now.masked_fill(~allowed, torch.inf).argmin(1)
    rows = allowed.any(1).nonzero()[:, 0]
    same = torch.arange(len(left) + len(rows), device=labels.device) < len(left)
    return torch.cat([left, rows]), torch.cat([right, closest[rows]]), same

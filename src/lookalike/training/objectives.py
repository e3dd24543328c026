"""What the contrastive loop can minimise. An objective turns two pictures of each thing of a batch into a loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import torch
from torch.nn.functional import cross_entropy, normalize

from lookalike.losses.contrastive import nt_xent, paired_targets
from lookalike.losses.margins import Bounds, margin_loss, mined_pairs, relaxing_bounds
from lookalike.losses.triplets import semi_hard_triplet

__all__ = ["Classes", "Curriculum", "NTXent", "Objective", "SemiHard"]

Embed: TypeAlias = Callable[[Any], Any]
"""What the head makes of features (m, d), with gradients: (m, D), not scaled to length 1."""


class Objective(Protocol):
    """Something that a head can be trained for."""

    pictures: int
    """How many of each thing a step needs, 1 or 2."""

    def loss(self, embed: Embed, rows: Any, numbers: Any, weights: Mapping[str, Any], done: float) -> Any:
        """Return the mean loss of a batch, a float tensor ().

        Parameters
        ----------
        embed : callable
        rows : float tensor (B, d) or (2 B, d)
            Features of one picture of each thing, or first of one, then of another.
        numbers : int64 tensor (B,)
            The things.
        weights : mapping
            Of the head; some may be the objective's own.
        done : float
            Share of the training that is over, in [0, 1).
        """


class NTXent:
    """Find the other picture of each thing among all of the batch, see `lookalike.losses.contrastive.nt_xent`.

    Parameters
    ----------
    temperature : float
    """

    pictures = 2

    def __init__(self, temperature: float) -> None:
        self._temperature = temperature

    def loss(self, embed: Embed, rows: Any, numbers: Any, weights: Mapping[str, Any], done: float) -> Any:  # noqa: ARG002
        """See `Objective`."""
        return nt_xent(normalize(embed(rows)), paired_targets(len(numbers)), self._temperature)


class SemiHard:
    """Be closer to the other picture than a semi-hard one, see `lookalike.losses.triplets.semi_hard_triplet`.

    Parameters
    ----------
    margin : float
    """

    pictures = 2

    def __init__(self, margin: float) -> None:
        self._margin = margin

    def loss(self, embed: Embed, rows: Any, numbers: Any, weights: Mapping[str, Any], done: float) -> Any:  # noqa: ARG002
        """See `Objective`."""
        return semi_hard_triplet(normalize(embed(rows)), numbers.repeat(2), self._margin)


class Curriculum:
    """Easy pairs first: the contrastive loss of pairs that are mined stage by stage, see `lookalike.losses.margins`.

    How easy a pair is, the features as they are tell; the bounds are those of a sample of pairs.

    Parameters
    ----------
    left, right : float tensor (m, d)
        Features of two pictures of each of some things.
    stages : int
    margin : float
    """

    pictures = 2

    def __init__(self, left: Any, right: Any, stages: int, margin: float) -> None:
        self._margin = margin
        left, right = normalize(left), normalize(right)
        apart = _distances(left, right)
        others = ~torch.eye(len(left), dtype=torch.bool)
        self._bounds = relaxing_bounds(apart.diagonal(), apart[others], stages)

    def bounds(self, done: float) -> Bounds:
        """Return those of the stage that stands at a share of the training: all stages are as long."""
        return self._bounds[int(done * len(self._bounds))]

    def loss(self, embed: Embed, rows: Any, numbers: Any, weights: Mapping[str, Any], done: float) -> Any:  # noqa: ARG002
        """See `Objective`."""
        mapped, before = normalize(embed(rows)), normalize(rows)
        with torch.no_grad():
            both = _distances(before, before), _distances(mapped, mapped)
            left, right, same = mined_pairs(*both, numbers.repeat(2), self.bounds(done))
        squared = ((mapped[left] - mapped[right]) ** 2).sum(1)
        # The root has no gradient at 0, where two pictures are the same.
        return margin_loss(squared.clamp_min(1e-12).sqrt(), same, self._margin)


class Classes:
    """Tell which thing a picture shows: the cross-entropy of a cosine classifier, or of a linear layer.

    The classifier is the objective's own part of the weights: ``classes`` (K, D) and ``log_scale`` (), with which
    cosines are multiplied; or ``classes`` and ``offsets`` (K,) of the published last layer.
    """

    pictures = 1

    def loss(self, embed: Embed, rows: Any, numbers: Any, weights: Mapping[str, Any], done: float) -> Any:  # noqa: ARG002
        """See `Objective`."""
        mapped = embed(rows)
        if "offsets" in weights:
            return cross_entropy(mapped @ weights["classes"].T + weights["offsets"], numbers)
        cosines = normalize(mapped) @ normalize(weights["classes"]).T
        return cross_entropy(weights["log_scale"].exp() * cosines, numbers)


def _distances(left: Any, right: Any) -> Any:
    """Return Euclidean distances of unit rows."""
    return (2 - 2 * left @ right.T).clamp_min(0).sqrt()

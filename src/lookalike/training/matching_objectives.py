"""What is asked of the pictures of a batch of things: the losses of matching, over those of all processes.

An objective takes what a network gives for the pictures of this process, and returns its part of the loss: the mean
over all processes is the loss of the batch. It is the seam for heads of another kind: a network whose head gives more
than one embedding (a quantizer's, before and after) comes with an objective that takes it apart.

This module imports torch.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch.nn.functional import adaptive_avg_pool2d, normalize

from lookalike.losses.gathered import gathered_nt_xent, gathered_rows
from lookalike.losses.margins import Bounds, margin_loss, mined_pairs, relaxing_bounds
from lookalike.losses.quantised import cross_quantised, reconstruction_error
from lookalike.losses.triplets import rank_hinge, semi_hard_triplet
from lookalike.training.matching_settings import MatchingSettings

__all__ = [
    "CrossQuantised",
    "Curriculum",
    "NTXent",
    "Objective",
    "RankHinge",
    "SemiHard",
    "objective_of",
    "pixel_distances",
]

SIDE = 32
"""Pixels a side at which pictures are compared as they are: finer, a shift by a pixel would make them strangers."""


class Objective(Protocol):
    """What is asked of a batch.

    Attributes
    ----------
    wants : int
        Things of which it has to see pictures before it can say anything.
    """

    wants: int

    def suit(self, pixels: Any, things: Any) -> None:
        """See some pictures, uint8 (m, H, W, 3), of things, int64 (m,), before training begins or goes on."""

    def __call__(self, z: Any, things: Any, pixels: Any, share: float) -> Any:
        """Return this process's part of the loss.

        Parameters
        ----------
        z : float tensor (slots, n, E)
            What the network gives for the pictures of each of n things.
        things : int64 tensor (n,)
        pixels : uint8 tensor (slots, n, H, W, 3)
            The pictures themselves.
        share : float
            Of the training that is done, in [0, 1).

        Returns
        -------
        float tensor ()
        """


class _Untaught:
    wants = 0

    def suit(self, pixels: Any, things: Any) -> None:
        """Take any pictures."""


class NTXent(_Untaught):
    """Each picture finds the other one of its thing, see `lookalike.losses.contrastive.nt_xent`.

    Examples
    --------
    >>> rows = torch.eye(3).repeat(2, 1).view(2, 3, 3)
    >>> round(float(NTXent(0.05)(rows, torch.arange(3), None, 0.0)), 6)
    0.0
    """

    def __init__(self, temperature: float) -> None:
        self.temperature = temperature

    def __call__(self, z: Any, things: Any, pixels: Any, share: float) -> Any:  # noqa: ARG002 an objective's signature
        """See `Objective`; two pictures a thing."""
        left, right = normalize(z, dim=2)
        return gathered_nt_xent(left, right, self.temperature)


class SemiHard(_Untaught):
    """Pictures of a thing are closer than those of others, see `lookalike.losses.triplets.semi_hard_triplet`.

    Examples
    --------
    >>> rows = torch.eye(3).repeat(2, 1).view(2, 3, 3)
    >>> float(SemiHard(1.0)(rows, torch.arange(3), None, 0.0))
    0.0
    """

    def __init__(self, margin: float) -> None:
        self.margin = margin

    def __call__(self, z: Any, things: Any, pixels: Any, share: float) -> Any:  # noqa: ARG002
        """See `Objective`."""
        rows, labels = _everyone(z, things)
        return semi_hard_triplet(rows, labels, self.margin)


class RankHinge(_Untaught):
    """The second picture of a thing is closer to its first than that of the next thing of the batch is.

    See `lookalike.losses.triplets.rank_hinge`.

    Examples
    --------
    >>> rows = torch.eye(3).repeat(2, 1).view(2, 3, 3)
    >>> float(RankHinge(1.0, published=False)(rows, torch.arange(3), None, 0.0))
    0.0
    """

    def __init__(self, gap: float, published: bool) -> None:
        self.gap, self.published = gap, published

    def __call__(self, z: Any, things: Any, pixels: Any, share: float) -> Any:  # noqa: ARG002
        """See `Objective`; two pictures a thing."""
        query, positive = normalize(z, dim=2)
        return rank_hinge(query, positive, positive.roll(1, 0), self.gap, self.published)


class CrossQuantised(_Untaught):
    """The vector of one picture finds the code of the other one of its thing, and the other way round.

    See `lookalike.losses.quantised`. The head is a `lookalike.training.matching_codes.CodeHead`, which gives vectors
    and soft codes side by side.

    Examples
    --------
    >>> rows = torch.eye(3).repeat(1, 2).repeat(2, 1, 1)
    >>> round(float(CrossQuantised(0.05, reconstruction=1.0)(rows, torch.arange(3), None, 0.0)), 6)
    0.0
    """

    def __init__(self, temperature: float, reconstruction: float) -> None:
        self.temperature, self.reconstruction = temperature, reconstruction

    def __call__(self, z: Any, things: Any, pixels: Any, share: float) -> Any:  # noqa: ARG002
        """See `Objective`; two pictures a thing."""
        (x_a, x_b), (z_a, z_b) = (sides.unbind() for sides in z.chunk(2, dim=2))
        loss = cross_quantised(x_a, x_b, z_a, z_b, self.temperature)
        if not self.reconstruction:
            return loss
        x, mixed = (gathered_rows(sides.flatten(0, 1)) for sides in z.chunk(2, dim=2))
        return loss + self.reconstruction * reconstruction_error(x, mixed)


class Curriculum:
    """The contrastive loss of pairs that are mined in the batch, and grow harder in stages.

    How hard a pair is says how far apart its pictures are as pixels, see `pixel_distances`. What each stage takes
    follows from some pictures that are seen before (`lookalike.losses.margins.relaxing_bounds`).

    Parameters
    ----------
    margin : float
    stages : int

    Attributes
    ----------
    bounds : list of Bounds
        Per stage, after `suit`.
    """

    wants = 256

    def __init__(self, margin: float, stages: int) -> None:
        self.margin, self.stages = margin, stages
        self.bounds: list[Bounds] = []

    def suit(self, pixels: Any, things: Any) -> None:
        """Learn what is near and what is far."""
        apart, alike = pixel_distances(pixels), things[:, None] == things
        above = torch.ones_like(alike).triu(1)
        self.bounds = relaxing_bounds(apart[alike & above], apart[~alike & above], self.stages)

    def stage(self, share: float) -> int:
        """Return the stage in which a training is, from 0."""
        return min(int(share * self.stages), self.stages - 1)

    def __call__(self, z: Any, things: Any, pixels: Any, share: float) -> Any:
        """See `Objective`."""
        rows, labels = _everyone(z, things)
        small = gathered_rows(_small(pixels.flatten(0, 1)))
        now = torch.cdist(rows, rows)
        left, right, same = mined_pairs(torch.cdist(small, small), now.detach(), labels, self.bounds[self.stage(share)])
        distance = torch.linalg.vector_norm(rows[left] - rows[right], dim=1)
        return margin_loss(distance, same, self.margin) + 0 * rows.sum()  # no pairs: still something to go back from


def pixel_distances(pixels: Any) -> Any:
    """Return Euclidean distances of pictures as they are, at 32 x 32 pixels at most, each number in 0..1.

    Parameters
    ----------
    pixels : uint8 tensor (n, H, W, 3)

    Returns
    -------
    float tensor (n, n)

    Examples
    --------
    >>> black, white = torch.zeros(4, 4, 3, dtype=torch.uint8), torch.full((4, 4, 3), 255, dtype=torch.uint8)
    >>> round(float(pixel_distances(torch.stack([black, white]))[0, 1]), 3)  # the root of 48
    6.928
    """
    small = _small(pixels)
    return torch.cdist(small, small)


def objective_of(settings: MatchingSettings) -> Objective:
    """Return the objective that settings name.

    Examples
    --------
    >>> from lookalike.training.matching_settings import matching_settings
    >>> objective_of(matching_settings({"temperature": 0.1})).temperature
    0.1
    """
    if settings.loss == "nt-xent":
        return NTXent(settings.temperature)
    if settings.loss == "semi-hard":
        return SemiHard(settings.margin)
    if settings.loss == "rank-hinge":
        return RankHinge(settings.margin, settings.mode == "published")
    if settings.loss == "cross-quantised":
        return CrossQuantised(settings.temperature, settings.reconstruction)
    return Curriculum(settings.margin, settings.stages)


def _everyone(z: Any, things: Any) -> tuple[Any, Any]:
    """Return unit rows and their things, of all processes."""
    rows, labels = normalize(z, dim=2).flatten(0, 1), things.repeat(len(z))
    return gathered_rows(rows), gathered_rows(labels)


def _small(pixels: Any) -> Any:
    maps = pixels.permute(0, 3, 1, 2).float() / 255
    return adaptive_avg_pool2d(maps, [min(SIDE, side) for side in maps.shape[2:]]).flatten(1)

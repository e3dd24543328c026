"""What matching is learned from: pictures by the thing that they show; what is asked about those held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Rows

__all__ = ["MatchingEpoch", "PicturedThings", "Queries", "dealt_things", "pictured_things", "queries_about"]


@dataclass(frozen=True, slots=True, eq=False)
class PicturedThings:
    """Pictures by thing.

    Attributes
    ----------
    members : sequence of int64
        The pictures of each thing, one or more.
    train, validation, test : int64
        Numbers of things: to learn from, to choose the epoch by, and to measure on.
    """

    members: Sequence[Rows]
    train: Rows
    validation: Rows
    test: Rows


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """What is to be found among which pictures.

    Attributes
    ----------
    images : int64 (q,)
        What is looked for: a view of it, or where another picture of its thing is known, the picture as it is.
    viewed : bool (q,)
        Which of the two.
    gallery : int64 (g,)
        Pictures as they are, in which it is looked for.
    query_things, gallery_things : int64
    """

    images: Rows
    viewed: NDArray[np.bool_]
    gallery: Rows
    query_things: Rows
    gallery_things: Rows

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, slots=True)
class MatchingEpoch:
    """What one pass came to.

    Attributes
    ----------
    epoch, epochs : int
        From 1; of the plan.
    loss : float
        Mean over the steps of this pass.
    validation_loss, recall : float or None
        After the pass, on the things held out: the cross-entropy of finding their pictures, and the share of them that
        were found at the first place.
    """

    epoch: int
    epochs: int
    loss: float
    validation_loss: float | None
    recall: float | None


def pictured_things(thing: NDArray[Any]) -> list[Rows]:
    """Return the pictures of each thing.

    Parameters
    ----------
    thing : int (n,)
        What each picture shows.

    Examples
    --------
    >>> [rows.tolist() for rows in pictured_things(np.array([5, 2, 5]))]
    [[1], [0, 2]]
    """
    order = np.argsort(thing, kind="stable")
    ends = np.flatnonzero(np.diff(np.asarray(thing)[order])) + 1
    return [rows.astype(np.int64) for rows in np.split(order, ends)]


def dealt_things(members: Sequence[Rows], folds: int, validation: float, seed: int) -> PicturedThings:
    """Hold things out by chance: one of so many folds to measure on, and a share of the rest to choose the epoch by.

    Parameters
    ----------
    members : sequence of int64
    folds : int
        0 to measure on none.
    validation : float
        In [0, 1).
    seed : int

    Raises
    ------
    InputError
        There are too few things.

    Examples
    --------
    >>> dealt = dealt_things([np.array([n]) for n in range(10)], 5, 0.25, seed=0)
    >>> len(dealt.train), len(dealt.validation), len(dealt.test)
    (6, 2, 2)
    """
    order = np.random.default_rng(seed).permutation(len(members))
    test = len(order) // folds if folds else 0
    held = max(2, round(validation * (len(order) - test))) if validation else 0
    if len(order) - test - held < 2 or (folds and test < 2):
        raise InputError(f"{len(order)} things are too few to learn from some and hold others out: give more pictures")
    parts = (np.sort(part) for part in np.split(order, [test, test + held]))
    measured, chosen, train = parts
    return PicturedThings(members, train, chosen, measured)


def queries_about(things: PicturedThings, numbers: Rows, among: Rows) -> Queries:
    """Ask for one picture of each of some things, among all pictures of other ones.

    Of a thing with one picture a view is looked for; of one with several, the last as it is, which then is not among
    the others.

    Parameters
    ----------
    things : PicturedThings
    numbers : int64 (q,)
    among : int64
        Things whose pictures are looked through; those of `numbers` are too.

    Examples
    --------
    >>> things = PicturedThings([np.array([0]), np.array([1, 2]), np.array([3])], *[np.arange(3)] * 3)
    >>> asked = queries_about(things, np.array([0, 1]), np.arange(3))
    >>> asked.images.tolist(), asked.viewed.tolist(), asked.gallery.tolist()
    ([0, 2], [True, False], [0, 1, 3])
    """
    images = np.array([things.members[number][-1] for number in numbers], np.int64)
    viewed = np.array([len(things.members[number]) == 1 for number in numbers], bool)
    shown = np.union1d(numbers, among)
    kinds = np.concatenate([np.full(len(things.members[number]), number) for number in shown])
    gallery = np.concatenate([things.members[number] for number in shown])
    left = ~np.isin(gallery, images[~viewed])
    return Queries(images, viewed, gallery[left], np.asarray(numbers, np.int64), kinds[left].astype(np.int64))

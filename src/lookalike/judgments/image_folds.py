"""Folds of images such that few judgments have images in two folds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Rows

__all__ = ["image_folds"]

SLACK = 0.03
"""How far the number of images of a fold may be from the mean."""

HALF_JOINED = 0.25
"""What it counts to have one of the other two images of a judgment in the fold, beside 1 for both.

Only whole judgments are tested, but a judgment in two folds instead of three trains in one fold more. Measured
on 25,150 answers about dishes, five folds: 0.25 tests 6,090 rows and trains on 15,040; 0.5 tests 5,660 and trains on
15,110.
"""

EAGER = 0.3
"""Share of the images that may move in one pass: if all moved at once, neighbours would swap places for ever."""

PASSES = 60


def image_folds(triplets: Rows, count: int, folds: int, seed: int) -> Rows:
    """Deal images to folds of nearly equal size, those that are asked about together to the same fold if possible.

    The images start in the order of the connected parts they belong to, cut into equal pieces. Then, pass after pass,
    images move to the fold that holds most of their judgments, in exchange for images that want to go the other way.
    Only which images were asked about together counts; answers and pixels do not.

    Parameters
    ----------
    triplets : int (n, 3)
        Reference and candidates as numbers under `count`.
    count : int
        The number of images.
    folds, seed : int

    Returns
    -------
    int64 (count,)
        The fold of each image.

    Examples
    --------
    >>> fold = image_folds(np.array([[0, 2, 4], [1, 3, 5], [4, 2, 0]]), 6, 2, seed=0)
    >>> bool(fold[0] == fold[2] == fold[4]), bool(fold[1] == fold[3] == fold[5])
    (True, True)
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(count)
    parts = rng.permutation(count)[_connected_parts(triplets, count)]
    order = order[np.argsort(parts[order], kind="stable")]
    fold = np.empty(count, np.int64)
    fold[order] = np.arange(count) * folds // count
    least, most = int(count / folds * (1 - SLACK)), int(np.ceil(count / folds * (1 + SLACK)))
    for _ in range(PASSES):
        gain, wanted = _wishes(triplets, fold, folds)
        movers = np.flatnonzero((gain > 0) & (rng.random(count) < EAGER))
        movers = movers[np.argsort(-gain[movers], kind="stable")]
        if not _move(fold, movers, wanted, folds, least, most) and not (gain > 0).any():
            break
    return fold


def _connected_parts(triplets: Rows, count: int) -> Rows:
    """Label each image with the smallest image that it is connected to."""
    part = np.arange(count)
    while True:
        lowest = part[triplets].min(axis=1, keepdims=True)
        new = part.copy()
        np.minimum.at(new, part[triplets].ravel(), np.repeat(lowest, 3))
        new = new[new]
        if (new == part).all():
            return part
        part = new


def _wishes(triplets: Rows, fold: Rows, folds: int) -> tuple[NDArray[np.float64], Rows]:
    """Return how much each image would gain by moving to the fold it wants most, and that fold."""
    count = len(fold)
    image = triplets.ravel()
    one, two = fold[triplets[:, [1, 0, 0]].ravel()], fold[triplets[:, [2, 2, 1]].ravel()]
    same = one == two
    places = np.concatenate([image * folds + one, (image * folds + two)[~same]])
    worth = np.concatenate([np.where(same, 1, HALF_JOINED), np.full((~same).sum(), HALF_JOINED)])
    joined = np.bincount(places, worth, count * folds).reshape(count, folds)
    own = np.arange(count)
    here = joined[own, fold]
    joined[own, fold] = -1
    return joined.max(axis=1) - here, joined.argmax(axis=1)


def _move(fold: Rows, movers: Rows, wanted: Rows, folds: int, least: int, most: int) -> int:
    """Exchange images between each two folds, and move what room is left; return how many moved."""
    moved = 0
    origin = fold[movers]
    sizes = np.bincount(fold, minlength=folds)
    for p in range(folds):
        for q in range(p + 1, folds):
            there, back = movers[(origin == p) & (wanted[movers] == q)], movers[(origin == q) & (wanted[movers] == p)]
            pairs = min(len(there), len(back))
            rest, source, target = (there, p, q) if len(there) > pairs else (back, q, p)
            room = max(0, min(len(rest) - pairs, most - sizes[target], sizes[source] - least))
            fold[there[:pairs]], fold[back[:pairs]], fold[rest[pairs : pairs + room]] = q, p, target
            sizes[source] -= room
            sizes[target] += room
            moved += 2 * pairs + room
    return moved

"""Folds of judgments for several models at once, of which each is to keep much of its own on every side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Rows
from lookalike.judgments.image_folds import image_folds
from lookalike.judgments.splits import By
from lookalike.judgments.table import Judgments

__all__ = ["Division", "divide", "inner_division"]

Mask = NDArray[np.bool_]

FINER: dict[By, tuple[By, ...]] = {
    "image": ("image", "reference", "group", "question"),
    "reference": ("reference", "group", "question"),
    "group": ("group", "question"),
    "question": ("question",),
}
"""What is dealt to the folds, and what instead where too little would be left to learn from."""

LEAST = 0.1
"""Share of the judgments of a stratum that must be left to learn from, whichever fold is judged."""


def inner_division(by: By) -> By:
    """Return how judgments are dealt to find out whom an ensemble is to trust, where they are held out by `by`.

    An ensemble weighs models by the reference, so it is enough that its models have not been asked about that
    reference. Held out by image, they would learn from half of the judgments and seem worse than they are: on rendered
    worlds a gate loses half a point by it.

    Examples
    --------
    >>> inner_division("image"), inner_division("question")
    ('reference', 'question')
    """
    return "reference" if by == "image" else by


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """A fold for every judgment, and what may be learned from before that fold is judged.

    Attributes
    ----------
    fold : int64 (n,)
        In which each judgment is judged.
    triplets : int64 (n, 3)
        Its images: reference, candidates a and b.
    image_fold : int64 (m,)
        The fold of each image, out of whose learning it is kept altogether; -1 for none.
    question : int64 (n,)
        The same for judgments of the same reference and candidates, in either order.
    """

    fold: Rows
    triplets: Rows
    image_fold: Rows
    question: Rows

    @property
    def folds(self) -> list[int]:
        """Those that judge anything."""
        return [int(number) for number in np.unique(self.fold)]

    def side(self, number: int) -> Mask:
        """Return what may be learned from before a fold is judged, bool (n,)."""
        asked = np.unique(self.question[self.fold == number])
        met = (self.image_fold[self.triplets] == number).any(axis=1)
        return np.asarray((self.fold != number) & ~met & ~np.isin(self.question, asked))

    def kept(self, learned: Mask) -> float:
        """Return the smallest share of its judgments, bool (K, n), that a model keeps on a side."""
        kept = [(learned & self.side(number)).sum(axis=1) for number in self.folds]
        return float((np.stack(kept) / learned.sum(axis=1)).min())


def divide(judgments: Judgments, learned: Mask, by: By, folds: int, seed: int) -> Division:
    """Deal judgments to folds, such that no model is left without judgments of its own to learn from, if that can be.

    Every judgment has one fold. ``by="image"``: that of its reference, and before it is judged nothing is learned of
    any image of that fold, in whatever place. So its reference is new to what judges it. Its candidates are new where
    they are in the same fold, into which `lookalike.judgments.image_folds` puts what it can; the others may have been
    met in other questions. Unlike in `lookalike.judgments.splits.split`, no judgment is left out. Whatever is dealt, a
    question that is judged has not been learned from, whoever answered it.

    Judgments that the same models learn from (those of a context, mostly) are a stratum. They are dealt all together or
    stratum by stratum, whichever leaves more to the model that keeps least: contexts without common images would
    otherwise fill a fold each, and their models would have nothing left. A stratum that leaves less than a tenth of
    itself to learn from (all of it is about one reference, say) is dealt by reference, then by group, then by question.

    Parameters
    ----------
    judgments : Judgments, n
    learned : bool (K, n)
        What each model learns from; something.
    by : {"image", "reference", "group", "question"}
    folds, seed : int

    Raises
    ------
    InputError
        `by` is none of the four, or ``"group"`` where there are none; or fewer than 2 folds.

    Examples
    --------
    >>> asked = Judgments.from_ids(["r", "r", "q", "q"], ["x", "x", "y", "y"], ["y", "z", "z", "x"], [1] * 4, [0] * 4)
    >>> found = divide(asked, np.ones((1, 4), bool), "reference", folds=2, seed=0)
    >>> found.fold.tolist(), found.side(0).tolist(), found.kept(np.ones((1, 4), bool))
    ([1, 1, 0, 0], [True, True, False, False], 0.5)
    """
    if by not in FINER:
        raise InputError(f"judgments are split by image, reference, group or question, not by {by!r}")
    if folds < 2:
        raise InputError(f"a split needs at least 2 folds, not {folds}")
    if by == "group" and judgments.group is None:
        raise InputError('these judgments have no groups: split them by "image" or by "reference"')
    together = np.zeros(len(judgments), np.int64)
    patterns, places = np.unique(np.packbits(~learned, axis=0), axis=1, return_inverse=True)  # nobody's come last
    found = _deal(judgments, together, by, folds, seed)
    if patterns.shape[1] == 1:
        return found
    return max(found, _deal(judgments, places.ravel(), by, folds, seed), key=lambda one: one.kept(learned))


def _deal(judgments: Judgments, stratum: Rows, by: By, folds: int, seed: int) -> Division:
    """Deal stratum by stratum; an image, reference, group or question that has a fold already keeps it."""
    triplets = np.stack([judgments.reference, judgments.candidate_a, judgments.candidate_b], axis=1).astype(np.int64)
    question = _keys(judgments, "question")
    made = Division(np.full(len(judgments), -1), triplets, np.full(len(judgments.ids), -1), question)
    keys = {kind: _keys(judgments, kind) for kind in FINER[by] if kind != "image"}
    known = {kind: np.full(max(len(judgments.ids), 1 + codes.max(initial=0)), -1) for kind, codes in keys.items()}
    for number in range(int(stratum.max(initial=0)) + 1):
        rows = np.flatnonzero(stratum == number)
        for kind in FINER[by]:
            if kind == "image":
                left = _deal_images(made, rows, known["reference"], folds, seed)
            else:
                if kind == "reference":
                    known[kind] = np.where(made.image_fold < 0, known[kind], made.image_fold)
                left = _deal_keys(made, rows, keys[kind], known[kind], folds, seed)
            if left >= LEAST:
                break
    return made


def _deal_images(made: Division, rows: Rows, known: Rows, folds: int, seed: int) -> float:
    """Deal the images of some rows; return the share of these that the smallest side has, and undo it if that is small.

    `known` are the folds of images that were dealt as references alone.
    """
    before = made.image_fold.copy()
    used, places = np.unique(made.triplets[rows], return_inverse=True)
    folds = min(folds, len(used) // 3)
    if folds < 2:
        return 0.0
    dealt = image_folds(places.reshape(-1, 3).astype(np.int64), len(used), folds, seed)
    for earlier in (known[used], before[used]):
        dealt = np.where(earlier < 0, dealt, earlier)
    made.image_fold[used] = dealt
    made.fold[rows] = made.image_fold[made.triplets[rows, 0]]
    left = _left(made, rows)
    if left < LEAST:
        made.image_fold[:] = before
    return left


def _deal_keys(made: Division, rows: Rows, keys: Rows, known: Rows, folds: int, seed: int) -> float:
    """Deal what rows have in common, the largest first; return the share of these that the smallest side has."""
    own, sizes = np.unique(keys[rows], return_counts=True)
    new = known[own] < 0
    order = np.random.default_rng(seed).permutation(int(new.sum()))
    order = order[np.argsort(-sizes[new][order], kind="stable")]
    dealt = int((known >= 0).sum())  # go on where the last stratum ended: small ones would all be in the first folds
    known[own[new][order]] = (dealt + np.arange(len(order))) % folds
    made.fold[rows] = known[keys[rows]]
    return _left(made, rows)


def _left(made: Division, rows: Rows) -> float:
    fold, met = made.fold[rows], made.image_fold[made.triplets[rows]]
    return min(float(((fold != one) & (met != one).all(axis=1)).mean()) for one in np.unique(fold).tolist())


def _keys(judgments: Judgments, by: By) -> Rows:
    """Return a number per row: the same for rows that must stay together."""
    if by == "reference":
        return judgments.reference.astype(np.int64)
    if by == "group" and judgments.group is not None:
        codes = judgments.group.codes.astype(np.int64)
        return np.where(codes < 0, len(judgments.group.names) + np.arange(len(codes)), codes)
    a, b = judgments.candidate_a, judgments.candidate_b
    asked = np.stack([judgments.reference, np.minimum(a, b), np.maximum(a, b)], axis=1)
    return np.asarray(np.unique(asked, axis=0, return_inverse=True)[1].ravel(), np.int64)

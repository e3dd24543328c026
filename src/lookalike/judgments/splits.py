"""Training and test rows: by image, reference, annotation group or question; and what the two sides share."""

from __future__ import annotations

import heapq
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Rows
from lookalike.judgments.image_folds import image_folds
from lookalike.judgments.table import Judgments

__all__ = ["By", "Leakage", "Split", "split"]

By: TypeAlias = Literal["image", "reference", "group", "question"]


@dataclass(frozen=True, slots=True)
class Leakage:
    """How much of the test side is also on the training side.

    Attributes
    ----------
    references : int
        Images that are a reference on both sides.
    candidates : int
        Images that are a candidate on both sides.
    images : int
        Images that are on both sides, in whatever place.
    groups : int
        Annotation groups with rows on both sides; 0 when groups are not known.
    questions : int
        Questions (a reference and two candidates, in either order) that are asked on both sides.
    """

    references: int
    candidates: int
    images: int
    groups: int
    questions: int

    def __bool__(self) -> bool:
        return any(asdict(self).values())


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One division of judgments.

    Attributes
    ----------
    train_rows, test_rows : int64
        Positions in `judgments`, ascending; no row is in both.
    judgments : Judgments
        What was divided.
    """

    train_rows: Rows
    test_rows: Rows
    judgments: Judgments

    @property
    def train(self) -> Judgments:
        """The judgments to learn from."""
        return self.judgments.take(self.train_rows)

    @property
    def test(self) -> Judgments:
        """The judgments to measure on."""
        return self.judgments.take(self.test_rows)

    @property
    def left_out_rows(self) -> Rows:
        """Rows on neither side, because they would tie the two sides together."""
        rest = np.ones(len(self.judgments), np.bool_)
        rest[self.train_rows] = rest[self.test_rows] = False
        return np.flatnonzero(rest)

    def leakage(self) -> Leakage:
        """Count what the two sides share.

        Examples
        --------
        >>> answers = Judgments.from_ids(["r", "r"], ["x", "y"], ["y", "z"], [1, 1], [0, 0])
        >>> Split(np.array([0]), np.array([1]), answers).leakage()
        Leakage(references=1, candidates=1, images=2, groups=0, questions=0)
        """
        train, test = self.train, self.test
        count = len(self.judgments.ids)
        candidates = [np.concatenate([side.candidate_a, side.candidate_b]) for side in (train, test)]
        images = [np.append(some, side.reference) for some, side in zip(candidates, (train, test), strict=True)]
        groups = 0
        if train.group is not None and test.group is not None:
            groups = _shared(train.group.codes, test.group.codes, len(train.group.names))
        questions = _questions(self.judgments)
        return Leakage(
            _shared(train.reference, test.reference, count),
            _shared(candidates[0], candidates[1], count),
            _shared(images[0], images[1], count),
            groups,
            len(np.intersect1d(questions[self.train_rows], questions[self.test_rows])),
        )


def split(judgments: Judgments, by: By = "image", folds: int = 5, seed: int = 0) -> list[Split]:
    """Split judgments into training and test rows, `folds` times.

    ``by="reference"``
        The references are dealt to folds of about equal numbers of rows; the test rows of a fold are those of its
        references, and every row is tested once. Candidates may be on both sides.
    ``by="group"``
        The same with the groups of rows that come from one act of answering; a row without a group is one of its own.
    ``by="question"``
        The same with questions: rows that ask about the same reference and candidates, in either order, stay together.
        The images are on both sides, so this measures how well answers are filled in, not how new images fare.
    ``by="image"``
        No image of a test row is anywhere in training. The images are dealt to folds; a fold tests the rows whose three
        images are all its own and trains on the rows that have none of them. Rows that have some are left out of
        that fold (`Split.left_out_rows`): with images dealt blindly a share ``1 - 1/k^3 - (1 - 1/k)^3`` of them, 48%
        for k = 5. So the images are dealt such that those asked about together stay together, see `image_folds`.
        On 25,150 answers about 3,749 photographs of dishes, five folds then test 6,100 rows in all where blind folds
        test 960, and each trains on 15,000 where blind ones train on 12,800. Fewer folds test more and train on less.

    Parameters
    ----------
    judgments : Judgments
    by : {"image", "reference", "group", "question"}
    folds : int
        At least 2.
    seed : int
        The same seed gives the same folds.

    Returns
    -------
    list of Split
        One per fold.

    Raises
    ------
    InputError
        `by` is none of the four, there are too few of what is dealt to the folds, or one image is in so many
        judgments that nothing can be trained without it.

    Examples
    --------
    >>> answers = Judgments.from_ids(["r", "q", "p"], ["x", "y", "z"], ["y", "z", "x"], [1, 1, 1], [0, 0, 0])
    >>> [part.test.references.tolist() for part in split(answers, "reference", folds=3)]
    [['r'], ['p'], ['q']]
    """
    if folds < 2:
        raise InputError(f"a split needs at least 2 folds, not {folds}")
    if by == "image":
        return _by_image(judgments, folds, seed)
    if by == "reference":
        keys = judgments.reference.astype(np.int64)
    elif by == "group":
        keys = _groups(judgments)
    elif by == "question":
        keys = _questions(judgments)
    else:
        raise InputError(f"judgments are split by image, reference, group or question, not by {by!r}")
    fold = _deal(keys, folds, seed, by)
    return [Split(np.flatnonzero(fold != f), np.flatnonzero(fold == f), judgments) for f in range(folds)]


def _groups(judgments: Judgments) -> Rows:
    if judgments.group is None:
        raise InputError('these judgments have no groups: split them by "image" or by "reference"')
    codes = judgments.group.codes.astype(np.int64)
    alone = np.flatnonzero(codes < 0)
    codes[alone] = len(judgments.group.names) + np.arange(len(alone))
    return codes


def _deal(keys: Rows, folds: int, seed: int, by: str) -> Rows:
    """Give each row the fold of its key; the largest keys first, each to the fold with the fewest rows."""
    _, keys, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    if len(sizes) < folds:
        raise InputError(f"{folds} folds by {by} need as many {by}s: there are {len(sizes)}")
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold_of, heap = np.empty(len(sizes), np.int64), [(0, fold) for fold in range(folds)]
    for key, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        rows, fold = heapq.heappop(heap)
        fold_of[key] = fold
        heapq.heappush(heap, (rows + size, fold))
    return fold_of[keys]


def _by_image(judgments: Judgments, folds: int, seed: int) -> list[Split]:
    triplets = np.stack([judgments.reference, judgments.candidate_a, judgments.candidate_b], axis=1)
    used, places = np.unique(triplets, return_inverse=True)
    if len(used) < 3 * folds:
        raise InputError(f"{folds} folds by image need {3 * folds} images: there are {len(used)}")
    dense = np.asarray(places.reshape(-1, 3), np.int64)
    fold = image_folds(dense, len(used), folds, seed)
    made = []
    for number in range(folds):
        mine = fold == number
        if not mine[dense].all(axis=1).any():
            mine = _smallest_test(dense, len(used))
        touched = mine[dense]
        train, test = np.flatnonzero(~touched.any(axis=1)), np.flatnonzero(touched.all(axis=1))
        if not len(train):
            image = judgments.ids[used[np.bincount(dense.ravel()).argmax()]]
            raise InputError(
                f"no judgment is free of the test images (the image '{image}' is in most of them): split by "
                '"reference" or "group", or into more folds'
            )
        made.append(Split(train, test, judgments))
    return made


def _smallest_test(triplets: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """Return the images of the one row that costs the training the fewest rows, for data too small for whole folds."""
    degree = np.bincount(triplets.ravel(), minlength=count)
    mine = np.zeros(count, np.bool_)
    mine[triplets[degree[triplets].sum(axis=1).argmin()]] = True
    return mine


def _shared(left: NDArray[Any], right: NDArray[Any], count: int) -> int:
    seen = np.zeros((2, count + 1), np.bool_)
    seen[0, left], seen[1, right] = True, True
    return int(seen[:, :-1].all(axis=0).sum())


def _questions(judgments: Judgments) -> Rows:
    """Return one number per question, the same for a question and its flip."""
    a, b = judgments.candidate_a.astype(np.int64), judgments.candidate_b.astype(np.int64)
    pairs, places = np.unique(np.minimum(a, b) * len(judgments.ids) + np.maximum(a, b), return_inverse=True)
    return np.asarray(judgments.reference * np.int64(max(len(pairs), 1)) + places, np.int64)

"""Pictures grouped by the thing they show, and batches: some pictures of each of some things. No PyTorch here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Rows

__all__ = ["Pairing", "Things", "batches"]

Pairing: TypeAlias = Literal["any", "given"]
"""Which two pictures of a thing a step takes: two by chance, or one of its pairs as it stands."""


@dataclass(frozen=True, slots=True, eq=False)
class Things:
    """Pictures by thing. A row is the place of a picture among features.

    Attributes
    ----------
    members : int64 (m,)
        Rows of the pictures, thing by thing.
    starts : int64 (T + 1,)
        Where each thing begins among `members`; two pictures can be drawn of those that have two.
    left, right : int64 (p,)
        Rows of the pairs, thing by thing.
    pair_starts : int64 (T + 1,)

    Examples
    --------
    >>> things = Things.of(np.array([0, 2, 2]), np.array([1, 3, 4]), np.array([7, 7, 5, 5, 5]))
    >>> len(things), [things.of_thing(number).tolist() for number in range(2)], things.anchors().tolist()
    (2, [[2, 3, 4], [0, 1]], [2, 0])
    """

    members: Rows
    starts: Rows
    left: Rows
    right: Rows
    pair_starts: Rows

    @classmethod
    def of(cls, left: NDArray[Any], right: NDArray[Any], thing: NDArray[Any]) -> Things:
        """Group the pictures of pairs.

        Parameters
        ----------
        left, right : int (p,)
            Rows of the two pictures of each pair.
        thing : int (N,)
            What each row shows; things are taken in the order of these numbers.
        """
        used = np.unique(np.concatenate([left, right]))
        order = np.argsort(thing[used], kind="stable")
        of_pair = thing[left]
        pairs = np.argsort(of_pair, kind="stable")
        numbers = np.unique(of_pair)
        return cls(
            used[order].astype(np.int64),
            _starts(thing[used][order], numbers),
            np.asarray(left[pairs], np.int64),
            np.asarray(right[pairs], np.int64),
            _starts(of_pair[pairs], numbers),
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    def of_thing(self, number: int) -> Rows:
        """Return the rows of one thing."""
        return self.members[self.starts[number] : self.starts[number + 1]]

    def anchors(self) -> Rows:
        """Return one row of each thing (T,): the left one of its first pair, which is the original of its views."""
        return self.left[self.pair_starts[:-1]]

    def take(self, numbers: Rows, without: Rows) -> Things:
        """Return some of the things, numbered anew in that order, without some of their pictures.

        Parameters
        ----------
        numbers : int64 (n,)
        without : int64 (k,)
            Rows, none the last that a thing has. Pairs of these are left out too.

        Examples
        --------
        >>> things = Things.of(np.array([0, 2, 2]), np.array([1, 3, 4]), np.array([7, 7, 5, 5, 5]))
        >>> few = things.take(np.array([0]), np.array([3]))
        >>> few.members.tolist(), few.left.tolist(), few.right.tolist()
        ([2, 4], [2], [4])
        """
        members = [part[~np.isin(part, without)] for part in (self.of_thing(number) for number in numbers)]
        spans = [slice(*self.pair_starts[number : number + 2]) for number in numbers]
        pairs = [np.stack([self.left[span], self.right[span]]) for span in spans]
        pairs = [part[:, ~np.isin(part, without).any(axis=0)] for part in pairs]
        left, right = np.concatenate(pairs, axis=1)
        return Things(np.concatenate(members), _ends(members, 0), left, right, _ends(pairs, 1))

    def draw(self, numbers: Rows, pairing: Pairing, rng: np.random.Generator) -> tuple[Rows, Rows]:
        """Draw two different pictures of each of some things, int64 (B,) to two of these."""
        if pairing == "given":
            begin, count = self.pair_starts[numbers], np.diff(self.pair_starts)[numbers]
            pair = begin + rng.integers(0, count)
            return self.left[pair], self.right[pair]
        begin, count = self.starts[numbers], np.diff(self.starts)[numbers]
        one, other = rng.integers(0, count), rng.integers(0, count - 1)
        return self.members[begin + one], self.members[begin + other + (other >= one)]

    def draw_one(self, numbers: Rows, rng: np.random.Generator) -> Rows:
        """Draw a picture of each of some things, int64 (B,)."""
        drawn: Rows = self.members[self.starts[numbers] + rng.integers(0, np.diff(self.starts)[numbers])]
        return drawn


def batches(numbers: Rows, size: int, whole: bool, rng: np.random.Generator) -> Iterator[Rows]:
    """Deal numbers in an order of chance to batches of about one size.

    Parameters
    ----------
    numbers : int64 (n,)
    size : int
        At most so many each.
    whole : bool
        Exactly so many each instead, and what is left over waits for the next pass; unless there are fewer in all.
    rng : numpy Generator

    Examples
    --------
    >>> [len(one) for one in batches(np.arange(7), 3, False, np.random.default_rng(0))]
    [3, 2, 2]
    >>> [len(one) for one in batches(np.arange(7), 3, True, np.random.default_rng(0))]
    [3, 3]
    """
    shuffled = rng.permutation(numbers)
    if whole and len(numbers) >= size:
        shuffled = shuffled[: len(numbers) // size * size]
    yield from np.array_split(shuffled, -(-len(shuffled) // size))


def _ends(parts: list[Rows], axis: int) -> Rows:
    """Return where each part begins among all of them, and the end of the last."""
    return np.cumsum([0, *(part.shape[axis] for part in parts)], dtype=np.int64)


def _starts(ordered: NDArray[Any], numbers: NDArray[Any]) -> Rows:
    """Return where each number begins in an ordered column, and the end of the column."""
    return np.append(np.searchsorted(ordered, numbers), len(ordered)).astype(np.int64)

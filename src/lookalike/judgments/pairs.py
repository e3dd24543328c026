"""Matched pairs of images: the left one and the right one show the same, or look alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.judgments.columns import Codes, encode_labels

__all__ = ["Pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs by column.

    Attributes
    ----------
    ids : str (m,)
        The distinct images, sorted.
    left_rows, right_rows : int32 (n,)
        Positions in `ids`.
    images : mapping of str to Path
        Files by id, where they are known.

    Examples
    --------
    >>> pairs = Pairs.from_ids(["left/1", "left/2"], ["right/1", "right/2"])
    >>> len(pairs), pairs.left.tolist()
    (2, ['left/1', 'left/2'])
    """

    ids: NDArray[np.str_]
    left_rows: Codes
    right_rows: Codes
    images: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def from_ids(cls, left: Sequence[str], right: Sequence[str], images: Mapping[str, Path] | None = None) -> Pairs:
        """Make pairs of image ids.

        Raises
        ------
        InputError
            The columns differ in length, an id is empty, or an image is paired with itself; the first row is named.
        """
        if len(left) != len(right):
            raise InputError(f"pairs need as many left images as right ones: {len(left)} and {len(right)}")
        (left_rows, right_rows), ids = encode_labels(left, right)
        for bad, reason in (
            ((left_rows < 0) | (right_rows < 0), "an image has no id"),
            (left_rows == right_rows, "an image is paired with itself"),
        ):
            if bad.any():
                raise InputError(f"pair {np.flatnonzero(bad)[0]}: {reason}")
        return cls(ids, left_rows, right_rows, dict(images or {}))

    def __len__(self) -> int:
        return len(self.left_rows)

    @property
    def left(self) -> NDArray[np.str_]:
        """Ids of the left images."""
        return self.ids[self.left_rows]

    @property
    def right(self) -> NDArray[np.str_]:
        """Ids of the right images."""
        return self.ids[self.right_rows]

    def take(self, rows: NDArray[Any]) -> Pairs:
        """Return some pairs, by position or by mask."""
        return replace(self, left_rows=self.left_rows[rows], right_rows=self.right_rows[rows])

    def groups(self) -> Codes:
        """Label pairs that have images in common, directly or through others: they are no independent evidence.

        Returns
        -------
        int32 (n,)
            Not consecutive; each pair of its own where every image is in one pair.

        Examples
        --------
        >>> Pairs.from_ids(["a", "a", "c"], ["b", "d", "e"]).groups().tolist()
        [0, 0, 2]
        """
        return self._first_of_thing()[self.left_rows]

    def things(self) -> Codes:
        """Tell which things the images show: those of a pair show the same, and so do those of pairs in a chain.

        Returns
        -------
        int32 (m,)
            Of each of `ids`, from 0 in the order in which things first come there; an image in no pair is a thing of
            its own.

        Examples
        --------
        >>> Pairs.from_ids(["a", "c", "d"], ["b", "d", "e"]).things().tolist()
        [0, 0, 1, 1, 1]
        """
        return np.unique(self._first_of_thing(), return_inverse=True)[1].astype(np.int32)

    def _first_of_thing(self) -> Codes:
        """Return the first of the images that are connected with each, int32 (m,), as positions in `ids`."""
        label = np.arange(len(self.ids), dtype=np.int32)
        while True:
            smaller = np.minimum(label[self.left_rows], label[self.right_rows])
            before = label.copy()
            for rows in (self.left_rows, self.right_rows):
                np.minimum.at(label, rows, smaller)
            label = label[label]  # half of the way at once, where things are long chains
            if (label == before).all():
                return label

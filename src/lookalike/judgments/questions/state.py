"""What a strategy knows when it chooses: the images, their vectors, and the answers so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Rows, Vectors
from lookalike.judgments.questions.basis import Coordinates
from lookalike.judgments.table import Judgments

__all__ = ["State"]


@dataclass(frozen=True, eq=False)
class State:
    """The images that can be asked about, and what is known of them.

    Attributes
    ----------
    ids : sequence of str, (N,)
        The images, distinct, in the order of the vectors' rows.
    vectors : sequence of float32 (N, D_m)
        Unit rows, one array per model (of any width); an array may be mapped from a file, only the rows needed are
        read.
    judgments : Judgments, optional
        The answers so far, oldest first; answers about other images are ignored.
    annotator : str
        Who will answer: repeats are taken from this person's answers alone. Empty for anyone.
    alike : float
        Two images whose distance, averaged over the models, is at most this are near-identical, and never meet in a
        question; in [0, 2].

    Raises
    ------
    InputError
        No vectors, ids that repeat, or arrays whose lengths differ.

    Examples
    --------
    >>> state = State(["r", "x", "y"], [np.eye(3, dtype=np.float32)])
    >>> state.triplets.shape
    (0, 3)
    >>> answers = Judgments.from_ids(["r"], ["y"], ["x"], [1], [0])
    >>> state.answered(answers).triplets.tolist()
    [[0, 2, 1]]
    """

    ids: Sequence[str] | NDArray[np.str_]
    vectors: Sequence[Vectors]
    judgments: Judgments | None = None
    annotator: str = ""
    alike: float = 1e-3

    def __post_init__(self) -> None:
        if not self.vectors:
            raise InputError("questions need the vectors of at least one model")
        for number, rows in enumerate(self.vectors):
            if rows.ndim != 2 or len(rows) != len(self.ids):
                raise InputError(f"model {number} has vectors of shape {rows.shape} for {len(self.ids)} images")
        names = self._sorted[0]
        repeated = np.flatnonzero(names[1:] == names[:-1])
        if len(repeated):
            raise InputError(f"the image '{names[repeated[0]]}' is listed twice")

    def answered(self, judgments: Judgments, annotator: str | None = None) -> State:
        """Return the state after more answers, for the same annotator or another; what is known of images is kept."""
        later = replace(self, judgments=judgments, annotator=self.annotator if annotator is None else annotator)
        later.__dict__.update({k: self.__dict__[k] for k in ("_sorted", "_coordinates") if k in self.__dict__})
        return later

    @cached_property
    def triplets(self) -> Rows:
        """The questions answered so far, int64 (n, 3): rows of reference, a, b; -1 for an image not at hand."""
        if self.judgments is None:
            return np.empty((0, 3), np.int64)
        names, order = self._sorted
        place = np.minimum(np.searchsorted(names, self.judgments.ids), len(names) - 1)
        rows = np.where(names[place] == self.judgments.ids, order[place], -1)
        columns = (self.judgments.reference, self.judgments.candidate_a, self.judgments.candidate_b)
        return np.stack([rows[column] for column in columns], axis=1).astype(np.int64)

    def coordinates(self, rows: Rows) -> NDArray[np.float64]:
        """Return some images by their principal coordinates, float64 (n, K); each is computed once."""
        return self._coordinates.of(rows)

    @cached_property
    def _coordinates(self) -> Coordinates:
        return Coordinates(self.vectors)

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.str_], Rows]:
        ids = np.asarray(self.ids, np.str_)
        order = np.argsort(ids, kind="stable")
        return ids[order], order.astype(np.int64)

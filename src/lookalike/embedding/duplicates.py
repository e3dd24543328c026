"""Groups of near-identical images, in memory bounded by the vectors and one block of pairs.

Two stages: an image's nearest neighbours under a distance are candidates; a candidate pair counts when the two
thumbnails also agree after a small alignment. The first stage is the index's; no N x N matrix is ever made. Most
candidates fail the second stage at its first step, which is done for many pairs at once, on pictures that are kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from lookalike.core.lanes import cores, in_lanes
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Pixels, Rows, Vectors
from lookalike.core.vectors import cosine_distances
from lookalike.images.copies import COPY_AGREEMENT, Coarse, Prepared, agreement, coarsen, prepare
from lookalike.images.copy_gate import may_agree
from lookalike.images.decode import decode
from lookalike.search.protocol import VectorIndex

__all__ = ["LoadThumbnails", "MirroredVectors", "distances_to_first", "duplicate_groups", "mirrored_pixels"]

LoadThumbnails: TypeAlias = Callable[[Sequence[str]], Mapping[str, bytes]]
MirroredVectors: TypeAlias = Callable[[Rows], Vectors]
Pair: TypeAlias = tuple[int, int]

_Ready: TypeAlias = dict[int, Prepared]

BLOCK, PAIRS = 256, 512
NEIGHBOURS = 16
KEPT = 16_384
"""Coarse pictures that are remembered, 4 kB each: neighbours come up again and again."""


def duplicate_groups(
    paths: Sequence[str],
    vectors: Vectors,
    index: VectorIndex,
    thumbnails: LoadThumbnails,
    threshold: float,
    mirrored: MirroredVectors | None = None,
    on_progress: OnProgress = silent,
) -> list[list[int]]:
    """Find groups of rows that show the same picture.

    Parameters
    ----------
    paths : sequence of str
        Of the N images.
    vectors : float32 (N, D)
        Unit rows.
    index : VectorIndex
        Over the same rows.
    thumbnails : callable
        Gives JPEG thumbnails by path.
    threshold : float
        Candidates are at most this far apart (``1 - cosine``).
    mirrored : callable, optional
        Gives the unit vectors of some rows' pictures mirrored left to right, float32 (n, D); with it, mirrored copies
        count as well.

    Returns
    -------
    list of list of int
        Groups of two rows or more; rows ascending, groups by their first row.
    """
    sets = _DisjointSets(len(paths))
    check = _Check(paths, thumbnails)
    for mirror in (None,) if mirrored is None else (None, mirrored):
        flip = mirror is not None
        stage = "comparing mirrored copies" if flip else "comparing"
        for start in range(0, len(paths), BLOCK):
            rows = np.arange(start, min(start + BLOCK, len(paths)))
            queries = vectors[rows] if mirror is None else mirror(rows)
            found = _candidates(index, rows, queries, threshold)
            pairs = [pair for pair in found if not sets.together(*pair)]
            for left, right in check.copies(pairs, flip):
                sets.join(left, right)
            on_progress(Progress(stage, int(rows[-1]) + 1, len(paths)))
    return sets.groups()


def distances_to_first(vectors: Vectors, group: Sequence[int]) -> list[float]:
    """Return the distance of every row of a group to its first.

    Examples
    --------
    >>> distances_to_first(np.eye(3, dtype=np.float32), [0, 0, 2])
    [0.0, 0.0, 1.0]
    """
    return [float(d) for d in cosine_distances(vectors[[group[0]]], vectors[list(group)])]


def _candidates(index: VectorIndex, rows: Rows, queries: Vectors, threshold: float) -> Iterator[Pair]:
    """Yield each pair of a block's rows and their neighbours once, lower row first."""
    found, distances = index.search(queries, min(NEIGHBOURS, index.size))
    # float32 rounding puts an exact copy a little past 0: a threshold of 0 still finds it.
    close = (distances <= threshold + 1e-5) & (found >= 0) & (found != rows[:, None])
    pairs = {(min(a, b), max(a, b)) for a, b in zip(np.repeat(rows, close.sum(1)), found[close], strict=True)}
    yield from sorted((int(a), int(b)) for a, b in pairs)


class _Check:
    """The second stage: looks at the thumbnails of candidate pairs, a bounded number at a time."""

    def __init__(self, paths: Sequence[str], thumbnails: LoadThumbnails) -> None:
        self._paths = paths
        self._thumbnails = thumbnails
        self._coarse: OrderedDict[int, Coarse] = OrderedDict()

    def copies(self, pairs: Sequence[Pair], flip: bool) -> Iterator[Pair]:
        """Yield the pairs whose pictures agree; with `flip`, the left one mirrored."""
        for start in range(0, len(pairs), PAIRS):
            some = self._worth_a_look(pairs[start : start + PAIRS], flip)
            left = self._prepared({pair[0] for pair in some}, flip)
            right = self._prepared({pair[1] for pair in some}, flip=False)

            def agree(pair: Pair, left: _Ready = left, right: _Ready = right) -> tuple[Pair, bool]:
                return pair, agreement(left[pair[0]], right[pair[1]]) >= COPY_AGREEMENT

            yield from (pair for pair, good in in_lanes(agree, some, cores()) if good)

    def _worth_a_look(self, pairs: Sequence[Pair], flip: bool) -> list[Pair]:
        """Return the pairs that are not ruled out by their coarse pictures."""
        known = self._coarse_of({row for pair in pairs for row in pair})
        left = [known[row].mirrored() if flip else known[row] for row, _ in pairs]
        passed = may_agree(left, [known[row] for _, row in pairs])
        return [pair for pair, good in zip(pairs, passed.tolist(), strict=True) if good]

    def _coarse_of(self, rows: Iterable[int]) -> dict[int, Coarse]:
        known = {row: self._coarse[row] for row in rows if row in self._coarse}
        known |= dict(
            in_lanes(
                lambda found: (found[0], coarsen(_pixels(found[1]))), self._encoded(set(rows) - set(known)), cores()
            )
        )
        for row, coarse in known.items():
            self._coarse[row] = coarse
            self._coarse.move_to_end(row)
        while len(self._coarse) > KEPT:
            self._coarse.popitem(last=False)
        return known

    def _prepared(self, rows: Iterable[int], flip: bool) -> _Ready:
        def work(found: tuple[int, bytes]) -> tuple[int, Prepared]:
            pixels = _pixels(found[1])
            return found[0], prepare(mirrored_pixels(pixels) if flip else pixels)

        return dict(in_lanes(work, self._encoded(rows), cores()))

    def _encoded(self, rows: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Yield rows and their thumbnails, in no order."""
        by_path = {self._paths[row]: row for row in rows}
        for path, encoded in (self._thumbnails(list(by_path)) if by_path else {}).items():
            yield by_path[path], encoded


def mirrored_pixels(pixels: Pixels) -> Pixels:
    """Exchange left and right of a picture, uint8 (H, W, 3)."""
    return np.ascontiguousarray(pixels[:, ::-1])


def _pixels(encoded: bytes) -> Pixels:
    return np.asarray(decode(encoded).image)


class _DisjointSets:
    """Union-find over N rows."""

    def __init__(self, count: int) -> None:
        self._parent = np.arange(count)

    def root(self, row: int) -> int:
        parent = self._parent
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = int(parent[row])
        return row

    def together(self, left: int, right: int) -> bool:
        return self.root(left) == self.root(right)

    def join(self, left: int, right: int) -> None:
        low, high = sorted((self.root(left), self.root(right)))
        self._parent[high] = low

    def groups(self) -> list[list[int]]:
        found: dict[int, list[int]] = {}
        for row in np.flatnonzero(self._parent != np.arange(len(self._parent))):
            top = self.root(int(row))
            found.setdefault(top, [top]).append(int(row))
        return [found[top] for top in sorted(found)]

"""What is searched of a table of fused vectors: an index, the rows written since it was built, and which are gone.

A view answers for one version of the table and never changes; `FusedView.advance` makes the view of a later version.
The index compares float32 queries with the stored float16 numbers, as the exact search of the rows beside it does: all
distances are those of the stored vectors, and need no second ranking.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Distances, Rows, Vectors
from lookalike.search import disposable
from lookalike.search.exact import ExactIndex
from lookalike.search.fused import HalfVectors
from lookalike.search.fused_table import FusedTable, Stamps
from lookalike.search.protocol import VectorIndex, ranked

__all__ = ["WORN", "FusedView"]

WORN = 0.1
"""An index is built anew when this share of its rows is gone, or as many have been written beside it."""

SPARE = 2
"""How many times the share that is gone is fetched more than asked for, at first."""

WIDENED = 20_000
"""Up to so many rows of a tail are held in float32 as well: a query takes a twentieth of the time, for some 60 MB."""

NUMBERS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class FusedView:
    """The rows of one version of a table, ready to search; safe to search from several threads.

    Attributes
    ----------
    version : int
        Of the table.
    index : VectorIndex, optional
        Over B rows; without it all rows are in the tail.
    stamps : int64 (B + T,)
        Of the rows of the index, then of those beside it.
    ids : pyarrow string array (B + T,)
        Null where a row of the index was gone when the index was loaded.
    alive : bool (B,)
        Which rows of the index are still in the table.
    tail : float16 (T, width)
        Rows that the index does not know, searched exactly.
    """

    version: int
    index: VectorIndex | None
    stamps: Stamps
    ids: pa.Array
    alive: NDArray[np.bool_]
    tail: HalfVectors
    _exact: ExactIndex = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Put the tail under an exact search."""
        few = len(self.tail) <= WIDENED
        object.__setattr__(self, "_exact", ExactIndex(self.tail.astype(np.float32) if few else self.tail))

    @classmethod
    def of_all(cls, table: FusedTable) -> FusedView:
        """Return a view of all rows of a table, without an index."""
        rows = table.scan()
        return cls(table.version, None, rows.stamps, rows.ids, np.zeros(0, np.bool_), rows.vectors)

    def __len__(self) -> int:
        return int(self.alive.sum()) + len(self.tail)

    @property
    def worn(self) -> bool:
        """Whether an index should be built, or built anew."""
        if self.index is None:
            return len(self) >= disposable.EXACT_BELOW
        return max(len(self.alive) - int(self.alive.sum()), len(self.tail)) > WORN * len(self.alive)

    def advance(self, table: FusedTable) -> FusedView:
        """Return the view of the version that `table` has open, with the same index; only new rows are read."""
        if table.version == self.version:
            return self
        places, stamps = table.stamps()
        indexed = len(self.alive)
        if np.array_equal(stamps[: len(self.stamps)], self.stamps):  # rows were added, and nothing else
            present, fresh = np.ones(len(self.stamps), np.bool_), np.arange(len(stamps)) >= len(self.stamps)
        else:
            present, fresh = np.isin(self.stamps, stamps), ~np.isin(stamps, self.stamps)
        rows, kept = table.take(places[fresh]), present[indexed:]
        ids = [self.ids[:indexed], self.ids[indexed:].filter(pa.array(kept)), rows.ids]
        return FusedView(
            table.version,
            self.index,
            np.concatenate([self.stamps[:indexed], self.stamps[indexed:][kept], rows.stamps]),
            pa.concat_arrays(ids),
            present[:indexed],
            np.concatenate([self.tail[kept], rows.vectors]),
        )

    def search(self, queries: Vectors, totals: NDArray[np.float64], k: int) -> tuple[NDArray[np.str_], Distances]:
        """Find the rows at the smallest ``total - query . vector``.

        Parameters
        ----------
        queries : float32 (Q, width)
        totals : float64 (Q,)
            Above 0.
        k : int

        Returns
        -------
        ids : str (Q, k)
            Nearest first; empty where there are fewer than `k`.
        distances : float32 (Q, k)
            Not below 0; infinite where there is no id.

        Raises
        ------
        InputError
            `k` is below 1.
        """
        if k < 1:
            raise InputError(f"k must be at least 1, not {k}")
        # Divided by its total, a query's distances are those of a mean, within [0, 2], at any scale of the weights.
        scaled = np.asarray(queries / totals[:, None], np.float32)
        rows, distances = self._exact.search(scaled, max(1, min(k, len(self.tail))))
        rows = np.where(rows < 0, -1, rows + len(self.alive))
        if self.index is not None:
            more_rows, more_distances = self._from_index(self.index, scaled, k)
            rows, distances = np.hstack([more_rows, rows]), np.hstack([more_distances, distances])
        rows, distances = ranked(rows, distances, k)
        return self._names(rows), np.asarray(np.maximum(distances * totals[:, None], 0), np.float32)

    def _from_index(self, index: VectorIndex, queries: Vectors, k: int) -> tuple[Rows, Distances]:
        """Ask the index, drop rows that are gone, and ask for more where too few are left."""
        size, wanted = len(self.alive), min(k, len(self.alive))
        gone = size - int(self.alive.sum())
        if not gone:
            return index.search(queries, wanted)
        best_rows, best = np.full((len(queries), wanted), -1), np.full((len(queries), wanted), np.inf, np.float32)
        fetched, todo = min(size, wanted + SPARE * (1 + wanted * gone // size)), np.arange(len(queries))
        while len(todo):
            step = max(1, NUMBERS_AT_ONCE // fetched)
            for some in (todo[start : start + step] for start in range(0, len(todo), step)):
                rows, distances = index.search(queries[some], fetched)
                rows = np.where((rows >= 0) & self.alive[rows], rows, -1)
                best_rows[some], best[some] = ranked(rows, distances, wanted)
            todo = todo[best_rows[todo, -1] < 0] if fetched < size else todo[:0]
            fetched = min(size, 4 * fetched)
        return best_rows, best

    def _names(self, rows: Rows) -> NDArray[np.str_]:
        """Return the ids of rows, and empty text for -1."""
        found = rows.ravel() >= 0
        names = np.full(rows.size, "", dtype=object)
        names[found] = self.ids.take(pa.array(rows.ravel()[found])).to_pylist()
        return names.astype(np.str_).reshape(rows.shape)

"""What is searched of a table of fused vectors: an index, the rows written since it was built, and which are gone.

A view answers for one version of the table and never changes; `FusedView.advance` makes the view of a later version.
The index compares float32 queries with the stored float16 numbers, as the exact search of the rows beside it does: all
distances are those of the stored vectors, and need no second ranking.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lookalike.core.types import Distances, Rows, Vectors
from lookalike.search import disposable
from lookalike.search.exact import ExactIndex
from lookalike.search.fused import HalfVectors
from lookalike.search.fused_table import FusedRows, FusedTable, Stamps
from lookalike.search.masked import FEW, among_rows, page_of
from lookalike.search.protocol import VectorIndex, ranked

__all__ = ["WORN", "FusedView"]

WORN = 0.1
"""An index is built anew when this share of its rows is gone, or as many have been written beside it."""

WIDENED = 20_000
"""Up to so many rows of a tail are held in float32 as well: a query takes a twentieth of the time, for some 60 MB."""


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
        Which rows of the index are still in the table, and wanted.
    tail : float16 (T, width)
        Rows that the index does not know, searched exactly. Without an index in the order of their ids, so that of
        equal distances the lower id comes first.
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
        return cls._without_index(table.version, table.scan())

    @classmethod
    def _without_index(cls, version: int, rows: FusedRows) -> FusedView:
        order = np.asarray(pc.sort_indices(rows.ids), np.int64)
        ids = rows.ids.take(pa.array(order))
        return cls(version, None, rows.stamps[order], ids, np.zeros(0, np.bool_), rows.vectors[order])

    def __len__(self) -> int:
        return int(np.count_nonzero(self.alive)) + len(self.tail)

    @property
    def worn(self) -> bool:
        """Whether an index should be built, or built anew."""
        if self.index is None:
            return len(self) >= disposable.EXACT_BELOW
        return max(len(self.alive) - int(np.count_nonzero(self.alive)), len(self.tail)) > WORN * len(self.alive)

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
        ids = pa.concat_arrays([self.ids[:indexed], self.ids[indexed:].filter(pa.array(kept)), rows.ids])
        stamps = np.concatenate([self.stamps[:indexed], self.stamps[indexed:][kept], rows.stamps])
        tail = np.concatenate([self.tail[kept], rows.vectors])
        if self.index is None:
            return self._without_index(table.version, FusedRows(ids, stamps, tail))
        return FusedView(table.version, self.index, stamps, ids, present[:indexed], tail)

    def narrowed(self, ids: pa.Array, table: FusedTable) -> FusedView:
        """Return a view of the rows with some ids alone; where they are few, it searches them exactly.

        Parameters
        ----------
        ids : pyarrow large_string array
            Those that are not in the view are passed over.
        table : FusedTable
            With the version of the view open.
        """
        wanted = pc.is_in(self.ids, ids).to_numpy(zero_copy_only=False)
        indexed = len(self.alive)
        alive, kept = wanted[:indexed] & self.alive, wanted[indexed:]
        tail = FusedRows(self.ids[indexed:].filter(pa.array(kept)), self.stamps[indexed:][kept], self.tail[kept])
        count = int(np.count_nonzero(alive))
        if self.index is not None and count > FEW:
            names = pa.concat_arrays([self.ids[:indexed], tail.ids])
            stamps = np.concatenate([self.stamps[:indexed], tail.stamps])
            return FusedView(self.version, self.index, stamps, names, alive, tail.vectors)
        if count:
            places, present = table.stamps()
            rows = table.take(places[np.isin(present, self.stamps[:indexed][alive])])
            stamps = np.concatenate([rows.stamps, tail.stamps])
            vectors = np.concatenate([rows.vectors, tail.vectors])
            tail = FusedRows(pa.concat_arrays([rows.ids, tail.ids]), stamps, vectors)
        return self._without_index(self.version, tail)

    def search(
        self, queries: Vectors, totals: NDArray[np.float64], k: int, offset: int = 0
    ) -> tuple[NDArray[np.str_], Distances]:
        """Find the rows at the smallest ``total - query . vector``.

        Parameters
        ----------
        queries : float32 (Q, width)
        totals : float64 (Q,)
            Above 0.
        k : int
        offset : int
            How many of the nearest are passed over; see `lookalike.search.masked.page_of`.

        Returns
        -------
        ids : str (Q, k)
            Nearest first; empty where there are fewer than `k`.
        distances : float32 (Q, k)
            Not below 0; infinite where there is no id.

        Raises
        ------
        InputError
            `k` is below 1, or `offset` below 0.
        """
        # Divided by its total, a query's distances are those of a mean, within [0, 2], at any scale of the weights.
        scaled = np.asarray(queries / totals[:, None], np.float32)
        exact = self.index is None
        rows, distances = page_of(lambda depth: self._nearest(scaled, depth), len(self), k, offset, exact)
        return self._names(rows), np.asarray(np.maximum(distances * totals[:, None], 0), np.float32)

    def _nearest(self, queries: Vectors, k: int) -> tuple[Rows, Distances]:
        """Search the index, and the rows beside it."""
        rows, distances = self._exact.search(queries, max(1, min(k, len(self.tail))))
        rows = np.where(rows < 0, -1, rows + len(self.alive))
        if self.index is not None:
            more_rows, more_distances = among_rows(self.index.search, queries, k, self.alive)
            rows, distances = np.hstack([more_rows, rows]), np.hstack([more_distances, distances])
        return ranked(rows, distances, k)

    def _names(self, rows: Rows) -> NDArray[np.str_]:
        """Return the ids of rows, and empty text for -1."""
        found = rows.ravel() >= 0
        names = np.full(rows.size, "", dtype=object)
        names[found] = self.ids.take(pa.array(rows.ravel()[found])).to_pylist()
        return names.astype(np.str_).reshape(rows.shape)

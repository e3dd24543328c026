"""Which images of a collection fit a filter."""

from __future__ import annotations

from collections import OrderedDict

import pyarrow as pa

from lookalike.search.filters import Filter
from lookalike.search.store import ImageTable

__all__ = ["ImageFilter"]

KEPT = 8
"""Filters whose answer is kept until the table changes: pages of one search, and many searches under one filter."""


class ImageFilter:
    """Filters on the newest version of the table of images.

    Parameters
    ----------
    uri : str
        Of the database. The table gets a handle of its own here, so that no other reader is moved to a new version.

    Raises
    ------
    StorageError
        The table cannot be read.
    """

    def __init__(self, uri: str) -> None:
        self._table = ImageTable.open(uri)
        self._described: tuple[int, pa.Table] | None = None
        self._kept: OrderedDict[tuple[int, str], pa.Array] = OrderedDict()

    def paths(self, where: str) -> pa.Array:
        """Return the paths of the images that fit, a large_string array; the same object while nothing changes.

        Parameters
        ----------
        where : str
            As `lookalike.search.filters.Filter` takes it.

        Raises
        ------
        InputError
            The filter is not understood.
        StorageError
            The table cannot be read.
        """
        asked = Filter(where)
        self._table.refresh()
        version = self._table.version
        found = self._kept.get((version, where))
        if found is None:
            if self._described is None or self._described[0] != version:
                self._described = version, self._table.described()
            images = self._described[1]
            chosen = images.column("path").filter(pa.array(asked.holds(images))).cast(pa.large_string())
            found = pa.concat_arrays([pa.array([], pa.large_string()), *chosen.chunks])
            self._kept[version, where] = found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found

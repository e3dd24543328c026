"""How vectors come into an index, piece by piece, and in which order they stay there."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.progress import OnProgress, Progress
from lookalike.core.types import Rows
from lookalike.search.forms import Form, arrange, link_back
from lookalike.search.leading import leading_directions
from lookalike.search.nearby import COORDINATES, nearby_order
from lookalike.search.protocol import StoredVectors

__all__ = ["filled", "halves"]

ROWS_AT_ONCE = 20_000


def _let_go(vectors: StoredVectors) -> None:
    """Give the pages of a mapped array back that were read."""
    source: Any = vectors.base
    if isinstance(source, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        source.madvise(mmap.MADV_DONTNEED)


def halves(vectors: StoredVectors, rows: Rows) -> Iterator[NDArray[np.float16]]:
    """Give rows in float16, piece by piece."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield vectors[rows[start : start + ROWS_AT_ONCE]].astype(np.float16, copy=False)
        _let_go(vectors)


def filled(
    base: Any, form: Form, vectors: StoredVectors, first: NDArray[np.int32], on_progress: OnProgress
) -> tuple[Any, Rows]:
    """Add the distinct vectors to a new index, see that each can be found, and set near ones side by side.

    They are added as they come: a graph that is built place by place has few ways from one end to the other.

    Returns
    -------
    base : index of FAISS
    order : int64 (U,)
        Which of the distinct vectors stands at each place.
    """
    coordinates = None if form == "cells" else leading_directions(vectors, COORDINATES)
    said = []
    for start in range(0, len(first), ROWS_AT_ONCE):
        on_progress(Progress("building the index", start, len(first)))
        piece = vectors[first[start : start + ROWS_AT_ONCE]].astype(np.float32)
        base.add(piece)
        if coordinates is not None:
            said.append(piece @ coordinates)
        _let_go(vectors)
    on_progress(Progress("building the index", len(first), len(first)))
    if not said:
        return base, np.arange(len(first))
    link_back(base)
    order = nearby_order(np.concatenate(said))
    arrange(base, order)
    return base, order

"""What every index can do, and the rules that its answers keep."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Distances, Rows, Vectors

__all__ = ["StoredVectors", "VectorIndex", "as_queries", "as_stored", "ranked"]

StoredVectors: TypeAlias = NDArray[np.float32] | NDArray[np.float16]
"""(N, D) rows to search, all of the same norm; float16 halves the memory."""


class VectorIndex(Protocol):
    """Rows of vectors that can be searched. Safe to search from several threads."""

    @property
    def dim(self) -> int:
        """Length of one vector."""

    @property
    def size(self) -> int:
        """How many vectors there are."""

    def search(self, queries: Vectors, k: int) -> tuple[Rows, Distances]:
        """Find the stored vectors with the largest inner product with each query.

        The stored vectors have the same norm, so a query may be re-weighted freely (the ensemble does this);
        for unit vectors and a unit query the distance is one minus the cosine.

        Parameters
        ----------
        queries : float32 (Q, D)
            Not necessarily unit rows.
        k : int
            How many neighbours, at least 1. More than `size` is allowed.

        Returns
        -------
        rows : int64 (Q, k)
            Positions of the neighbours, nearest first, equal distances by the lower row;
            -1 where fewer than `k` exist.
        distances : float32 (Q, k)
            ``1 - query . vector``, ascending; infinite where the row is -1.

        Raises
        ------
        InputError
            The queries are not finite numbers of shape (Q, D), or `k` is below 1.
        """


def as_queries(queries: Vectors, dim: int, k: int) -> Vectors:
    """Check what a search was asked and return the queries as contiguous float32.

    Parameters
    ----------
    queries : (Q, D) numbers
        As given by the caller.
    dim : int
        Length of a stored vector.
    k : int
        Neighbours asked for.

    Returns
    -------
    float32 (Q, D)
        C-contiguous.

    Raises
    ------
    InputError
        The queries are not finite numbers of shape (Q, `dim`), or `k` is below 1.

    Examples
    --------
    >>> as_queries(np.ones((2, 3)), dim=3, k=1).dtype
    dtype('float32')
    """
    if k < 1:
        raise InputError(f"k is {k}: ask for at least 1 neighbour")
    checked = np.ascontiguousarray(queries, dtype=np.float32)
    if checked.ndim != 2 or checked.shape[1] != dim:
        raise InputError(f"the queries have shape {checked.shape}: the index needs (Q, {dim})")
    if not np.isfinite(checked).all():
        raise InputError("the queries hold numbers that are not finite")
    return checked


def as_stored(vectors: StoredVectors) -> StoredVectors:
    """Check the vectors that an index is made of; float16 and float32 stay as they are.

    Parameters
    ----------
    vectors : float32 or float16 (N, D)
        Rows to search. A memory-mapped array is not copied.

    Returns
    -------
    float32 or float16 (N, D)
        The same array where it is C-contiguous.

    Raises
    ------
    InputError
        The array has another shape or type, or rows of length 0.

    Examples
    --------
    >>> as_stored(np.ones((2, 3), dtype=np.float16)).shape
    (2, 3)
    """
    if vectors.ndim != 2 or vectors.shape[1] < 1:
        raise InputError(f"the vectors have shape {vectors.shape}: an index needs (N, D)")
    if vectors.dtype not in (np.float16, np.float32):
        raise InputError(f"the vectors are {vectors.dtype}: an index needs float32 or float16")
    return vectors if vectors.flags.c_contiguous else vectors.copy()


def ranked(rows: Rows, distances: Distances, k: int) -> tuple[Rows, Distances]:
    """Order candidates by distance, then by row, and keep `k`.

    Parameters
    ----------
    rows : int64 (Q, C)
        Candidates of each query; -1 where there is none.
    distances : float32 (Q, C)
        Theirs; ignored where the row is -1.
    k : int
        How many to keep.

    Returns
    -------
    rows : int64 (Q, k)
        Padded with -1.
    distances : float32 (Q, k)
        Padded with infinity.

    Examples
    --------
    >>> rows, distances = ranked(np.array([[7, 2, -1]]), np.array([[0.5, 0.5, 0.0]], dtype=np.float32), k=4)
    >>> rows.tolist(), distances.tolist()
    ([[2, 7, -1, -1]], [[0.5, 0.5, inf, inf]])
    """
    absent = rows < 0
    distances = np.where(absent, np.float32(np.inf), distances)
    order = np.lexsort((rows, absent, distances), axis=1)[:, :k]
    shape = (len(rows), k)
    best_rows, best_distances = np.full(shape, -1, dtype=np.int64), np.full(shape, np.inf, dtype=np.float32)
    best_rows[:, : order.shape[1]] = np.take_along_axis(rows, order, axis=1)
    best_distances[:, : order.shape[1]] = np.take_along_axis(distances, order, axis=1)
    return best_rows, best_distances

"""Unit vectors and the distances between them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lookalike.core.lanes import cores, in_lanes
from lookalike.core.types import Distances, Vectors

__all__ = ["cosine_distances", "triplet_distances", "unit_rows"]

ROWS_AT_ONCE = 512


def unit_rows(features: Vectors) -> Vectors:
    """Scale every row to norm 1; a row of zeros stays zero, at distance 1 from everything.

    Parameters
    ----------
    features : float (N, D)

    Returns
    -------
    float32 (N, D)

    Examples
    --------
    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32))
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """
    features = np.asarray(features, np.float32)
    made = np.empty(features.shape, np.float32)
    for start in range(0, len(features), ROWS_AT_ONCE):  # in blocks that stay in the cache
        block = slice(start, start + ROWS_AT_ONCE)
        # A float32 sum of squares overflows past 1e19: scale by the largest entry first.
        largest = np.abs(features[block]).max(axis=1, keepdims=True, initial=0)
        scaled = np.divide(features[block], np.where(largest > 0, largest, 1), out=made[block])
        norms = np.linalg.norm(scaled, axis=1, keepdims=True)
        scaled /= np.where(norms > 0, norms, 1)
    return made


def cosine_distances(left: Vectors, right: Vectors) -> Distances:
    """Return ``1 - cosine`` row by row, in [0, 2].

    Parameters
    ----------
    left, right : float32 (N, D)
        Unit rows; either may have a single row, which is then compared with all of the other.

    Returns
    -------
    float32 (N,)

    Examples
    --------
    >>> cosine_distances(np.eye(2, dtype=np.float32), np.array([[1, 0]], np.float32))
    array([0., 1.], dtype=float32)
    """
    cosines = (left * right).sum(axis=1, dtype=np.float32)
    return np.asarray(np.clip(1 - cosines, 0, 2), np.float32)


def triplet_distances(
    vectors: Vectors, reference: NDArray[np.integer], candidate_a: NDArray[np.integer], candidate_b: NDArray[np.integer]
) -> tuple[Distances, Distances]:
    """Return the distances of references to their two candidates.

    Parameters
    ----------
    vectors : float32 (N, D)
        Unit rows.
    reference, candidate_a, candidate_b : int (n,)
        Rows of `vectors`.

    Returns
    -------
    distance_a, distance_b : float32 (n,)
        ``1 - cosine``, in [0, 2].

    Raises
    ------
    IndexError
        A row is not one of `vectors`.

    Examples
    --------
    >>> triplet_distances(np.eye(2, dtype=np.float32), np.array([0]), np.array([0]), np.array([1]))
    (array([0.], dtype=float32), array([1.], dtype=float32))
    """
    columns = [np.asarray(rows, np.intp) for rows in (reference, candidate_a, candidate_b)]
    for rows in columns:
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(vectors):
            raise IndexError(f"rows {rows.min()} to {rows.max()} are not all among the {len(vectors)} vectors")
    distances = np.empty((2, len(reference)), np.float32)
    lanes = min(cores(), max(1, len(reference) // ROWS_AT_ONCE))
    edges = np.linspace(0, len(reference), lanes + 1).astype(int)
    spans = [range(start, stop) for start, stop in pairwise(edges.tolist())]
    for _ in in_lanes(lambda span: _fill_span(distances, vectors, columns, span), spans, lanes):
        pass
    np.clip(distances, 0, 2, out=distances)
    return distances[0], distances[1]


def _fill_span(distances: Distances, vectors: Vectors, columns: list[NDArray[np.intp]], span: range) -> None:
    """Fill some columns of the (2, n) distances, in blocks that stay in the cache, through buffers used again."""
    reference, *candidates = columns
    held = np.empty((2, ROWS_AT_ONCE, vectors.shape[1]), np.float32)
    for start in range(span.start, span.stop, ROWS_AT_ONCE):
        block = slice(start, min(start + ROWS_AT_ONCE, span.stop))
        left, right = held[:, : block.stop - start]
        # With "clip", take writes straight into the buffer; out of bounds it would raise only after a copy.
        np.take(vectors, reference[block], axis=0, out=left, mode="clip")
        for side, rows in zip(distances, candidates, strict=True):
            np.take(vectors, rows[block], axis=0, out=right, mode="clip")
            side[block] = 1 - np.vecdot(left, right)

"""Unit vectors and the distances between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Distances, Vectors

__all__ = ["cosine_distances", "triplet_distances", "unit_rows"]

ROWS_AT_ONCE = 1024


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
    # A float32 sum of squares overflows past 1e19: scale by the largest entry first.
    features = np.asarray(features, np.float32)
    largest = np.abs(features).max(axis=1, keepdims=True, initial=0)
    scaled = features / np.where(largest > 0, largest, 1)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(norms > 0, norms, 1), np.float32)


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

    Examples
    --------
    >>> triplet_distances(np.eye(2, dtype=np.float32), np.array([0]), np.array([0]), np.array([1]))
    (array([0.], dtype=float32), array([1.], dtype=float32))
    """
    distances = np.empty((2, len(reference)), np.float32)
    # Blocks that stay in the processor's cache: gathering all rows at once is bound by memory.
    for start in range(0, len(reference), ROWS_AT_ONCE):
        block = slice(start, start + ROWS_AT_ONCE)
        held = vectors[reference[block]]
        for side, candidates in zip(distances, (candidate_a, candidate_b), strict=True):
            side[block] = 1 - np.einsum("ij,ij->i", held, vectors[candidates[block]])
    np.clip(distances, 0, 2, out=distances)
    return distances[0], distances[1]

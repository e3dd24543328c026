"""Unit vectors and the distances between them."""

from __future__ import annotations

import numpy as np

from lookalike.core.types import Distances, Vectors

__all__ = ["cosine_distances", "unit_rows"]


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

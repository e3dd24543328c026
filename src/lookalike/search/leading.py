"""The directions in which vectors have nearly all of their length: enough for finding candidates by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lookalike.core.types import Vectors
from lookalike.search.protocol import StoredVectors

__all__ = ["leading_directions"]

SAMPLE = 20_000
HELD, LEAST = 0.95, 0.8
"""Of the squared length: what is wanted of every part, and what half of all directions must hold at least."""

STEP = 32
"""Their number is a multiple of it: FAISS compares eight numbers at a time."""


def leading_directions(
    vectors: StoredVectors, count: int | None = None, parts: Sequence[slice] = (), seed: int = 0
) -> Vectors | None:
    """Return the fewest directions that hold `HELD` of the squared length of vectors, half of all at most.

    An inner product of a vector with any query is that along these directions and a small rest, whatever weights the
    query carries: only the vector is cut short. They are those of the second moments, about 0 and not about the mean.
    A query may weigh one part alone, so each part must be held by itself.

    Parameters
    ----------
    vectors : float32 or float16 (N, D)
    count : int, optional
        Exactly so many directions, whatever they hold.
    parts : sequence of slice
        Columns that queries weigh against each other.
    seed : int
        Of which vectors are looked at.

    Returns
    -------
    float32 (D, r) or None
        Orthonormal columns, the longest first; None where half of all directions hold less than `LEAST`.

    Examples
    --------
    >>> flat = np.random.default_rng(0).normal(size=(500, 4)) @ np.random.default_rng(1).normal(size=(4, 100))
    >>> leading_directions(flat.astype(np.float32)).shape
    (100, 32)
    >>> leading_directions(np.eye(100, dtype=np.float32)) is None
    True
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:SAMPLE])
    rows = vectors[chosen].astype(np.float32)
    lengths, turn = np.linalg.eigh((rows.T @ rows).astype(np.float64))
    lengths, turn = np.maximum(lengths[::-1], 0), turn[:, ::-1]
    if count is not None:
        return np.ascontiguousarray(turn[:, :count], np.float32)
    held = np.array([np.cumsum(lengths * (turn[part] ** 2).sum(0)) for part in (slice(None), *parts)])
    shares = (held / np.maximum(held[:, -1:], 1e-30))[held[:, -1] > 0].min(0, initial=1)
    needed = int(np.searchsorted(shares, HELD)) + 1
    kept = min(-(-needed // STEP) * STEP, vectors.shape[1] // (2 * STEP) * STEP)
    if not kept or held[0, kept - 1] < LEAST * held[0, -1]:
        return None
    return np.ascontiguousarray(turn[:, :kept], np.float32)

"""Codebooks to start from: the means of near parts of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Vectors
from lookalike.search.codebooks import Codebooks, nearest_words

__all__ = ["word_means"]

ROUNDS = 20
ROWS_A_WORD = 256
"""More rows than these would not move the means by much."""


def word_means(x: Vectors, books: int, words: int, seed: int) -> Codebooks:
    """Return codebooks by k-means, every book by itself (Lloyd 1982; Jégou, Douze and Schmid 2011 for the books).

    Words start at rows drawn by chance; one that no row is near starts again at another row. With fewer rows than
    words, words repeat.

    Parameters
    ----------
    x : float32 (N, books * L)
    books, words : int
    seed : int

    Returns
    -------
    float32 (books, words, L)

    Examples
    --------
    >>> rows = np.array([[0.0], [0.2], [9.0], [9.2]], np.float32)
    >>> np.sort(word_means(rows, books=1, words=2, seed=0).ravel())
    array([0.1, 9.1], dtype=float32)
    """
    rng = np.random.default_rng(seed)
    if len(x) > ROWS_A_WORD * words:
        x = x[np.sort(rng.permutation(len(x))[: ROWS_A_WORD * words])]
    parts = x.reshape(len(x), books, -1)
    chosen = np.resize(rng.permutation(len(x)), words)
    found = np.ascontiguousarray(parts[chosen].transpose(1, 0, 2), np.float32)
    for _ in range(ROUNDS):
        codes = nearest_words(x, found)
        for book in range(books):
            found[book] = _means(parts[:, book], codes[:, book], words, rng)
    return found


def _means(part: Vectors, code: NDArray[np.uint8], words: int, rng: np.random.Generator) -> Vectors:
    """Return the mean of the rows of every word, (words, L)."""
    counts = np.bincount(code, minlength=words)
    order = np.argsort(code, kind="stable")
    filled = np.flatnonzero(counts)
    starts = (np.cumsum(counts) - counts)[filled]
    means = part[rng.integers(0, len(part), words)].astype(np.float64)
    means[filled] = np.add.reduceat(part[order].astype(np.float64), starts, axis=0) / counts[filled, None]
    return np.asarray(means, np.float32)

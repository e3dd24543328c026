"""Product quantization: a row in parts, each part told by the number of its nearest word.

A codebook holds M books of K words of L numbers; a row of M * L numbers becomes M numbers below K, its code. Source:
Jégou, Douze and Schmid, *Product quantization for nearest neighbor search*, 2011.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Vectors

__all__ = [
    "Codebooks",
    "Codes",
    "Sum",
    "Tables",
    "check_codes",
    "mixed_words",
    "nearest_words",
    "table_distances",
    "tables",
    "words_at",
]

Codebooks: TypeAlias = NDArray[np.float32]
"""(M, K, L): M books of K words of L numbers."""
Codes: TypeAlias = NDArray[np.uint8]
"""(N, M): the number of a word of each book."""
Tables: TypeAlias = NDArray[np.float32]
"""(Q, M, K): how far the parts of each query are from every word."""
Sum: TypeAlias = Literal["squared", "plain"]

NUMBERS_AT_ONCE = 4_000_000


def nearest_words(x: Vectors, codebooks: Codebooks) -> Codes:
    """Return the codes of rows: per part the number of the nearest word, the lower one of two that are as near.

    Parameters
    ----------
    x : float32 (N, M * L)
    codebooks : float32 (M, K, L)
        With at most 256 words a book.

    Returns
    -------
    uint8 (N, M)

    Raises
    ------
    InputError
        The rows are not of M * L numbers, or the books have more than 256 words.

    Examples
    --------
    >>> books = np.array([[[0.0], [4.0]], [[1.0], [2.0]]], np.float32)
    >>> nearest_words(np.array([[3.0, 0.0], [1.0, 9.0]], np.float32), books)
    array([[1, 0],
           [0, 1]], dtype=uint8)
    """
    x = _rows(x, codebooks)
    count, words, _ = codebooks.shape
    if words > 256:
        raise InputError(f"a code holds numbers below 256, but the books have {words} words")
    codes = np.empty((len(x), count), np.uint8)
    for block in _blocks(len(x), count * words):
        codes[block] = _squared(x[block], codebooks).argmin(axis=2)
    return codes


def words_at(codes: Codes, codebooks: Codebooks) -> Vectors:
    """Return the rows that codes stand for, float32 (N, M * L).

    Examples
    --------
    >>> words_at(np.array([[1, 0]], np.uint8), np.array([[[0.0], [4.0]], [[1.0], [2.0]]], np.float32))
    array([[4., 1.]], dtype=float32)
    """
    check_codes(codes, *codebooks.shape[:2])
    return codebooks[np.arange(codebooks.shape[0]), codes].reshape(len(codes), codebooks[:, 0].size)


def mixed_words(x: Vectors, codebooks: Codebooks, sharpness: float) -> Vectors:
    """Return the soft codes of rows, float32 (N, M * L): `lookalike.losses.quantised.soft_codes` by NumPy alone.

    Examples
    --------
    >>> books = np.array([[[0.0], [4.0]]], np.float32)
    >>> mixed_words(np.array([[1.0], [2.0]], np.float32), books, 100.0)
    array([[0.],
           [2.]], dtype=float32)
    """
    x = _rows(x, codebooks)
    mixed = np.empty_like(x)
    for block in _blocks(len(x), codebooks.shape[0] * codebooks.shape[1]):
        apart = _squared(x[block], codebooks)
        shares = np.exp(-sharpness * (apart - apart.min(axis=2, keepdims=True)))
        shares /= shares.sum(axis=2, keepdims=True)
        parts = np.matmul(shares.transpose(1, 0, 2), codebooks)
        mixed[block] = parts.transpose(1, 0, 2).reshape(-1, x.shape[1])
    return mixed


def tables(queries: Vectors, codebooks: Codebooks, sum_of: Sum = "squared") -> Tables:
    """Return the look-up tables of queries: how far each of their parts is from every word of its book.

    Parameters
    ----------
    queries : float32 (Q, M * L)
        As they are, not put into words: the distance is asymmetric.
    codebooks : float32 (M, K, L)
    sum_of : {"squared", "plain"}
        ``"squared"``: ``|x_m - c_mk|^2``, whose sum over the books is the squared distance between a query and what a
        code stands for. ``"plain"``: ``|x_m - c_mk|``, as the code of Jang and Cho (2021) sums; no distance between
        whole rows, but an order all the same.

    Returns
    -------
    float32 (Q, M, K)

    Examples
    --------
    >>> tables(np.array([[1.0, 1.0]], np.float32), np.array([[[0.0], [4.0]], [[1.0], [2.0]]], np.float32))
    array([[[1., 9.],
            [0., 1.]]], dtype=float32)
    """
    x = _rows(queries, codebooks)
    found = np.empty((len(x), *codebooks.shape[:2]), np.float32)
    for block in _blocks(len(x), codebooks.size):
        parts = x[block].reshape(-1, codebooks.shape[0], 1, codebooks.shape[2])
        found[block] = np.square(parts - codebooks).sum(axis=3)  # no cancellation: near words stay exact
    return found if sum_of == "squared" else np.sqrt(found)


def table_distances(tables: Tables, codes: Codes) -> NDArray[np.float32]:
    """Return the distance of every query to every code, float32 (Q, N): a look-up per book, summed.

    Examples
    --------
    >>> table_distances(np.array([[[1.0, 9.0], [0.0, 1.0]]], np.float32), np.array([[1, 0], [0, 1]], np.uint8))
    array([[9., 2.]], dtype=float32)
    """
    check_codes(codes, *tables.shape[1:])
    summed = np.zeros((len(tables), len(codes)), np.float32)
    for book in range(tables.shape[1]):
        summed += tables[:, book, codes[:, book]]
    return summed


def check_codes(codes: Codes, books: int, words: int) -> None:
    """Raise an `InputError` unless codes are uint8 (N, `books`), all below `words`."""
    if codes.dtype != np.uint8 or codes.ndim != 2 or codes.shape[1] != books:
        raise InputError(f"codes are {codes.dtype} of shape {codes.shape}: uint8 of shape (N, {books}) is needed")
    if codes.size and int(codes.max()) >= words:
        raise InputError(f"a code holds the number {int(codes.max())}, but the books have {words} words")


def _squared(x: Vectors, codebooks: Codebooks) -> NDArray[np.float32]:
    """Return squared distances (n, M, K), less the squared length of the part, which is the same for all words."""
    parts = x.reshape(len(x), codebooks.shape[0], -1).transpose(1, 0, 2)
    products = np.matmul(parts, codebooks.transpose(0, 2, 1)).transpose(1, 0, 2)
    return np.asarray(np.square(codebooks).sum(axis=2) - 2 * products, np.float32)


def _rows(x: Vectors, codebooks: Codebooks) -> Vectors:
    x = np.ascontiguousarray(x, np.float32)
    width = codebooks.shape[0] * codebooks.shape[2]
    if x.ndim != 2 or x.shape[1] != width:
        raise InputError(f"rows of shape {x.shape}: the books are of {width} numbers")
    return x


def _blocks(count: int, numbers_a_row: int) -> list[slice]:
    height = max(1, NUMBERS_AT_ONCE // numbers_a_row)
    return [slice(start, start + height) for start in range(0, count, height)]

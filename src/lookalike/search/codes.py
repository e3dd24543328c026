"""Search in codes of a few bytes an image: the distance is a sum of look-ups, by FAISS."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.types import Distances, Rows
from lookalike.search.codebooks import Codes, Tables, check_codes
from lookalike.search.copies import find_copies
from lookalike.search.protocol import ranked

__all__ = ["CodeIndex", "pack", "unpack"]

WORDS_A_BYTE = 256
QUERIES_AT_ONCE = 64


def books_a_byte(words: int) -> int:
    """Return how many numbers below `words` fit into a byte together.

    Examples
    --------
    >>> [books_a_byte(words) for words in (2, 4, 6, 16, 17, 256)]
    [8, 4, 3, 2, 1, 1]
    """
    if not 2 <= words <= WORDS_A_BYTE:
        raise InputError(f"a book of codes has 2 to {WORDS_A_BYTE} words, not {words}")
    count = 1
    while words ** (count + 1) <= WORDS_A_BYTE:
        count += 1
    return count


def pack(codes: Codes, words: int) -> Codes:
    """Put numbers of several small books into one byte, the first of them the most significant digit.

    Parameters
    ----------
    codes : uint8 (N, M)
        Below `words`.
    words : int
        2 to 256.

    Returns
    -------
    uint8 (N, bytes)

    Examples
    --------
    >>> pack(np.array([[1, 2, 3]], np.uint8), 16)
    array([[18, 48]], dtype=uint8)
    """
    check_codes(codes, codes.shape[-1], words)
    together = books_a_byte(words)
    padded = np.pad(codes, ((0, 0), (0, -codes.shape[1] % together)))
    packed = np.zeros((len(codes), padded.shape[1] // together), np.uint8)
    for place in range(together):
        packed = packed * np.uint8(words if place else 1) + padded[:, place::together]
    return packed


def unpack(packed: Codes, words: int, books: int) -> Codes:
    """Undo `pack`: return codes uint8 (N, `books`).

    Examples
    --------
    >>> unpack(np.array([[18, 48]], np.uint8), 16, 3)
    array([[1, 2, 3]], dtype=uint8)
    """
    together = books_a_byte(words)
    codes = np.empty((len(packed), packed.shape[1] * together), np.uint8)
    left = packed.astype(np.uint16)  # 256 itself is no uint8
    for place in reversed(range(together)):
        left, codes[:, place::together] = np.divmod(left, np.uint16(words))
    return codes[:, :books]


class CodeIndex:
    """Codes that can be searched by look-up tables, exactly: every code is looked at.

    FAISS scans bytes against tables of 256 entries. Its own tables come from a codebook; here the codebook is the unit
    vectors and the query the table itself, so that any tables will do and their numbers arrive unchanged. Where books
    are small, several share a byte, and their tables are added up beforehand: fewer look-ups, the same sum. Images of
    the same code are looked at once, and come back in the order of their rows.

    Parameters
    ----------
    packed : uint8 (N, bytes)
        As `pack` made them.
    words, books : int
        K and M.

    Examples
    --------
    >>> from lookalike.search.codebooks import nearest_words, tables
    >>> books = np.array([[[0.0], [4.0]], [[1.0], [2.0]]], np.float32)
    >>> codes = nearest_words(np.array([[0.0, 1.0], [4.0, 1.0], [4.0, 2.0]], np.float32), books)
    >>> index = CodeIndex(pack(codes, words=2), words=2, books=2)
    >>> rows, distances = index.search(tables(np.array([[4.0, 2.0]], np.float32), books), k=2)
    >>> rows.tolist(), distances.tolist(), index.bytes_an_image
    ([[2, 1]], [[0.0, 1.0]], 1)
    """

    def __init__(self, packed: Codes, words: int, books: int) -> None:
        together = books_a_byte(words)
        check_codes(np.ascontiguousarray(packed), -(-books // together), WORDS_A_BYTE)
        faiss: Any = importlib.import_module("faiss")  # its type stubs do not know half of it
        self._words, self._books, self._together = words, books, together
        self._size, count = len(packed), packed.shape[1]
        self._copies = find_copies(packed.astype(np.float16))  # bytes are exact in float16
        self._index = faiss.IndexPQ(count * WORDS_A_BYTE, count, 8, faiss.METRIC_INNER_PRODUCT)
        units = np.tile(np.eye(WORDS_A_BYTE, dtype=np.float32), (count, 1))
        faiss.copy_array_to_vector(units.ravel(), self._index.pq.centroids)
        self._index.is_trained = True
        self._index.add_sa_codes(packed if self._copies is None else packed[self._copies.first])

    @property
    def size(self) -> int:
        """How many codes there are."""
        return self._size

    @property
    def bytes_an_image(self) -> int:
        """What a code takes in memory and on disk."""
        return int(self._index.pq.code_size)

    def search(self, tables: Tables, k: int) -> tuple[Rows, Distances]:
        """Find the codes with the smallest sums of look-ups.

        Memory is bounded: whatever the number of codes, a query takes its tables and `k` answers.

        Parameters
        ----------
        tables : float32 (Q, M, K)
            Of each query; see `lookalike.search.codebooks.tables`.
        k : int
            How many, at least 1.

        Returns
        -------
        rows : int64 (Q, k)
            Nearest first, equal distances by the lower row; -1 where there are fewer.
        distances : float32 (Q, k)
            Sums of look-ups; infinite where the row is -1.

        Raises
        ------
        InputError
            The tables do not fit the codes, or `k` is below 1.
        """
        if k < 1:
            raise InputError(f"k is {k}: ask for at least 1 neighbour")
        if tables.ndim != 3 or tables.shape[1:] != (self._books, self._words):
            raise InputError(f"tables of shape {tables.shape}: (Q, {self._books}, {self._words}) is needed")
        if not np.isfinite(tables).all():
            raise InputError("the tables hold numbers that are not finite")
        wanted = min(k, int(self._index.ntotal))
        rows = np.full((len(tables), k), -1, np.int64)
        distances = np.full((len(tables), k), np.inf, np.float32)
        for start in range(0, len(tables) if self.size else 0, QUERIES_AT_ONCE):
            part = slice(start, start + QUERIES_AT_ONCE)
            similar, found = self._index.search(-self._by_byte(tables[part]), wanted)
            apart = 0 - similar  # not the negative: a distance of -0.0 would look odd
            rows[part], distances[part] = (
                ranked(found, apart, k) if self._copies is None else self._copies.expand(found, apart, k)
            )
        return rows, distances

    def _by_byte(self, tables: Tables) -> Tables:
        """Return tables of bytes, flat: of every byte that books make together, the sum of their look-ups."""
        together = self._together
        padded = np.pad(tables, ((0, 0), (0, -self._books % together), (0, 0)))
        summed = padded[:, 0::together]
        for place in range(1, together):
            summed = (summed[..., :, None] + padded[:, place::together][..., None, :]).reshape(*summed.shape[:2], -1)
        flat = np.zeros((*summed.shape[:2], WORDS_A_BYTE), np.float32)
        flat[..., : summed.shape[2]] = summed
        return np.ascontiguousarray(flat.reshape(len(tables), -1), np.float32)

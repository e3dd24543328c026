"""Codes, look-up tables and the index over codes, against explicit distances."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.core.errors import InputError
from lookalike.search.codebooks import mixed_words, nearest_words, table_distances, tables, words_at
from lookalike.search.codes import CodeIndex, pack, unpack

SIZES = [(8, 256), (16, 16), (5, 6), (9, 4), (7, 2), (4, 17)]


def drawn(books: int, words: int, length: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(books, words, length)).astype(np.float32)


def rows_for(codebooks: np.ndarray, count: int, seed: int = 1) -> np.ndarray:
    width = codebooks.shape[0] * codebooks.shape[2]
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


@pytest.mark.parametrize(("books", "words"), SIZES)
def test_codes_name_the_nearest_word_of_every_book(books: int, words: int) -> None:
    codebooks = drawn(books, words)
    x = rows_for(codebooks, 30)
    apart = np.square(x.reshape(30, books, 1, -1).astype(np.float64) - codebooks).sum(axis=3)
    np.testing.assert_array_equal(nearest_words(x, codebooks), apart.argmin(axis=2))


def test_there_are_as_many_codes_as_words_to_the_power_of_books() -> None:
    codebooks = drawn(3, 4)
    every = np.array(list(product(range(4), repeat=3)), np.uint8)
    stood_for = words_at(every, codebooks)
    assert len(np.unique(stood_for, axis=0)) == 4**3
    np.testing.assert_array_equal(nearest_words(stood_for, codebooks), every)


@pytest.mark.parametrize(("books", "words"), SIZES)
def test_look_ups_sum_to_the_explicit_distance(books: int, words: int) -> None:
    codebooks = drawn(books, words)
    queries, stored = rows_for(codebooks, 6), rows_for(codebooks, 40, seed=2)
    codes = nearest_words(stored, codebooks)
    explicit = np.square(queries[:, None].astype(np.float64) - words_at(codes, codebooks)[None]).sum(axis=2)
    np.testing.assert_allclose(table_distances(tables(queries, codebooks), codes), explicit, rtol=1e-5)
    parts = queries.reshape(6, 1, books, -1) - words_at(codes, codebooks).reshape(1, 40, books, -1)
    plain = np.linalg.norm(parts.astype(np.float64), axis=3).sum(axis=2)
    np.testing.assert_allclose(table_distances(tables(queries, codebooks, "plain"), codes), plain, rtol=1e-5)


def test_soft_codes_lie_between_words_and_become_the_nearest() -> None:
    codebooks = drawn(4, 6)
    x = rows_for(codebooks, 50)
    mixed = mixed_words(x, codebooks, 2.0).reshape(50, 4, 3)
    directions = np.random.default_rng(3).normal(size=(200, 3))
    for book in range(4):  # no half-space that holds all words is left
        assert (mixed[:, book] @ directions.T <= (codebooks[book] @ directions.T).max(axis=0) + 1e-5).all()
    np.testing.assert_allclose(
        mixed_words(x, codebooks, 1e6), words_at(nearest_words(x, codebooks), codebooks), atol=1e-5
    )


@settings(max_examples=40, deadline=None)
@given(words=st.integers(2, 256), books=st.integers(1, 20), count=st.integers(0, 20), seed=st.integers(0, 99))
def test_what_is_packed_can_be_unpacked(words: int, books: int, count: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, words, (count, books)).astype(np.uint8)
    packed = pack(codes, words)
    assert packed.shape[1] <= books
    np.testing.assert_array_equal(unpack(packed, words, books), codes)


@pytest.mark.parametrize(("books", "bytes_"), [(16, 8), (8, 4), (7, 4)])
def test_two_codes_of_sixteen_words_share_a_byte(books: int, bytes_: int) -> None:
    assert pack(np.zeros((1, books), np.uint8), 16).shape == (1, bytes_)


@pytest.mark.parametrize("k", [1, 10, 700])
@pytest.mark.parametrize(("books", "words"), SIZES)
def test_the_index_finds_what_a_full_table_of_distances_says(books: int, words: int, k: int) -> None:
    codebooks = drawn(books, words)
    codes = np.random.default_rng(4).integers(0, words, (300, books)).astype(np.uint8)
    codes = np.concatenate([codes, codes[::-1]])  # every code twice: ties by the lower row
    found_tables = tables(rows_for(codebooks, 70), codebooks)
    index = CodeIndex(pack(codes, words), words, books)
    rows, distances = index.search(found_tables, k)
    every = table_distances(found_tables, codes)
    wanted = min(k, len(codes))
    nearest = np.sort(every, axis=1)[:, :wanted]
    found = np.take_along_axis(every, rows[:, :wanted], axis=1)
    np.testing.assert_allclose(found, nearest, rtol=1e-5, atol=1e-5)  # sums are rounded in another order
    np.testing.assert_allclose(distances[:, :wanted], nearest, rtol=1e-5, atol=1e-5)
    place = np.full(every.shape, len(codes))
    np.put_along_axis(place, rows[:, :wanted], np.arange(wanted), axis=1)
    assert (place < place[:, ::-1])[:, :300][place[:, :300] < len(codes)].all()  # row 599 - n is a copy of row n
    assert (rows[:, len(codes) :] == -1).all()
    assert np.isinf(distances[:, len(codes) :]).all()
    assert index.size == 600


def test_any_tables_will_do_for_the_index() -> None:
    codebooks = drawn(6, 16)
    codes = np.random.default_rng(4).integers(0, 16, (200, 6)).astype(np.uint8)
    plain = tables(rows_for(codebooks, 5), codebooks, "plain")
    rows = CodeIndex(pack(codes, 16), 16, 6).search(plain, 20)[0]
    np.testing.assert_array_equal(rows, np.argsort(table_distances(plain, codes), axis=1, kind="stable")[:, :20])


def test_an_index_of_nothing_finds_nothing() -> None:
    index = CodeIndex(np.zeros((0, 2), np.uint8), 16, 4)
    rows, distances = index.search(np.zeros((1, 4, 16), np.float32), 3)
    assert rows.tolist() == [[-1, -1, -1]]
    assert np.isinf(distances).all()


def test_what_does_not_fit_is_refused() -> None:
    codebooks = drawn(2, 4)
    index = CodeIndex(np.zeros((3, 1), np.uint8), 4, 2)
    with pytest.raises(InputError, match="the books are of 6 numbers"):
        nearest_words(np.zeros((1, 5), np.float32), codebooks)
    with pytest.raises(InputError, match="below 256"):
        nearest_words(np.zeros((1, 1), np.float32), np.zeros((1, 300, 1), np.float32))
    with pytest.raises(InputError, match="the number 4, but the books have 4 words"):
        words_at(np.array([[4, 0]], np.uint8), codebooks)
    with pytest.raises(InputError, match="2 to 256 words, not 1"):
        pack(np.zeros((1, 2), np.uint8), 1)
    with pytest.raises(InputError, match=r"tables of shape .* \(Q, 2, 4\)"):
        index.search(np.zeros((1, 4, 2), np.float32), 1)
    with pytest.raises(InputError, match="not finite"):
        index.search(np.full((1, 2, 4), np.nan, np.float32), 1)
    with pytest.raises(InputError, match="at least 1"):
        index.search(np.zeros((1, 2, 4), np.float32), 0)

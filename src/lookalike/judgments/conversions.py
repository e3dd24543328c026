"""Other kinds of answers as judgments: rankings, odd-one-out, similarity matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.judgments.columns import Codes
from lookalike.judgments.table import Judgments

__all__ = ["from_matrix", "from_odd_one_out", "from_rankings", "odd_one_out_codes", "ranked_pairs"]


def ranked_pairs(count: int) -> NDArray[np.int64]:
    """Return the pairs of places of a ranking, the closer one first: (0,1), (0,2), ..., (1,2), ...

    Parameters
    ----------
    count : int
        How many were ranked.

    Returns
    -------
    int64 (count * (count - 1) / 2, 2)

    Examples
    --------
    >>> ranked_pairs(3).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    return np.stack(np.triu_indices(count, 1), axis=1)


def from_rankings(
    references: Sequence[str],
    rankings: Sequence[Sequence[str]] | NDArray[np.str_],
    grades: NDArray[np.integer[Any]] | Sequence[Sequence[int]] | None = None,
    **columns: Any,
) -> Judgments:
    """Make judgments of rankings: of each two candidates of a ranking, the one that comes first is closer.

    Candidate a is the closer one. The rows of one ranking get the same `group`, its number.

    Parameters
    ----------
    references : sequence of str, (n,)
    rankings : sequences of str, (n, k)
        Candidates in order of closeness.
    grades : sequences of int, (n, k), optional
        How close each of them is, 1 (almost the same) to 5 (irrelevant).
    **columns
        ``context``, ``annotator``, ``answered_at`` of each ranking, (n,); see `Judgments`.

    Returns
    -------
    Judgments
        ``n * k * (k - 1) / 2`` rows, ranking by ranking.

    Raises
    ------
    InputError
        Rankings differ in length, have fewer than two candidates, or a row cannot be a judgment.

    Examples
    --------
    >>> answers = from_rankings(["r"], [["x", "y", "z"]])
    >>> answers.candidates_a.tolist(), answers.candidates_b.tolist()
    (['x', 'x', 'y'], ['y', 'z', 'z'])
    """
    if len({len(ranking) for ranking in rankings}) > 1:
        raise InputError("rankings made into one table need the same number of candidates each")
    ranked = np.asarray(rankings, np.str_)
    if len(ranked) != len(references) or (len(ranked) and ranked.shape[1] < 2):
        raise InputError("as many rankings as references are needed, of two candidates or more")
    pairs = ranked_pairs(ranked.shape[1] if ranked.ndim == 2 else 2)
    spread = {name: np.repeat(np.asarray(column), len(pairs)) for name, column in columns.items()}
    spread.setdefault("group", np.repeat(np.arange(len(ranked)).astype(np.str_), len(pairs)))
    if grades is not None:
        table = np.asarray(grades, np.int8)
        if table.shape != ranked.shape:
            raise InputError(f"grades of shape {table.shape} for rankings of shape {ranked.shape}")
        spread["grades_a"], spread["grades_b"] = table[:, pairs[:, 0]].ravel(), table[:, pairs[:, 1]].ravel()
    ranked = ranked.reshape(len(ranked), -1) if len(ranked) else np.empty((0, 2), np.str_)
    a, b = ranked[:, pairs[:, 0]].ravel(), ranked[:, pairs[:, 1]].ravel()
    ones = np.ones(len(a), np.float32)
    return Judgments.from_ids(np.repeat(np.asarray(references, np.str_), len(pairs)), a, b, ones, ones * 0, **spread)


def odd_one_out_codes(one: Codes, two: Codes, odd: Codes) -> tuple[Codes, Codes, Codes]:
    """Turn "`odd` does not belong to `one` and `two`" into two judgments each: the reference, the closer, the farther.

    Parameters
    ----------
    one, two, odd : int32 (n,)

    Returns
    -------
    reference, closer, farther : int32 (2n,)
        Rows 2i and 2i + 1 come from answer i: one is closer to two than odd is, and two is closer to one.

    Examples
    --------
    >>> [x.tolist() for x in odd_one_out_codes(*np.array([[7], [8], [9]], np.int32))]
    [[7, 8], [8, 7], [9, 9]]
    """
    reference, closer = np.stack([one, two], axis=1).ravel(), np.stack([two, one], axis=1).ravel()
    return reference, closer, np.repeat(odd, 2)


def from_odd_one_out(one: Sequence[str], two: Sequence[str], odd: Sequence[str], **columns: Any) -> Judgments:
    """Make judgments of odd-one-out answers: `one` and `two` belong together, `odd` does not.

    If the pair is more alike than either is like the odd one, then `two` is closer to `one` than `odd` is, and `one` is
    closer to `two`: two judgments, in one `group`.

    Parameters
    ----------
    one, two, odd : sequence of str, (n,)
    **columns
        ``context``, ``annotator``, ... of each answer, (n,).

    Raises
    ------
    InputError
        A row cannot be a judgment.

    Examples
    --------
    >>> answers = from_odd_one_out(["cat"], ["dog"], ["car"])
    >>> answers.references.tolist(), answers.candidates_a.tolist(), answers.candidates_b.tolist()
    (['cat', 'dog'], ['dog', 'cat'], ['car', 'car'])
    """
    names = [np.asarray(side, np.str_) for side in (one, two, odd)]
    if len({len(side) for side in names}) != 1:
        raise InputError("the three columns of odd-one-out answers differ in length")
    reference, closer = (np.stack(side, axis=1).ravel() for side in (names[:2], names[1::-1]))
    spread = {name: np.repeat(np.asarray(column), 2) for name, column in columns.items()}
    spread.setdefault("group", np.repeat(np.arange(len(names[0])).astype(np.str_), 2))
    votes = np.ones(len(reference), np.float32)
    return Judgments.from_ids(reference, closer, np.repeat(names[2], 2), votes, votes * 0, **spread)


def from_matrix(
    ids: Sequence[str], similarity: NDArray[np.floating[Any]], count: int | None = None, seed: int = 0
) -> Judgments:
    """Make judgments of a similarity matrix: the candidate with the larger similarity to the reference is closer.

    Row i is how similar the images are to image i; the matrix need not be symmetric. Ties, and entries that are NaN,
    give no judgment.

    Parameters
    ----------
    ids : sequence of str, (n,)
    similarity : float (n, n)
        The diagonal does not matter.
    count : int, optional
        Draw this many different questions at random; all ``n (n-1) (n-2) / 2`` of them without it.
    seed : int
        Of the draw.

    Returns
    -------
    Judgments
        Candidate a is the closer one. With `count`, fewer rows when questions drawn are ties.

    Raises
    ------
    InputError
        The matrix does not fit the ids, or has fewer than `count` questions.

    Examples
    --------
    >>> answers = from_matrix(["x", "y", "z"], np.array([[1, 0.9, 0.1], [0.9, 1, 0.5], [0.1, 0.1, 1]]))
    >>> list(zip(answers.references.tolist(), answers.candidates_a.tolist(), answers.candidates_b.tolist()))
    [('x', 'y', 'z'), ('y', 'x', 'z')]
    """
    table = np.asarray(similarity)
    size = len(ids)
    if table.shape != (size, size):
        raise InputError(f"a similarity matrix of {size} images is {size} by {size}, not {table.shape}")
    pairs = (size - 1) * (size - 2) // 2
    if count is None:
        drawn = np.arange(size * pairs)
    elif 0 <= count <= size * pairs:
        drawn = np.sort(np.random.default_rng(seed).choice(size * pairs, count, replace=False, shuffle=False))
    else:
        raise InputError(f"{size} images have {size * pairs:,} questions, not {count:,}")
    reference, a, b = _questions(drawn, size)
    left, right = table[reference, a], table[reference, b]
    told = (left > right) | (left < right)
    reference, a, b, first = reference[told], a[told], b[told], (left > right)[told]
    names = np.asarray(ids, np.str_)
    votes = np.ones(len(reference), np.float32)
    closer, farther = np.where(first, a, b), np.where(first, b, a)
    return Judgments.from_ids(names[reference], names[closer], names[farther], votes, votes * 0)


def _questions(numbers: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the reference and the two candidates, a before b, of questions by number."""
    pairs = max((size - 1) * (size - 2) // 2, 1)
    reference, pair = np.divmod(numbers, pairs)
    # Pair (a, b), a < b, of the size - 1 other images: rows of the upper triangle start at a (2 m - a - 1) / 2.
    starts = np.cumsum(np.arange(size - 2, 0, -1)) if size > 2 else np.empty(0, np.int64)
    a = np.searchsorted(starts, pair, side="right")
    b = pair - np.append(0, starts)[a] + a + 1
    return reference, a + (a >= reference), b + (b >= reference)

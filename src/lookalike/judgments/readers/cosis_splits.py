"""The published divisions of CoSIS, bit for bit, with their leaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Rows
from lookalike.judgments.joining import join
from lookalike.judgments.readers.cosis_names import read_names
from lookalike.judgments.splits import Split
from lookalike.judgments.table import Judgments

__all__ = ["published_cluster_split", "published_reference_parts", "split_refs"]

FIRST_REFERENCES = 320


def published_cluster_split(judgments: Judgments, cluster: str) -> Split:
    """Divide one cluster as published: the first two thirds of its rows train, the rest test, nothing shuffled.

    The flips of the training rows are appended to them. Of the published arrays (``mode="published"``) this gives the
    published split: 668 and 334 rows of 1,002, 670 and 335 of 1,005, 666 and 333 of 999. An annotation may be cut in
    two, and candidates are on both sides: see `Split.leakage`.

    Parameters
    ----------
    judgments : Judgments
        Of ``read_judgments("cosis", ...)``.
    cluster : str
        The anchor, ``"715"``.

    Returns
    -------
    Split
        Its `judgments` are those of the cluster, then the flipped training rows.

    Raises
    ------
    InputError
        There are no judgments of this cluster.

    Examples
    --------
    >>> answers = Judgments.from_ids(["r"] * 3, ["x", "y", "z"], ["y", "z", "x"], [1] * 3, [0] * 3, context=["715"] * 3)
    >>> part = published_cluster_split(answers, "715")
    >>> part.train.candidates_a.tolist(), part.test.candidates_a.tolist()
    (['x', 'y', 'y', 'z'], ['z'])
    """
    context = judgments.context
    rows = np.flatnonzero(context.values() == cluster) if context is not None else np.empty(0, np.int64)
    if not len(rows):
        raise InputError(f"there are no judgments with the context '{cluster}'")
    mine = judgments.take(rows)
    cut = len(mine) * 2 // 3
    first = np.arange(cut)
    whole = join(mine, mine.take(first).flipped())
    return Split(np.concatenate([first, len(mine) + first]), np.arange(cut, len(mine)), whole)


def split_refs(references: NDArray[np.integer[Any]], seed: int = 2) -> tuple[Rows, Rows]:
    """Divide reference numbers as published: 320 first ("valrefs"), the others second ("testrefs").

    NumPy's legacy generator shuffles the distinct numbers; its stream is frozen, so the result is that of the published
    code on every version.

    Parameters
    ----------
    references : int (n,)
        Numbers of references, with repetition.
    seed : int

    Examples
    --------
    >>> first, second = split_refs(np.arange(1320))
    >>> len(first), len(second)
    (320, 1000)
    """
    order = np.unique(np.asarray(references, np.int64))
    np.random.RandomState(seed).shuffle(order)
    return order[:FIRST_REFERENCES], order[FIRST_REFERENCES:]


def published_reference_parts(judgments: Judgments, path: Path, seed: int = 2) -> Split:
    """Divide the validation judgments by `split_refs`: "valrefs" on the training side, "testrefs" on the test side.

    Parameters
    ----------
    judgments : Judgments
        Of ``read_judgments("cosis", path, part="validation")``; 2,802 and 9,207 of the published rows.
    path : Path
        The folder of CoSIS: the shuffle is of numbers, which ``filename_dict.txt`` gives.
    seed : int

    Raises
    ------
    InputError
        A reference is not a photograph of the validation set.
    """
    names = read_names(path / "filename_dict.txt")
    numbers = names.numbers("val", judgments.references)
    if (numbers < 0).any():
        raise InputError('the published parts are of the validation set: read it with part="validation"')
    first, _ = split_refs(numbers, seed)
    chosen = np.isin(numbers, first)
    return Split(np.flatnonzero(chosen), np.flatnonzero(~chosen), judgments)

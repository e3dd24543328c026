"""Two tables of judgments as one, and tables without the images that no row asks about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.judgments.columns import Codes, Labels
from lookalike.judgments.table import LABELS, Judgments

__all__ = ["compact", "join"]

ABSENT: dict[str, tuple[Any, Any]] = {
    "grades_a": (np.int8, 0),
    "grades_b": (np.int8, 0),
    "answered_at": (np.float64, np.nan),
    "response_seconds": (np.float32, np.nan),
}
"""What stands for nothing in a column of numbers, and its dtype."""


def join(first: Judgments, second: Judgments) -> Judgments:
    """Append `second` to `first`.

    A column that only one side has is filled up on the other: labels with none, grades with 0, times with NaN.
    The files of both sides are kept.

    Raises
    ------
    InputError
        The two sides know different files for the same image id.

    Examples
    --------
    >>> one = Judgments.from_ids(["r"], ["x"], ["y"], [1], [0], context=["sea"])
    >>> two = Judgments.from_ids(["q"], ["x"], ["r"], [0], [1])
    >>> both = join(one, two)
    >>> both.references.tolist(), both.context.values().tolist()
    (['r', 'q'], ['sea', ''])
    """
    ids, places = np.unique(np.concatenate([first.ids, second.ids]), return_inverse=True)
    ours, theirs = np.split(places.astype(np.int32), [len(first.ids)])
    changed: dict[str, Any] = {
        name: np.concatenate([_moved(getattr(first, name), ours), _moved(getattr(second, name), theirs)])
        for name in ("reference", "candidate_a", "candidate_b")
    }
    for name in ("votes_a", "votes_b"):
        changed[name] = np.concatenate([getattr(first, name), getattr(second, name)])
    for name in (*LABELS, *ABSENT):
        if getattr(first, name) is not None or getattr(second, name) is not None:
            changed[name] = _appended(name, first, second)
    return replace(first, ids=ids, images=_files(first, second), **changed)


def compact(judgments: Judgments) -> Judgments:
    """Forget the images that no row asks about.

    Examples
    --------
    >>> answers = Judgments.from_ids(["r", "q"], ["x", "y"], ["y", "z"], [1, 1], [0, 0])
    >>> compact(answers.take(np.array([1]))).ids.tolist()
    ['q', 'y', 'z']
    """
    columns = (judgments.reference, judgments.candidate_a, judgments.candidate_b)
    used = np.zeros(len(judgments.ids), np.bool_)
    for column in columns:
        used[column] = True
    if used.all():
        return judgments
    places = (np.cumsum(used) - 1).astype(np.int32)
    ids = judgments.ids[used]
    images = {name: judgments.images[name] for name in ids.tolist() if name in judgments.images}
    reference, a, b = (places[column] for column in columns)
    return replace(judgments, ids=ids, reference=reference, candidate_a=a, candidate_b=b, images=images)


def _moved(codes: Codes, places: Codes) -> NDArray[np.int32]:
    return np.asarray(np.append(places, np.int32(-1))[codes], np.int32)


def _appended(name: str, first: Judgments, second: Judgments) -> Any:
    one, two = getattr(first, name), getattr(second, name)
    if name in ABSENT:
        kind, nothing = ABSENT[name]
        sides = ((one, first), (two, second))
        return np.concatenate([np.full(len(t), nothing, kind) if c is None else c for c, t in sides])
    absent = [Labels(np.full(len(table), -1, np.int32), np.array([], np.str_)) for table in (first, second)]
    return (absent[0] if one is None else one).joined(absent[1] if two is None else two)


def _files(first: Judgments, second: Judgments) -> dict[str, Any]:
    for name in first.images.keys() & second.images.keys():
        if first.images[name] != second.images[name]:
            raise InputError(
                f"the image '{name}' is {first.images[name]} on one side and {second.images[name]} on the other: "
                "two collections of judgments can be joined only when an id means the same file in both"
            )
    return {**first.images, **second.images}

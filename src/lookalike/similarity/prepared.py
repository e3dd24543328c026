"""What models do with features and judgments before they learn from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Vectors
from lookalike.judgments.table import Judgments
from lookalike.similarity.reduction import Reduction

__all__ = ["grade_steps", "in_order_of_ids", "need_torch", "prepared"]


def in_order_of_ids(
    columns: Sequence[NDArray[np.int64]], ids: NDArray[np.str_]
) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Return the rows that are used, and the columns as places among these.

    They stand in the order of their ids, so that the order in which features are stored changes nothing.
    """
    used = np.unique(np.concatenate(columns))
    used = used[np.argsort(ids[used])]
    place = np.empty(len(ids), np.int64)
    place[used] = np.arange(len(used))
    return used, [place[column] for column in columns]


def prepared(views: list[Vectors], reduction: Reduction | None) -> tuple[float, list[Vectors]]:
    """Reduce every view, and scale so that a row has length 1 on average: what learning rates and dropout expect."""
    reduced = [view if reduction is None else reduction.transform(view) for view in views]
    length = float(np.mean([np.linalg.norm(view, axis=1).mean() for view in reduced]))
    gain = float(np.float32(1 / length)) if length > 0 else 1.0
    return gain, [np.asarray(gain * view, np.float32) for view in reduced]


def grade_steps(judgments: Judgments) -> NDArray[np.float32]:
    """Return how many steps of grades lie between the two candidates, float32 (n,): 0 where one was not graded.

    Examples
    --------
    >>> grade_steps(Judgments.from_ids(["r"], ["x"], ["y"], [1], [0], grades_a=[1], grades_b=[4]))
    array([3.], dtype=float32)
    """
    steps = np.zeros(len(judgments), np.float32)
    if judgments.grades_a is not None and judgments.grades_b is not None:
        both = (judgments.grades_a > 0) & (judgments.grades_b > 0)
        steps[both] = np.abs(judgments.grades_a - judgments.grades_b)[both]
    return steps


def need_torch() -> None:
    """Raise an `InputError` that says what to install, where PyTorch is not."""
    try:
        import torch  # noqa: F401 only whether it is there
    except ImportError as error:
        raise InputError('this form is trained by PyTorch: pip install "lookalike[train]"') from error

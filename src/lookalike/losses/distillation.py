"""What a student network is told by its teachers: where pictures lie, how alike they are, and what is near them.

All take unit rows, so that products of rows are cosines.
"""

from __future__ import annotations

from typing import Any

import torch

from lookalike.core.errors import InputError

__all__ = ["embedding_match", "neighbour_match", "relation_match"]


def embedding_match(student: Any, teacher: Any) -> Any:
    """Return how far the student's embeddings are from the teacher's: ``mean_i (1 - <s_i, t_i>)``.

    Parameters
    ----------
    student, teacher : float tensor (n, D)
        Unit rows of the same pictures.

    Returns
    -------
    float tensor ()
        In [0, 2].

    Examples
    --------
    >>> rows = torch.eye(3)
    >>> float(embedding_match(rows, rows)), float(embedding_match(rows, rows.roll(1, 0)))
    (0.0, 1.0)
    """
    return 1 - (student * teacher).sum(1).mean()


def relation_match(student: Any, teacher: Any) -> Any:
    """Return how far two matrices of similarities are from each other: ``mean over i != j of (s_ij - t_ij)^2``.

    Park, Kim, Lu and Cho, *Relational knowledge distillation* (2019), with cosines in the place of distances.

    Parameters
    ----------
    student, teacher : float tensor (n, n)
        Similarities of the same n pictures, two at least; the diagonal does not count.

    Returns
    -------
    float tensor ()

    Raises
    ------
    InputError
        There are fewer than two pictures.

    Examples
    --------
    >>> round(float(relation_match(torch.eye(3), torch.full((3, 3), 0.5))), 4)
    0.25
    """
    count = len(student)
    if count < 2:
        raise InputError("relations are between pictures: give two at least")
    off = (student - teacher).square()
    return (off.sum() - off.diagonal().sum()) / (count * (count - 1))


def neighbour_match(student: Any, teacher: Any, temperature: float) -> Any:
    """Return how differently the two rank the neighbours of each picture.

    ``mean_i KL(p_i || q_i)`` with ``p_i = softmax over j != i of t_ij / temperature`` and q of the student alike: what
    is near counts most, what is far hardly at all. Peng, Jin and Liu, *Correlation congruence for knowledge
    distillation* (2019); Fang et al., *SEED: self-supervised distillation for visual representation* (2021).

    Parameters
    ----------
    student, teacher : float tensor (n, n)
        Similarities of the same n pictures, two at least.
    temperature : float
        Positive; the smaller, the fewer neighbours count.

    Returns
    -------
    float tensor ()
        At least 0, and 0 where they agree.

    Raises
    ------
    InputError
        There are fewer than two pictures.

    Examples
    --------
    >>> s = torch.tensor([[1.0, 0.2, 0.1], [0.2, 1.0, 0.4], [0.1, 0.4, 1.0]])
    >>> float(neighbour_match(s, s, 0.1)), round(float(neighbour_match(-s, s, 0.1)), 3)
    (0.0, 1.567)
    """
    if len(student) < 2:
        raise InputError("neighbours are other pictures: give two at least")
    own = torch.eye(len(student), dtype=torch.bool, device=student.device)
    ours, theirs = (
        (rows / temperature).masked_fill(own, float("-inf")).log_softmax(1).masked_fill(own, 0.0)
        for rows in (student, teacher)
    )
    chances = theirs.exp().masked_fill(own, 0.0)
    return (chances * (theirs - ours)).sum(1).mean()

"""Ranking heads: from the embeddings of a question's three images to the log odds that a is closer.

As the formulas of `lookalike.similarity.forms`, these use operators that NumPy arrays and PyTorch tensors share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.training.plan import Head as HeadFormula

__all__ = ["HEADS", "Head", "antisymmetric", "concatenated"]


def antisymmetric(z: Any, places: Any, weights: Mapping[str, Any]) -> Any:
    """Return ``sum_k w_k z_Rk (z_Ak - z_Bk)``: a cosine with weights, of a less of b (ours).

    To swap a and b is to change the sign, whatever the weights; where all are equal it ranks as the distance does.

    Examples
    --------
    >>> z = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    >>> antisymmetric(z, np.array([[0, 0], [1, 2], [2, 1]]), {"head": np.array([5.0, 5.0])})
    array([ 3., -3.])
    """
    reference, a, b = places
    weighted = z * weights["head"]
    if len(z) ** 2 <= len(reference):  # all products at once, where the rows are more than these
        products = weighted @ z.T
        return products[reference, a] - products[reference, b]
    return (weighted[reference] * (z[a] - z[b])).sum(1)


def concatenated(z: Any, places: Any, weights: Mapping[str, Any]) -> Any:
    """Return ``l_0 - l_1`` of a linear layer with two outputs over ``[z_R, z_A, z_B]``, the published head.

    What a and b contribute is unrelated, so that to swap them may give any other answer.

    Examples
    --------
    >>> z, weights = np.eye(2), {"head": np.arange(12.0).reshape(2, 6), "head_bias": np.array([0.5, 0.0])}
    >>> concatenated(z, np.array([[0], [1], [1]]), weights)
    array([-17.5])
    """
    length = z.shape[1]
    apart = weights["head"][0] - weights["head"][1]
    parts = [z @ apart[part * length : (part + 1) * length] for part in range(3)]
    reference, a, b = places
    return parts[0][reference] + parts[1][a] + parts[2][b] + weights["head_bias"][0] - weights["head_bias"][1]


@dataclass(frozen=True, slots=True)
class Head:
    """One head.

    Attributes
    ----------
    formula : callable
        ``(z, places, weights) -> log odds``, float (n,), for embeddings z (m, D) of m images and the rows of
        references, candidates a and candidates b among them, int (3, n).
    start : callable
        ``(D, rng) -> weights`` before training.
    symmetric : bool
        Whether to swap a and b is to change the sign.
    """

    formula: HeadFormula
    start: Callable[[int, np.random.Generator], dict[str, NDArray[np.float32]]]
    symmetric: bool


def _equal(length: int, _: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    return {"head": np.ones(length, np.float32)}


def _linear(length: int, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Draw what PyTorch's linear layer starts with."""
    bound = 1 / np.sqrt(3 * length)
    drawn = {"head": rng.uniform(-bound, bound, (2, 3 * length)), "head_bias": rng.uniform(-bound, bound, 2)}
    return {name: value.astype(np.float32) for name, value in drawn.items()}


HEADS = {
    "antisymmetric": Head(antisymmetric, _equal, symmetric=True),
    "concatenated": Head(concatenated, _linear, symmetric=False),
}

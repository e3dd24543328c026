"""The heads of a projection model, each a short formula over prepared features.

As the formulas of `lookalike.similarity.forms`, these use operators that NumPy arrays and PyTorch tensors share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from lookalike.core.types import Vectors
from lookalike.similarity.forms import residual
from lookalike.training.plan import Ops

__all__ = ["PROJECTIONS", "Projection", "Sizes", "linear", "mlp"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many numbers go in, lie between, and come out."""

    given: int
    hidden: int
    length: int


Start: TypeAlias = Callable[[Sizes, np.random.Generator], dict[str, Vectors]]


def linear(x: Any, weights: Mapping[str, Any], ops: Ops) -> Any:  # noqa: ARG001 all are alike
    """Return ``W x`` (ours); it starts as the features.

    Examples
    --------
    >>> from lookalike.similarity.forms import NUMPY
    >>> linear(np.array([[1.0, 2.0]]), {"map": np.array([[0.0, 1.0]])}, NUMPY)
    array([[2.]])
    """
    return x @ weights["map"].T


def mlp(x: Any, weights: Mapping[str, Any], ops: Ops) -> Any:
    """Return ``B ReLU(A x + a) + b``, the published head.

    Examples
    --------
    >>> from lookalike.similarity.forms import NUMPY
    >>> one = {"inner": np.eye(2), "bias": np.zeros(2), "outer": np.ones((1, 2)), "outer_bias": np.array([0.5])}
    >>> mlp(np.array([[-1.0, 2.0]]), one, NUMPY)
    array([[2.5]])
    """
    return ops.relu(x @ weights["inner"].T + weights["bias"]) @ weights["outer"].T + weights["outer_bias"]


def _as_they_are(sizes: Sizes, _: np.random.Generator) -> dict[str, Vectors]:
    return {"map": np.eye(sizes.given, dtype=np.float32)}


def _layers(sizes: Sizes, rng: np.random.Generator) -> dict[str, Vectors]:
    """Draw what PyTorch's linear layers start with."""
    first, second = 1 / np.sqrt(sizes.given), 1 / np.sqrt(sizes.hidden)
    drawn = {
        "inner": rng.uniform(-first, first, (sizes.hidden, sizes.given)),
        "bias": rng.uniform(-first, first, sizes.hidden),
        "outer": rng.uniform(-second, second, (sizes.length, sizes.hidden)),
        "outer_bias": rng.uniform(-second, second, sizes.length),
    }
    return {name: value.astype(np.float32) for name, value in drawn.items()}


def _no_correction(sizes: Sizes, rng: np.random.Generator) -> dict[str, Vectors]:
    bound = 3 / np.sqrt(sizes.given)
    return {
        "inner": rng.uniform(-bound, bound, (sizes.hidden, sizes.given)).astype(np.float32),
        "bias": np.zeros(sizes.hidden, np.float32),
        "outer": np.zeros((sizes.given, sizes.hidden), np.float32),
    }


@dataclass(frozen=True, slots=True)
class Projection:
    """One head.

    Attributes
    ----------
    formula : callable
        ``(x, weights, ops) -> y``.
    start : callable
        ``(sizes, rng) -> weights`` before training.
    names : tuple of str
        Of the weights.
    """

    formula: Callable[[Any, Mapping[str, Any], Ops], Any]
    start: Start
    names: tuple[str, ...]


PROJECTIONS = {
    "linear": Projection(linear, _as_they_are, ("map",)),
    "residual": Projection(residual, _no_correction, ("inner", "bias", "outer")),
    "mlp": Projection(mlp, _layers, ("inner", "bias", "outer", "outer_bias")),
}

"""Fused vectors: the unit vectors of several models side by side, searched under any weights of the models.

``v(x) = concat(e_m(x))`` is stored once; a query is ``q = concat(w_m e_m(R))``. The distance is then one inner product:
``sum_m w_m (1 - e_m(R).e_m(x)) = sum_m w_m - q.v(x)``. Other weights are another query, never another index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.types import Distances, Vectors
from lookalike.core.vectors import unit_rows

__all__ = ["FusedLayout", "FusedModel", "HalfVectors", "as_rows", "fuse", "fused_query", "model_distances", "shares"]

HalfVectors = NDArray[np.float16]
"""(N, width) rows as they are stored."""

STEP = 16
"""Rows are filled up with zeros to a multiple of this: FAISS is ten times slower at other lengths."""

ROWS_AT_ONCE = 8192


@dataclass(frozen=True, slots=True, eq=False)
class FusedModel:
    """One model's part of a fused vector.

    Attributes
    ----------
    name : str
    dim : int
        Numbers that the model gives of an image.
    directions : float32 (dim, kept), optional
        Orthonormal columns that its vectors are turned onto before they are stored, with norm 1 again; without them
        they are stored whole.
    mean_error, max_error : float
        How far the cosines of vectors that the directions were not fitted on have moved by that.
    """

    name: str
    dim: int
    directions: Vectors | None = None
    mean_error: float = 0.0
    max_error: float = 0.0

    @property
    def kept(self) -> int:
        """Numbers that are stored."""
        return self.dim if self.directions is None else int(self.directions.shape[1])

    def rows(self, vectors: Vectors) -> Vectors:
        """Return what is stored of vectors, float32 (N, kept), unit rows."""
        whole = unit_rows(vectors)
        return whole if self.directions is None else unit_rows(whole @ self.directions)


@dataclass(frozen=True, slots=True, eq=False)
class FusedLayout:
    """Where each model stands in a fused vector.

    Parameters
    ----------
    models : sequence of FusedModel
        One at least, with names that differ.

    Raises
    ------
    InputError
        There are none, a name stands twice, or a model has no numbers.

    Examples
    --------
    >>> layout = FusedLayout([FusedModel("colour", 2), FusedModel("shape", 3)])
    >>> layout.names, layout.spans, layout.width
    (('colour', 'shape'), (slice(0, 2, None), slice(2, 5, None)), 16)
    """

    models: Sequence[FusedModel]

    def __post_init__(self) -> None:
        """Check."""
        if not self.models:
            raise InputError("give the vectors of one model at least")
        for number, model in enumerate(self.models):
            if model.dim < 1:
                raise InputError(f"the vectors of the model '{model.name}' have no numbers")
            if model.name in self.names[:number]:
                raise InputError(f"the model '{model.name}' stands twice")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the models, in order."""
        return tuple(model.name for model in self.models)

    @property
    def spans(self) -> tuple[slice, ...]:
        """Of the columns of each model."""
        ends = list(accumulate(model.kept for model in self.models))
        return tuple(slice(end - model.kept, end) for end, model in zip(ends, self.models, strict=True))

    @property
    def width(self) -> int:
        """Of a fused vector: all that is kept, filled up to a multiple of `STEP`."""
        return -(-sum(model.kept for model in self.models) // STEP) * STEP


def fuse(layout: FusedLayout, vectors: Mapping[str, ArrayLike]) -> HalfVectors:
    """Put the vectors of all models side by side, as they are stored.

    Parameters
    ----------
    layout : FusedLayout
    vectors : mapping of str to float (N, dim)
        Of every model, in any order; rows of any length.

    Returns
    -------
    float16 (N, width)
        Unit rows of each model; zeros where a model gives zeros.

    Raises
    ------
    UnknownNameError
        The layout has no model of a name.
    InputError
        A model is missing, vectors have another shape, or are not finite.

    Examples
    --------
    >>> layout = FusedLayout([FusedModel("colour", 2), FusedModel("shape", 1)])
    >>> fuse(layout, {"shape": [[2]], "colour": [[3, 4]]})[:, :4]
    array([[0.6, 0.8, 1. , 0. ]], dtype=float16)
    """
    given = _checked(layout, vectors)
    count = len(given[0])
    fused = np.zeros((count, layout.width), np.float16)
    for start in range(0, count, ROWS_AT_ONCE):
        block = slice(start, start + ROWS_AT_ONCE)
        for model, span, rows in zip(layout.models, layout.spans, given, strict=True):
            fused[block, span] = model.rows(rows[block])
    return fused


def fused_query(
    layout: FusedLayout, vectors: Mapping[str, ArrayLike], weights: ArrayLike
) -> tuple[Vectors, NDArray[np.float64]]:
    """Weigh the vectors of queries, so that ``total - query . fused`` is the distance.

    Parameters
    ----------
    layout : FusedLayout
    vectors : mapping of str to float (Q, dim)
        Of every model.
    weights : float (M,) or (Q, M)
        Of the models in the order of `vectors`, for all queries or for each; not negative, and not all 0. What an
        ensemble calibrates its models by is a factor of them.

    Returns
    -------
    queries : float32 (Q, width)
    totals : float64 (Q,)
        The sum of the weights of each query.

    Raises
    ------
    UnknownNameError, InputError
        As `fuse`; or the weights have another shape, are negative, not finite, or all 0.

    Examples
    --------
    >>> layout = FusedLayout([FusedModel("colour", 2), FusedModel("shape", 1)])
    >>> queries, totals = fused_query(layout, {"colour": [[3, 4]], "shape": [[2]]}, [0.5, 2])
    >>> queries[:, :4], totals
    (array([[0.3, 0.4, 2. , 0. ]], dtype=float32), array([2.5]))
    """
    given = _checked(layout, vectors)
    count = len(given[0])
    by_name = dict(zip(vectors, _weights(weights, count, len(layout.models)).T, strict=True))
    queries = np.zeros((count, layout.width), np.float32)
    for model, span, rows in zip(layout.models, layout.spans, given, strict=True):
        queries[:, span] = model.rows(rows) * by_name[model.name][:, None]
    return queries, np.sum(list(by_name.values()), axis=0)


def model_distances(layout: FusedLayout, vectors: Mapping[str, ArrayLike], fused: HalfVectors) -> Distances:
    """Return the distance by each model alone, ``1 - cosine``, of one query to stored rows.

    Parameters
    ----------
    layout : FusedLayout
    vectors : mapping of str to float (1, dim)
    fused : float16 (N, width)

    Returns
    -------
    float32 (N, M)
        In the order of the layout, in [0, 2].

    Raises
    ------
    UnknownNameError, InputError
        As `fuse`.

    Examples
    --------
    >>> layout = FusedLayout([FusedModel("colour", 2), FusedModel("shape", 1)])
    >>> stored = fuse(layout, {"colour": [[0, 5]], "shape": [[-1]]})
    >>> model_distances(layout, {"colour": [[1, 0]], "shape": [[1]]}, stored)
    array([[1., 2.]], dtype=float32)
    """
    parts = [model.rows(rows) for model, rows in zip(layout.models, _checked(layout, vectors), strict=True)]
    columns = [1 - fused[:, span].astype(np.float32) @ part[0] for span, part in zip(layout.spans, parts, strict=True)]
    return np.asarray(np.clip(np.stack(columns, axis=1), 0, 2), np.float32)


def shares(distances: Distances, weights: ArrayLike) -> Distances:
    """Return each model's share of the distance of every row.

    Parameters
    ----------
    distances : float32 (N, M)
        By each model alone.
    weights : float (M,)

    Returns
    -------
    float32 (N, M)
        Rows sum to 1; zeros where the distance is 0.

    Examples
    --------
    >>> shares(np.array([[0.5, 0.25], [0.0, 0.0]], np.float32), [1, 2])
    array([[0.5, 0.5],
           [0. , 0. ]], dtype=float32)
    """
    parts = distances * np.asarray(weights, np.float32)
    whole = parts.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(parts, whole, out=np.zeros_like(parts), where=whole > 0), np.float32)


def _checked(layout: FusedLayout, vectors: Mapping[str, ArrayLike]) -> list[Vectors]:
    """Return the vectors in the order of the layout, float32, or say what is wrong with them."""
    for name in vectors:
        if name not in layout.names:
            raise UnknownNameError("model", name, layout.names)
    missing = [name for name in layout.names if name not in vectors]
    if missing:
        raise InputError(
            f"the vectors of the model '{missing[0]}' are missing: give those of {', '.join(layout.names)}"
        )
    found = [as_rows(model.name, vectors[model.name], model.dim) for model in layout.models]
    for model, rows in zip(layout.models, found, strict=True):
        if len(rows) != len(found[0]):
            raise InputError(
                f"{len(rows)} vectors of the model '{model.name}' beside {len(found[0])} of '{layout.names[0]}'"
            )
    return found


def as_rows(name: str, vectors: ArrayLike, dim: int | None = None) -> Vectors:
    """Return the vectors of a model as finite float32 (N, D), or raise an `InputError` that names the model.

    Examples
    --------
    >>> as_rows("shape", [[1, 2]], dim=2)
    array([[1., 2.]], dtype=float32)
    """
    try:
        with np.errstate(over="ignore"):
            rows = np.asarray(vectors).astype(np.float32, copy=False)
    except (TypeError, ValueError):
        raise InputError(f"the vectors of the model '{name}' are not rows of numbers") from None
    if rows.ndim != 2 or (dim is not None and rows.shape[1] != dim):
        needed = f"(N, {'D' if dim is None else dim})"
        raise InputError(f"the vectors of the model '{name}' have the shape {rows.shape}: they need {needed}")
    for start in range(0, len(rows), ROWS_AT_ONCE):
        finite = np.isfinite(rows[start : start + ROWS_AT_ONCE]).all(axis=1)
        if not finite.all():
            raise InputError(f"row {start + int(finite.argmin())} of the vectors of the model '{name}' is not finite")
    return rows


def _weights(weights: ArrayLike, queries: int, models: int) -> NDArray[np.float64]:
    """Return weights of each query, (Q, M), or say what is wrong with them."""
    try:
        found = np.asarray(weights, np.float64)
    except (TypeError, ValueError):
        raise InputError("the weights are not numbers") from None
    if found.shape not in ((models,), (queries, models)):
        raise InputError(f"weights of shape {found.shape}: give ({models},), or ({queries}, {models}) for each query")
    if not np.isfinite(found).all() or (found < 0).any():
        raise InputError("weights are finite numbers that are not negative")
    if not found.sum(axis=-1).all():
        raise InputError("all weights of a query are 0: one model at least must count")
    return np.broadcast_to(found, (queries, models))

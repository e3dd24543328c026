"""Fewer numbers per model, so that all fit a budget: the directions in which its vectors have the most of their length.

Cosines are inner products of unit rows, so the directions are those of the second moments, about 0 and not about the
mean: they keep the inner products of the sample best of all projections (Eckart and Young, 1936).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Vectors
from lookalike.core.vectors import unit_rows
from lookalike.search.fused import FusedLayout, FusedModel, as_rows

__all__ = ["BUDGET", "SAMPLE_AT_LEAST", "SAMPLE_AT_MOST", "fit_layout"]

BUDGET = 768
"""Numbers an image, at most: 1.5 kB in float16."""

SAMPLE_AT_LEAST, SAMPLE_AT_MOST = 2_000, 8_192
"""Images that directions are fitted on."""

MEASURED_AT_MOST = 1_000


def fit_layout(sample: Mapping[str, ArrayLike], budget: int | None = BUDGET, seed: int = 0) -> FusedLayout:
    """Lay models out side by side in at most `budget` numbers.

    Where they have more, the budget goes to the directions that hold the most of the squared length of all models'
    unit vectors, whichever model they are of; each model keeps one at least. A quarter of the sample is not fitted on:
    on it `FusedModel.mean_error` and `max_error` are measured, over all pairs.

    Parameters
    ----------
    sample : mapping of str to float (N, D_m)
        Vectors of the same images by model.
    budget : int, optional
        Without it all numbers are kept.
    seed : int
        Of which images are measured on.

    Raises
    ------
    InputError
        The vectors are not finite rows of the same images, there are fewer than `SAMPLE_AT_LEAST` to learn directions
        from, or the budget is below one number a model.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> plain = rng.normal(size=(2000, 4))
    >>> layout = fit_layout({"a": plain, "b": plain @ rng.normal(size=(4, 30))}, budget=8)
    >>> [model.kept for model in layout.models], layout.models[1].max_error < 1e-5
    ([4, 4], True)
    """
    rows = {name: as_rows(name, vectors) for name, vectors in sample.items()}
    count = len(next(iter(rows.values()), ()))
    for name, found in rows.items():
        if len(found) != count:
            raise InputError(f"{len(found)} vectors of the model '{name}' beside {count} of '{next(iter(rows))}'")
    total = sum(found.shape[1] for found in rows.values())
    if budget is None or total <= budget:
        return FusedLayout([FusedModel(name, found.shape[1]) for name, found in rows.items()])
    if budget < len(rows):
        raise InputError(f"a budget of {budget} numbers is below one for each of {len(rows)} models")
    if count < SAMPLE_AT_LEAST:
        raise InputError(
            f"{total:,} numbers an image become {budget:,} by what the first images look like: give "
            f"{SAMPLE_AT_LEAST:,} of them at once, not {count:,}, or budget=None to keep all numbers"
        )
    order = np.random.default_rng(seed).permutation(count)[:SAMPLE_AT_MOST]
    measured, fitted = np.split(order, [min(MEASURED_AT_MOST, len(order) // 4)])
    turns = {name: _directions(unit_rows(found[fitted])) for name, found in rows.items()}
    kept = _dealt([lengths for _, lengths in turns.values()], budget)
    return FusedLayout(
        [_model(name, turns[name][0][:, :most], rows[name][measured]) for name, most in zip(rows, kept, strict=True)]
    )


def _directions(rows: Vectors) -> tuple[Vectors, NDArray[np.float64]]:
    """Return directions, (D, R), and the mean squared length along each, the longest first."""
    if rows.shape[1] <= len(rows):
        moments = rows.T.astype(np.float64) @ rows / len(rows)
        lengths, turn = np.linalg.eigh(moments)
        return np.ascontiguousarray(turn[:, ::-1], np.float32), lengths[::-1]
    lengths, turn = np.linalg.eigh(rows.astype(np.float64) @ rows.T / len(rows))
    used = lengths > 1e-9 * lengths[-1]  # the others are no directions of the rows
    turn = rows.T @ (turn[:, used] / np.sqrt(len(rows) * lengths[used]))
    return np.ascontiguousarray(turn[:, ::-1], np.float32), lengths[used][::-1]


def _dealt(lengths: list[NDArray[np.float64]], budget: int) -> list[int]:
    """Deal the budget: one number a model, the others to the longest directions of all."""
    owners = np.concatenate([np.full(len(own) - 1, number) for number, own in enumerate(lengths)])
    longest = np.argsort(-np.concatenate([own[1:] for own in lengths]), kind="stable")[: budget - len(lengths)]
    return [1 + int(more) for more in np.bincount(owners[longest].astype(np.int64), minlength=len(lengths))]


def _model(name: str, directions: Vectors, measured: Vectors) -> FusedModel:
    dim, kept = directions.shape
    if kept == dim:
        return FusedModel(name, dim)
    model = FusedModel(name, dim, np.ascontiguousarray(directions))
    whole, reduced = unit_rows(measured), model.rows(measured)
    errors = np.abs(whole @ whole.T - reduced @ reduced.T)[np.triu_indices(len(whole), 1)]
    return FusedModel(name, dim, model.directions, float(errors.mean()), float(errors.max()))

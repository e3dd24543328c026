"""NT-Xent: every picture has to find the other picture of its thing among all other pictures of the batch."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from lookalike.core.errors import InputError

__all__ = ["nt_xent", "paired_targets"]

CHUNK = 1024
"""Rows whose similarities to all others are held at a time."""

KEPT = 1 << 23
"""Up to so many similarities (32 MiB) stay for the backward pass; of more, it computes them again."""


def nt_xent(
    rows: Any,
    targets: Any,
    temperature: Any,
    among: Any = None,
    first: int = 0,
    *,
    chunk: int = CHUNK,
    kept: int = KEPT,
) -> Any:
    """Return the normalised, temperature-scaled cross-entropy of finding the partner of every row.

    ``L = -mean_i log( exp(s_i,t(i)) / sum over j != i of exp(s_ij) )`` with ``s = rows @ rows^T / temperature``: the
    partner counts in the denominator, the row itself does not (Chen, Kornblith, Norouzi and Hinton, A simple framework
    for contrastive learning of visual representations, 2020, equation 1).

    Parameters
    ----------
    rows : float tensor (n, D)
        Unit rows.
    targets : int64 tensor (n,)
        The partner of each row, never itself; of the layout ``[x_0 .. x_B-1, y_0 .. y_B-1]``, see `paired_targets`.
    temperature : float or float tensor ()
        Positive; gradients flow to it where it is a tensor that asks for them.
    among : float tensor (N, D), optional
        Where the partners and all others stand, if not among `rows`: row i is row ``first + i`` of them. Several
        processes so share their negatives, see `lookalike.losses.gathered`.
    first : int
    chunk : int
        Rows whose similarities are held at a time: memory grows as ``chunk * N``, not as ``n * N``.
    kept : int
        Number of similarities up to which all of them stay for the backward pass.

    Returns
    -------
    float tensor ()
        0 at best; ``ln(N - 1)`` where all cosines are equal, ``ln(2 B - 1)`` for B pairs.

    Raises
    ------
    InputError
        A row is its own target.

    Notes
    -----
    Every softmax is shifted by its own greatest number, so that no temperature overflows. The gradient is written out:
    ``dL/ds_ij = (p_ij - [j = t(i)]) / n``. As ``s`` is symmetric without `among`, one product per chunk gives the
    gradient through both sides at once. Inside autocast the similarities still are float32.

    Examples
    --------
    >>> round(float(nt_xent(torch.ones(6, 1), paired_targets(3), 0.05)), 4)  # ln 5
    1.6094
    >>> pairs = torch.eye(3).repeat(2, 1)
    >>> round(float(nt_xent(pairs, paired_targets(3), 0.05)), 6)
    0.0
    >>> round(float(nt_xent(pairs, paired_targets(3).roll(1), 0.05)), 2)
    20.0
    """
    own = torch.arange(first, first + len(rows), device=rows.device)
    if bool((targets == own).any()):
        raise InputError(f"row {int((targets == own).int().argmax())} is its own target: give the row of its partner")
    rows, among = _single(rows), None if among is None else _single(among)
    scale = 1 / torch.as_tensor(temperature, dtype=rows.dtype, device=rows.device)
    with torch.autocast(rows.device.type, enabled=False):
        return _Written.apply(rows, among, targets, own, scale, chunk, kept)


def paired_targets(pairs: int, device: Any = None) -> Any:
    """Return the targets of a batch whose second half holds the partners of the first: ``[B .. 2B-1, 0 .. B-1]``.

    Examples
    --------
    >>> paired_targets(3)
    tensor([3, 4, 5, 0, 1, 2])
    """
    return torch.arange(2 * pairs, device=device).roll(pairs)


def _single(rows: Any) -> Any:
    """Half precision is not enough for numbers that are divided by a small temperature."""
    return rows.float() if rows.dtype in (torch.float16, torch.bfloat16) else rows


class _Written(torch.autograd.Function):  # type: ignore[misc]
    """The loss chunk by chunk, with its gradient written out."""

    @staticmethod
    def forward(context: Any, rows: Any, among: Any, targets: Any, own: Any, scale: Any, chunk: int, kept: int) -> Any:
        every = rows if among is None else among
        spans = [slice(start, start + chunk) for start in range(0, len(rows), chunk)]
        held, totals = [], torch.empty_like(rows[:, 0])
        for span in spans:
            similar = _similar(rows[span], every, own[span], scale)
            totals[span] = torch.logsumexp(similar, 1)
            if len(rows) * len(every) <= kept:
                held.append(similar)
        context.save_for_backward(rows, among, targets, own, scale, totals, *held)
        context.spans = spans
        return (totals - scale * torch.linalg.vecdot(rows, every[targets])).mean()

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(context: Any, gradient: Any) -> tuple[Any, ...]:
        rows, among, targets, own, scale, totals, *held = context.saved_tensors
        every = rows if among is None else among
        # Of the partners, which the similarities draw together; then of all, which they push apart.
        to_rows, to_every = -every[targets], torch.zeros_like(every).index_add_(0, targets, -rows)
        for number, span in enumerate(context.spans):
            similar = held[number] if held else _similar(rows[span], every, own[span], scale)
            weights = (similar - totals[span, None]).exp_()
            if among is None:  # both sides at once: s_ji is s_ij
                weights += (similar - totals).exp_()
            else:
                to_every.addmm_(weights.T, rows[span])
            to_rows[span].addmm_(weights, every)
        share = gradient * scale / len(rows)
        if among is None:
            to_rows += to_every
        # The loss depends on scale times the product of both sides: that is what it takes of each.
        sides = 2 if among is None else 1
        to_scale = share * torch.linalg.vecdot(rows, to_rows).sum() / (sides * scale)
        return share * to_rows, None if among is None else share * to_every, None, None, to_scale, None, None


def _similar(rows: Any, every: Any, own: Any, scale: Any) -> Any:
    """Return scaled cosines (chunk, N), minus infinity where a row meets itself."""
    similar = (scale * rows) @ every.T
    similar[torch.arange(len(rows), device=rows.device), own] = -torch.inf
    return similar

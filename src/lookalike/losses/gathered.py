"""Embeddings of all processes that train together: the negatives of one are those of all."""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed

from lookalike.losses.contrastive import nt_xent, paired_targets

__all__ = ["gathered_nt_xent", "gathered_rows"]


def gathered_nt_xent(left: Any, right: Any, temperature: Any) -> Any:
    """Return NT-Xent of this process's pairs among the pictures of all processes.

    Averaged over the processes, as `torch.nn.parallel.DistributedDataParallel` does, values and gradients are those of
    one process that holds all pairs.

    Parameters
    ----------
    left, right : float tensor (B, D)
        Unit rows; row i of one is the partner of row i of the other. The same B in every process.
    temperature : float or float tensor ()

    Returns
    -------
    float tensor ()

    Examples
    --------
    >>> rows = torch.nn.functional.normalize(torch.arange(12.0).view(4, 3) - 5)
    >>> bool(gathered_nt_xent(rows[:2], rows[2:], 0.5) == nt_xent(rows, paired_targets(2), 0.5))
    True
    """
    rows, targets = torch.cat([left, right]), paired_targets(len(left), left.device)
    if not _together():
        return nt_xent(rows, targets, temperature)
    first = distributed.get_rank() * len(rows)
    return nt_xent(rows, targets + first, temperature, gathered_rows(rows), first)


def gathered_rows(rows: Any) -> Any:
    """Return the rows of all processes in the order of their ranks, with gradients that flow back to each.

    Parameters
    ----------
    rows : float tensor (n, D)
        The same n in every process.

    Returns
    -------
    float tensor (processes * n, D)
        `rows` itself where there is one process.
    """
    return _Gathered.apply(rows) if _together() else rows


def _together() -> bool:
    return bool(distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1)


class _Gathered(torch.autograd.Function):  # type: ignore[misc]
    """All rows forward; backward, what the losses of all processes ask of one's own."""

    @staticmethod
    def forward(context: Any, rows: Any) -> Any:
        context.own = len(rows)
        parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, gradient: Any) -> Any:
        summed = gradient.contiguous().clone()
        distributed.all_reduce(summed)
        return summed.narrow(0, distributed.get_rank() * context.own, context.own)

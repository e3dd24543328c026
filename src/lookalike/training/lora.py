"""Low-rank adaptation (LoRA) of transformers whose queries, keys and values come from one linear layer.

The layer ``qkv`` maps d numbers to 3d: queries, keys, values. To some of the three is added ``B A x``, where A is
(r, d), random, and B is (d, r), zero at first: at the start nothing changes, and only A and B are trained. Hu et al.,
*LoRA: Low-rank adaptation of large language models* (2021).

This module imports torch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from lookalike.core.errors import EncoderError, InputError

__all__ = ["LoraLayer", "merged", "with_lora"]

PARTS = ("q", "k", "v")


class LoraLayer(nn.Module):  # type: ignore[misc]  # torch is not seen by mypy
    """A fused linear layer with low-rank updates; made by `with_lora`.

    Parameters
    ----------
    base : nn.Linear
        d to 3d; frozen.
    rank : int
        r.
    scale : float
        What multiplies ``B A x``.
    dropout : float
        Share of the inputs of A that are left out while training.
    targets : sequence of {"q", "k", "v"}
        What is updated.
    """

    def __init__(self, base: nn.Linear, rank: int, scale: float, dropout: float, targets: Sequence[str]) -> None:
        super().__init__()
        width, like = base.in_features, {"device": base.weight.device, "dtype": base.weight.dtype}
        self.base = base
        self.scale = scale
        self.dropout = nn.Dropout(dropout)
        self.down = nn.ParameterDict({part: nn.Parameter(torch.empty(rank, width, **like)) for part in targets})
        self.up = nn.ParameterDict({part: nn.Parameter(torch.zeros(width, rank, **like)) for part in targets})
        for matrix in self.down.values():
            nn.init.kaiming_uniform_(matrix, a=math.sqrt(5))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map (..., d) to (..., 3d)."""
        parts = list(self.base(values).chunk(3, dim=-1))
        dropped = self.dropout(values)
        for place, part in enumerate(PARTS):
            if part in self.down:
                parts[place] = parts[place] + self.scale * (dropped @ self.down[part].T @ self.up[part].T)
        return torch.cat(parts, dim=-1)

    def merge(self) -> nn.Linear:
        """Return one linear layer that gives the same, outside training."""
        layer = copy.deepcopy(self.base)
        width = self.base.in_features
        with torch.no_grad():
            for place, part in enumerate(PARTS):
                if part in self.down:
                    layer.weight[place * width : (place + 1) * width] += self.scale * (self.up[part] @ self.down[part])
        return layer


def with_lora(
    module: nn.Module,
    rank: int = 4,
    alpha: float | None = None,
    dropout: float = 0.0,
    targets: Sequence[str] = ("q", "v"),
) -> nn.Module:
    """Return a copy of a transformer that is frozen but for low-rank updates of its attention.

    Parameters
    ----------
    module : nn.Module
        Holds linear layers called ``qkv``, as timm's transformers do. It stays as it is.
    rank : int
        1 or more.
    alpha : float, optional
        The updates are scaled by ``alpha / rank``; without it they are not scaled.
    dropout : float
        In [0, 1), before each update, while training.
    targets : sequence of {"q", "k", "v"}
        What is updated: queries and values by default.

    Returns
    -------
    nn.Module
        Gives what `module` gives until it is trained. 12 blocks of 768 numbers at rank 4 have 147,456 trainable ones.

    Raises
    ------
    InputError
        An argument is out of range.
    EncoderError
        The network has no such layers.

    Examples
    --------
    >>> block = nn.Module()
    >>> block.qkv = nn.Linear(8, 24)
    >>> adapted = with_lora(block, rank=2)
    >>> sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    64
    """
    if rank < 1 or not 0 <= dropout < 1 or (alpha is not None and alpha <= 0):
        raise InputError(f"LoRA takes rank >= 1, alpha > 0 and dropout in [0, 1), not {rank}, {alpha} and {dropout}")
    if not targets or not set(targets) <= set(PARTS):
        raise InputError(f"LoRA updates some of {', '.join(PARTS)}, not {', '.join(targets) or 'nothing'}")
    adapted = copy.deepcopy(module).requires_grad_(False)
    found = [path for path, layer in adapted.named_modules() if _is_fused(adapted, path, layer)]
    if not found:
        raise EncoderError("LoRA needs linear layers called qkv that map d numbers to 3d, as in timm's transformers")
    scale = 1.0 if alpha is None else alpha / rank
    for path in found:
        _replace(adapted, path, LoraLayer(adapted.get_submodule(path), rank, scale, dropout, sorted(set(targets))))
    return adapted


def merged(module: nn.Module) -> nn.Module:
    """Return a copy in which the updates are part of the layers that they update: the base network's own shape again.

    Parameters
    ----------
    module : nn.Module
        Made by `with_lora`; without any update it is copied as it is.

    Examples
    --------
    >>> block = nn.Module()
    >>> block.qkv = nn.Linear(8, 24)
    >>> type(merged(with_lora(block)).qkv).__name__
    'Linear'
    """
    plain = copy.deepcopy(module)
    for path in [path for path, layer in plain.named_modules() if isinstance(layer, LoraLayer)]:
        _replace(plain, path, plain.get_submodule(path).merge())
    return plain


def _is_fused(network: nn.Module, path: str, layer: Any) -> bool:
    """Whether a layer gives queries, keys and values at once, and is called, not only read."""
    parent, _, name = path.rpartition(".")
    if name != "qkv" or not isinstance(layer, nn.Linear) or layer.out_features != 3 * layer.in_features:
        return False
    # BEiT and its like keep the bias apart and use the weight alone, past any layer put in its place.
    return getattr(network.get_submodule(parent), "q_bias", None) is None


def _replace(network: nn.Module, path: str, layer: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, layer)

"""Attention taken apart: queries, keys and values by linear layers of their own, so that each can be adapted alone.

Most transformers compute the three at once, by one linear layer (``qkv``) or inside `torch.nn.MultiheadAttention`.

This module imports torch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import skip_init

from lookalike.core.errors import EncoderError

__all__ = ["SplitAttention", "SplitLinear", "fuse", "put", "unfuse"]


class SplitLinear(nn.Module):  # type: ignore[misc]  # torch is not seen by mypy
    """A linear layer from d to 3w numbers, as three from d to w; gives the same.

    Parameters
    ----------
    fused : nn.Linear
        Queries, keys and values, in this order.

    Examples
    --------
    >>> fused, rows = nn.Linear(4, 6), torch.ones(1, 4)
    >>> torch.allclose(SplitLinear(fused)(rows), fused(rows))
    True
    """

    def __init__(self, fused: nn.Linear) -> None:
        super().__init__()
        self.q, self.k, self.v = _thirds(fused.weight, fused.bias)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map (..., d) to (..., 3w)."""
        return torch.cat([self.q(values), self.k(values), self.v(values)], dim=-1)

    def fused(self) -> nn.Linear:
        """Return the one layer again."""
        return _joined([self.q, self.k, self.v])


class SplitAttention(nn.Module):  # type: ignore[misc]
    """A `torch.nn.MultiheadAttention` as four linear layers; gives the same, but never the weights of attention.

    Parameters
    ----------
    fused : nn.MultiheadAttention
        Queries, keys and values of one width, nothing added to them.
    """

    def __init__(self, fused: nn.MultiheadAttention) -> None:
        super().__init__()
        self.q, self.k, self.v = _thirds(fused.in_proj_weight, fused.in_proj_bias)
        self.out_proj = _linear(fused.out_proj.weight, fused.out_proj.bias)
        self.heads, self.dropout, self.batch_first = fused.num_heads, fused.dropout, fused.batch_first

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_padding_mask: torch.Tensor | None = None,
        need_weights: bool = False,  # noqa: ARG002 they are never given
        attn_mask: torch.Tensor | None = None,
        **_: Any,
    ) -> tuple[torch.Tensor, None]:
        """Attend as `torch.nn.MultiheadAttention` does; tokens are (N, T, d), or (T, N, d) without `batch_first`."""
        if key_padding_mask is not None:
            raise EncoderError("attention that leaves tokens out cannot be taken apart for LoRA: train it in full")
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            attn_mask = ~attn_mask  # True: left out, where they came from; attended to, where they go
        rows = [self.q(query), self.k(key), self.v(value)]
        if not self.batch_first:
            rows = [one.transpose(0, 1) for one in rows]
        q, k, v = (one.unflatten(-1, (self.heads, -1)).transpose(1, 2) for one in rows)
        dropout = self.dropout if self.training else 0.0
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask, dropout)
        joined = attended.transpose(1, 2).flatten(2)
        return self.out_proj(joined if self.batch_first else joined.transpose(0, 1)), None

    def fused(self) -> nn.MultiheadAttention:
        """Return the one module again."""
        joined, like = _joined([self.q, self.k, self.v]), self.out_proj.weight
        module = skip_init(
            nn.MultiheadAttention,
            like.shape[0],
            self.heads,
            dropout=self.dropout,
            bias=joined.bias is not None,
            batch_first=self.batch_first,
            device=like.device,
            dtype=like.dtype,
        )
        module.in_proj_weight, module.in_proj_bias = joined.weight, joined.bias
        module.out_proj.weight, module.out_proj.bias = self.out_proj.weight, self.out_proj.bias
        return module


def unfuse(network: nn.Module) -> None:
    """Take the attention of a network apart, in place, where it stands in one of the two forms.

    Examples
    --------
    >>> block = nn.Sequential(nn.MultiheadAttention(8, 2))
    >>> unfuse(block)
    >>> type(block[0]).__name__
    'SplitAttention'
    """
    for path, module in list(network.named_modules()):
        if isinstance(module, nn.MultiheadAttention) and _is_plain(module):
            put(network, path, SplitAttention(module))
        elif _is_fused(network, path, module):
            put(network, path, SplitLinear(module))


def fuse(network: nn.Module) -> None:
    """Put together, in place, what `unfuse` took apart: the network has the tensors of its first shape again."""
    for path, module in list(network.named_modules()):
        if isinstance(module, SplitLinear | SplitAttention):
            put(network, path, module.fused())


def put(network: nn.Module, path: str, module: nn.Module) -> None:
    """Put a module in the place of another."""
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, module.train(network.get_submodule(path).training))


def _is_plain(module: nn.MultiheadAttention) -> bool:
    return module.in_proj_weight is not None and module.bias_k is None and not module.add_zero_attn


def _is_fused(network: nn.Module, path: str, layer: Any) -> bool:
    """Whether a layer gives queries, keys and values one after the other, and is called, not only read."""
    parent, _, name = path.rpartition(".")
    if name != "qkv" or not isinstance(layer, nn.Linear) or layer.out_features % 3:
        return False
    owner = network.get_submodule(parent)
    # BEiT and its like keep the bias apart and use the weight alone, past any layer put in its place; MaxViT's layer
    # gives the three head by head.
    return getattr(owner, "q_bias", None) is None and not getattr(owner, "head_first", False)


def _thirds(weight: torch.Tensor, bias: torch.Tensor | None) -> list[nn.Linear]:
    biases = bias.chunk(3) if bias is not None else [None] * 3
    return [_linear(*both) for both in zip(weight.chunk(3), biases, strict=True)]


def _joined(layers: list[nn.Linear]) -> nn.Linear:
    biases = [layer.bias for layer in layers]
    return _linear(torch.cat([layer.weight for layer in layers]), None if biases[0] is None else torch.cat(biases))


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    """Return a layer with copies of a weight and a bias, which ask for gradients where the former do."""
    rows, columns = weight.shape
    layer = skip_init(nn.Linear, columns, rows, bias=bias is not None, device=weight.device, dtype=weight.dtype)
    layer.weight = nn.Parameter(weight.detach().clone(), requires_grad=weight.requires_grad)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=bias.requires_grad)
    return layer

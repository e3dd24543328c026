"""Low-rank adaptation (LoRA) of networks, by PEFT.

To what a layer makes of x is added ``scale * B A x``, where A maps to few numbers, at random, and B maps from them and
is zero at first: at the start nothing changes, and only A and B are trained. For a convolution A is one of the same
shape with few channels, and B one of single pixels. Hu et al., *LoRA: Low-rank adaptation of large language models*
(2021).

Attention that computes queries, keys and values at once is taken apart before and put together after, so that each of
the three can be adapted alone (PEFT itself would adapt all of them, by one A).

This module imports torch and peft.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from torch import nn

from lookalike.core.errors import EncoderError, InputError
from lookalike.encoders.torch_import import import_torchvision
from lookalike.training.unfused import SplitLinear, fuse, put, unfuse

import_torchvision()
from peft import LoraConfig, inject_adapter_in_model  # noqa: E402 it imports torchvision, which must be mended first
from peft.tuners.tuners_utils import BaseTunerLayer  # noqa: E402

__all__ = ["NAMES", "PARTS", "merged", "with_lora"]

NAMES = {
    "q": ("q", "q_proj", "query"),
    "k": ("k", "k_proj", "key"),
    "v": ("v", "v_proj", "value"),
    "proj": ("proj", "out_proj", "o_proj"),
}
"""What networks call the linear layers of attention."""

PARTS = (*NAMES, "conv")

Layers: TypeAlias = dict[str, list[str]]
"""Paths by part."""


def with_lora(
    network: nn.Module,
    rank: int = 4,
    alpha: float | None = None,
    dropout: float = 0.0,
    targets: Sequence[str] = (),
) -> nn.Module:
    """Return a copy of a network that is frozen but for low-rank updates.

    Parameters
    ----------
    network : nn.Module
        It stays as it is.
    rank : int
        1 or more.
    alpha : float, optional
        The updates are scaled by ``alpha / rank``; without it they are not scaled.
    dropout : float
        In [0, 1), before each update, while training.
    targets : sequence of {"q", "k", "v", "proj", "conv"}
        What is updated: queries, keys, values, what follows attention, or convolutions (those in groups, or with gaps,
        stay frozen). Without any, queries and values, or where there is no attention, convolutions.

    Returns
    -------
    nn.Module
        Gives what `network` gives until it is trained. 12 blocks of 768 numbers at rank 4 have 147,456 trainable ones.

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
    if rank < 1 or not 0 <= dropout < 1 or (alpha is not None and not alpha > 0):
        raise InputError(f"LoRA takes rank >= 1, alpha > 0 and dropout in [0, 1), not {rank}, {alpha} and {dropout}")
    if not set(targets) <= set(PARTS):
        raise InputError(f"LoRA updates some of {', '.join(PARTS)}, not {', '.join(targets)}")
    adapted = copy.deepcopy(network).requires_grad_(False)
    unfuse(adapted)
    found = _layers(adapted)
    chosen = targets or (("q", "v") if found["q"] else ("conv",))
    lacking = [part for part in chosen if not found[part]]
    if lacking:
        raise EncoderError(
            f"LoRA finds no layers to update for {', '.join(lacking)}; in this network it can update "
            f"{', '.join(part for part in PARTS if found[part]) or 'nothing: train it in full'}"
        )
    config = LoraConfig(
        r=rank,
        lora_alpha=rank if alpha is None else alpha,
        lora_dropout=dropout,
        target_modules=[path for part in chosen for path in found[part]],
    )
    return inject_adapter_in_model(config, adapted)


def merged(network: nn.Module) -> nn.Module:
    """Return a copy in which the updates are part of the layers that they update: the network's own shape again.

    Parameters
    ----------
    network : nn.Module
        Made by `with_lora`; without any update it is copied as it is.

    Examples
    --------
    >>> block = nn.Module()
    >>> block.qkv = nn.Linear(8, 24)
    >>> type(merged(with_lora(block)).qkv).__name__
    'Linear'
    """
    plain = copy.deepcopy(network)
    for path, layer in list(plain.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            layer.merge()
            put(plain, path, layer.get_base_layer())
    fuse(plain)
    return plain


def _layers(network: nn.Module) -> Layers:
    """Return what can be updated."""
    found: Layers = {part: [] for part in PARTS}
    for path, module in network.named_modules():
        if type(module).forward is nn.Conv2d.forward and _is_dense(module):
            found["conv"].append(path)
        inner = f"{path}." if path else ""
        linear = {name for name, child in module.named_children() if type(child).forward is nn.Linear.forward}
        if not (linear & set(NAMES["q"]) and linear & set(NAMES["v"])):
            continue
        for part in ("q", "k", "v"):
            found[part] += [inner + name for name in NAMES[part] if name in linear]
        owner = path.rpartition(".")[0] if isinstance(module, SplitLinear) else path
        found["proj"] += _after(network, owner)
    return found


def _after(network: nn.Module, owner: str) -> Iterator[str]:
    """Name the linear layer that follows the attention of a module."""
    for name, child in network.get_submodule(owner).named_children():
        if name in NAMES["proj"] and type(child).forward is nn.Linear.forward:
            yield f"{owner}.{name}" if owner else name


def _is_dense(layer: Any) -> bool:
    """Whether PEFT adapts and merges a convolution exactly."""
    return bool(layer.groups == 1 and set(layer.dilation) == {1} and layer.padding_mode == "zeros")

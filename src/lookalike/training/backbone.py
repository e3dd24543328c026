"""What any training of a network does with it: low-rank updates, statistics of batches, half precision.

This module imports torch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Protocol

import torch
from torch import nn

from lookalike.core.errors import EncoderError, InputError
from lookalike.encoders.network import NetworkEncoder
from lookalike.encoders.tapped import Tapped

__all__ = ["Adapting", "batch_norms", "check_same", "freeze_idle", "half_precision", "learning_copy", "merged_copy"]

SAME = 1e-3
"""Relative difference of features under which two ways of computing them are one."""


class Adapting(Protocol):
    """Settings of what learns; see `lookalike.training.finetune_settings.FinetuneSettings`."""

    @property
    def depth(self) -> str: ...  # noqa: D102

    @property
    def rank(self) -> int: ...  # noqa: D102
    @property
    def alpha(self) -> float: ...  # noqa: D102
    @property
    def dropout(self) -> float: ...  # noqa: D102
    @property
    def parts(self) -> tuple[str, ...]: ...  # noqa: D102


def learning_copy(network: nn.Module, settings: Adapting) -> nn.Module:
    """Return a copy of a network of which all weights learn, or with ``depth="lora"`` low-rank updates alone.

    Raises
    ------
    EncoderError
        PEFT is not installed, or there are no layers to update.
    """
    if settings.depth != "lora":
        return copy.deepcopy(network).requires_grad_(True)
    try:
        from lookalike.training.lora import with_lora
    except ModuleNotFoundError as error:
        raise EncoderError(f'LoRA needs {error.name}, of the extra `train`: pip install "lookalike[train]"') from error
    return with_lora(network, settings.rank, settings.alpha or None, settings.dropout, settings.parts)


def merged_copy(network: nn.Module) -> nn.Module:
    """Return a copy of a network, low-rank updates merged where it has any: its tensors are named as before them.

    Examples
    --------
    >>> merged_copy(nn.Linear(2, 1))
    Linear(in_features=2, out_features=1, bias=True)
    """
    if any(hasattr(layer, "base_layer") for layer in network.modules()):
        from lookalike.training.lora import merged

        return merged(network)
    return copy.deepcopy(network)


def batch_norms(network: nn.Module) -> Iterator[nn.Module]:
    """Go through the layers that normalise over the batch."""
    kind = nn.modules.batchnorm._BatchNorm
    return (layer for layer in network.modules() if isinstance(layer, kind))


def half_precision(precision: str, device: torch.device) -> bool:
    """Return whether to compute in bfloat16: where it was asked for, and by itself on a GPU that does.

    Raises
    ------
    InputError
        The device does not.

    Examples
    --------
    >>> half_precision("auto", torch.device("cpu"))
    False
    """
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported()
    else:
        can = torch.cpu.get_capabilities() if device.type == "cpu" else {}
        able = bool(can.get("avx512_bf16") or can.get("amx_bf16"))
    if precision == "half" and not able:
        raise InputError(f"precision=half: this {device.type} does not compute in bfloat16; leave it out")
    return precision == "half" or (able and device.type == "cuda" and precision == "auto")


def freeze_idle(network: nn.Module, outputs: Callable[[nn.Module], torch.Tensor]) -> None:
    """Freeze what no gradient reaches, such as layers after the last tap: several processes wait for every gradient.

    Parameters
    ----------
    network : nn.Module
        Is in the state of use afterwards.
    outputs : callable
        Runs the network, and returns one number in which all has its part that is trained.

    Examples
    --------
    >>> network = nn.ModuleList([nn.Linear(2, 1), nn.Linear(2, 1)])
    >>> freeze_idle(network, lambda layers: layers[0](torch.ones(1, 2)).sum())
    >>> [layer.weight.requires_grad for layer in network]
    [True, False]
    """
    outputs(network.eval()).backward()
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.grad is not None)
        parameter.grad = None


def check_same(adapted: Tapped, encoder: NetworkEncoder) -> None:
    """Make sure that a network gives what it gave before it was taken apart.

    Raises
    ------
    EncoderError
    """
    rng, size = torch.Generator().manual_seed(0), encoder.spec.input_size
    pixels = torch.randn(2, 3, *size, generator=rng).to(encoder.device)
    with torch.inference_mode():
        before, after = encoder.module(pixels), adapted.eval()(pixels)
    error = float((after - before).norm() / before.norm().clamp_min(1e-12))
    if not error < SAME:
        raise EncoderError(
            f"{encoder.spec.name}: LoRA would change it before any training ({error:.0e}): train it in full"
        )

"""What torch's exporter, and ONNX Runtime after it, get wrong, put right while a network is written.

This module imports torch.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

__all__ = ["exportable", "silence"]


@contextmanager
def silence() -> Iterator[None]:
    """Keep the exporter's warnings and chatter off the screen; what matters is checked afterwards.

    It holds for the whole process while the block runs.

    Examples
    --------
    >>> with silence():
    ...     warnings.warn("heard by nobody", stacklevel=1)
    """
    log = logging.getLogger("torch.onnx")
    level, screens = log.level, {stream: os.dup(stream) for stream in (1, 2)}
    log.setLevel(logging.ERROR)
    try:
        sys.stdout.flush()
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), Path(os.devnull).open("w") as nowhere:
            warnings.simplefilter("ignore")
            for stream in screens:  # most of it does not come from Python
                os.dup2(nowhere.fileno(), stream)
            yield
    finally:
        for stream, screen in screens.items():
            os.dup2(screen, stream)
            os.close(screen)
        log.setLevel(level)


@contextmanager
def exportable() -> Iterator[None]:
    """Run plain operations in the place of those that the exporter, or ONNX Runtime after it, gets wrong.

    Networks give the same features with them. It holds for the whole process while the block runs.

    Examples
    --------
    >>> with exportable():
    ...     functional.batch_norm(torch.tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    held = {key: getattr(functional, key) for key in ("batch_norm", "pad", "max_pool2d")}
    fast = torch.backends.mha.get_fastpath_enabled()
    functional.batch_norm = _plain_batch_norm(held["batch_norm"])
    functional.pad, functional.max_pool2d = _unfused(held["pad"], held["max_pool2d"])
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        for key, function in held.items():
            setattr(functional, key, function)
        torch.backends.mha.set_fastpath_enabled(fast)


def _plain_batch_norm(original: Any) -> Any:
    """Spell out normalisation without kept statistics, which BiT's kernels go through: else they are written twice."""

    def batch_norm(
        values: torch.Tensor, mean: Any, variance: Any, weight: Any = None, bias: Any = None, *rest: Any, **named: Any
    ) -> torch.Tensor:
        if mean is not None:
            return original(values, mean, variance, weight, bias, *rest, **named)
        eps = named.get("eps", rest[2] if len(rest) > 2 else 1e-5)
        axes, along = [0, *range(2, values.ndim)], [1, -1, *[1] * (values.ndim - 2)]
        centred = values - values.mean(axes, keepdim=True)
        scaled = centred / (centred.square().mean(axes, keepdim=True) + eps).sqrt()
        scaled = scaled if weight is None else scaled * weight.view(along)
        return scaled if bias is None else scaled + bias.view(along)

    return batch_norm


def _unfused(pad: Any, max_pool2d: Any) -> tuple[Any, Any]:
    """Keep ONNX Runtime from merging a rim of zeros into the maximum after it, where its rim is minus infinity."""

    def marking_pad(values: torch.Tensor, *arguments: Any, **named: Any) -> torch.Tensor:
        padded = pad(values, *arguments, **named)
        padded.has_rim = True
        return padded

    def max_pool(values: torch.Tensor, *arguments: Any, **named: Any) -> Any:
        if getattr(values, "has_rim", False):
            values = values.clamp(min=torch.finfo(values.dtype).min)
        return max_pool2d(values, *arguments, **named)

    return marking_pad, max_pool

"""A small convolutional network for training from nothing, quick on processors without a GPU.

Early layers are dense convolutions on maps that shrink at once, where most of the work of such networks lies; later
ones are inverted residuals (Sandler et al., *MobileNetV2: inverted residuals and linear bottlenecks*, 2018) on small
maps, where most of the weights lie.

This module imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

__all__ = ["PlainNetwork"]

EXPANSION = 4
"""Channels within an inverted residual, for one outside."""


class PlainNetwork(nn.Module):  # type: ignore[misc]  # torch is not seen by mypy
    """Pictures to features, in five halvings of their sides.

    Parameters
    ----------
    widths : sequence of int
        Channels of the stem and of the four stages.
    depths : sequence of int
        Residual blocks in each of the stages, behind the layer that halves.
    dim : int
        Length of a feature.

    Attributes
    ----------
    stem, stages, top : nn.Module
        What can be tapped: ``stem``, ``stages.0`` to ``stages.3``, ``top``.

    Examples
    --------
    >>> network = PlainNetwork((8, 8, 16, 24, 32), (0, 1, 1, 1), 64).eval()
    >>> network(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 64])
    """

    def __init__(self, widths: Sequence[int], depths: Sequence[int], dim: int) -> None:
        super().__init__()
        self.stem = _layer(3, widths[0], 3, 2)
        pairs = zip(widths, widths[1:], depths, strict=False)
        self.stages = nn.Sequential(*(_stage(*pair, dense=number < 2) for number, pair in enumerate(pairs)))
        self.top = _layer(widths[-1], dim, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map normalised pixels (N, 3, H, W), a multiple of 32 on each side at best, to features (N, dim)."""
        top: torch.Tensor = self.top(self.stages(self.stem(pixels)))
        return top.mean((2, 3))


class _Inverted(nn.Module):  # type: ignore[misc]
    """A wide depthwise convolution between two thin ends; with a way around it, where the ends are alike."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        wide = EXPANSION * before
        depthwise = _layer(wide, wide, 3, stride, groups=wide)
        self.inner = nn.Sequential(
            _layer(before, wide, 1), depthwise, nn.Conv2d(wide, after, 1, bias=False), nn.BatchNorm2d(after)
        )
        self.around = stride == 1 and before == after

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        inner: torch.Tensor = self.inner(maps)
        return maps + inner if self.around else inner


def _stage(before: int, after: int, depth: int, dense: bool) -> nn.Module:
    halving = _layer(before, after, 3, 2) if dense else _Inverted(before, after, 2)
    return nn.Sequential(halving, *(_Inverted(after, after, 1) for _ in range(depth)))


def _layer(before: int, after: int, size: int, stride: int = 1, groups: int = 1) -> nn.Module:
    convolution = nn.Conv2d(before, after, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True))

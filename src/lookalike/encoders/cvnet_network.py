"""The global descriptor of CVNet: a residual network, generalised-mean pooling and a projection.

Modules have the names of the published files. This module imports torch.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from lookalike.encoders.tapped import GEM_POWER, gem

__all__ = ["GlobalDescriptor"]


class GlobalDescriptor(nn.Module):  # type: ignore[misc]  # torch is not seen by mypy
    """The network of Lee et al., *Correlation verification for image retrieval* (2022), without its verification.

    Parameters
    ----------
    depths : sequence of int
        Blocks in each of the four stages ``s1`` to ``s4``.
    width : int
        Channels of the stem; the stages give 4, 8, 16 and 32 times as many.
    dim : int
        Length of the descriptor.

    Examples
    --------
    >>> network = GlobalDescriptor((1, 1, 1, 1), width=2, dim=5).eval()
    >>> network(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 5])
    """

    def __init__(self, depths: Sequence[int], width: int = 64, dim: int = 2048) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False),
                bn=nn.BatchNorm2d(width),
                relu=nn.ReLU(inplace=True),
                pool=nn.MaxPool2d(3, stride=2, padding=1),
            )
        )
        channels = width
        for number, depth in enumerate(depths):
            stage: OrderedDict[str, nn.Module] = OrderedDict()
            for block in range(depth):
                halves = number > 0 and block == 0
                stage[f"b{block + 1}"] = Block(channels, width << number, 2 if halves else 1)
                channels = 4 * (width << number)
            self.add_module(f"s{number + 1}", nn.Sequential(stage))
        self.head = nn.Sequential(OrderedDict(pool=Pool(), fc=nn.Linear(channels, dim)))

    def forward(self, pixels: Any) -> Any:
        """Map normalised pixels (N, 3, H, W), red first, to descriptors (N, dim) of norm 1."""
        features = pixels.flip(1)  # it was trained on pictures with blue first
        for part in self.children():
            features = part(features)
        return functional.normalize(features, dim=1)


class Block(nn.Module):  # type: ignore[misc]
    """What is there, plus a bottleneck of three convolutions."""

    def __init__(self, channels: int, inner: int, stride: int) -> None:
        super().__init__()
        outer = 4 * inner
        self.shortcut = channels == outer and stride == 1
        if not self.shortcut:
            self.proj = nn.Conv2d(channels, outer, 1, stride=stride, bias=False)
            self.bn = nn.BatchNorm2d(outer)
        self.f = nn.Sequential(
            OrderedDict(
                a=nn.Conv2d(channels, inner, 1, bias=False),
                a_bn=nn.BatchNorm2d(inner),
                a_relu=nn.ReLU(inplace=True),
                b=nn.Conv2d(inner, inner, 3, stride=stride, padding=1, bias=False),
                b_bn=nn.BatchNorm2d(inner),
                b_relu=nn.ReLU(inplace=True),
                c=nn.Conv2d(inner, outer, 1, bias=False),
                c_bn=nn.BatchNorm2d(outer),
            )
        )

    def forward(self, features: Any) -> Any:
        """Map (N, channels, H, W) to (N, 4 inner, H / stride, W / stride)."""
        kept = features if self.shortcut else self.bn(self.proj(features))
        return functional.relu(kept + self.f(features))


class Pool(nn.Module):  # type: ignore[misc]
    """Generalised-mean pooling whose power was learned."""

    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.full((1,), GEM_POWER))

    def forward(self, features: Any) -> Any:
        """Map (N, C, H, W) to (N, C)."""
        return gem(features, self.p)

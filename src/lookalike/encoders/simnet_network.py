"""Networks that see a picture at three resolutions: a deep one as it is, two shallow ones made small.

This module imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

__all__ = ["MultiResolution", "conv_branches", "pooled_branches", "tower"]


class MultiResolution(nn.Module):  # type: ignore[misc]  # torch is not seen by mypy
    """Three views of one picture under one linear layer.

    Parameters
    ----------
    backbone : nn.Module
        Normalised pixels (N, 3, H, W) to features (N, D).
    tower : nn.Module
        On these features.
    branches : sequence of nn.Module
        Pixels to maps.
    size : tuple of int
        Height and width of the pictures, which the layer is made for.
    dim : int
        Length of the embedding.

    Examples
    --------
    >>> backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> network = MultiResolution(backbone, nn.Identity(), conv_branches(8), (32, 32), dim=5).eval()
    >>> network(torch.zeros(2, 3, 32, 32)).detach().norm(dim=1).round(decimals=4)
    tensor([1., 1.])
    """

    def __init__(
        self, backbone: nn.Module, tower: nn.Module, branches: Sequence[nn.Module], size: tuple[int, int], dim: int
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.tower = tower
        self.branches = nn.ModuleList(branches)
        with torch.inference_mode():
            width = self.eval().parts(torch.zeros(1, 3, *size)).shape[1]
        self.train()
        self.joint = nn.Linear(width, dim)

    def parts(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return what the three see, side by side, each of norm 1."""
        seen = [self.tower(self.backbone(pixels)), *(branch(pixels).flatten(1) for branch in self.branches)]
        return torch.cat([functional.normalize(one, dim=1) for one in seen], dim=1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map normalised pixels (N, 3, H, W) to embeddings (N, dim) of norm 1."""
        return functional.normalize(self.joint(self.parts(pixels)), dim=1)


def conv_branches(width: int) -> list[nn.Module]:
    """Return two networks of three convolutions, for pictures of a quarter and of an eighth of the side (SimNet).

    The paper says no more of them than that; that each convolution halves the map is ours.
    """
    return [_shallow(times, width) for times in (4, 8)]


def pooled_branches(width: int) -> list[nn.Module]:
    """Return two networks of one convolution with a wide stride, then a maximum (deep ranking).

    8 x 8 pixels every 16, then the maximum of 3 x 3 every 4; and 8 x 8 pixels every 32, then 7 x 7 every 2. Either
    gives 4 x 4 places of a picture of 224 x 224.
    """
    first = nn.Sequential(nn.Conv2d(3, width, 8, stride=16), nn.MaxPool2d(3, 4, ceil_mode=True))
    return [first, nn.Sequential(nn.Conv2d(3, width, 8, stride=32), nn.MaxPool2d(7, 2, padding=3))]


def tower(features: int, hidden: int, dropout: float) -> nn.Module:
    """Return two linear layers with dropout, as stand on the deep network of deep ranking."""
    first = [nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*first, nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout))


def _shallow(times: int, width: int) -> nn.Module:
    widths = (3, max(1, width // 3), max(1, 2 * width // 3), width)
    layers: list[nn.Module] = [nn.AvgPool2d(times)]
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)

"""Features tapped from many layers of one network, in one forward pass.

This module imports torch.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import torch
from torch import nn
from torch.nn import functional

from lookalike.core.errors import EncoderError

__all__ = ["Norm", "Pool", "Tapped", "Tokens", "gem", "is_channels_last", "prefix_tokens"]

Pool: TypeAlias = Literal["average", "gem"]
Tokens: TypeAlias = Literal["class", "mean"]
Norm: TypeAlias = Literal["corrected", "published", "none"]

GEM_POWER = 3.0
SMALLEST = 1e-6


def gem(features: torch.Tensor, power: float = GEM_POWER) -> torch.Tensor:
    """Pool maps by their generalised mean over space: ``mean(max(x, 1e-6) ** power) ** (1 / power)``.

    Power 1 is the average (of what is positive); as it grows, the result nears the maximum. Radenović et al.,
    *Fine-tuning CNN image retrieval with no human annotation* (2018).

    Parameters
    ----------
    features : float (N, C, H, W)
    power : float
        Positive.

    Returns
    -------
    float (N, C)

    Examples
    --------
    >>> gem(torch.tensor([[[[0.0, 2.0]]]]))
    tensor([[1.5874]])
    """
    return features.clamp(min=SMALLEST).pow(power).mean((2, 3)).pow(1 / power)


def is_channels_last(shape: Sequence[int], picture: Sequence[int], otherwise: bool = False) -> bool:
    """Tell whether a map's channels come last, by which of its sides have the picture's proportions.

    Parameters
    ----------
    shape : (N, C, H, W) or (N, H, W, C)
    picture : (N, 3, H, W)
        What the network was given.
    otherwise : bool
        The answer where both fit, or neither.

    Examples
    --------
    >>> is_channels_last((1, 7, 7, 768), (1, 3, 224, 224))
    True
    >>> is_channels_last((1, 512, 7, 7), (1, 3, 224, 224))
    False
    """
    height, width = int(picture[2]), int(picture[3])

    def off(rows: int, columns: int) -> float:
        return abs(rows * width - columns * height) / max(rows * width, columns * height)

    first, last = off(int(shape[2]), int(shape[3])), off(int(shape[1]), int(shape[2]))
    return last < first if first != last else otherwise


def prefix_tokens(module: nn.Module) -> int:
    """Count the tokens that stand before those of the patches: the class token and its like.

    Examples
    --------
    >>> prefix_tokens(nn.Linear(1, 1))
    0
    """
    stated = getattr(module, "num_prefix_tokens", None)
    if isinstance(stated, int):
        return stated
    names = ("cls_token", "class_token", "class_embedding")
    return int(any(isinstance(getattr(module, name, None), torch.Tensor) for name in names))


class Tapped(nn.Module):  # type: ignore[misc]  # torch is not seen by mypy
    """A network whose output is what its tapped layers hold: pooled, scaled to norm 1, concatenated.

    Taps are maps (N, C, H, W) or (N, H, W, C), tokens (N, T, C), or vectors (N, C); of a tuple the first entry counts.
    A layer that runs more than once is taken where it ran last. Safe to call from several threads, and can be traced.

    Parameters
    ----------
    module : nn.Module
        The network; maps normalised pixels (N, 3, H, W) to anything.
    layers : sequence of str
        Paths as in ``module.named_modules()``; none for the network's own output.
    pool : {"average", "gem"}
        How maps become vectors.
    tokens : {"class", "mean"}
        Which tokens are taken: the first, or the mean of the patches. Without a class token it is the mean.
    norm : {"corrected", "published", "none"}
        Which taps are scaled to norm 1 before they are put side by side: all, only those that were maps, or none.

    Raises
    ------
    EncoderError
        The network has no such layer.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 8, 3))
    >>> Tapped(network, ["1", "2"])(torch.zeros(2, 3, 8, 8)).shape
    torch.Size([2, 12])
    """

    def __init__(
        self,
        module: nn.Module,
        layers: Sequence[str] = (),
        pool: Pool = "average",
        tokens: Tokens = "class",
        norm: Norm = "corrected",
    ) -> None:
        super().__init__()
        self.module = module
        self.layers = tuple(layers)
        self.pool: Pool = pool
        self.tokens: Tokens = tokens
        self.norm: Norm = norm
        self._prefix = prefix_tokens(module)
        self._last = getattr(module, "output_fmt", None) == "NHWC" or "Swin" in type(module).__name__
        # What each thread's forward pass holds so far. A plain dict, so that the module can be copied.
        self._held: dict[int, dict[str, Any]] = {}
        known = dict(module.named_modules())
        for layer in self.layers:
            if layer not in known:
                raise EncoderError(f"the network has no layer '{layer}'{_near(layer, known)}")
            known[layer].register_forward_hook(_Hook(self._held, layer))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Encode normalised pixels, float (N, 3, H, W), to float (N, D)."""
        if not self.layers:
            return self._vector(self.module(pixels), pixels)
        thread = threading.get_ident()
        held: dict[str, Any] = {"": lambda output: self._scaled(output, pixels)}
        self._held[thread] = held
        try:
            self.module(pixels)
        finally:
            del self._held[thread]
        absent = [layer for layer in self.layers if layer not in held]
        if absent:
            raise EncoderError(f"the layer '{absent[0]}' takes no part when the network runs: tap another")
        return torch.cat([held[layer] for layer in self.layers], dim=1)

    def _scaled(self, output: Any, pixels: torch.Tensor) -> torch.Tensor:
        vector = self._vector(output, pixels)
        wanted = self.norm == "corrected" or (self.norm == "published" and _tensor(output).ndim == 4)
        return functional.normalize(vector, dim=1) if wanted else vector

    def _vector(self, output: Any, pixels: torch.Tensor) -> torch.Tensor:
        tensor = _tensor(output)
        if tensor.ndim == 4:
            if is_channels_last(tensor.shape, pixels.shape, self._last):
                tensor = tensor.permute(0, 3, 1, 2)
            return gem(tensor) if self.pool == "gem" else tensor.mean((2, 3))
        if tensor.ndim == 3:
            by_class = self.tokens == "class" and self._prefix > 0
            return tensor[:, 0] if by_class else tensor[:, self._prefix :].mean(1)
        if tensor.ndim == 2:
            return tensor
        shape = tuple(tensor.shape)
        raise EncoderError(f"a tap has shape {shape}: a map, tokens (N, T, D) or a vector (N, D) is needed")


class _Hook:
    """Keeps what a layer gives, reduced at once: an operation in place may overwrite it later."""

    def __init__(self, held: dict[int, dict[str, Any]], layer: str) -> None:
        self._held = held
        self._layer = layer

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> None:  # noqa: ARG002 torch's signature
        held = self._held.get(threading.get_ident())
        if held is not None:
            held[self._layer] = held[""](output)


def _tensor(output: Any) -> torch.Tensor:
    while isinstance(output, tuple | list) and output:
        output = output[0]
    if not isinstance(output, torch.Tensor):
        raise EncoderError(f"a tap gives a {type(output).__name__}, not a tensor")
    return output


def _near(layer: str, known: dict[str, Any]) -> str:
    import difflib

    close = difflib.get_close_matches(layer, known, n=3, cutoff=0.5)
    top = [name for name in known if name and "." not in name]
    return f": did you mean {' or '.join(close)}?" if close else f": it has {', '.join(top[:12])}"

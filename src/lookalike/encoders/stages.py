"""Which layers ``last:N`` means: the ends of a network's last N stages, or its last N blocks.

This module imports torch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lookalike.core.errors import EncoderError
from lookalike.encoders.tapped import is_channels_last

__all__ = ["last_layers", "stages"]


def last_layers(network: nn.Module, last: str, input_size: tuple[int, int]) -> tuple[str, ...]:
    """Return the layers that ``last:N`` means for a network, in the order in which they run.

    Parameters
    ----------
    network : nn.Module
        In eval mode.
    last : str
        ``"last:4"``.
    input_size : tuple of int
        Height and width of the pictures.

    Raises
    ------
    EncoderError
        N is not a positive number, or the network has fewer stages; the message lists them.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 1), nn.ReLU())
    >>> last_layers(network, "last:2", (8, 8))
    ('1', '4')
    """
    written = last.removeprefix("last:")
    if not written.isdecimal() or int(written) == 0:
        raise EncoderError(f"'{last}' is not last:N with a number of layers, such as last:4")
    found = stages(network, input_size)
    if len(found) < int(written):
        raise EncoderError(f"{last}: the network has {len(found)} stages ({', '.join(found) or 'none'})")
    return tuple(found[-int(written) :])


def stages(network: nn.Module, input_size: tuple[int, int]) -> list[str]:
    """Return the ends of a network's stages, in the order in which they run.

    Of the modules that one container holds directly, those count that give a map and are the last of their map's size
    (a stage of a convolutional network ends there), and those that give tokens and have weights (the blocks of a
    transformer). The container is the one in which most count.

    Parameters
    ----------
    network : nn.Module
        In eval mode; it is run once, on a grey picture.
    input_size : tuple of int
        Height and width.

    Examples
    --------
    >>> stages(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)), (8, 8))
    ['1']
    """
    ran = _run(network, input_size)
    best: list[str] = []
    for container, module in network.named_modules():
        prefix = f"{container}." if container else ""
        children = {f"{prefix}{child}" for child, _ in module.named_children()}
        ends = _ends({layer: shape for layer, shape in ran.items() if layer in children}, module, input_size)
        if len(ends) > len(best):
            best = ends
    return best


def _ends(shapes: dict[str, tuple[int, ...]], container: nn.Module, input_size: tuple[int, int]) -> list[str]:
    """Return the layers, of those in one container, at which a stage or block ends."""
    by_size: dict[tuple[int, ...], str] = {}
    blocks = []
    for layer, shape in shapes.items():
        if len(shape) == 4:
            last = is_channels_last(shape, (1, 3, *input_size))
            size = shape[1:3] if last else shape[2:]
            by_size.pop(size, None)
            if min(size) > 1:
                by_size[size] = layer
        elif len(shape) == 3 and isinstance(container, nn.Sequential | nn.ModuleList):
            child = container.get_submodule(layer.rpartition(".")[2])
            if any(True for _ in child.parameters()):
                blocks.append(layer)
    # A container may also hold the map that tokens are made of: it holds stages or blocks, not both.
    return max(list(by_size.values()), blocks, key=len)


def _run(network: nn.Module, input_size: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    """Return the shape of what every module gives, in the order in which they end."""
    shapes: dict[str, tuple[int, ...]] = {}

    def note(layer: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:  # noqa: ARG001 torch's signature
            while isinstance(output, tuple | list) and output:
                output = output[0]
            if isinstance(output, torch.Tensor) and not isinstance(module, nn.Identity):
                shapes.pop(layer, None)
                shapes[layer] = tuple(output.shape)

        return hook

    hooks = [module.register_forward_hook(note(layer)) for layer, module in network.named_modules() if layer]
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 3, *input_size))
    except (RuntimeError, AssertionError, ValueError) as error:
        height, width = input_size
        raise EncoderError(f"does not take pictures of {height} x {width} pixels ({str(error)[:160]})") from error
    finally:
        for hook in hooks:
            hook.remove()
    return shapes

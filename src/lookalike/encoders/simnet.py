"""``simnet:BACKBONE`` and ``deeprank:BACKBONE``: networks of three resolutions on any classifier of torchvision.

``simnet:vgg16`` is the network of Appalaraju and Chaoji, *Image similarity using deep CNN and curriculum learning*
(2017): beside the backbone stand two of three convolutions, for pictures made 4 and 8 times smaller, and one linear
layer gives 4,096 numbers. ``deeprank:vgg16`` is that of the program after Wang et al., *Learning fine-grained image
similarity with deep ranking* (2014): two linear layers with dropout on the backbone, and two branches of a convolution.

Nobody published weights of either. The file is that of the backbone, with which training begins: the rest then has
weights of chance, always the same. A file of the whole network is taken too. Options: ``dim`` (4096), ``width`` of the
branches (96), and of deeprank ``hidden`` (4096) and ``dropout`` (0.6); others go to the backbone.

torch is imported only when a network is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from lookalike.core.errors import EncoderError
from lookalike.encoders.name import EncoderName, parse_name
from lookalike.encoders.published import lazy_factory
from lookalike.encoders.sources import WeightSource
from lookalike.encoders.spec import ENCODERS

if TYPE_CHECKING:
    from lookalike.encoders.network import Architecture
    from lookalike.encoders.state import State

__all__ = ["architecture", "describe", "names"]

BACKBONES = ("alexnet", "mobilenet_v2", "resnet18", "resnet50", "vgg16")
OWN = {"dim": 4096, "width": 96, "hidden": 4096, "dropout": 0.6}
SEED = 0


def names() -> list[str]:
    """Return the names of some of the networks; every classifier of torchvision can be the backbone.

    Examples
    --------
    >>> [name for name in names() if name.endswith("vgg16")]
    ['deeprank:vgg16', 'simnet:vgg16']
    """
    return sorted(f"{family}:{backbone}" for family in ("simnet", "deeprank") for backbone in BACKBONES)


def describe(name: str) -> WeightSource:
    """Return where the weights of a network's backbone are. Imports torch."""
    return architecture(parse_name(name)).source


def architecture(name: EncoderName) -> Architecture:
    """Return the network of a name. Imports torch.

    Raises
    ------
    UnknownNameError, EncoderError
        torchvision has no such classifier, or an option is out of range.
    """
    from lookalike.encoders import torchvision

    options = {key: value for key, value in name.options.items() if key not in OWN}
    backbone = torchvision.architecture(replace(name, family="torchvision", layers=(), options=options))
    own = {**OWN, **{key: value for key, value in name.builder.items() if key in OWN}}
    _check(name, own)
    return replace(
        backbone,
        family=name.family,
        model=name.model,
        build=partial(_build, name.family, backbone.build, backbone.input_size, own),
        default_layers=(),
        convert=partial(_with_backbone, backbone.convert),
    )


def _check(name: EncoderName, own: dict[str, Any]) -> None:
    for key in ("dim", "width", "hidden"):
        if not (isinstance(own[key], int) and own[key] >= 1):
            raise EncoderError(f"{name.recipe}: {key} is a whole number from 1, not {own[key]!r}")
    if not (isinstance(own["dropout"], int | float) and 0 <= own["dropout"] < 1):
        raise EncoderError(f"{name.recipe}: dropout is at least 0 and below 1, not {own['dropout']!r}")
    for key in ("hidden", "dropout"):
        if name.family == "simnet" and key in name.builder:
            raise EncoderError(f"{name.recipe}: {key} is for deeprank: leave it out")


def _build(family: str, make: Callable[[], Any], size: tuple[int, int], own: dict[str, Any]) -> Any:
    """Build a network, the same each time: what no file holds begins alike wherever it is loaded."""
    import torch

    from lookalike.encoders.simnet_network import MultiResolution, conv_branches, pooled_branches, tower

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        backbone = make().eval()
        if family == "simnet":
            return MultiResolution(backbone, torch.nn.Identity(), conv_branches(own["width"]), size, own["dim"])
        with torch.inference_mode():
            features = backbone(torch.zeros(1, 3, *size)).shape[1]
        top = tower(features, own["hidden"], own["dropout"])
        return MultiResolution(backbone, top, pooled_branches(own["width"]), size, own["dim"])


def _with_backbone(convert: Callable[[State, Any], State] | None, state: State, network: Any) -> State:
    """Take a file of the backbone alone: the rest stays as it was built."""
    renamed = convert(state, network.backbone) if convert is not None else state
    inside = network.backbone.state_dict()
    if not all(key in renamed or key.endswith("num_batches_tracked") for key in inside):
        return state  # of another network: what is missing is said of the names as they are
    named = {f"backbone.{key}" if key in inside else key: value for key, value in renamed.items()}
    return {**network.state_dict(), **named}


for _family in ("simnet", "deeprank"):
    ENCODERS.register(_family)(lazy_factory(_family, architecture))

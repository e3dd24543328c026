"""``torchvision:MODEL``: the image classifiers of torchvision, without their classifiers.

``torchvision:resnet50`` takes torchvision's default weights, ``torchvision:resnet50.IMAGENET1K_V1`` others of its
published ones. The feature is what the last linear layer is given; for vgg, alexnet and squeezenet it is the last map,
averaged over space (their linear layers are kept only where one of them is tapped). The last linear layer itself is
kept where it is tapped: ``torchvision:resnet50[fc,norm=published]`` gives the logits of the classes.

This module imports torch and torchvision.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from lookalike.core.errors import EncoderError, UnknownNameError
from lookalike.encoders.name import EncoderName, parse_name
from lookalike.encoders.network import Architecture, load_named
from lookalike.encoders.sources import WeightSource
from lookalike.encoders.spec import ENCODERS, PixelEncoder
from lookalike.encoders.state import State
from lookalike.encoders.torch_import import import_torchvision

__all__ = ["architecture", "describe", "names"]

models = import_torchvision().models

BY_MAP = ("vgg", "alexnet", "squeezenet")
"""Families whose feature is their last map."""

LICENCE = "BSD-3-Clause, for the code; the weights were trained on ImageNet"


@ENCODERS.register("torchvision")
def load(argument: str, weights: Path | None, device: str) -> PixelEncoder:
    """Load ``torchvision:MODEL``."""
    return load_named("torchvision", argument, weights, device, architecture)


def names() -> list[str]:
    """Return the names of all image classifiers of torchvision, and of their other published weights.

    Examples
    --------
    >>> [name for name in names() if name.startswith("torchvision:resnet50")]
    ['torchvision:resnet50', 'torchvision:resnet50.IMAGENET1K_V1', 'torchvision:resnet50.IMAGENET1K_V2']
    """
    found = []
    for model in models.list_models(module=models):
        tags = [entry.name for entry in models.get_model_weights(model)]
        found += [f"torchvision:{model}", *(f"torchvision:{model}.{tag}" for tag in tags)]
    return sorted(found)


def describe(name: str) -> WeightSource:
    """Return where the weights of a network are.

    Examples
    --------
    >>> describe("torchvision:alexnet").sha256
    '7be5be79'
    """
    return architecture(parse_name(name)).source


def architecture(name: EncoderName) -> Architecture:
    """Return the network of a name.

    Raises
    ------
    UnknownNameError, EncoderError
        torchvision has no such classifier, or no such weights of it.

    Examples
    --------
    >>> architecture(parse_name("torchvision:resnet18")).source.file
    'resnet18-f37072fd.pth'
    """
    model, _, tag = name.model.partition(".")
    known = models.list_models(module=models)
    if model not in known:
        raise UnknownNameError("torchvision classifier", model, known)
    published = models.get_model_weights(model)
    if tag and tag not in published.__members__:
        raise EncoderError(f"{name.recipe}: its published weights are {', '.join(published.__members__)}")
    weights = published[tag] if tag else published.DEFAULT
    picture = weights.transforms()
    size = int(name.options.get("size", picture.crop_size[0]))
    options = {**_sized(model, size), **name.builder}
    maps = model.startswith(BY_MAP)
    return Architecture(
        family="torchvision",
        model=name.model,
        build=partial(
            _build, model, options, maps and not any(x.startswith("classifier") for x in name.layers), name.layers
        ),
        source=_source(weights.url),
        input_size=(size, size),
        mean=tuple(picture.mean),
        std=tuple(picture.std),
        default_layers=("features",) if maps else (),
        licence=str(weights.meta.get("license", LICENCE)),
        convert=_convert,
    )


def _sized(model: str, size: int) -> dict[str, Any]:
    """Return the option of networks that are built for one size of picture."""
    if model.startswith("vit_"):
        return {"image_size": size}
    return {"input_size": (size, size)} if model.startswith("maxvit") else {}


def _source(url: str) -> WeightSource:
    file = url.rsplit("/", 1)[-1]
    checksum = re.search(r"-([0-9a-f]{8,})\.", file)
    return WeightSource(file, url, checksum[1] if checksum else None)


def _build(model: str, options: dict[str, Any], only_map: bool, layers: tuple[str, ...]) -> nn.Module:
    builder = models.get_model_builder(model)
    if model in ("inception_v3", "googlenet"):
        # The published weights expect their own normalisation, which the network does itself.
        options = {"transform_input": True, "aux_logits": False, "init_weights": False, **options}
    if model.startswith("vgg"):
        options = {"init_weights": False, **options}
    network = builder(weights=None, **options)
    if only_map:
        network.avgpool = nn.AdaptiveAvgPool2d(1)  # SqueezeNet has none, and pools in its classifier
        network.classifier = nn.AdaptiveAvgPool2d(1) if model.startswith("squeezenet") else nn.Identity()
        return network
    linear = [path for path, module in network.named_modules() if isinstance(module, nn.Linear)]
    # SqueezeNet ends in a convolution, which stays where a layer near it is tapped.
    if linear and linear[-1] not in layers:
        parent, _, child = linear[-1].rpartition(".")
        setattr(network.get_submodule(parent), child, nn.Identity())
    return network


def _convert(state: State, network: nn.Module) -> State:  # noqa: ARG001 one signature for all families
    """Rename as torchvision itself does when it loads files older than its networks."""
    renamed = {}
    for key, value in state.items():
        key = re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.", r"\1\2.", key)
        key = re.sub(r"(encoder_layer_\d+\.mlp)\.linear_([12])\.", lambda m: f"{m[1]}.{3 * int(m[2]) - 3}.", key)
        renamed[key] = value
    return renamed

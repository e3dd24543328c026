"""``timm:MODEL``: every network of timm, without its classifier, with or without a tag for its weights.

``timm:resnet18`` takes timm's default weights, ``timm:resnet18.fb_swsl_ig1b_ft_in1k`` others that it knows. The feature
is what the classifier would be given. ``KEY=VALUE`` options go to ``timm.create_model``.

This module imports torch and timm.
"""

from __future__ import annotations

import logging
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from lookalike.core.errors import EncoderError, UnknownNameError
from lookalike.encoders.name import EncoderName, parse_name
from lookalike.encoders.network import Architecture, load_named
from lookalike.encoders.sources import WeightSource, hub_url
from lookalike.encoders.spec import ENCODERS, PixelEncoder
from lookalike.encoders.state import Convert, State
from lookalike.encoders.torch_import import import_torchvision

import_torchvision()
import timm  # noqa: E402 torchvision must be mended first

__all__ = ["architecture", "describe", "names"]

FILTERS = ("checkpoint_filter_fn", "_filter_fn", "_filter_torchvision_pretrained", "pretrained_filter_fn")
"""What timm's modules call the function that makes published files fit their networks."""


@ENCODERS.register("timm")
def load(argument: str, weights: Path | None, device: str) -> PixelEncoder:
    """Load ``timm:MODEL``."""
    return load_named("timm", argument, weights, device, architecture)


def names() -> list[str]:
    """Return the names of all networks of timm, and of those with a tag.

    Examples
    --------
    >>> {"timm:resnet18", "timm:vit_base_patch16_224.dino"} <= set(names())
    True
    """
    return sorted(f"timm:{name}" for name in {*timm.list_models(), *timm.list_models(pretrained=True)})


def describe(name: str) -> WeightSource:
    """Return where the weights of a network are.

    Examples
    --------
    >>> describe("timm:resnet18.a1_in1k").file
    'timm--resnet18.a1_in1k.safetensors'
    """
    return architecture(parse_name(name)).source


def architecture(name: EncoderName) -> Architecture:
    """Return the network of a name.

    Raises
    ------
    UnknownNameError, EncoderError
        timm has no such network, or the network no such tag.

    Examples
    --------
    >>> architecture(parse_name("timm:vit_base_patch16_224.dino")).mean
    (0.485, 0.456, 0.406)
    """
    model, _, tag = name.model.partition(".")
    if not timm.is_model(model):
        raise UnknownNameError("network of timm", model, timm.list_models())
    try:
        config: Any = timm.get_pretrained_cfg(name.model, allow_unregistered=False)
    except RuntimeError:
        known = ", ".join(sorted(full.partition(".")[2] for full in timm.list_models(f"{model}.*", pretrained=True)))
        raise EncoderError(f"timm:{model} has no weights '{tag}'; it has {known or 'none'}") from None
    options = dict(name.builder)
    size = name.options.get("size", options.get("img_size"))
    if "size" in name.options and config.fixed_input_size:
        options.setdefault("img_size", size)
    height, width = _two(size) if size is not None else config.input_size[1:]
    return Architecture(
        family="timm",
        model=name.model,
        build=partial(_build, name.model, options),
        source=_source(name.model, config),
        input_size=(height, width),
        mean=tuple(config.mean),
        std=tuple(config.std),
        licence=config.license or "not stated",
        convert=_filter(model),
        surplus=_classifiers(config.classifier),
    )


def _two(size: Any) -> tuple[int, int]:
    sides = [size, size] if isinstance(size, int) else size
    return int(sides[0]), int(sides[1])


def _source(model: str, config: Any) -> WeightSource:
    """Say where timm would fetch the weights: the hub, else an address of its own."""
    if config.hf_hub_id:
        file = config.hf_hub_filename or "model.safetensors"
        tagged = str(config.hf_hub_id).rpartition("/")[2]
        return WeightSource(f"timm--{tagged}{Path(file).suffix}", hub_url(config.hf_hub_id, file))
    if isinstance(config.url, str) and config.url.startswith("http"):
        file = config.url.rsplit("/", 1)[-1]
        checksum = re.search(r"-([0-9a-f]{8,})\.[a-z.]+$", file)
        return WeightSource(f"timm--{file}", config.url, checksum[1] if checksum else None)
    return WeightSource("", how=f"timm knows no weights for {model}")


def _classifiers(names: Any) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())


def _build(model: str, options: dict[str, Any]) -> nn.Module:
    log = logging.getLogger("timm")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        return timm.create_model(model, **{"pretrained": False, "num_classes": 0, **options})
    finally:
        log.setLevel(level)


def _filter(model: str) -> Convert | None:
    """Return timm's own conversion of published files for a network: old names, other sizes of picture."""
    module = sys.modules[timm.models.model_entrypoint(model).__module__]
    found = next((getattr(module, key) for key in FILTERS if hasattr(module, key)), None)
    if found is None:
        return None

    def convert(state: State, network: nn.Module) -> State:
        try:
            return dict(found(state, network))
        except TypeError:
            return dict(found(state))  # some take the tensors alone

    return convert

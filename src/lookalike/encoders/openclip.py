"""``openclip:MODEL/TAG``: the picture towers of OpenCLIP's networks, OpenAI's CLIP among them.

``openclip:RN50x4/openai``, ``openclip:ViT-B-32/laion2b_s34b_b79k``; ``openclip:MODEL`` alone for weights of your own.
The feature is the tower's: where pictures and texts meet. Layers to tap are ``layer1`` to ``layer4`` and ``attnpool``
in ResNets, ``transformer.resblocks.N`` and ``ln_post`` in transformers, ``trunk.…`` in towers of timm's. ``KEY=VALUE``
options go to OpenCLIP's configuration of the tower.

The weights are the safetensors files that OpenCLIP itself fetches, of all towers; only the picture tower is loaded.
OpenAI's own ``.pt`` files are programs, and are not opened.

This module imports torch and open_clip.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from torch import nn

from lookalike.core.errors import EncoderError, UnknownNameError
from lookalike.encoders.name import EncoderName, parse_name
from lookalike.encoders.network import Architecture, load_named
from lookalike.encoders.sources import WeightSource, hub_url
from lookalike.encoders.spec import ENCODERS, PixelEncoder
from lookalike.encoders.state import State
from lookalike.encoders.torch_import import import_torchvision

import_torchvision()
import open_clip  # noqa: E402 torchvision must be mended first
from open_clip import constants  # noqa: E402

__all__ = ["architecture", "describe", "names"]


@ENCODERS.register("openclip")
def load(argument: str, weights: Path | None, device: str) -> PixelEncoder:
    """Load ``openclip:MODEL/TAG``."""
    return load_named("openclip", argument, weights, device, architecture)


def names() -> list[str]:
    """Return the names of all published networks.

    Examples
    --------
    >>> {"openclip:RN50x4/openai", "openclip:ViT-B-32/openai"} <= set(names())
    True
    """
    return sorted(f"openclip:{model}/{tag}" for model, tag in open_clip.list_pretrained())


def describe(name: str) -> WeightSource:
    """Return where the weights of a network are.

    Examples
    --------
    >>> describe("openclip:RN50x4/openai").file
    'openclip--resnet50x4_clip.openai.safetensors'
    """
    return architecture(parse_name(name)).source


def architecture(name: EncoderName) -> Architecture:
    """Return the picture tower of a name.

    Raises
    ------
    UnknownNameError, EncoderError
        OpenCLIP has no such network, or the network no such tag.

    Examples
    --------
    >>> architecture(parse_name("openclip:RN50x4/openai")).input_size
    (288, 288)
    """
    model, _, tag = name.model.partition("/")
    known = open_clip.list_models()
    if model not in known:
        raise UnknownNameError("network of OpenCLIP", model, known)
    config = open_clip.get_model_config(model)
    published = open_clip.get_pretrained_cfg(model, tag)
    if tag and not published:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "none"
        raise EncoderError(f"openclip:{model} has no weights '{tag}'; it has {tags}")
    size = name.options.get("size", config["vision_cfg"].get("image_size", 224))
    height, width = (size, size) if isinstance(size, int) else size
    # The tag says which activation its weights were trained with, whatever the configuration of the network.
    quick = bool(published.get("quick_gelu") if tag else config.get("quick_gelu", False))
    return Architecture(
        family="openclip",
        model=name.model,
        build=partial(_build, config, name.builder, (height, width), quick),
        source=_source(model, published),
        input_size=(height, width),
        mean=tuple(published.get("mean") or constants.OPENAI_DATASET_MEAN),
        std=tuple(published.get("std") or constants.OPENAI_DATASET_STD),
        resize="squash" if published.get("resize_mode") == "squash" else "crop",
        licence="MIT" if tag == "openai" else "as the publisher of these weights states",
        convert=_resample,
    )


def _source(model: str, published: dict[str, Any]) -> WeightSource:
    """Say which safetensors file OpenCLIP would fetch."""
    if not published:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "none is published"
        return WeightSource("", how=f"openclip:{model}/TAG names published weights ({tags})")
    repository, _, file = str(published["hf_hub"]).rpartition("/")
    file = file or constants.HF_SAFE_WEIGHTS_NAME
    return WeightSource(
        f"openclip--{repository.rpartition('/')[2]}{Path(file).suffix}",
        hub_url(repository, file),
        how="OpenAI's own .pt file is a program: load it in torch and save its state_dict()",
    )


def _build(config: dict[str, Any], options: dict[str, Any], size: tuple[int, int], quick: bool) -> nn.Module:
    tower: Any = config["vision_cfg"]
    # What create_model calls; that would build the text tower too, which may be larger and is not needed.
    build: Any = open_clip.model._build_vision_tower
    side = size[0] if size[0] == size[1] else size  # its ResNets take a number
    asked = {**tower, "timm_model_pretrained": False, "image_size": side, **options}
    network: nn.Module = build(config["embed_dim"], asked, quick)
    prefix = getattr(getattr(network, "trunk", None), "num_prefix_tokens", None)
    if prefix is not None:
        network.num_prefix_tokens = prefix
    return network


def _resample(state: State, network: nn.Module) -> State:
    """Fit the positions of a transformer to another size of picture."""
    whole = {f"visual.{key}": value for key, value in state.items()}
    open_clip.model.resize_pos_embed(whole, SimpleNamespace(visual=network))
    return {key.removeprefix("visual."): value for key, value in whole.items()}

"""Networks known by the files of those who trained them.

- ``dino:MODEL`` and ``dinov2:MODEL``: self-supervised networks of Caron et al. (2021) and Oquab et al. (2023), the
  latter also with registers (``_reg``); ``dinov2`` takes pictures of 224 pixels, another multiple of 14 by ``size=N``;
- ``swsl:MODEL``, ``ssl:MODEL``: ResNets trained on a billion pictures of Instagram, or on YFCC100M, and ImageNet, by
  a larger teacher (Yalniz et al., 2019); ``wsl:MODEL``: on hashtags (Mahajan et al., 2018);
- ``barlow:resnet50``: Barlow Twins (Zbontar et al., 2021);
- ``bit:MODEL``: Big Transfer, trained on ImageNet-21k (Kolesnikov et al., 2020).

Options are those of ``timm`` encoders for transformers and ``bit``. torch is imported only when a network is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lookalike.core.errors import EncoderError, UnknownNameError
from lookalike.encoders.name import EncoderName, parse_name
from lookalike.encoders.sources import WeightSource, hub_url
from lookalike.encoders.spec import ENCODERS, EncoderFactory, PixelEncoder

if TYPE_CHECKING:
    from lookalike.encoders.network import Architecture

__all__ = ["architecture", "describe", "lazy_factory", "names"]

META = "https://dl.fbaipublicfiles.com"
TEACHER = f"{META}/semiweaksupervision/model_files"
NON_COMMERCIAL = "CC-BY-NC-4.0"


@dataclass(frozen=True, slots=True)
class Published:
    """A published file and the network that it fits.

    Attributes
    ----------
    network : str
        A ResNet or ResNeXt (``resnext101_32x8d``), or ``timm:MODEL``.
    url : str
        Of the file; ``hub:REPOSITORY`` for the safetensors file of a repository of the Hugging Face hub.
    file : str
        Its name in the folder of weights, where not the last part of the address.
    size : int
        Side of the pictures, where not as the network's own.
    """

    network: str
    url: str
    file: str = ""
    size: int | None = None

    def source(self) -> WeightSource:
        """Return where the file is; a checksum stands in the names of some."""
        hub = self.url.removeprefix("hub:")
        if hub != self.url:
            return WeightSource(f"timm--{hub.rpartition('/')[2]}.safetensors", hub_url(hub, "model.safetensors"))
        checksum = re.search(r"-([0-9a-f]{8})\.pth$", self.url)
        return WeightSource(self.file or self.url.rpartition("/")[2], self.url, checksum[1] if checksum else None)


@dataclass(frozen=True, slots=True)
class Family:
    """The files of one publisher."""

    licence: str
    networks: Mapping[str, Published] = field(default_factory=dict)


def _dino(network: str, published: str) -> Published:
    return Published(network, f"{META}/dino/dino_{published}_pretrain/dino_{published}_pretrain.pth")


def _dinov2(letter: str, size: str) -> dict[str, Published]:
    address, network = f"{META}/dinov2/dinov2_vit{letter}14/dinov2_vit{letter}14", f"timm:vit_{size}_patch14"
    return {
        f"vit{letter}14": Published(f"{network}_dinov2", f"{address}_pretrain.pth", size=224),
        f"vit{letter}14_reg": Published(f"{network}_reg4_dinov2", f"{address}_reg4_pretrain.pth", size=224),
    }


def _taught(kind: str, checksums: Mapping[str, str]) -> dict[str, Published]:
    return {
        network: Published(network, f"{TEACHER}/{kind}_supervised_{network.removesuffix('d')}-{checksum}.pth")
        for network, checksum in checksums.items()
    }


def _hashtags(width: int, checksum: str) -> Published:
    address = f"https://download.pytorch.org/models/ig_resnext101_32x{width}-{checksum}.pth"
    return Published(f"resnext101_32x{width}d", address)


FAMILIES: Mapping[str, Family] = {
    "dino": Family(
        "Apache-2.0",
        {
            "resnet50": _dino("resnet50", "resnet50"),
            "deits16": _dino("timm:vit_small_patch16_224.dino", "deitsmall16"),
            "deits8": _dino("timm:vit_small_patch8_224.dino", "deitsmall8"),
            "vitb16": _dino("timm:vit_base_patch16_224.dino", "vitbase16"),
            "vitb8": _dino("timm:vit_base_patch8_224.dino", "vitbase8"),
            "xcit_small_12_p16": _dino("timm:xcit_small_12_p16_224", "xcit_small_12_p16"),
            "xcit_small_12_p8": _dino("timm:xcit_small_12_p8_224", "xcit_small_12_p8"),
            "xcit_medium_24_p16": _dino("timm:xcit_medium_24_p16_224", "xcit_medium_24_p16"),
            "xcit_medium_24_p8": _dino("timm:xcit_medium_24_p8_224", "xcit_medium_24_p8"),
        },
    ),
    "dinov2": Family(
        "Apache-2.0",
        {**_dinov2("s", "small"), **_dinov2("b", "base"), **_dinov2("l", "large"), **_dinov2("g", "giant")},
    ),
    "swsl": Family(
        NON_COMMERCIAL,
        _taught(
            "semi_weakly",
            {
                "resnet18": "118f1556",
                "resnet50": "16a12f1b",
                "resnext50_32x4d": "72679e44",
                "resnext101_32x4d": "3f87e46b",
                "resnext101_32x8d": "b4712904",
                "resnext101_32x16d": "f3559a9c",
            },
        ),
    ),
    "ssl": Family(
        NON_COMMERCIAL,
        _taught(
            "semi",
            {
                "resnet18": "d92f0530",
                "resnet50": "08389792",
                "resnext50_32x4d": "ddb3e555",
                "resnext101_32x4d": "dc43570a",
                "resnext101_32x8d": "2cfe2f8b",
                "resnext101_32x16d": "15fffa57",
            },
        ),
    ),
    "wsl": Family(
        NON_COMMERCIAL,
        {
            "resnext101_32x8d": _hashtags(8, "c38310e5"),
            "resnext101_32x16d": _hashtags(16, "c6f796b0"),
            "resnext101_32x32d": _hashtags(32, "e4b90b00"),
            "resnext101_32x48d": _hashtags(48, "3e41cc8a"),
        },
    ),
    "barlow": Family(
        NON_COMMERCIAL,
        {"resnet50": Published("resnet50", f"{META}/barlowtwins/ljng/resnet50.pth", "barlow--resnet50.pth")},
    ),
    "bit": Family(
        "Apache-2.0",
        {
            f"R{depth}x{width}": Published(
                f"timm:resnetv2_{depth}x{width}_bit.goog_in21k", f"hub:timm/resnetv2_{depth}x{width}_bit.goog_in21k"
            )
            for depth, width in ((50, 1), (50, 3), (101, 1), (101, 3), (152, 2), (152, 4))
        },
    ),
}


def names() -> list[str]:
    """Return the names of all networks of these families.

    Examples
    --------
    >>> {"dino:vitb16", "swsl:resnet50", "bit:R152x4"} <= set(names())
    True
    """
    return sorted(f"{family}:{model}" for family, entry in FAMILIES.items() for model in entry.networks)


def describe(name: str) -> WeightSource:
    """Return where the weights of a network are.

    Examples
    --------
    >>> source = describe("swsl:resnet18")
    >>> source.file, source.sha256
    ('semi_weakly_supervised_resnet18-118f1556.pth', '118f1556')
    """
    return _published(parse_name(name)).source()


def architecture(name: EncoderName) -> Architecture:
    """Return the network of a name. Imports torch.

    Raises
    ------
    UnknownNameError
        The family has no such network.
    """
    entry = _published(name)
    known = _of_timm(name, entry) if entry.network.startswith("timm:") else _residual(name, entry)
    return replace(
        known,
        family=name.family,
        model=name.model,
        source=entry.source(),
        licence=FAMILIES[name.family].licence,
    )


def _published(name: EncoderName) -> Published:
    networks = FAMILIES[name.family].networks
    if name.model not in networks:
        raise UnknownNameError(f"{name.family} network", name.model, networks)
    return networks[name.model]


def _of_timm(name: EncoderName, entry: Published) -> Architecture:
    from lookalike.encoders import timm

    options = dict(name.options)
    if entry.size is not None and "img_size" not in options:
        options.setdefault("size", entry.size)
    return timm.architecture(replace(name, family="timm", model=entry.network.removeprefix("timm:"), options=options))


def _residual(name: EncoderName, entry: Published) -> Architecture:
    from lookalike.encoders.network import Architecture

    return Architecture(
        family=name.family,
        model=name.model,
        build=partial(_build_residual, entry.network, name.builder),
        source=entry.source(),
    )


def _build_residual(network: str, options: Mapping[str, Any]) -> Any:
    """Build a ResNet or ResNeXt with the names of torchvision, which are those of the published files."""
    from torch import nn

    from lookalike.encoders.torch_import import import_torchvision

    resnet = import_torchvision().models.resnet
    parts = re.fullmatch(r"resne(?:xt|t)(\d+)(?:_32x(\d+)d)?", network)
    if parts is None:
        raise EncoderError(f"'{network}' is not a ResNet or ResNeXt")
    block, layers = {
        "18": (resnet.BasicBlock, [2, 2, 2, 2]),
        "50": (resnet.Bottleneck, [3, 4, 6, 3]),
        "101": (resnet.Bottleneck, [3, 4, 23, 3]),
    }[parts[1]]
    grouped = {"groups": 32, "width_per_group": int(parts[2])} if parts[2] else {}
    built = resnet.ResNet(block, layers, **{**grouped, **options})
    built.fc = nn.Identity()
    return built


def lazy_factory(family: str, architecture: Callable[[EncoderName], Architecture]) -> EncoderFactory:
    """Return what loads a network of a family whose module imports no torch, so that it can be listed without.

    Parameters
    ----------
    family : str
    architecture : callable
        Finds the network of a name; may import what the family needs.

    Examples
    --------
    >>> callable(lazy_factory("dino", architecture))
    True
    """

    def load(argument: str, weights: Path | None, device: str) -> PixelEncoder:
        try:
            from lookalike.encoders.network import load_named

            return load_named(family, argument, weights, device, architecture)
        except ModuleNotFoundError as error:
            library = (error.name or "").partition(".")[0]
            if library not in ("torch", "torchvision", "timm", "safetensors"):
                raise
            raise EncoderError(
                f'{family} encoders need {library}, of the extra `train`: pip install "lookalike[train]", or export '
                "the network elsewhere and use it as onnx:PATH"
            ) from error

    return load


for _family in FAMILIES:
    ENCODERS.register(_family)(lazy_factory(_family, architecture))

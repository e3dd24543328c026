"""``places365:MODEL``: networks that tell 365 kinds of scenes apart (Zhou et al., 2017).

Options are those of ``torchvision`` encoders. torch is imported only when a network is loaded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lookalike.core.errors import UnknownNameError
from lookalike.encoders.name import EncoderName, parse_name
from lookalike.encoders.published import lazy_factory
from lookalike.encoders.sources import WeightSource
from lookalike.encoders.spec import ENCODERS

if TYPE_CHECKING:
    from torch import nn

    from lookalike.encoders.network import Architecture
    from lookalike.encoders.state import State

__all__ = ["architecture", "describe", "names"]

MODELS = ("alexnet", "densenet161", "resnet18", "resnet50")
SITE = "http://places2.csail.mit.edu/models_places365"


def names() -> list[str]:
    """Return the names of the networks.

    Examples
    --------
    >>> names()[-1]
    'places365:resnet50'
    """
    return [f"places365:{model}" for model in MODELS]


def describe(name: str) -> WeightSource:
    """Return where the weights of a network are.

    Examples
    --------
    >>> describe("places365:resnet18").file
    'resnet18_places365.pth.tar'
    """
    return _source(parse_name(name))


def architecture(name: EncoderName) -> Architecture:
    """Return the network of a name. Imports torch and torchvision.

    Raises
    ------
    UnknownNameError
        There is no such network.
    """
    source = _source(name)
    from lookalike.encoders import torchvision

    known = torchvision.architecture(replace(name, family="torchvision"))
    older = known.convert

    def convert(state: State, network: nn.Module) -> State:
        # AlexNet was spread over several GPUs in part, so that the prefix stands inside its names.
        plain = {key.replace("module.", ""): value for key, value in state.items()}
        return older(plain, network) if older is not None else plain

    return replace(known, family="places365", source=source, licence="CC-BY", convert=convert)


def _source(name: EncoderName) -> WeightSource:
    if name.model not in MODELS:
        raise UnknownNameError("places365 network", name.model, MODELS)
    file = f"{name.model}_places365.pth.tar"
    return WeightSource(file, f"{SITE}/{file}")


ENCODERS.register("places365")(lazy_factory("places365", architecture))

"""``cvnet:R50`` and ``cvnet:R101``: the global descriptor of CVNet, made to find the same place or thing again.

Layers to tap are ``stem``, ``s1`` to ``s4`` and ``head``. Pictures come at 224 pixels, as in the systems that use it as
a backbone; its authors describe pictures at full size: ``size=N`` goes some way there.

The published file holds the tensors under ``model_state``, named ``encoder_q.stem.conv.weight``; newer copies of it
say ``globalmodel`` for ``encoder_q``. Both load, and so does the ``state_dict`` of the encoder alone; the verification
network beside it is left out. torch is imported only when a network is loaded.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from lookalike.core.errors import UnknownNameError
from lookalike.encoders.name import EncoderName, parse_name
from lookalike.encoders.published import lazy_factory
from lookalike.encoders.sources import WeightSource
from lookalike.encoders.spec import ENCODERS

if TYPE_CHECKING:
    from lookalike.encoders.network import Architecture

__all__ = ["architecture", "describe", "names"]

DEPTHS = {"R50": (3, 4, 6, 3), "R101": (3, 4, 23, 3)}
FOLDER = "https://drive.google.com/drive/folders/1VE2uG0bynk6-XfokjE13VFNVQRb-rQM8"


def names() -> list[str]:
    """Return the names of the networks.

    Examples
    --------
    >>> names()
    ['cvnet:R101', 'cvnet:R50']
    """
    return sorted(f"cvnet:{model}" for model in DEPTHS)


def describe(name: str) -> WeightSource:
    """Return where the weights of a network are.

    Examples
    --------
    >>> describe("cvnet:R50").file
    'CVPR2022_CVNet_R50.pyth'
    """
    return _source(parse_name(name))


def architecture(name: EncoderName) -> Architecture:
    """Return the network of a name. Imports torch.

    Raises
    ------
    UnknownNameError
        There is no such network.
    """
    source = _source(name)
    from lookalike.encoders.network import Architecture

    return Architecture(
        family="cvnet",
        model=name.model,
        build=partial(_build, DEPTHS[name.model], name.builder),
        source=source,
    )


def _source(name: EncoderName) -> WeightSource:
    if name.model not in DEPTHS:
        raise UnknownNameError("cvnet network", name.model, DEPTHS)
    return WeightSource(f"CVPR2022_CVNet_{name.model}.pyth", how=f"fetch it from {FOLDER} (a browser is needed)")


def _build(depths: tuple[int, ...], options: dict[str, Any]) -> Any:
    from lookalike.encoders.cvnet_network import GlobalDescriptor

    return GlobalDescriptor(depths, **options)


ENCODERS.register("cvnet")(lazy_factory("cvnet", architecture))

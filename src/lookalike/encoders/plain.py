"""``plain:small`` and ``plain:tiny``: small networks of our own, to be trained from nothing on a processor.

They need torch alone. Layers to tap are ``stem``, ``stages.0`` to ``stages.3`` and ``top``; ``dim`` (1024) is the
length of what ``top`` gives. Nobody published weights: give the file of your own training.

torch is imported only when a network is loaded.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from lookalike.core.errors import EncoderError, UnknownNameError
from lookalike.encoders.name import EncoderName, parse_name
from lookalike.encoders.published import lazy_factory
from lookalike.encoders.sources import WeightSource
from lookalike.encoders.spec import ENCODERS

if TYPE_CHECKING:
    from lookalike.encoders.network import Architecture

__all__ = ["architecture", "describe", "names"]

SIZES = {"small": ((32, 48, 80, 112, 144), (0, 1, 4, 4)), "tiny": ((16, 24, 40, 56, 72), (0, 1, 2, 2))}
DIM = 1024
SIDE = 128


def names() -> list[str]:
    """Return the names of the networks.

    Examples
    --------
    >>> names()
    ['plain:small', 'plain:tiny']
    """
    return sorted(f"plain:{size}" for size in SIZES)


def describe(name: str) -> WeightSource:
    """Return where the weights of a network are.

    Examples
    --------
    >>> describe("plain:small").how
    'plain networks come without weights: train one'
    """
    return _source(parse_name(name))


def architecture(name: EncoderName) -> Architecture:
    """Return the network of a name. Imports torch.

    Raises
    ------
    UnknownNameError, EncoderError
        There is no such network, or an option is out of range.
    """
    source = _source(name)
    from lookalike.encoders.network import Architecture

    dim = name.builder.get("dim", DIM)
    for key in name.builder:
        if key != "dim":
            raise EncoderError(f"{name.recipe}: a plain network has the option dim, not {key}")
    if not (isinstance(dim, int) and dim >= 1):
        raise EncoderError(f"{name.recipe}: dim is a whole number from 1, not {dim!r}")
    side = int(name.options.get("size", SIDE))
    return Architecture(
        family="plain",
        model=name.model,
        build=partial(_build, *SIZES[name.model], dim),
        source=source,
        input_size=(side, side),
        licence="of whoever trained it",
    )


def _source(name: EncoderName) -> WeightSource:
    if name.model not in SIZES:
        raise UnknownNameError("plain network", name.model, SIZES)
    return WeightSource("", how="plain networks come without weights: train one")


def _build(widths: tuple[int, ...], depths: tuple[int, ...], dim: int) -> Any:
    from lookalike.encoders.plain_network import PlainNetwork

    return PlainNetwork(widths, depths, dim)


ENCODERS.register("plain")(lazy_factory("plain", architecture))

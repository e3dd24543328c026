"""``facenet:vggface2``: a network for faces (Inception-ResNet v1, trained on VGGFace2), by way of ONNX.

The library that publishes it cannot be installed beside this package. Exported in an environment of its own (the docs
say how), the file is found in the folder of weights, or given as ``weights=PATH``, and runs as ``onnx:PATH``.
"""

from __future__ import annotations

from pathlib import Path

from lookalike.core.errors import EncoderError, UnknownNameError
from lookalike.encoders.name import EncoderName, parse_name
from lookalike.encoders.sources import WeightSource, obtain
from lookalike.encoders.spec import ENCODERS, PixelEncoder

__all__ = ["REASON", "TAP", "describe", "names"]

REASON = "facenet-pytorch 2.6.0, its last release, needs torch below 2.3 and NumPy below 2"
"""Why the library does not install beside ours."""

TAP = "block8"
"""The layer to export: the last map."""

SOURCE = WeightSource(
    f"facenet_vggface2_{TAP}.onnx",
    how=f"{REASON}, so export its layer {TAP} to ONNX in an environment of its own (docs/encoders.md)",
)


def names() -> list[str]:
    """Return the names of the networks.

    Examples
    --------
    >>> names()
    ['facenet:vggface2']
    """
    return ["facenet:vggface2"]


def describe(name: str) -> WeightSource:
    """Return where the network is looked for.

    Examples
    --------
    >>> describe("facenet:vggface2").url is None
    True
    """
    _check(parse_name(name))
    return SOURCE


@ENCODERS.register("facenet")
def load(argument: str, weights: Path | None, device: str) -> PixelEncoder:
    """Load ``facenet:vggface2`` from an exported file."""
    name = parse_name(f"facenet:{argument}")
    _check(name)
    given = weights or name.weights
    if given is not None:  # an ONNX file does not come here: it is taken whatever the family
        raise EncoderError(f"{given}: facenet takes an exported .onnx file: {REASON}; see docs/encoders.md")
    path = obtain(SOURCE)
    from lookalike.encoders import onnx  # noqa: F401 registers the family

    return ENCODERS["onnx"](str(path), None, device)


def _check(name: EncoderName) -> None:
    if f"facenet:{name.model}" not in names():
        raise UnknownNameError("facenet network", name.model, [known.partition(":")[2] for known in names()])
    if name.layers or name.options:
        raise EncoderError(f"{name.recipe}: an ONNX file has its taps and options in it: choose them on export")

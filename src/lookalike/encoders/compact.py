"""``compact``: a small network that comes with the package, taught by larger ones, without torch or a download.

``compact`` gives its global vector, 256 numbers. ``compact:taps`` gives the multi-tap feature beneath it, which
adaptation functions, context models and matchers take. What it was taught with, and what it can do, stands in
``docs/compact.md``.
"""

from __future__ import annotations

from pathlib import Path

from lookalike.core.errors import EncoderError, UnknownNameError
from lookalike.encoders.onnx import OnnxEncoder
from lookalike.encoders.spec import ENCODERS, PixelEncoder

__all__ = ["FILE", "OUTPUTS", "load"]

FILE = Path(__file__).parent / "networks" / "compact.onnx"
"""The network; its card lies beside it."""

OUTPUTS = {"": "global", "taps": "taps"}
"""What each name gives, as the file calls it."""


@ENCODERS.register("compact")
def load(argument: str, weights: Path | None, device: str) -> PixelEncoder:
    """Load ``compact`` or ``compact:taps``.

    Raises
    ------
    UnknownNameError
        There is no such output.
    EncoderError
        A file of weights is given: they are those of the package.

    Examples
    --------
    >>> load("", None, "cpu").spec.dim
    256
    """
    if argument not in OUTPUTS:
        raise UnknownNameError("output of compact", argument, [name for name in OUTPUTS if name])
    name = f"compact:{argument}".removesuffix(":")
    if weights is not None:
        raise EncoderError(f"{name} comes with its weights: another file is onnx:{weights}")
    return OnnxEncoder(FILE, device, OUTPUTS[argument], name)

"""From a name to a loaded encoder. The families are listed here; each is imported when it is asked for."""

from __future__ import annotations

from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path

from lookalike.core.errors import UnknownNameError
from lookalike.encoders.spec import ENCODERS, PixelEncoder

__all__ = ["encoder_names", "load_pixels"]

FAMILIES = {
    "classic": "lookalike.encoders.classic",
    "onnx": "lookalike.encoders.onnx",
}
SHOWN = {"classic": "classic", "onnx": "onnx:PATH"}


def encoder_names(pattern: str = "*") -> list[str]:
    """Return the names of the encoders that fit a shell pattern, sorted.

    Examples
    --------
    >>> encoder_names()
    ['classic', 'onnx:PATH']
    >>> encoder_names("c*")
    ['classic']
    """
    return sorted(name for name in SHOWN.values() if fnmatchcase(name, pattern))


def load_pixels(name: str, weights: str | Path | None = None, device: str = "auto") -> PixelEncoder:
    """Load an encoder that takes pixels.

    Parameters
    ----------
    name : str
        ``FAMILY`` or ``FAMILY:ARGUMENT``: ``"classic"``, ``"onnx:nets/mobilenet.onnx"``.
    weights : path, optional
        A local file to take the weights from; nothing is downloaded then.
    device : {"auto", "cpu", "cuda"}
        Where it runs.

    Raises
    ------
    UnknownNameError
        There is no such family; the message lists near names.
    EncoderError
        The file, its card or the device does not fit.
    """
    family, _, argument = name.partition(":")
    if family not in FAMILIES:
        raise UnknownNameError("encoder", name, SHOWN.values())
    import_module(FAMILIES[family])
    return ENCODERS[family](argument, Path(weights) if weights is not None else None, device)

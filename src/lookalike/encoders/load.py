"""From a name to a loaded encoder. The families are listed here; each is imported when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from lookalike.core.errors import EncoderError, UnknownNameError
from lookalike.encoders.name import parse_name
from lookalike.encoders.sources import WeightSource
from lookalike.encoders.spec import ENCODERS, PixelEncoder

__all__ = ["FAMILIES", "Family", "encoder_names", "load_pixels", "load_random", "weight_source"]


@dataclass(frozen=True, slots=True)
class Family:
    """Where a family of encoders is, and what it takes.

    Attributes
    ----------
    module : str
        Imported when one of its encoders is loaded. A family of networks offers ``names()``, their full names, and
        ``describe(name)``, where the weights of one are.
    shown : str
        What stands for the family in a list of all encoders; empty where its few names are listed themselves.
    needs : tuple of str
        Libraries that the base installation lacks.
    extra : str
        What to install for them.
    """

    module: str
    shown: str = ""
    needs: tuple[str, ...] = ()
    extra: str = "train"


FAMILIES = {
    "classic": Family("lookalike.encoders.classic", "classic"),
    "compact": Family("lookalike.encoders.compact", "compact"),
    "onnx": Family("lookalike.encoders.onnx", "onnx:PATH"),
    "timm": Family("lookalike.encoders.timm", "timm:MODEL", ("torch", "torchvision", "timm")),
    "torchvision": Family("lookalike.encoders.torchvision", "torchvision:MODEL", ("torch", "torchvision")),
    "openclip": Family("lookalike.encoders.openclip", "openclip:MODEL/TAG", ("torch", "torchvision", "open_clip")),
    "dino": Family("lookalike.encoders.published", needs=("torch", "torchvision", "timm")),
    "dinov2": Family("lookalike.encoders.published", needs=("torch", "torchvision", "timm")),
    "swsl": Family("lookalike.encoders.published", needs=("torch", "torchvision")),
    "ssl": Family("lookalike.encoders.published", needs=("torch", "torchvision")),
    "wsl": Family("lookalike.encoders.published", needs=("torch", "torchvision")),
    "barlow": Family("lookalike.encoders.published", needs=("torch", "torchvision")),
    "bit": Family("lookalike.encoders.published", needs=("torch", "torchvision", "timm")),
    "places365": Family("lookalike.encoders.places365", needs=("torch", "torchvision")),
    "cvnet": Family("lookalike.encoders.cvnet", needs=("torch",)),
    "facenet": Family("lookalike.encoders.facenet"),
    "simnet": Family("lookalike.encoders.simnet", needs=("torch", "torchvision")),
    "deeprank": Family("lookalike.encoders.simnet", needs=("torch", "torchvision")),
    "plain": Family("lookalike.encoders.plain", needs=("torch",)),
    "hash": Family("lookalike.encoders.hashes", needs=("imagehash",), extra="hashes"),
}
SHOWN = "timm:mobilenetv4_conv_small or plain:small"
PLAIN = ("classic", "compact", "onnx", "hash")
"""Families whose argument is no `EncoderName`, and that need no torch."""


def encoder_names(pattern: str = "*") -> list[str]:
    """Return the names of the encoders that fit a shell pattern, sorted.

    A family of many networks is shown as ``FAMILY:MODEL``; a pattern that starts with the family lists them. Families
    whose libraries are not installed are left out.

    Examples
    --------
    >>> "classic" in encoder_names()
    True
    >>> encoder_names("c*c")
    ['classic']
    """
    names = set()
    for family, entry in FAMILIES.items():
        if not _is_installed(entry):
            continue
        if entry.shown and not (family not in PLAIN and pattern.startswith(f"{family}:")):
            names.add(entry.shown)
        else:
            names |= {name for name in _import(family).names() if name.startswith(f"{family}:")}
    return sorted(name for name in names if fnmatchcase(name, pattern))


def weight_source(name: str) -> WeightSource | None:
    """Return where the published weights of a network are; None for an encoder that has none to fetch.

    Raises
    ------
    UnknownNameError, EncoderError
        There is no such encoder, or its library is not installed.

    Examples
    --------
    >>> weight_source("classic") is None
    True
    """
    family = _family(name)
    if family in PLAIN:
        return None
    source: WeightSource = _import(family).describe(name)
    return source


def load_pixels(name: str, weights: str | Path | None = None, device: str = "auto") -> PixelEncoder:
    """Load an encoder that takes pixels.

    Parameters
    ----------
    name : str
        ``FAMILY`` or ``FAMILY:ARGUMENT``: ``"classic"``, ``"onnx:nets/mobilenet.onnx"``, ``"timm:resnet18[layer4]"``
        (see `lookalike.encoders.name`).
    weights : path, optional
        A local file to take the weights from; nothing is downloaded then. An ``.onnx`` file is run as ``onnx:PATH``,
        whatever the family.
    device : {"auto", "cpu", "cuda", "mps"}
        Where it runs.

    Raises
    ------
    UnknownNameError
        There is no such family or network; the message lists near names.
    EncoderError
        The file, its card or the device does not fit, or a library is missing.
    """
    family = _family(name)
    given = Path(weights) if weights is not None else None
    if family not in PLAIN:
        exported = _exported(name, given)
        if exported is not None:
            family, name, given = "onnx", f"onnx:{exported}", None
    _import(family)
    return ENCODERS[family](name.partition(":")[2], given, device)


def load_random(name: str, seed: int = 0, device: str = "auto") -> PixelEncoder:
    """Build a network with weights of chance, for training from nothing. Imports torch.

    Parameters
    ----------
    name : str
        Of a network made with torch, without weights: ``"timm:resnet18[last:4]"``.
    seed : int
        The same gives the same weights.
    device : {"auto", "cpu", "cuda", "mps"}

    Raises
    ------
    UnknownNameError, EncoderError
        There is no such network, it cannot be built as its name says, or it is no network made with torch.

    Examples
    --------
    >>> load_random("plain:small", seed=3).spec.dim
    1024
    """
    family = _family(name)
    if family in PLAIN:
        raise EncoderError(f"{name} cannot be trained from nothing: give a network made with torch, such as {SHOWN}")
    parsed = parse_name(name)
    module = _import(family)
    if not hasattr(module, "architecture"):
        raise EncoderError(f"{name} cannot be trained from nothing: give a network such as {SHOWN}")
    from lookalike.encoders.network import random_network

    return random_network(parsed, module.architecture(parsed), device, seed)


def _family(name: str) -> str:
    family = name.partition(":")[0]
    if family not in FAMILIES:
        raise UnknownNameError("encoder", name, [entry.shown or f"{key}:MODEL" for key, entry in FAMILIES.items()])
    return family


def _exported(name: str, weights: Path | None) -> Path | None:
    """Return the file where a name's weights are a whole network in ONNX, which needs no torch."""
    parsed = parse_name(name)
    if weights is not None:
        parsed = parsed.using(weights)
    if parsed.weights is None or parsed.weights.suffix.lower() != ".onnx":
        return None
    if parsed.layers or parsed.options:
        raise EncoderError(f"{name}: an ONNX file has its taps and options in it: write onnx:{parsed.weights} instead")
    return parsed.weights


def _is_installed(entry: Family) -> bool:
    try:
        return all(find_spec(library) is not None for library in entry.needs)
    except ValueError:  # a library that was taken out of reach on purpose
        return False


def _import(family: str) -> ModuleType:
    entry = FAMILIES[family]
    try:
        return import_module(entry.module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in entry.needs:
            raise
        extra = f'of the extra `{entry.extra}`: pip install "lookalike[{entry.extra}]"'
        instead = ", or export the network elsewhere and use it as onnx:PATH" if entry.extra == "train" else ""
        raise EncoderError(f"{family} encoders need {missing}, {extra}{instead}") from error

"""A torch network as an encoder: built, filled with weights, tapped, and fed with pixels.

This module imports torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lookalike.core.errors import EncoderError
from lookalike.core.types import Pixels, Vectors
from lookalike.encoders.card import NetworkCard, read_card
from lookalike.encoders.name import EncoderName, parse_name
from lookalike.encoders.sources import WeightSource, obtain
from lookalike.encoders.spec import EncoderSpec, Resize
from lookalike.encoders.stages import last_layers
from lookalike.encoders.state import Convert, load_state, read_state
from lookalike.encoders.tapped import Tapped

__all__ = ["Architecture", "NetworkEncoder", "load_named", "load_network", "random_network"]

NO_WEIGHTS = "weights-of-chance"
"""What stands for the file of a network that has none: no card lies beside it."""

VERSION = 1
"""Raised when the same name and weights come to mean other features."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """What is known of a network before its weights are at hand.

    Attributes
    ----------
    family, model : str
        As in its name.
    build : callable
        Builds the network without weights and without classifier; its output is its own feature. Options of the name
        that are for the builder are bound in it.
    source : WeightSource
        Where the published weights are.
    input_size : tuple of int
        Height and width.
    mean, std : tuple of float
        Per channel, for pixels in 0..1.
    resize : {"squash", "crop"}
        How pictures come to that size.
    default_layers : tuple of str
        What to tap where the name says nothing, as it is, not scaled to norm 1; empty for the network's output.
    licence : str
        Of the weights.
    convert : callable, optional
        Makes the tensors of the published file fit; tried where their names do not fit as they are.
    surplus : tuple of str
        Names that the file may hold beyond the network's, beside those of classifiers.
    notes : str
        For people.
    """

    family: str
    model: str
    build: Callable[[], nn.Module]
    source: WeightSource
    input_size: tuple[int, int] = (224, 224)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    resize: Resize = "squash"
    default_layers: tuple[str, ...] = ()
    licence: str = "not stated"
    convert: Convert | None = None
    surplus: tuple[str, ...] = ()
    notes: str = ""


def load_named(
    family: str, argument: str, weights: Path | None, device: str, architecture: Callable[[EncoderName], Architecture]
) -> NetworkEncoder:
    """Load an encoder of a family: what the family's factory does.

    Parameters
    ----------
    family, argument : str
        What stands before and after the first colon of the name.
    weights : Path or None
        As in `load_encoder`.
    device : str
        As in `load_encoder`.
    architecture : callable
        Finds the network of a name.

    Raises
    ------
    EncoderError, UnknownNameError
        The name, its weights or the device do not fit.

    Examples
    --------
    >>> def architecture(name):
    ...     return Architecture("mine", "net", nn.Identity, WeightSource("net.pth"))
    >>> load_named("mine", "net", Path("nowhere.pth"), "cpu", architecture)
    Traceback (most recent call last):
    lookalike.core.errors.EncoderError: cannot read the weights ...: No such file or directory
    """
    name = parse_name(f"{family}:{argument}")
    if weights is not None:
        name = name.using(weights)
    return load_network(name, architecture(name), device)


def load_network(name: EncoderName, architecture: Architecture, device: str = "auto") -> NetworkEncoder:
    """Build a network, load its weights (downloading them if they are not here), and tap it.

    Parameters
    ----------
    name : EncoderName
        Its layers, options and weights decide.
    architecture : Architecture
        Of that name.
    device : {"auto", "cpu", "cuda", "mps"}
        Where it runs; ``"auto"`` takes a GPU where there is one.

    Raises
    ------
    EncoderError
        The weights cannot be had or do not fit; the network cannot be built, tapped or run as the name says.

    Examples
    --------
    >>> import tempfile
    >>> def build():
    ...     return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    >>> path = Path(tempfile.mkdtemp()) / "net.pth"
    >>> torch.save(build().state_dict(), path)
    >>> architecture = Architecture("mine", "net", build, WeightSource("net.pth"), input_size=(32, 32))
    >>> encoder = load_network(parse_name(f"mine:net[0,1]@{path}"), architecture, "cpu")
    >>> encoder.forward(np.zeros((2, 32, 32, 3), np.uint8)).shape
    (2, 8)
    """
    target = _device(device)
    path = name.weights or obtain(architecture.source)
    digest = _digest(path, None if name.weights else architecture.source.sha256)
    state = read_state(path)
    network = _build(name, architecture)
    surplus = (*architecture.surplus, *name.drop)
    load_state(network, state, path, convert=architecture.convert, surplus=surplus)
    card = _card(name, architecture, path)
    return NetworkEncoder(name, _tap(name, architecture, network.eval(), card), card, target, digest)


def random_network(
    name: EncoderName, architecture: Architecture, device: str = "auto", seed: int = 0
) -> NetworkEncoder:
    """Build a network with weights of chance, as its library initialises them, and tap it: where training begins.

    Parameters
    ----------
    name : EncoderName
        Its layers and options decide; it names no weights.
    architecture : Architecture
        Of that name.
    device : {"auto", "cpu", "cuda", "mps"}
    seed : int
        The same gives the same weights.

    Raises
    ------
    EncoderError
        The network cannot be built, tapped or run as the name says, or the name has weights.

    Examples
    --------
    >>> architecture = Architecture("mine", "net", lambda: nn.Conv2d(3, 4, 3), WeightSource("net.pth"), (32, 32))
    >>> random_network(parse_name("mine:net"), architecture, "cpu", seed=1).spec.dim
    4
    """
    if name.weights is not None:
        raise EncoderError(f"{name}: a network that begins with weights of chance takes no file: leave out @WEIGHTS")
    target = _device(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _build(name, architecture)
    card = _card(name, architecture, Path(NO_WEIGHTS))
    digest = f"random {seed}"
    return NetworkEncoder(name, _tap(name, architecture, network.eval(), card), card, target, digest)


class NetworkEncoder:
    """A torch network that maps pictures to features; made by `load_network`.

    Attributes
    ----------
    spec : EncoderSpec
        The card.
    module : Tapped
        The network with its taps, in eval mode, frozen, on `device`: normalised pixels (N, 3, H, W) to features.
    mean, std : tuple of float
        What normalises pixels in 0..1, per channel.
    device : torch.device
        Where it runs.
    card : NetworkCard
        How pictures are prepared.
    """

    def __init__(self, name: EncoderName, module: Tapped, card: NetworkCard, device: torch.device, digest: str) -> None:
        self.device = device
        self.card = card
        self.mean, self.std = card.mean, card.std
        by_tokens = _is_token_network(module)
        self.module = module.requires_grad_(False).eval()
        # Convolutions run faster on maps with channels last, which is also how pixels lie in memory.
        self.module.to(device=device, memory_format=torch.contiguous_format if by_tokens else torch.channels_last)
        self._half = _is_half(name, by_tokens, device)
        mean, std = (torch.tensor(three, device=device).view(1, 3, 1, 1) for three in (card.mean, card.std))
        self._scale, self._shift = 1 / (255 * std), -mean / std
        self.spec = EncoderSpec(
            name=str(name),
            fingerprint=_fingerprint(name, digest, card, self._half),
            dim=self._probe(name),
            input_size=card.input_size,
            resize=card.resize,
            lanes=1,  # torch spreads one batch over all cores itself
            temperature=card.temperature,
            copy_distance=card.copy_distance,
            licence=card.licence,
            source=card.source,
            batch=4 if device.type == "cpu" else 64,
        )

    def forward(self, pixels: Pixels) -> Vectors:
        """Encode pictures; see `PixelEncoder.forward`."""
        with torch.inference_mode(), self._precision():
            batch = torch.tensor(np.ascontiguousarray(pixels)).to(self.device)
            features = self.module(batch.permute(0, 3, 1, 2) * self._scale + self._shift)
        return np.asarray(features.float().cpu().numpy(), np.float32)

    def _precision(self) -> AbstractContextManager[Any]:
        if not self._half:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)  # type: ignore[no-any-return]

    def _probe(self, name: EncoderName) -> int:
        """Run a grey picture through: only then is the dimension known, and that the size fits."""
        height, width = self.card.input_size
        try:
            feature = self.forward(np.full((1, height, width, 3), 128, np.uint8))
        except EncoderError as error:
            raise EncoderError(f"{name}: {error}") from None
        except Exception as error:
            reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
            raise EncoderError(f"{name}: does not take pictures of {height} x {width} pixels ({reason})") from error
        if not np.isfinite(feature).all():
            raise EncoderError(f"{name}: gives numbers that are not finite: its weights are damaged, or not its own")
        return int(feature.shape[1])


def _build(name: EncoderName, architecture: Architecture) -> nn.Module:
    try:
        network = architecture.build()
    except (TypeError, ValueError, RuntimeError, AssertionError, KeyError, NotImplementedError) as error:
        if isinstance(error, EncoderError):
            raise
        raise EncoderError(f"{name.recipe}: cannot be built as its options say: {error}") from error
    for path in name.drop:
        parent, _, child = path.rpartition(".")
        try:
            network.get_submodule(path)
        except AttributeError:
            raise EncoderError(f"{name.recipe}: drop={path}: the network has no such module") from None
        setattr(network.get_submodule(parent), child, nn.Identity())
    return network


def _card(name: EncoderName, architecture: Architecture, path: Path) -> NetworkCard:
    """Return how pictures are prepared: what the name says, else the card beside the weights, else the publisher."""
    defaults = {
        "input_size": list(architecture.input_size),
        "mean": list(architecture.mean),
        "std": list(architecture.std),
        "resize": architecture.resize,
        "licence": architecture.licence,
        "source": architecture.source.url or str(path),
    }
    chosen = {"input_size": name.options.get("size"), "resize": name.options.get("resize")}
    return read_card(path, defaults, {key: value for key, value in chosen.items() if value is not None})


def _tap(name: EncoderName, architecture: Architecture, network: nn.Module, card: NetworkCard) -> Tapped:
    layers = name.layers
    pool, tokens, norm = (getattr(name, key) for key in ("pool", "tokens", "norm"))
    try:
        if not layers:
            given = {"pool", "tokens", "norm"} & set(name.options)
            if given and ("norm" in given or not architecture.default_layers):
                raise EncoderError(f"{' and '.join(sorted(given))}: only for taps; name layers too, such as last:1")
            return Tapped(network, architecture.default_layers, pool, tokens, "none")
        if layers[0].startswith("last:"):
            layers = last_layers(network, layers[0], card.input_size)
        return Tapped(network, layers, pool, tokens, norm)
    except EncoderError as error:
        raise EncoderError(f"{name.recipe}: {error}") from None


def _device(device: str) -> torch.device:
    if device not in ("auto", "cpu", "cuda", "mps"):
        raise EncoderError(f"there is no device '{device}': auto, cpu, cuda or mps")
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        device = next(kind for kind, present in here.items() if present)
    if not here[device]:
        raise EncoderError(f"device {device}: this torch has none; use device cpu")
    return torch.device(device)


def _is_token_network(network: nn.Module) -> bool:
    """Tell transformers from convolutional networks: attention, and few weights in convolutions."""
    modules = list(network.modules())
    attends = any(isinstance(m, nn.MultiheadAttention) or hasattr(m, "qkv") for m in modules)
    convolved = sum(m.weight.numel() for m in modules if isinstance(m, nn.Conv2d))
    return attends and 2 * convolved < sum(p.numel() for p in network.parameters())


def _is_half(name: EncoderName, by_tokens: bool, device: torch.device) -> bool:
    """Whether to run in bfloat16: for transformers, where the processor multiplies such numbers itself."""
    if "precision" in name.options:
        return bool(name.options["precision"] == "half")
    if device.type == "cpu":
        able = torch.cpu.get_capabilities()
        return by_tokens and bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return by_tokens and device.type == "cuda" and torch.cuda.is_bf16_supported()


def _digest(path: Path, published: str | None) -> str:
    """Hash a file of weights; one that stands for the published file must be it."""
    try:
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise EncoderError(f"cannot read the weights {path}: {error.strerror or error}") from error
    if published and not digest.startswith(published.lower()):
        raise EncoderError(
            f"{path}: its checksum is {digest[:16]}, the published one {published[:16]}: delete the file to fetch it "
            "again, or give it as weights=PATH"
        )
    return digest


def _fingerprint(name: EncoderName, digest: str, card: NetworkCard, half: bool) -> str:
    """Hash what decides the features: the weights, what is made of them, and how pictures are prepared."""
    preparation = (card.input_size, card.mean, card.std, card.resize)
    return hashlib.sha256(repr((VERSION, digest, name.recipe, preparation, half)).encode()).hexdigest()

"""A torch network, with its taps, as an ONNX file: from then on indexing and searching need no torch.

This module imports torch.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lookalike.core.errors import EncoderError
from lookalike.core.files import write_aside, write_json
from lookalike.core.types import Pixels, Vectors
from lookalike.encoders.exportable import exportable, silence
from lookalike.encoders.network import NetworkEncoder
from lookalike.encoders.onnx import OnnxEncoder

__all__ = ["LARGEST_ERROR", "Parity", "card_entries", "export_module", "export_onnx", "parity_pictures"]

LARGEST_ERROR = 1e-4
"""Beyond which an exported network is not the same network."""

LARGEST_FILE = 2**31 - 2**20
"""Bytes that one ONNX file can hold."""

OPSET = 17


@dataclass(frozen=True, slots=True)
class Parity:
    """How an exported file compares with the network that it was made of.

    Attributes
    ----------
    path : Path
        The ONNX file; its card lies beside it.
    relative_error : float
        The largest ``norm(onnx - torch) / norm(torch)`` over the pictures.
    pictures : int
        How many were compared.
    dim : int
        Length of a feature; of several outputs, the first.
    bytes : int
        Size of the file.
    """

    path: Path
    relative_error: float
    pictures: int
    dim: int
    bytes: int


def export_onnx(encoder: NetworkEncoder, path: Path, more: Mapping[str, Any] | None = None) -> Parity:
    """Write an encoder as an ONNX file with its card, and make sure that it gives the same features.

    Taps, pooling and the scaling of taps are part of the file; numbers have 32 bits, whatever the encoder runs in.

    Parameters
    ----------
    encoder : NetworkEncoder
    path : Path
        Ends in ``.onnx``. The card is written beside it, with ``.json`` in its place. Both appear whole, or not at all.
    more : mapping, optional
        JSON values that stand on the card too, such as what the network was measured to do.

    Raises
    ------
    EncoderError
        The network cannot be written as ONNX, or the file gives other features (relative error of 1e-4 or more).
    StorageError
        The folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from lookalike.encoders.name import parse_name
    >>> from lookalike.encoders.network import Architecture, load_network
    >>> from lookalike.encoders.sources import WeightSource
    >>> folder = Path(tempfile.mkdtemp())
    >>> torch.save(torch.nn.Conv2d(3, 4, 3).state_dict(), folder / "net.pth")
    >>> mine = Architecture("mine", "net", lambda: torch.nn.Conv2d(3, 4, 3), WeightSource("net.pth"), (32, 32))
    >>> encoder = load_network(parse_name(f"mine:net@{folder / 'net.pth'}"), mine, "cpu")
    >>> export_onnx(encoder, folder / "net.onnx").relative_error < LARGEST_ERROR
    True
    """
    return export_module(encoder.module, ("features",), encoder, path, more)


def export_module(
    module: torch.nn.Module,
    outputs: Sequence[str],
    encoder: NetworkEncoder,
    path: Path,
    more: Mapping[str, Any] | None = None,
) -> Parity:
    """Write a network with one output or several as an ONNX file with its card, and make sure that it gives the same.

    Parameters
    ----------
    module : nn.Module
        Normalised pixels (N, 3, H, W) to features (N, D), or to a tuple of them.
    outputs : sequence of str
        What they are called in the file. The first is the encoder's own; ``onnx:PATH[NAME]`` takes another.
    encoder : NetworkEncoder
        Says how pictures are prepared.
    path, more
        As in `export_onnx`.

    Raises
    ------
    EncoderError, StorageError
        As in `export_onnx`.
    """
    if path.suffix.lower() != ".onnx":
        raise EncoderError(f"{path}: the file of an exported network ends in .onnx")
    try:
        import_module("onnx")
    except ImportError as error:
        raise EncoderError('exporting needs onnx, of the extra `train`: pip install "lookalike[train]"') from error
    # A copy: the encoder may be on another device, and goes on being used.
    module = copy.deepcopy(module).to(device="cpu", dtype=torch.float32, memory_format=torch.contiguous_format)
    size = sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())
    if size > LARGEST_FILE:
        raise EncoderError(f"{encoder.spec.name}: {size / 1e9:.1f} GB of weights; one ONNX file holds 2 GB")
    card = {**card_entries(encoder), "output": outputs[0], **(more or {})}
    with write_aside(path) as aside:
        aside_card = aside.with_suffix(".json")
        try:
            _write(module, outputs, encoder, aside)
            write_json(aside_card, card)
            parity = _compare(module, outputs, encoder, aside, path)
        finally:
            aside_card.unlink(missing_ok=True)
        write_json(path.with_suffix(".json"), card)
    return parity


def parity_pictures(count: int, height: int, width: int) -> Pixels:
    """Return pictures to compare networks with: noise, and smooth structure with edges, in turn.

    Parameters
    ----------
    count, height, width : int

    Returns
    -------
    uint8 (count, height, width, 3)

    Examples
    --------
    >>> parity_pictures(2, 4, 6).shape
    (2, 4, 6, 3)
    """
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    pictures = np.empty((count, height, width, 3), np.uint8)
    for number in range(count):
        if number % 2 == 0:
            pictures[number] = rng.integers(0, 256, (height, width, 3))
            continue
        waves = [np.sin(rng.uniform(2, 30) * (x * np.cos(a) + y * np.sin(a))) for a in rng.uniform(0, 3.2, 3)]
        disc = (x - rng.uniform()) ** 2 + (y - rng.uniform()) ** 2 < 0.1
        pictures[number] = 127.5 + 127.5 * np.where(disc[..., None], -1, 1) * np.stack(waves, -1)
    return pictures


def _write(module: torch.nn.Module, outputs: Sequence[str], encoder: NetworkEncoder, path: Path) -> None:
    example = torch.zeros(2, 3, *encoder.card.input_size)
    try:
        with silence(), exportable(), torch.no_grad():
            torch.onnx.export(
                module.eval(),
                (example,),
                str(path),
                input_names=["pixels"],
                output_names=[*outputs],
                dynamic_axes={name: {0: "n"} for name in ("pixels", *outputs)},
                opset_version=OPSET,
                dynamo=False,
            )
    except EncoderError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise EncoderError(f"{encoder.spec.name}: cannot be written as ONNX: {reason}") from error


def card_entries(encoder: NetworkEncoder) -> dict[str, Any]:
    """Return what stands on a card of an encoder: how pictures are prepared, and where it comes from."""
    return {**encoder.card.as_json(), "source": f"{encoder.spec.name}, from {encoder.spec.source}"}


def _compare(
    module: torch.nn.Module, outputs: Sequence[str], encoder: NetworkEncoder, aside: Path, path: Path
) -> Parity:
    """Run the file and the network on the same pictures, in batches of other sizes than the one it was traced with."""
    pictures = parity_pictures(6, *encoder.card.input_size)
    worst, dims = 0.0, list[int]()
    for name, expected in zip(outputs, _features(module, encoder, pictures), strict=True):
        try:
            exported = OnnxEncoder(aside, "cpu", name)
            found = np.concatenate([exported.forward(pictures[:1]), exported.forward(pictures[1:])])
        except EncoderError as error:
            raise EncoderError(str(error).replace(str(aside), str(path))) from error
        sizes = np.linalg.norm(expected, axis=1)
        errors = np.linalg.norm(found - expected, axis=1) / np.where(sizes > 0, sizes, 1)
        # Written so that an error that is no number fails too.
        if not errors.max() < LARGEST_ERROR:
            raise EncoderError(
                f"{encoder.spec.name}: as ONNX it gives other features (relative error {errors.max():.1e}, not under "
                f"{LARGEST_ERROR:.0e}): nothing was written"
            )
        worst, dims = max(worst, float(errors.max())), [*dims, expected.shape[1]]
    return Parity(path, worst, len(pictures), dims[0], aside.stat().st_size)


def _features(module: torch.nn.Module, encoder: NetworkEncoder, pictures: Pixels) -> list[Vectors]:
    """Run the network in 64 bits, so that the error is the file's own and not torch's rounding."""
    try:
        return _run(module.double(), encoder, torch.tensor(pictures, dtype=torch.float64))
    except RuntimeError:  # a network that fixes a type within cannot run in another
        return _run(module.float(), encoder, torch.tensor(pictures, dtype=torch.float32))


def _run(module: torch.nn.Module, encoder: NetworkEncoder, pixels: torch.Tensor) -> list[Vectors]:
    mean, std = (torch.tensor(three).view(1, 3, 1, 1) for three in (encoder.mean, encoder.std))
    with torch.inference_mode():
        given = module((pixels.permute(0, 3, 1, 2) / 255 - mean) / std)
    given = given if isinstance(given, tuple) else (given,)
    return [np.asarray(one.float().numpy(), np.float32) for one in given]

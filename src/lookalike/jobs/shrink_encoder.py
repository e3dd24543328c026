"""Make the file of an encoder smaller, and say what that changes in its features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from lookalike.core.errors import EncoderError, InputError
from lookalike.core.files import read_json, write_aside, write_json
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Pixels
from lookalike.core.vectors import unit_rows
from lookalike.embedding.encoder import Encoder
from lookalike.encoders.onnx import OnnxEncoder
from lookalike.images.folder import scan

__all__ = ["PICTURES", "Precision", "ShrinkReport", "shrink_encoder"]

Precision: TypeAlias = Literal["half", "int8"]

PICTURES = 512
"""Pictures that are looked at: half of them to find ranges, half to compare."""

BATCH = 16


@dataclass(frozen=True, slots=True)
class ShrinkReport:
    """A smaller encoder.

    Attributes
    ----------
    source, encoder : str
        The one that it was made of, and the name of the smaller one: ``onnx:PATH``.
    precision : {"half", "int8"}
    before, bytes : int
        Sizes of the files.
    cosine, worst : float
        Between features of the two: the mean over pictures that ranges were not found with, and the least.
    pictures : int
        How many were compared.
    """

    source: str
    encoder: str
    precision: str
    before: int
    bytes: int
    cosine: float
    worst: float
    pictures: int


def shrink_encoder(
    source: Path, output: Path, precision: Precision, pictures: Path, on_progress: OnProgress = silent
) -> ShrinkReport:
    """Write an encoder with weights of 16 bits, or computing in 8 bits, and compare its features.

    Parameters
    ----------
    source, output : Path
        ``.onnx`` files; the source has a card beside it, from which the card of the output is made.
    precision : {"half", "int8"}
        ``"half"`` computes as before, from rounded weights; ``"int8"`` is faster where the processor multiplies such
        numbers itself.
    pictures : Path
        A folder of pictures like those that it is for, two at least.
    on_progress : callable

    Raises
    ------
    InputError
        There are too few pictures, or both files are one.
    EncoderError
        The source is no encoder, or cannot be shrunk.
    StorageError, ImageDecodeError
    """
    if output.suffix.lower() != ".onnx":
        raise EncoderError(f"{output}: the file of a network ends in .onnx")
    if output.resolve() == source.resolve():
        raise InputError(f"{output}: the smaller encoder needs a file of its own")
    try:
        from lookalike.encoders.shrink import halve, quantise
    except ModuleNotFoundError as error:
        raise EncoderError('shrinking needs onnx, of the extra `train`: pip install "lookalike[train]"') from error
    before = OnnxEncoder(source, "cpu")
    shown = _shown(before, pictures, on_progress)
    ranged, compared = shown[::2], shown[1::2]
    with write_aside(output) as aside:
        card = aside.with_suffix(".json")
        try:
            if precision == "half":
                halve(source, aside)
            else:
                quantise(source, aside, (before.prepared(some) for some in _batches(ranged)))
            write_json(card, _card(source, before, precision))
            cosines = _cosines(before, OnnxEncoder(aside, "cpu"), compared)
        finally:
            card.unlink(missing_ok=True)
        found = ShrinkReport(
            source=before.spec.name,
            encoder=f"onnx:{output.resolve()}",
            precision=precision,
            before=source.stat().st_size,
            bytes=aside.stat().st_size,
            cosine=float(cosines.mean()),
            worst=float(cosines.min()),
            pictures=len(cosines),
        )
        write_json(output.with_suffix(".json"), _card(source, before, precision))
    return found


def _shown(encoder: OnnxEncoder, folder: Path, on_progress: OnProgress) -> Pixels:
    """Read pictures, spread evenly over the folder."""
    files = [folder / entry.path for entry in scan(folder).files]
    if len(files) < 2:
        raise InputError(f"{folder}: two pictures are needed at least, one to find ranges and one to compare")
    reader, chosen = Encoder(encoder), files[:: -(-len(files) // PICTURES)]
    found = []
    for number, file in enumerate(chosen, 1):
        found.append(reader.pixels(file))
        on_progress(Progress("reading pictures", number, len(chosen)))
    return np.stack(found)


def _batches(pixels: Pixels) -> Iterator[Pixels]:
    return (pixels[start : start + BATCH] for start in range(0, len(pixels), BATCH))


def _cosines(one: OnnxEncoder, other: OnnxEncoder, pixels: Pixels) -> Any:
    products = [(unit_rows(one.forward(some)) * unit_rows(other.forward(some))).sum(1) for some in _batches(pixels)]
    return np.concatenate(products)


def _card(source: Path, encoder: OnnxEncoder, precision: str) -> dict[str, Any]:
    """Return the source's card, and what was done to it."""
    beside = source.with_suffix(".json")
    known = read_json(beside) if beside.is_file() else {}
    return {**known, **encoder.card.as_json(), "shrunk": precision}

"""Write an encoder as an ONNX file, for machines without torch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from lookalike.core.errors import EncoderError
from lookalike.encoders.load import PLAIN, load_pixels
from lookalike.jobs.compare import default_encoder

__all__ = ["ExportReport", "export_encoder"]


@dataclass(frozen=True, slots=True)
class ExportReport:
    """An exported encoder.

    Attributes
    ----------
    source : str
        The encoder that was exported.
    encoder : str
        The name of the exported one: ``onnx:PATH``.
    card : str
        The card beside the file.
    dim : int
        Length of a feature.
    relative_error : float
        How far its features are from the source's, at most, over `pictures` pictures.
    pictures, bytes : int
        Pictures compared; size of the file.
    seconds : float
        What it took.
    """

    source: str
    encoder: str
    card: str
    dim: int
    relative_error: float
    pictures: int
    bytes: int
    seconds: float


def export_encoder(
    output: Path, name: str | None = None, weights: Path | None = None, workspace: Path | None = None
) -> ExportReport:
    """Export an encoder with its taps, and check that the file gives the same features.

    Parameters
    ----------
    output : Path
        The file to write, ending in ``.onnx``; its card is written beside it.
    name : str, optional
        The encoder; by default the workspace's.
    weights : Path, optional
        The file of its weights.
    workspace : Path, optional
        Where to look for the encoder, if none is named.

    Raises
    ------
    UnknownNameError, EncoderError
        There is no such encoder, it is no torch network, or its file gives other features (relative error of 1e-4 or
        more); nothing is written then.
    StorageError
        The folder cannot be written.
    """
    started = time.perf_counter()
    loaded = load_pixels(name or default_encoder(workspace), weights, "cpu")
    if loaded.spec.name.partition(":")[0] in PLAIN:
        raise EncoderError(f"{loaded.spec.name} needs no torch as it is: only encoders made with torch are exported")
    from lookalike.encoders.export import export_onnx
    from lookalike.encoders.network import NetworkEncoder

    assert isinstance(loaded, NetworkEncoder)
    made = export_onnx(loaded, output)
    return ExportReport(
        source=loaded.spec.name,
        encoder=f"onnx:{made.path.resolve()}",
        card=str(made.path.resolve().with_suffix(".json")),
        dim=made.dim,
        relative_error=made.relative_error,
        pictures=made.pictures,
        bytes=made.bytes,
        seconds=time.perf_counter() - started,
    )

"""Options that every command takes, and the ones that several share."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lookalike.core.errors import InputError
from lookalike.core.memory import VARIABLE, parse_bytes

__all__ = [
    "DEFAULT_WORKSPACE",
    "ContextOption",
    "EncoderOption",
    "JsonOption",
    "MemoryOption",
    "ModelOption",
    "OfflineOption",
    "PairFormatOption",
    "PairImagesOption",
    "QuietOption",
    "ReadOnlyOption",
    "SourceOption",
    "WorkspaceOption",
    "check_one",
    "parameters_of",
    "work_offline",
    "work_read_only",
    "work_within",
]

DEFAULT_WORKSPACE = Path(".lookalike")

WorkspaceOption = Annotated[
    Path,
    typer.Option("--workspace", metavar="DIR", help="The folder that holds the collection, or s3://bucket/prefix."),
]
ReadOnlyOption = Annotated[
    bool,
    typer.Option(
        "--read-only", help="Never write to the collection: a search replica. LOOKALIKE_READ_ONLY=1 does the same."
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else there.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Show no progress and no notes.")]
EncoderOption = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="NAME",
        help="What makes the vectors: classic, onnx:PATH, timm:MODEL, … (lookalike encoders list). By default, what "
        "the workspace was indexed with.",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="A trained model or an ensemble of the workspace, by name."),
]
SourceOption = Annotated[
    str | None,
    typer.Option("--source", metavar="PATH", help="Only judgments of this import, named as it was given."),
]
ContextOption = Annotated[str | None, typer.Option("--context", metavar="NAME", help="Only judgments of this context.")]
PairFormatOption = Annotated[
    str | None,
    typer.Option("--pair-format", metavar="FORMAT", help="tll, folders or csv; by default as the path looks."),
]
PairImagesOption = Annotated[
    Path | None, typer.Option("--images", metavar="DIR", help="Where the images of the pairs are.")
]
OfflineOption = Annotated[
    bool,
    typer.Option(
        "--offline", help="Download nothing: weights come from this machine. LOOKALIKE_OFFLINE=1 does the same."
    ),
]


MemoryOption = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="What the process may take, such as 2GB; indexes become smaller where need be. Also LOOKALIKE_MEMORY.",
    ),
]


def check_one(encoder: str | None, model: str | None) -> None:
    """Raise an `InputError` where both an encoder and a model are given: a model has its own encoders.

    Examples
    --------
    >>> check_one("classic", None)
    """
    if encoder is not None and model is not None:
        raise InputError("give --encoder or --model, not both: a model says itself which features it takes")


def parameters_of(given: Sequence[str]) -> dict[str, Any]:
    """Read ``NAME=VALUE`` each; numbers, true, false, null and lists are what they look like, all else is text.

    Examples
    --------
    >>> parameters_of(["epochs=20", "form=residual", "learn_scale=true"])
    {'epochs': 20, 'form': 'residual', 'learn_scale': True}
    """
    parameters = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set takes NAME=VALUE, not '{text}'")
        try:
            parameters[name] = json.loads(value)
        except ValueError:
            parameters[name] = value
    return parameters


def work_offline(offline: bool) -> None:
    """Keep this process from downloading weights, if `offline`; never the other way round.

    Examples
    --------
    >>> work_offline(False)
    """
    if offline:
        os.environ["LOOKALIKE_OFFLINE"] = "1"


def work_within(memory: str | None) -> None:
    """Keep the indexes of this process within so much memory, if any is given.

    Examples
    --------
    >>> work_within(None)
    """
    if memory is not None:
        parse_bytes(memory)
        os.environ[VARIABLE] = memory


def work_read_only(read_only: bool) -> None:
    """Keep this process from writing to collections, if `read_only`; never the other way round.

    Examples
    --------
    >>> work_read_only(False)
    """
    if read_only:
        os.environ["LOOKALIKE_READ_ONLY"] = "1"

"""Options that every command takes, and the ones that several share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "DEFAULT_WORKSPACE",
    "EncoderOption",
    "JsonOption",
    "OfflineOption",
    "QuietOption",
    "WorkspaceOption",
    "work_offline",
]

DEFAULT_WORKSPACE = Path(".lookalike")

WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", metavar="DIR", help="The folder that holds the collection.")
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
OfflineOption = Annotated[
    bool,
    typer.Option(
        "--offline", help="Download nothing: weights come from this machine. LOOKALIKE_OFFLINE=1 does the same."
    ),
]


def work_offline(offline: bool) -> None:
    """Keep this process from downloading weights, if `offline`; never the other way round.

    Examples
    --------
    >>> work_offline(False)
    """
    if offline:
        os.environ["LOOKALIKE_OFFLINE"] = "1"

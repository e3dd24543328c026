"""Options that every command takes, and the ones that several share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["DEFAULT_WORKSPACE", "EncoderOption", "JsonOption", "QuietOption", "WorkspaceOption"]

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
        help="What makes the vectors: classic, or onnx:PATH. By default, what the workspace was indexed with.",
    ),
]

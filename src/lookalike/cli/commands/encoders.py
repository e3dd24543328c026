"""``lookalike encoders``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import DEFAULT_WORKSPACE, JsonOption, QuietOption, WorkspaceOption

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

app = typer.Typer(help="List encoders and show their cards.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_(
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="A shell pattern, such as 'onnx*'.")] = "*",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List the encoders whose names fit a pattern, and those that the workspace was indexed with."""
    from lookalike.jobs.encoders import indexed_encoders, list_encoders

    names, indexed = list_encoders(pattern), indexed_encoders(workspace)

    def draw(screen: RichConsole) -> None:
        for name in names:
            screen.print(name, markup=False)
        for name in indexed:
            screen.print(f"{name} (in {workspace})", markup=False, soft_wrap=True)

    Console(json, quiet).result({"encoders": names, "indexed": indexed}, draw)


@app.command("show")
def show(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="An encoder, such as onnx:net.onnx; by default the workspace's."),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Load an encoder and show its card: input, dimension, licence."""
    from lookalike.jobs.encoders import encoder_card

    card = asdict(encoder_card(name, workspace))

    def draw(screen: RichConsole) -> None:
        for key, value in card.items():
            screen.print(f"{key:14}{value}", markup=False)

    Console(json, quiet).result(card, draw)

"""``lookalike encoders``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import DEFAULT_WORKSPACE, JsonOption, QuietOption, WorkspaceOption

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

app = typer.Typer(help="List encoders, show their cards, export them.", no_args_is_help=True, rich_markup_mode=None)


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


@app.command("export")
def export(
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="The .onnx file to write.")],
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="An encoder made with torch, with its taps; by default the workspace's."),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="PATH", help="A local file of its weights.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write an encoder as an ONNX file with its card, for machines without torch.

    Its features are compared with the original's; a file that gives others is not kept.
    """
    from lookalike.jobs.export_encoder import export_encoder

    made = export_encoder(output, name, weights, workspace)

    def draw(screen: RichConsole) -> None:
        screen.print(f"{made.encoder}", markup=False, soft_wrap=True)
        checked = f"relative error {made.relative_error:.1e} over {made.pictures} pictures"
        screen.print(f"{made.dim} numbers, {made.bytes / 1e6:.1f} MB, {checked}", style="dim", soft_wrap=True)

    Console(json, quiet).result(asdict(made), draw)

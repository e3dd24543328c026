"""``lookalike encoders``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import JsonOption, QuietOption

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

app = typer.Typer(help="List encoders and show their cards.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_(
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="A shell pattern, such as 'onnx*'.")] = "*",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List the encoders whose names fit a pattern."""
    from lookalike.jobs.encoders import list_encoders

    names = list_encoders(pattern)
    Console(json, quiet).result({"encoders": names}, lambda screen: screen.print("\n".join(names), markup=False))


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An encoder, such as classic or onnx:net.onnx.")],
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Load an encoder and show its card: input, dimension, licence."""
    from lookalike.jobs.encoders import encoder_card

    card = asdict(encoder_card(name))

    def draw(screen: RichConsole) -> None:
        for key, value in card.items():
            screen.print(f"{key:14}{value}", markup=False)

    Console(json, quiet).result(card, draw)

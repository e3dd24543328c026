"""``lookalike encoders``."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    OfflineOption,
    QuietOption,
    WorkspaceOption,
    work_offline,
)

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.images.folder import Rejected
    from lookalike.jobs.encoders import Fetched, SetEntry

app = typer.Typer(
    help="List encoders, show their cards, fetch their weights, export, shrink and resize them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
SetOption = Annotated[
    str | None, typer.Option("--set", metavar="SET", help="The encoders of a published set: tll37, with their taps.")
]


class Precision(StrEnum):
    """What a smaller file computes with."""

    half = "half"
    int8 = "int8"


WIDE = 240
"""Columns of a table that no terminal shows: a line for each row."""


@app.command("list")
def list_(
    pattern: Annotated[
        str, typer.Argument(metavar="PATTERN", help="A shell pattern, such as 'onnx*' or 'timm:resnet*'.")
    ] = "*",
    set_name: SetOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List the encoders whose names fit a pattern, and those that the workspace was indexed with.

    With --set: the encoders of a published set, their dimension, and where their weights are.
    """
    from lookalike.jobs.encoders import encoder_set, hindrance, indexed_encoders, list_encoders

    if set_name is not None:
        entries = encoder_set(set_name, pattern)
        data = {"set": set_name, "encoders": [asdict(entry) for entry in entries]}
        Console(json, quiet).result(data, lambda screen: _show_set(screen, entries))
        return
    names, indexed = list_encoders(pattern), indexed_encoders(workspace)

    def draw(screen: RichConsole) -> None:
        for name in names:
            reason = hindrance(name)
            screen.print(f"{name} (from an .onnx file: {reason})" if reason else name, markup=False, soft_wrap=True)
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
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Load an encoder and show its card: input, dimension, licence."""
    from lookalike.jobs.encoders import encoder_card

    work_offline(offline)
    card = asdict(encoder_card(name, workspace))

    def draw(screen: RichConsole) -> None:
        for key, value in card.items():
            screen.print(f"{key:14}{value}", markup=False)

    Console(json, quiet).result(card, draw)


@app.command("fetch")
def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Encoders, such as dino:vitb16.", show_default=False)
    ] = None,
    set_name: SetOption = None,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Download the weights of encoders now, to work without the network later.

    They come into the folder of weights (LOOKALIKE_CACHE, else the cache folder of this system), and are checked where
    a checksum was published. What is there is left alone. Weights that cannot be had are listed with what to do; the
    exit code is then 1.
    """
    from lookalike.jobs.encoders import fetch_encoders

    work_offline(offline)
    console = Console(json, quiet)
    with console.progress() as on_progress:
        fetched, rejected = fetch_encoders(names or [], set_name, on_progress)
    data = {
        "fetched": [{"name": entry.name, "file": str(entry.path), "downloaded": entry.downloaded} for entry in fetched],
        "rejected": [{"name": entry.path, "reason": entry.reason} for entry in rejected],
    }
    console.result(data, lambda screen: _show_fetched(screen, fetched, rejected))
    if rejected:
        raise typer.Exit(1)


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
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write an encoder as an ONNX file with its card, for machines without torch.

    Its features are compared with the original's; a file that gives others is not kept.
    """
    from lookalike.jobs.export_encoder import export_encoder

    work_offline(offline)
    made = export_encoder(output, name, weights, workspace)

    def draw(screen: RichConsole) -> None:
        screen.print(f"{made.encoder}", markup=False, soft_wrap=True)
        checked = f"relative error {made.relative_error:.1e} over {made.pictures} pictures"
        screen.print(f"{made.dim} numbers, {made.bytes / 1e6:.1f} MB, {checked}", style="dim", soft_wrap=True)

    Console(json, quiet).result(asdict(made), draw)


@app.command("shrink")
def shrink(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="An encoder's .onnx file, with its card.")],
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="The .onnx file to write.")],
    pictures: Annotated[
        Path, typer.Option("--pictures", metavar="DIR", help="Pictures like those that it is for: ranges, comparison.")
    ],
    precision: Annotated[
        Precision, typer.Option("--to", help="half: weights of 16 bits; int8: computes in 8 bits.")
    ] = Precision.half,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make the file of an encoder smaller, and compare its features with the original's.

    With half it computes as before, from weights of 16 bits. With int8 the file is a quarter, and it is faster where
    the processor multiplies such numbers itself; what it loses is told.
    """
    from lookalike.jobs.shrink_encoder import shrink_encoder

    console = Console(json, quiet)
    with console.progress() as on_progress:
        made = shrink_encoder(source, output, precision.value, pictures, on_progress)

    def draw(screen: RichConsole) -> None:
        screen.print(f"{made.encoder}", markup=False, soft_wrap=True)
        sizes = f"{made.bytes / 1e6:.1f} MB, from {made.before / 1e6:.1f} MB"
        alike = f"cosine with the original {made.cosine:.4f}, {made.worst:.4f} at least, on {made.pictures} pictures"
        screen.print(f"{sizes}; {alike}", style="dim", soft_wrap=True)

    console.result(asdict(made), draw)


@app.command("resize")
def resize(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="An encoder's .onnx file, with its card.")],
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="The .onnx file to write.")],
    size: Annotated[int, typer.Option("--size", min=8, max=4096, help="Pixels of each side.")],
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Let an encoder look at pictures with more pixels, or fewer.

    A network that was taught on parts of pictures often does better with a tenth more pixels than it was taught with;
    fewer are faster. Evaluate both.
    """
    from lookalike.jobs.resize_encoder import resize_encoder

    made = resize_encoder(source, output, size)

    def draw(screen: RichConsole) -> None:
        screen.print(f"{made.encoder}", markup=False, soft_wrap=True)
        sizes = " pixels, before ".join(f"{height} x {width}" for height, width in (made.size, made.before))
        screen.print(f"{made.dim} numbers, pictures of {sizes}", style="dim", soft_wrap=True)

    Console(json, quiet).result(asdict(made), draw)


def _show_set(screen: RichConsole, entries: list[SetEntry]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("label", "encoder", "dims", "state"):
        table.add_column(heading, justify="right" if heading == "dims" else "left", overflow="fold")
    for entry in entries:
        table.add_row(Text(entry.label), Text(entry.name), str(entry.dim), Text(entry.state))
    if not screen.is_terminal:
        screen.width = WIDE
    screen.print(table)


def _show_fetched(screen: RichConsole, fetched: list[Fetched], rejected: list[Rejected]) -> None:
    for entry in fetched:
        known = "" if entry.downloaded else " (was there)"
        screen.print(f"{entry.name}: {entry.path}{known}", markup=False, soft_wrap=True)
    for left in rejected:
        screen.print(f"{left.path}: {left.reason}", style="yellow", markup=False, soft_wrap=True)

"""``lookalike search QUERY``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    EncoderOption,
    JsonOption,
    ModelOption,
    OfflineOption,
    QuietOption,
    WorkspaceOption,
    check_one,
    work_offline,
)

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.search import SearchResult


def search(
    query: Annotated[Path, typer.Argument(metavar="QUERY", help="A picture; it need not be in the collection.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many images to find.")] = 10,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", metavar="FILE", help="Also draw the answer: a .png, .jpg or .webp file.")
    ] = None,
    encoder: EncoderOption = None,
    model: ModelOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find the images that look most like a picture.

    With --model by the distance of a trained model or an ensemble, which weighs its models for this very picture; with
    a quantizer by codes of a few bytes an image.
    """
    work_offline(offline)
    check_one(encoder, model)
    console = Console(json, quiet)
    with console.progress() as on_progress:
        if model is None:
            from lookalike.jobs.search import search_collection

            found = search_collection(workspace, query, k, encoder, sheet, on_progress)
        else:
            from lookalike.jobs.search_by_model import search_by_model

            found = search_by_model(workspace, query, model, k, sheet, on_progress)
    data: dict[str, object] = {
        "query": str(query),
        "root": str(found.root),
        "results": [asdict(hit) for hit in found.hits],
    }
    if found.bytes_per_image is not None:
        data["bytes_per_image"] = found.bytes_per_image
    console.result(data, lambda screen: _show(screen, found, sheet))


def _show(screen: RichConsole, found: SearchResult, sheet: Path | None) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, justify in (("", "right"), ("image", "left"), ("distance", "right"), ("similarity", "right")):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for rank, hit in enumerate(found.hits, 1):
        table.add_row(str(rank), Text(hit.image), f"{hit.distance:.4f}", f"{hit.similarity:.4f}")
    screen.print(table)
    screen.print(Text(f"images are in {found.root}", style="dim"), soft_wrap=True)
    if found.bytes_per_image is not None:
        screen.print(Text(f"searched by codes of {found.bytes_per_image} bytes an image", style="dim"))
    if sheet is not None:
        screen.print(Text(f"contact sheet: {sheet}"), soft_wrap=True)

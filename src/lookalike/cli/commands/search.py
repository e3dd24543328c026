"""``lookalike search QUERY``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    EncoderOption,
    JsonOption,
    OfflineOption,
    QuietOption,
    WorkspaceOption,
    check_one,
    work_offline,
)
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.search import SearchResult

ByModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", "--ensemble", metavar="NAME", help="A trained model or an ensemble of the workspace, by name."
    ),
]


def search(
    query: Annotated[Path, typer.Argument(metavar="QUERY", help="A picture; it need not be in the collection.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many images to find.")] = 10,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", metavar="FILE", help="Also draw the answer: a .png, .jpg or .webp file.")
    ] = None,
    encoder: EncoderOption = None,
    model: ByModelOption = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Also say how much each model counts here, and its share of each distance."),
    ] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find the images that look most like a picture.

    With --ensemble by the distance of an ensemble, which weighs its models for this very picture, or of a trained
    model; with a quantizer by codes of a few bytes an image. The first such search makes the vectors of the models.
    """
    work_offline(offline)
    check_one(encoder, model)
    if explain and model is None:
        raise InputError("--explain says what the models of an ensemble make of a result: give --ensemble as well")
    console = Console(json, quiet)
    weights: dict[str, float] | None = None
    shares: Sequence[dict[str, float]] = ()
    found: SearchResult
    with console.progress() as on_progress:
        if model is None:
            from lookalike.jobs.search import search_collection

            found = search_collection(workspace, query, k, encoder, sheet, on_progress)
        else:
            from lookalike.jobs.search_by_model import search_by_model

            found = by_model = search_by_model(workspace, query, model, k, sheet, on_progress, explain)
            weights, shares = by_model.weights, by_model.shares
    data: dict[str, object] = {
        "query": str(query),
        "root": str(found.root),
        "results": [asdict(hit) for hit in found.hits],
    }
    if weights is not None:
        data["weights"] = weights
        data["results"] = [{**asdict(hit), "shares": share} for hit, share in zip(found.hits, shares, strict=True)]
    if found.bytes_per_image is not None:
        data["bytes_per_image"] = found.bytes_per_image
    console.result(data, lambda screen: _show(screen, found, sheet, weights, shares))


def _show(
    screen: RichConsole,
    found: SearchResult,
    sheet: Path | None,
    weights: dict[str, float] | None,
    shares: Sequence[dict[str, float]],
) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    headings = [("", "right"), ("image", "left"), ("distance", "right"), ("similarity", "right")]
    if weights is not None:
        headings.append(("share of the distance", "left"))
    for heading, justify in headings:
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for rank, hit in enumerate(found.hits, 1):
        why = [] if weights is None else [Text(_listed(shares[rank - 1], "{:.0%}"))]
        table.add_row(str(rank), Text(hit.image), f"{hit.distance:.4f}", f"{hit.similarity:.4f}", *why)
    screen.print(table)
    if weights is not None:
        screen.print(Text(f"weights for this picture: {_listed(weights, '{:.2f}')}"), soft_wrap=True)
    screen.print(Text(f"images are in {found.root}", style="dim"), soft_wrap=True)
    if found.bytes_per_image is not None:
        screen.print(Text(f"searched by codes of {found.bytes_per_image} bytes an image", style="dim"))
    if sheet is not None:
        screen.print(Text(f"contact sheet: {sheet}"), soft_wrap=True)


def _listed(parts: dict[str, float], pattern: str) -> str:
    """Write what each model has, the most first."""
    ordered = sorted(parts.items(), key=lambda part: -part[1])
    return ", ".join(f"{name} {pattern.format(value)}" for name, value in ordered)

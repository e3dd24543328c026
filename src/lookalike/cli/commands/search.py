"""``lookalike search QUERY``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    EncoderOption,
    JsonOption,
    MemoryOption,
    OfflineOption,
    QuietOption,
    ReadOnlyOption,
    WorkspaceOption,
    check_one,
    work_offline,
    work_read_only,
    work_within,
)
from lookalike.cli.rejected import show_rejected
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.images.folder import Rejected
    from lookalike.jobs.search import SearchResult, Wanted

ByModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", "--ensemble", metavar="NAME", help="A trained model or an ensemble of the workspace, by name."
    ),
]


QueryArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="QUERY...",
        help="Pictures, or folders of them, in the collection or not; or paths of its images, as results give them.",
    ),
]
LikeOption = Annotated[
    list[Path] | None,
    typer.Option("--like", metavar="PICTURE", help="What is found should look like this as well; may be repeated."),
]
UnlikeOption = Annotated[
    list[Path] | None,
    typer.Option("--unlike", metavar="PICTURE", help="What is found should not look like this; may be repeated."),
]
AgainstOption = Annotated[
    float | None,
    typer.Option(
        "--against", metavar="W", min=0, help="How much --unlike counts, against 1 for what is liked; by default 0.5."
    ),
]
WhereOption = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="FILTER",
        help="Only images that fit, such as \"width > 1000 and folder = 'x'\". Columns: path, folder, name, format, "
        "width, height, size, modified.",
    ),
]


OffsetOption = Annotated[
    int, typer.Option("--offset", metavar="N", min=0, help="Pass over the N closest: the next page of -k N.")
]
ExplainOption = Annotated[
    bool, typer.Option("--explain", help="Also say how much each model counts here, and its share of each distance.")
]


def search(
    query: QueryArgument = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many images to find.")] = 10,
    offset: OffsetOption = 0,
    where: WhereOption = None,
    like: LikeOption = None,
    unlike: UnlikeOption = None,
    against: AgainstOption = None,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", metavar="FILE", help="Also draw the answer: a .png, .jpg or .webp file.")
    ] = None,
    encoder: EncoderOption = None,
    model: ByModelOption = None,
    explain: ExplainOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    read_only: ReadOnlyOption = False,
    offline: OfflineOption = False,
    memory: MemoryOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find the images that look most like a picture.

    With --ensemble by the distance of an ensemble, which weighs its models for this very picture, or of a trained
    model; with a quantizer by codes of a few bytes an image. The first such search makes the vectors of the models.

    Several pictures, or a folder, are searched for one by one. --like and --unlike make one search of several pictures.
    Pictures of several that cannot be read are listed with the reason; the exit code is then 1.
    """
    from lookalike.jobs.queries import queries_of
    from lookalike.jobs.search import Wanted
    from lookalike.search.references import AGAINST

    work_offline(offline)
    work_within(memory)
    work_read_only(read_only)
    check_one(encoder, model)
    if explain and model is None:
        raise InputError("--explain says what the models of an ensemble make of a result: give --ensemble as well")
    console = Console(json, quiet)
    wanted = Wanted(k, offset, where, AGAINST if against is None else against, sheet, explain)
    given = query or []
    rejected: list[Rejected] = []
    queries = queries_of(given, like or [], unlike or [], rejected)
    several = len(given) > 1 or any(path.is_dir() for path in given)
    with console.progress() as on_progress:
        if model is None:
            from lookalike.jobs.search import search_collection

            found = search_collection(workspace, queries, wanted, encoder, on_progress, rejected if several else None)
        else:
            from lookalike.jobs.search_by_model import search_collection_by_model

            found = search_collection_by_model(
                workspace, queries, model, wanted, on_progress, rejected if several else None
            )
    data = _as_json(found[0])
    if several:
        data = {"queries": [_as_json(one) for one in found], "rejected": [asdict(entry) for entry in rejected]}
    console.result(data, lambda screen: _show(screen, found, several, wanted, rejected))
    if rejected:
        raise typer.Exit(1)


def _as_json(found: SearchResult) -> dict[str, Any]:
    """Lay out what was found for one query as JSON values."""
    query = found.query
    data: dict[str, Any] = {"query": None if query.picture is None else str(query.picture)}
    if query.like or query.unlike:
        data |= {"like": [str(path) for path in query.like], "unlike": [str(path) for path in query.unlike]}
    data |= {"root": str(found.root), "results": [asdict(hit) for hit in found.hits]}
    if found.weights is not None:
        data["weights"] = found.weights
        both = zip(found.hits, found.shares, strict=True)
        data["results"] = [{**asdict(hit), "shares": share} for hit, share in both]
    if found.bytes_per_image is not None:
        data["bytes_per_image"] = found.bytes_per_image
    return data


def _show(
    screen: RichConsole, found: Sequence[SearchResult], several: bool, wanted: Wanted, rejected: Sequence[Rejected]
) -> None:
    from rich.text import Text

    for one in found:
        if several:
            screen.print(Text(one.query.title, style="bold"), soft_wrap=True)
        _show_one(screen, one, wanted.offset)
    if len(found[0].query.pictures) > 1 and not several:
        screen.print(Text(f"searched by {found[0].query.title}", style="dim"), soft_wrap=True)
    screen.print(Text(f"images are in {found[0].root}", style="dim"), soft_wrap=True)
    if found[0].bytes_per_image is not None:
        screen.print(Text(f"searched by codes of {found[0].bytes_per_image} bytes an image", style="dim"))
    if wanted.sheet is not None:
        screen.print(Text(f"contact sheet: {wanted.sheet}"), soft_wrap=True)
    show_rejected(screen, rejected, "--json lists all")


def _show_one(screen: RichConsole, found: SearchResult, offset: int) -> None:
    from rich.table import Table
    from rich.text import Text

    weights = found.weights
    table = Table(box=None, pad_edge=False, header_style="bold")
    headings = [("", "right"), ("image", "left"), ("distance", "right"), ("similarity", "right")]
    if weights is not None:
        headings.append(("share of the distance", "left"))
    for heading, justify in headings:
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for rank, hit in enumerate(found.hits):
        why = [] if weights is None else [Text(_listed(found.shares[rank], "{:.0%}"))]
        number = str(offset + rank + 1)
        table.add_row(number, Text(hit.image), f"{hit.distance:.4f}", f"{hit.similarity:.4f}", *why)
    screen.print(table)
    if not found.hits:
        screen.print(Text("nothing fits", style="dim"))
    if weights is not None:
        screen.print(Text(f"weights for this picture: {_listed(weights, '{:.2f}')}"), soft_wrap=True)


def _listed(parts: dict[str, float], pattern: str) -> str:
    """Write what each model has, the most first."""
    ordered = sorted(parts.items(), key=lambda part: -part[1])
    return ", ".join(f"{name} {pattern.format(value)}" for name, value in ordered)

"""``lookalike demo``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import JsonOption, QuietOption

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.demo import Demo

FOLDER = Path("lookalike-demo")


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where everything goes; made if it is not there.")
    ] = FOLDER,
    count: Annotated[int, typer.Option("--count", min=80, help="How many photographs to render.")] = 600,
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", metavar="DIR", help="The workspace; by default .lookalike in that folder."),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Render photographs, index and search them: all offline."""
    from lookalike.jobs.demo import run_demo

    console = Console(json, quiet)
    workspace = workspace or folder / ".lookalike"
    with console.progress() as on_progress:
        made = run_demo(folder, workspace, count, on_progress)
    data = {
        "images": made.report.images,
        "rejected": [{"path": entry.path, "reason": entry.reason} for entry in made.report.rejected],
        "seconds": round(made.report.seconds, 3),
        "images_per_second": round(made.report.images_per_second, 2),
        "precision_at_10": round(made.precision, 4),
        "sheet": str(made.sheet),
        "results": {context: [asdict(hit) for hit in hits] for context, hits in made.found.items()},
    }
    console.result(data, lambda screen: _show(screen, made, workspace))


def _show(screen: RichConsole, made: Demo, workspace: Path) -> None:
    from rich.text import Text

    screen.print(f"[bold]{made.report.images:,} photographs[/] rendered and indexed")
    screen.print(f"Of the 10 closest to a new picture, {made.precision:.0%} are of its context (by chance: 12.5%)")
    screen.print(Text(f"Look at:  {made.sheet}"), soft_wrap=True)
    example = min(made.photos.rglob("*.jpg"))
    screen.print(Text(f"Then try: lookalike search {example} --workspace {workspace}"), soft_wrap=True)

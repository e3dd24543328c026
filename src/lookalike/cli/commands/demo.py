"""``lookalike demo``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import JsonOption, QuietOption

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.core.progress import OnProgress
    from lookalike.jobs.demo import Demo
    from lookalike.jobs.demo_learning import Learned

FOLDER = Path("lookalike-demo")


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where everything goes; made if it is not there.")
    ] = FOLDER,
    count: Annotated[int, typer.Option("--count", min=80, help="How many photographs to render.")] = 600,
    search_only: Annotated[bool, typer.Option("--search-only", help="End with the search: nobody answers.")] = False,
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", metavar="DIR", help="The workspace; by default .lookalike in that folder."),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run the whole loop on rendered photographs, offline.

    Render, index and search; then simulated people answer "is A or B closer to R?", a global model and one per context
    learn from it, ensembles combine them, all are measured on answers about photographs that none of them has seen,
    the gate searches, and a report shows it. Without PyTorch it ends with the search.
    """
    from lookalike.jobs.demo import run_demo

    console = Console(json, quiet)
    workspace = workspace or folder / ".lookalike"
    with console.progress() as on_progress:
        made = run_demo(folder, workspace, count, on_progress)
        learned = None if search_only else _learned(folder, workspace, made, on_progress)
    console.result(as_json(made, learned), lambda screen: _show(screen, made, learned, workspace, search_only))


def _learned(folder: Path, workspace: Path, made: Demo, on_progress: OnProgress) -> Learned | None:
    """Do the second half, where there is PyTorch."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        return None
    from lookalike.images.samples import SCENES_FILE, read_scenes
    from lookalike.jobs.demo_learning import learn

    return learn(folder, workspace, dict(read_scenes(made.photos / SCENES_FILE)), made.queries, on_progress)


def as_json(made: Demo, learned: Learned | None) -> dict[str, Any]:
    """Lay out what the demo made as JSON values; the leaderboard is that of `evaluate`, null without PyTorch."""
    from lookalike.cli.commands.report import as_json as report

    return {
        "images": made.report.images,
        "rejected": [{"path": entry.path, "reason": entry.reason} for entry in made.report.rejected],
        "seconds": round(made.report.seconds, 3),
        "images_per_second": round(made.report.images_per_second, 2),
        "precision_at_10": round(made.precision, 4),
        "sheet": str(made.sheet),
        "results": {context: [asdict(hit) for hit in hits] for context, hits in made.found.items()},
        "leaderboard": None if learned is None else report(learned.report),
        "gate_sheet": None if learned is None else str(learned.sheet),
    }


def _show(screen: RichConsole, made: Demo, learned: Learned | None, workspace: Path, search_only: bool) -> None:
    from rich.text import Text

    from lookalike.cli.commands.evaluate_judgments import show_leaderboard

    screen.print(f"[bold]{made.report.images:,} photographs[/] rendered and indexed")
    screen.print(f"Of the 10 closest to a new picture, {made.precision:.0%} are of its context (by chance: 12.5%)")
    if learned is not None:
        screen.print("\n[bold]What simulated people find alike[/], in answers about photographs that no model has seen")
        show_leaderboard(screen, learned.report.evaluation)
        screen.print()
        screen.print(Text(f"Look at:  {learned.report.path}"), soft_wrap=True)
        screen.print(Text(f"          {learned.sheet}"), soft_wrap=True)
    screen.print(Text(f"{'Look at:' if learned is None else '        '}  {made.sheet}"), soft_wrap=True)
    example = min(made.photos.rglob("*.jpg"))
    by = "" if learned is None else " --model gate"
    screen.print(Text(f"Then try: lookalike search {example} --workspace {workspace}{by}"), soft_wrap=True)
    if learned is None and not search_only:
        screen.print(
            'Without PyTorch nothing was learned: pip install "lookalike[train]" for the other half', markup=False
        )

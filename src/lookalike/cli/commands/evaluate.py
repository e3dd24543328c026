"""``lookalike evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import DEFAULT_WORKSPACE, JsonOption, QuietOption, WorkspaceOption

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.evaluate import Evaluation


def evaluate(
    encoder: Annotated[
        list[str] | None,
        typer.Option("--encoder", metavar="NAME", help="An encoder; may be repeated. By default the workspace's."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="PATH", help="Only judgments of this import, named as it was given."),
    ] = None,
    context: Annotated[
        str | None, typer.Option("--context", metavar="NAME", help="Only judgments of this context.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also draw the leaderboard: .png, .svg or .pdf.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Hold encoders against people's judgments.

    One leaderboard: the share of votes that each agrees with, its 95% interval clustered by reference, and how far it
    is behind the best on the same questions; with the ceiling that people's disagreement sets, and chance.
    """
    from lookalike.jobs.evaluate import evaluate_workspace

    console = Console(json, quiet)
    with console.progress() as on_progress:
        found = evaluate_workspace(workspace, encoder or [], source, context, plot, on_progress)
    console.result(as_json(found), lambda screen: _show(screen, found, plot))


def as_json(found: Evaluation) -> dict[str, Any]:
    """Lay a leaderboard out as JSON values; an interval that does not exist is null."""

    def end(value: float) -> float | None:
        return None if value != value else value

    rows = [
        {
            "model": row.model,
            "accuracy": row.accuracy.value,
            "low": end(row.accuracy.low),
            "high": end(row.accuracy.high),
            "n": row.accuracy.n,
            "behind": None
            if row.behind is None
            else {
                "value": row.behind.value,
                "low": end(row.behind.low),
                "high": end(row.behind.high),
                "p": end(row.behind.p),
            },
        }
        for row in found.rows
    ]
    return {
        "rows": rows,
        "ceiling": found.ceiling.value,
        "chance": found.chance,
        "judgments": found.judgments,
        "references": found.references,
    }


def _show(screen: RichConsole, found: Evaluation, plot: Path | None) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold")
    for heading in ("accuracy", "95% interval", "behind the best", "p"):
        table.add_column(heading, justify="right")
    table.add_row("[dim]ceiling[/]", f"[dim]{found.ceiling.value:.1%}[/]", "", "", "")
    for row in found.rows:
        a, b = row.accuracy, row.behind
        behind = "" if b is None else f"{100 * b.value:.1f} ({100 * b.low:.1f} to {100 * b.high:.1f})"
        p = "" if b is None else f"{b.p:.4f}"
        table.add_row(Text(row.label), f"{a.value:.1%}", f"{a.low:.1%} to {a.high:.1%}", behind, p)
    table.add_row("[dim]chance[/]", f"[dim]{found.chance:.1%}[/]", "", "", "")
    screen.print(table)
    screen.print(f"[dim]{found.judgments:,} judgments of {found.references:,} references[/]")
    if plot is not None:
        screen.print(Text(f"plot: {plot}"), soft_wrap=True)

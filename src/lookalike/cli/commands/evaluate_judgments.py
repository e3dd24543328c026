"""``lookalike evaluate``: how far encoders and models agree with people's judgments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lookalike.cli.accuracies import (
    accuracy_json,
    behind_cells,
    difference_json,
    interval_cell,
    parts_table,
    show_file,
    warn_seen,
)
from lookalike.cli.console import Console

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.leaderboard import Evaluation

__all__ = ["evaluate_judgments", "leaderboard_json", "show_leaderboard"]


def evaluate_judgments(
    console: Console,
    workspace: Path,
    encoders: Sequence[str],
    models: Sequence[str],
    source: str | None,
    context: str | None,
    plot: Path | None,
) -> None:
    """Evaluate encoders and models on the workspace's judgments and print the leaderboard."""
    from lookalike.jobs.evaluate import evaluate_workspace

    with console.progress() as on_progress:
        found = evaluate_workspace(workspace, encoders, source, context, plot, on_progress, models)
    console.result(leaderboard_json(found), lambda screen: _show(screen, found, plot))


def leaderboard_json(found: Evaluation) -> dict[str, Any]:
    """Lay a leaderboard out as JSON values; an interval that does not exist is null."""
    rows = [
        {
            "model": row.model,
            **accuracy_json(row.accuracy, "accuracy"),
            "n": row.accuracy.n,
            "behind": difference_json(row.behind),
            "seen": row.seen,
            "by_context": {
                context: {**accuracy_json(one, "accuracy"), "n": one.n} for context, one in row.by_context.items()
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


def show_leaderboard(screen: RichConsole, found: Evaluation) -> None:
    """Print a leaderboard, and where judgments have contexts, the accuracy in each."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold")
    for heading in ("accuracy", "95% interval", "behind the best", "p"):
        table.add_column(heading, justify="right")
    table.add_row("[dim]ceiling[/]", f"[dim]{found.ceiling.value:.1%}[/]", "", "", "")
    for row in found.rows:
        cells = f"{row.accuracy.value:.1%}", interval_cell(row.accuracy), *behind_cells(row.behind)
        table.add_row(Text(row.label), *cells)
    table.add_row("[dim]chance[/]", f"[dim]{found.chance:.1%}[/]", "", "", "")
    screen.print(table)
    screen.print(f"[dim]{found.judgments:,} judgments of {found.references:,} references[/]")
    contexts = list(found.rows[0].by_context)
    if len(contexts) > 1:
        screen.print()
        screen.print(parts_table("by context", contexts, [(row.label, row.by_context) for row in found.rows]))


def _show(screen: RichConsole, found: Evaluation, plot: Path | None) -> None:
    show_leaderboard(screen, found)
    warn_seen(screen, found.rows, "images of {} of these judgments")
    show_file(screen, "plot", plot)

"""``lookalike evaluate --pairs``: how often images find their partners."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.accuracies import (
    accuracy_json,
    behind_cells,
    difference_json,
    interval_cell,
    show_file,
    warn_seen,
)
from lookalike.cli.console import Console

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.evaluate_pairs import PairEvaluation

__all__ = ["PairsOption", "evaluate_pairs"]

PairsOption = Annotated[
    Path | None,
    typer.Option("--pairs", metavar="PATH", help="Matched pairs to find, instead of the workspace's judgments."),
]


def evaluate_pairs(
    console: Console,
    workspace: Path,
    pairs: Path,
    pair_format: str | None,
    images: Path | None,
    encoders: Sequence[str],
    models: Sequence[str],
    plot: Path | None,
) -> None:
    """Evaluate encoders and models on matched pairs and print the leaderboard."""
    from lookalike.jobs import evaluate_pairs as job

    with console.progress() as on_progress:
        found = job.evaluate_pairs(workspace, pairs, pair_format, images, encoders, plot, on_progress, models)
    console.result(as_json(found), lambda screen: _show(screen, found, plot))


def as_json(found: PairEvaluation) -> dict[str, Any]:
    """Lay a leaderboard of matched pairs out as JSON values; the accuracy is aR@1."""
    rows = [
        {
            "model": row.model,
            **accuracy_json(row.accuracy, "accuracy"),
            "n": row.accuracy.n,
            "recalls": {str(k): accuracy_json(recall) for k, recall in row.recalls.items()},
            "behind": difference_json(row.behind),
            "seen": row.seen,
        }
        for row in found.rows
    ]
    return {"rows": rows, "chance": {str(k): value for k, value in found.chance.items()}, "pairs": found.pairs}


def _show(screen: RichConsole, found: PairEvaluation, plot: Path | None) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold")
    first, *others = found.chance
    for heading in (f"aR@{first}", "95% interval", *(f"aR@{k}" for k in others), "behind the best", "p"):
        table.add_column(heading, justify="right")
    for row in found.rows:
        deeper = [f"{row.recalls[k].value:.1%}" for k in others]
        cells = f"{row.accuracy.value:.1%}", interval_cell(row.accuracy), *deeper, *behind_cells(row.behind)
        table.add_row(Text(row.label), *cells)
    chance = [f"[dim]{found.chance[k]:.1%}[/]" for k in found.chance]
    table.add_row("[dim]chance[/]", chance[0], "", *chance[1:], "", "")
    screen.print(table)
    screen.print(f"[dim]{found.pairs:,} pairs[/]")
    warn_seen(screen, found.rows, "images of {} of these pairs")
    show_file(screen, "plot", plot)

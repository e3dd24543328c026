"""``lookalike evaluate --matches``: how many matches of a file are found and right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.accuracies import accuracy_json, interval_cell
from lookalike.cli.console import Console

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.table import Table

    from lookalike.jobs.evaluate_matches import AtThreshold, MatchEvaluation

__all__ = ["MatchesOption", "TargetsOption", "TruthOption", "evaluate_matches"]

MatchesOption = Annotated[
    Path | None,
    typer.Option("--matches", metavar="FILE", help="What `match` wrote with --csv or --json, instead of models."),
]
TruthOption = Annotated[
    Path | None,
    typer.Option("--truth", metavar="FILE", help="With --matches: a table of the right ones (source,target)."),
]
TargetsOption = Annotated[
    Path | None,
    typer.Option(
        "--targets", metavar="DIR", help="With --matches: where targets are, if those of equal file names are right."
    ),
]


def evaluate_matches(console: Console, matches: Path, truth: Path | None, targets: Path | None) -> None:
    """Evaluate a file of matches and print what came out."""
    from lookalike.jobs import evaluate_matches as job

    found = job.evaluate_matches(matches, truth, targets)
    console.result(as_json(found), lambda screen: _show(screen, found))


def as_json(found: MatchEvaluation) -> dict[str, Any]:
    """Lay out what came out as JSON values; an interval that does not exist is null."""
    return {
        "recalls": {str(k): accuracy_json(one) for k, one in found.recalls.items()},
        "average_precision": accuracy_json(found.average_precision),
        "thresholds": [
            {
                "threshold": one.threshold,
                "answered": one.answered,
                "precision": one.precision and accuracy_json(one.precision),
                "recall": accuracy_json(one.recall),
            }
            for one in found.thresholds
        ],
        "calibration_error": found.calibration_error,
        "sources": found.sources,
        "partnered": found.partnered,
    }


def _show(screen: RichConsole, found: MatchEvaluation) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "value", "95% interval"):
        table.add_column(heading, justify="left" if not heading else "right")
    rows = {f"recall@{k}": one for k, one in found.recalls.items()} | {"average precision": found.average_precision}
    for name, one in rows.items():
        table.add_row(name, f"{one.value:.1%}", interval_cell(one))
    screen.print(table)
    if found.thresholds:
        screen.print()
        screen.print(_believed(found.thresholds))
    off = "" if found.calibration_error is None else f"; probabilities off by {found.calibration_error:.1%} on average"
    screen.print(f"[dim]{found.sources:,} sources, {found.partnered:,} of them with a partner{off}[/]")


def _believed(thresholds: list[AtThreshold]) -> Table:
    """Lay out what believing first targets from some probability on comes to."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("believed from", "answered", "precision", "95% interval", "recall", "95% interval"):
        table.add_column(heading, justify="right")
    for at in thresholds:
        cells = [
            cell
            for one in (at.precision, at.recall)
            for cell in (("", "") if one is None else (f"{one.value:.1%}", interval_cell(one)))
        ]
        table.add_row(f"{at.threshold:.0%}", f"{at.answered:,}", *cells)
    return table

"""``lookalike evaluate --matches FILE``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lookalike.cli.console import Console
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.evaluate_matches import MatchEvaluation
    from lookalike.metrics.intervals import Estimate


def evaluate_matches(console: Console, matches: Path | None, truth: Path | None, other_options: bool) -> None:
    """Evaluate a file of matches and print what came out.

    Raises
    ------
    InputError
        The file is missing or cannot be read, or options of the other evaluations were given.
    """
    if matches is None:
        raise InputError("--truth says which matches are right: give --matches FILE too")
    if other_options:
        raise InputError("--matches evaluates a file as it is: of the other options, only --truth goes with it")
    from lookalike.jobs.evaluate_matches import evaluate_matches

    found = evaluate_matches(matches, truth)
    console.result(as_json(found), lambda screen: _show(screen, found))


def as_json(found: MatchEvaluation) -> dict[str, Any]:
    """Lay out what came out as JSON values; an interval that does not exist is null."""
    return {
        "recalls": {str(k): _estimate(one) for k, one in found.recalls.items()},
        "average_precision": _estimate(found.average_precision),
        "thresholds": [
            {
                "threshold": one.threshold,
                "answered": one.answered,
                "precision": one.precision and _estimate(one.precision),
                "recall": _estimate(one.recall),
            }
            for one in found.thresholds
        ],
        "calibration_error": found.calibration_error,
        "sources": found.sources,
        "partnered": found.partnered,
    }


def _estimate(found: Estimate) -> dict[str, float | None]:
    ends = {name: getattr(found, name) for name in ("low", "high")}
    return {"value": found.value, **{name: None if end != end else end for name, end in ends.items()}}


def _show(screen: RichConsole, found: MatchEvaluation) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "value", "95% interval"):
        table.add_column(heading, justify="left" if not heading else "right")
    rows = {f"recall@{k}": one for k, one in found.recalls.items()} | {"average precision": found.average_precision}
    for name, one in rows.items():
        table.add_row(name, *_cells(one))
    screen.print(table)
    if found.thresholds:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("believed from", "answered", "precision", "95% interval", "recall", "95% interval"):
            table.add_column(heading, justify="right")
        for at in found.thresholds:
            precision = _cells(at.precision) if at.precision is not None else ("", "")
            table.add_row(f"{at.threshold:.0%}", f"{at.answered:,}", *precision, *_cells(at.recall))
        screen.print()
        screen.print(table)
    off = "" if found.calibration_error is None else f"; probabilities off by {found.calibration_error:.1%} on average"
    screen.print(f"[dim]{found.sources:,} sources, {found.partnered:,} of them with a partner{off}[/]")


def _cells(found: Estimate) -> tuple[str, str]:
    return f"{found.value:.1%}", "" if found.low != found.low else f"{found.low:.1%} to {found.high:.1%}"

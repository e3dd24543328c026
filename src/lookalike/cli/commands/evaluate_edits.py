"""``lookalike evaluate --edits``: how often edited copies find their originals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from lookalike.cli.console import Console

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.table import Table

    from lookalike.images.edits import Strength
    from lookalike.jobs.bench_tables import BenchRow, EditBench, Measures
    from lookalike.metrics.two_afc import Accuracy

__all__ = [
    "NEED_EDITS",
    "QUERIES",
    "DistractorsOption",
    "EditOption",
    "EditsOption",
    "QueriesOption",
    "SheetOption",
    "StrengthOption",
    "evaluate_edits",
]

QUERIES = 1000
NEED_EDITS = "--distractors, --queries, --strength, --edit and --sheet"
SHOWN = 20
EDITS_ABREAST = 5

EditsOption = Annotated[
    Path | None,
    typer.Option("--edits", metavar="PHOTOS", help="A folder; edited copies of its photographs are to be found."),
]
DistractorsOption = Annotated[
    list[Path] | None,
    typer.Option("--distractors", metavar="DIR", help="With --edits: more photographs to search; may be repeated."),
]
QueriesOption = Annotated[
    int | None,
    typer.Option("--queries", metavar="N", min=1, help=f"With --edits: how many are edited; by default {QUERIES:,}."),
]
StrengthOption = Annotated[
    list[str] | None,
    typer.Option("--strength", metavar="NAME", help="With --edits: weak, middle or strong; may be repeated."),
]
EditOption = Annotated[
    list[str] | None,
    typer.Option("--edit", metavar="NAME", help="With --edits: one of the edits; may be repeated. By default all."),
]
SheetOption = Annotated[
    Path | None,
    typer.Option("--sheet", metavar="FILE", help="With --edits: draw some copies: .png, .jpg or .webp."),
]


def evaluate_edits(
    workspace: Path,
    photos: Path,
    distractors: Sequence[Path],
    encoders: Sequence[str],
    models: Sequence[str],
    queries: int,
    strengths: Sequence[str],
    edits: Sequence[str],
    plot: Path | None,
    sheet: Path | None,
    console: Console,
) -> None:
    """Run the test bench and print its tables; the exit code is 1 where images were left out."""
    from lookalike.images.edits import STRENGTHS
    from lookalike.jobs.edit_bench import edit_bench

    with console.progress() as on_progress:
        found = edit_bench(
            workspace,
            photos,
            distractors,
            encoders,
            models=models,
            queries=queries,
            strengths=cast("Sequence[Strength]", strengths) or STRENGTHS,
            edits=edits,
            plot=plot,
            sheet=sheet,
            on_progress=on_progress,
        )
    console.result(as_json(found), lambda screen: _show(screen, found, [file for file in (plot, sheet) if file]))
    if found.rejected:
        raise typer.Exit(1)


def as_json(found: EditBench) -> dict[str, Any]:
    """Lay the result out as JSON values; an interval that does not exist is null."""
    rows = [
        {
            "model": row.model,
            **_measures(row.overall),
            "n": row.recall.n,
            "behind": None
            if row.behind is None
            else {"value": row.behind.value, "low": row.behind.low, "high": row.behind.high, "p": row.behind.p},
            "seen": row.seen,
            "by_strength": {name: _measures(one) for name, one in row.by_strength.items()},
            "by_edit": {name: _measures(one) for name, one in row.by_edit.items()},
            "by_edit_and_strength": {
                edit: {strength: _accuracy(one) for strength, one in cells.items()} for edit, cells in row.cells.items()
            },
        }
        for row in found.rows
    ]
    for row in rows:
        if row["behind"] is not None:
            row["behind"] = {name: _end(value) for name, value in row["behind"].items()}
    return {
        "rows": rows,
        "chance": {str(k): value for k, value in found.chance.items()},
        "photographs": found.photographs,
        "queries": found.queries,
        "gallery": found.gallery,
        "copies": found.copies,
        "strengths": list(found.strengths),
        "edits": list(found.edits),
        "seed": found.seed,
        "rejected": [{"path": entry.path, "reason": entry.reason} for entry in found.rejected],
    }


def _measures(one: Measures) -> dict[str, Any]:
    recalls = {str(k): _accuracy(recall) for k, recall in one.recalls.items()}
    return {"recalls": recalls, "map": _accuracy(one.precision)}


def _accuracy(one: Accuracy) -> dict[str, float | None]:
    return {"value": one.value, "low": _end(one.low), "high": _end(one.high)}


def _end(value: float) -> float | None:
    return None if value != value else value


def _show(screen: RichConsole, found: EditBench, files: Sequence[Path]) -> None:
    from rich.text import Text

    screen.print(_leaderboard(found))
    screen.print(
        f"[dim]{found.queries:,} edited copies of {found.photographs:,} photographs among {found.gallery:,} "
        f"originals; {found.copies:,} files left out that repeat one of them[/]"
    )
    if len(found.strengths) > 1:
        screen.print()
        screen.print(_parts("recall@1 by strength", found.strengths, found.rows, lambda row: row.by_strength))
    for start in range(0, len(found.edits) if len(found.edits) > 1 else 0, EDITS_ABREAST):
        screen.print()
        abreast = found.edits[start : start + EDITS_ABREAST]
        screen.print(_parts("recall@1 by edit", abreast, found.rows, lambda row: row.by_edit))
    for row in found.rows:
        if row.seen:
            screen.print(
                f"{row.label} was fitted on {row.seen:.0%} of these photographs: its row is no measurement of how it "
                "does on new ones",
                style="yellow",
                markup=False,
                soft_wrap=True,
            )
    for file in files:
        screen.print(Text(f"drawn: {file}"), soft_wrap=True)
    if found.rejected:
        screen.print(f"[yellow]left out: {len(found.rejected):,}[/]")
    for entry in found.rejected[:SHOWN]:
        screen.print(f"  {entry.path}: {entry.reason}", markup=False, soft_wrap=True)
    if len(found.rejected) > SHOWN:
        screen.print(f"  … and {len(found.rejected) - SHOWN:,} more (--json lists all)", markup=False)


def _leaderboard(found: EditBench) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold")
    first, *others = found.chance
    for heading in (f"recall@{first}", "95% interval", *(f"@{k}" for k in others), "mAP", "behind the best", "p"):
        table.add_column(heading, justify="right")
    for row in found.rows:
        one, behind = row.recall, row.behind
        cells = [f"{one.value:.1%}", f"{one.low:.1%} to {one.high:.1%}"]
        cells += [f"{row.overall.recalls[k].value:.1%}" for k in others]
        cells.append(f"{row.overall.precision.value:.3f}")
        if behind is not None:
            cells.append(f"{100 * behind.value:.1f} ({100 * behind.low:.1f} to {100 * behind.high:.1f})")
            cells.append(f"{behind.p:.4f}")
        table.add_row(Text(row.label), *cells)
    return table


def _parts(title: str, names: Sequence[str], rows: Sequence[BenchRow], part: Any) -> Table:
    """Lay out recall@1 in columns; the best of each in bold."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(title, overflow="fold", min_width=len(title))
    shown = [name for name in names if name in part(rows[0])]
    for name in shown:
        table.add_column(Text(name), justify="right")
    best = {name: max(part(row)[name].recalls[1].value for row in rows) for name in shown}
    for row in rows:
        values = {name: part(row)[name].recalls[1].value for name in shown}
        cells = [
            Text(f"{100 * value:.1f}", style="bold" if value == best[name] else "") for name, value in values.items()
        ]
        table.add_row(Text(row.label), *cells)
    return table

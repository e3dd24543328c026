"""``lookalike evaluate --edits``: how often edited copies find their originals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

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
from lookalike.cli.rejected import show_rejected

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.table import Table

    from lookalike.images.edits import Strength
    from lookalike.jobs.bench_tables import EditBench, Measures

__all__ = [
    "DistractorsOption",
    "EditOption",
    "EditsOption",
    "QueriesOption",
    "SheetOption",
    "StrengthOption",
    "evaluate_edits",
]

QUERIES = 1000
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
    console: Console,
    workspace: Path,
    photos: Path,
    distractors: Sequence[Path],
    encoders: Sequence[str],
    models: Sequence[str],
    queries: int | None,
    strengths: Sequence[str],
    edits: Sequence[str],
    plot: Path | None,
    sheet: Path | None,
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
            queries=queries or QUERIES,
            strengths=cast("Sequence[Strength]", strengths) or STRENGTHS,
            edits=edits,
            plot=plot,
            sheet=sheet,
            on_progress=on_progress,
        )
    console.result(as_json(found), lambda screen: _show(screen, found, plot, sheet))
    if found.rejected:
        raise typer.Exit(1)


def as_json(found: EditBench) -> dict[str, Any]:
    """Lay the result out as JSON values; an interval that does not exist is null."""
    rows = [
        {
            "model": row.model,
            **_measures(row.overall),
            "n": row.recall.n,
            "behind": difference_json(row.behind),
            "seen": row.seen,
            "by_strength": {name: _measures(one) for name, one in row.by_strength.items()},
            "behind_by_strength": {name: difference_json(one) for name, one in row.behind_by_strength.items()},
            "by_edit": {name: _measures(one) for name, one in row.by_edit.items()},
            "by_edit_and_strength": {
                edit: {strength: accuracy_json(one) for strength, one in cells.items()}
                for edit, cells in row.cells.items()
            },
        }
        for row in found.rows
    ]
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
    recalls = {str(k): accuracy_json(recall) for k, recall in one.recalls.items()}
    return {"recalls": recalls, "map": accuracy_json(one.precision)}


def _show(screen: RichConsole, found: EditBench, plot: Path | None, sheet: Path | None) -> None:
    screen.print(_leaderboard(found))
    screen.print(
        f"[dim]{found.queries:,} edited copies of {found.photographs:,} photographs among {found.gallery:,} "
        f"originals; {found.copies:,} files left out that repeat one of them[/]"
    )
    if len(found.strengths) > 1:
        at = [(row.label, {name: one.recalls[1] for name, one in row.by_strength.items()}) for row in found.rows]
        screen.print()
        screen.print(parts_table("recall@1 by strength", [name for name in found.strengths if name in at[0][1]], at))
    by = [(row.label, {name: one.recalls[1] for name, one in row.by_edit.items()}) for row in found.rows]
    for start in range(0, len(found.edits) if len(found.edits) > 1 else 0, EDITS_ABREAST):
        abreast = found.edits[start : start + EDITS_ABREAST]
        screen.print()
        screen.print(parts_table("recall@1 by edit", [name for name in abreast if name in by[0][1]], by))
    warn_seen(screen, found.rows, "{} of these photographs")
    show_file(screen, "drawn", plot)
    show_file(screen, "drawn", sheet)
    show_rejected(screen, found.rejected, "--json lists all")


def _leaderboard(found: EditBench) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold")
    first, *others = found.chance
    for heading in (f"recall@{first}", "95% interval", *(f"@{k}" for k in others), "mAP", "behind the best", "p"):
        table.add_column(heading, justify="right")
    for row in found.rows:
        cells = [f"{row.recall.value:.1%}", interval_cell(row.recall)]
        cells += [f"{row.overall.recalls[k].value:.1%}" for k in others]
        cells.append(f"{row.overall.precision.value:.3f}")
        table.add_row(Text(row.label), *cells, *behind_cells(row.behind))
    return table

"""``lookalike judgments {show,export,agreement}``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import DEFAULT_WORKSPACE, JsonOption, QuietOption, WorkspaceOption

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.judgments import Agreement, Summary

app = typer.Typer(help="Look at people's judgments.", no_args_is_help=True, rich_markup_mode=None)

SourceOption = Annotated[
    str | None, typer.Option("--source", metavar="PATH", help="Only judgments of this import, named as it was given.")
]


@app.command("show")
def show(workspace: WorkspaceOption = DEFAULT_WORKSPACE, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Count the judgments by import, annotator and context."""
    from lookalike.jobs.judgments import summary

    found = summary(workspace)
    Console(json, quiet).result(asdict(found), lambda screen: _show_summary(screen, found))


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write: a .csv or .parquet file.")],
    source: SourceOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the judgments to a CSV or Parquet file."""
    from lookalike.jobs.judgments import export_judgments

    count = export_judgments(workspace, file, source)
    data = {"judgments": count, "file": str(file)}
    Console(json, quiet).result(
        data, lambda screen: screen.print(f"{count:,} judgments written to {file}", markup=False, soft_wrap=True)
    )


@app.command("agreement")
def agreement(
    source: SourceOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure how far people agree, with each other and with themselves."""
    from lookalike.jobs.judgments import agreement as measure

    found = measure(workspace, source)
    Console(json, quiet).result(_without_nan(asdict(found)), lambda screen: _show_agreement(screen, found))


def _without_nan(value: Any) -> Any:
    """Make what cannot be measured null: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and value != value else value


def _show_summary(screen: RichConsole, found: Summary) -> None:
    screen.print(
        f"[bold]{found.judgments:,} judgments[/] of {found.references:,} references and {found.images:,} images"
    )
    for source in found.sources:
        screen.print(f"  {source.answers:>10,}  {source.name}", markup=False, soft_wrap=True)
    for heading, counts in (("annotators", found.annotators), ("contexts", found.contexts)):
        if set(counts) != {""}:
            screen.print(f"{heading}:")
            for name, count in counts.items():
                screen.print(f"  {count:>10,}  {name or '(none)'}", markup=False)


def _show_agreement(screen: RichConsole, found: Agreement) -> None:
    def number(value: float) -> str:
        return "not measurable" if value != value else f"{value:.3f}"

    screen.print(f"[bold]{found.questions:,} questions[/], {found.answered_again:,} with more than one vote")
    interval = (
        "" if found.ceiling.low != found.ceiling.low else f" ({found.ceiling.low:.1%} to {found.ceiling.high:.1%})"
    )
    screen.print(f"  ceiling               {found.ceiling.value:.1%}{interval}")
    screen.print(f"  Krippendorff's alpha  {number(found.alpha)}")
    screen.print(f"  Fleiss's kappa        {number(found.kappa)}")
    if found.split_half is not None:
        screen.print(f"  split halves          {number(found.split_half.value)}")
    if not found.annotators:
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("annotator", "answers", "same when repeated", "same when flipped"):
        table.add_column(heading, justify="left" if heading == "annotator" else "right")
    for person in found.annotators:
        repeated, flipped = (f"{e.value:.1%} of {e.n}" if e.n else "" for e in (person.repeated, person.flipped))
        table.add_row(Text(person.annotator), f"{person.answers:,}", repeated, flipped)
    screen.print(table)

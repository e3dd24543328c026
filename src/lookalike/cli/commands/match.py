"""``lookalike match SOURCE TARGET``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.accuracies import show_file
from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    EncoderOption,
    JsonOption,
    ModelOption,
    OfflineOption,
    QuietOption,
    WorkspaceOption,
    check_one,
    work_offline,
)
from lookalike.cli.rejected import show_rejected

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.match import MatchReport


def match(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A folder of pictures, or one picture.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The folder of pictures to find them among.")],
    k: Annotated[int, typer.Option("-k", min=1, help="Targets of each source, at most.")] = 5,
    one_to_one: Annotated[
        bool,
        typer.Option("--one-to-one", help="Let no target serve two sources: the likeliest assignment of all at once."),
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", metavar="P", min=0, max=1, help="Leave out targets that are less probable."),
    ] = None,
    prior: Annotated[
        float,
        typer.Option("--prior", metavar="P", help="The share of sources that have a partner at all, if you know it."),
    ] = 0.5,
    pairs: Annotated[
        Path | None,
        typer.Option("--pairs", metavar="FILE", help="Known matches (source,target) to learn probabilities from."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Also write the matches as a table.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", metavar="FILE", help="Also draw them: a .png, .jpg or .webp file.")
    ] = None,
    encoder: EncoderOption = None,
    model: ModelOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find for every picture of one folder those of another that show the same.

    Cropped, recoloured, mirrored or recompressed copies, say. Targets stand by the probability that they show the same,
    likeliest first. It is learned from edited copies of the targets, or from --pairs, and holds where about half of the
    sources have a partner, or the --prior.

    Files that cannot be read are listed with the reason; the exit code is then 1.
    """
    from lookalike.jobs.match import Wanted, match_folders

    work_offline(offline)
    check_one(encoder, model)
    console = Console(json, quiet)
    wanted = Wanted(k, one_to_one, threshold, prior)
    with console.progress() as on_progress:
        found = match_folders(workspace, source, target, wanted, encoder, model, pairs, csv, sheet, on_progress)
    console.result(as_json(found), lambda screen: _show(screen, found, csv, sheet))
    if found.rejected:
        raise typer.Exit(1)


def as_json(found: MatchReport) -> dict[str, Any]:
    """Lay matches out as JSON values."""
    sure = found.sureness
    return {
        "matches": [asdict(one) for one in found.matches],
        "rejected": [asdict(entry) for entry in found.rejected],
        "matcher": found.matcher,
        "sureness": sure
        and {
            "searches": sure.searches,
            "calibration_error": sure.calibration_error,
            "found_first": sure.found_first,
        },
        "sources": found.sources,
        "targets": found.targets,
        "seconds": round(found.seconds, 3),
    }


def _show(screen: RichConsole, found: MatchReport, csv: Path | None, sheet: Path | None) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, justify in (("source", "left"), ("target", "left"), ("distance", "right"), ("the same", "right")):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for one in found.matches:
        if not one.targets:
            table.add_row(Text(one.source), Text("none", style="dim"), "", "")
        for rank, target in enumerate(one.targets):
            sure = "" if target.probability is None else f"{target.probability:.1%}"
            table.add_row(Text("" if rank else one.source), Text(target.target), f"{target.distance:.4f}", sure)
    screen.print(table)
    screen.print(f"[dim]{found.sources:,} sources, {found.targets:,} targets; {found.seconds:.1f} s[/]")
    if found.sureness is None:
        screen.print("[yellow]too few targets to say how sure a match is[/]")
    else:
        error = found.sureness.calibration_error
        off = "" if error is None else f"; off by {error:.1%} on average where tested"
        screen.print(
            f"[dim]probabilities learned from {found.sureness.searches:,} searches, which had the right target "
            f"nearest in {found.sureness.found_first:.0%} of the cases{off}[/]",
            soft_wrap=True,
        )
    show_file(screen, "table", csv)
    show_file(screen, "contact sheet", sheet)
    show_rejected(screen, found.rejected, "--json lists all")

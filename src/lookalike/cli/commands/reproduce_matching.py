"""``lookalike reproduce matching SOURCE TARGET``."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.accuracies import accuracy_json, interval_cell
from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    OfflineOption,
    QuietOption,
    WorkspaceOption,
    work_offline,
)

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.reproduce_matching import ReproducedMatching

SHOWN = (1, 5, 10, 15)


class Mode(StrEnum):
    """As the published program does it, or as it should."""

    published = "published"
    corrected = "corrected"


class Members(StrEnum):
    """Which of the two published ensembles."""

    post = "post"
    proposal = "proposal"


def matching(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="The folder of pictures to find.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The folder to find them in, by the same names.")],
    encoder: Annotated[
        list[str] | None,
        typer.Option("--encoder", metavar="NAME", help="Instead of the published networks; may be repeated."),
    ] = None,
    members: Annotated[
        Members,
        typer.Option("--members", help="vit_b_16 + convnext_small + swin_t, or vgg16 + resnet50 + inception_v3."),
    ] = Members.post,
    mode: Annotated[Mode, typer.Option("--mode", help="As published, or corrected.")] = Mode.published,
    grey: Annotated[
        bool | None, typer.Option("--grey/--colour", help="Measure on grey pictures; published does, corrected not.")
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Passes of training; published, 15.")] = None,
    views: Annotated[int, typer.Option("--views", min=1, help="Stored views of each picture.")] = 8,
    seed: Annotated[int, typer.Option("--seed", help="Of views and training.")] = 0,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Image similarity: what a contrastive head over an ensemble gains (Le and others, 2023).

    Their protocol: class logits of frozen networks, NT-Xent on all pictures of both folders without labels, and how
    often the target of the same file name is among the first 1 to 15. Image hashes stand in the same table. Their
    pictures were not published; docs/matching.md says what came out on others.
    """
    work_offline(offline)
    from lookalike.jobs.reproduce_matching import reproduce_matching

    console = Console(json, quiet)
    with console.progress() as on_progress:
        found = reproduce_matching(
            workspace,
            source,
            target,
            encoder or [],
            members.value,
            mode.value,
            grey,
            epochs,
            views,
            seed,
            on_progress,
        )
    console.result(as_json(found), lambda screen: _show(screen, found))
    if found.rejected:
        raise typer.Exit(1)


def as_json(found: ReproducedMatching) -> dict[str, Any]:
    """Lay out what came out as JSON values; an interval that does not exist is null."""
    return {
        "rows": [
            {
                "model": row.model,
                "hits": [{"k": k, **accuracy_json(one)} for k, one in enumerate(row.hits, 1)],
            }
            for row in found.rows
        ],
        "mode": found.mode,
        "grey": found.grey,
        "sources": found.sources,
        "targets": found.targets,
        "lonely": found.lonely,
        "rejected": [asdict(entry) for entry in found.rejected],
        "seconds": round(found.seconds, 3),
    }


def _show(screen: RichConsole, found: ReproducedMatching) -> None:
    from rich.table import Table
    from rich.text import Text

    depth = len(found.rows[0].hits)
    shown = [k for k in SHOWN if k <= depth]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold")
    for heading in (*(f"top-{k}" for k in shown), "95% interval of the last"):
        table.add_column(heading, justify="right")
    for row in found.rows:
        last = row.hits[shown[-1] - 1]
        table.add_row(Text(row.model), *(f"{row.hits[k - 1].value:.1%}" for k in shown), interval_cell(last))
    screen.print(table)
    told = (
        f"{found.sources:,} sources, {found.targets:,} targets, {'grey' if found.grey else 'in colour'}, {found.mode}"
    )
    left_out = f"; {found.lonely:,} sources without a target of their name left out" if found.lonely else ""
    screen.print(f"[dim]{told}{left_out}; {found.seconds:.0f} s[/]")
    for entry in found.rejected[:10]:
        screen.print(f"  {entry.path}: {entry.reason}", style="yellow", markup=False, soft_wrap=True)

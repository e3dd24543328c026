"""``lookalike index SOURCE``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    EncoderOption,
    JsonOption,
    OfflineOption,
    QuietOption,
    WorkspaceOption,
    work_offline,
)
from lookalike.cli.rejected import show_rejected
from lookalike.core.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.embedding.plan import IndexReport


def index(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="The photographs: a folder, read with all its folders; s3://bucket/prefix; or .parquet or .tar files, "
            "one, a folder of them, or a pattern such as 'shards-{000..009}.tar', here or at s3://.",
        ),
    ],
    encoder: EncoderOption = None,
    on: Annotated[
        str,
        typer.Option(
            "--on",
            metavar="PLACE",
            help="Where to decode and encode: local, ray (processes of this machine) or ray://HOST:PORT (a cluster).",
        ),
    ] = "local",
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", help="On Ray: processes; by default one on every processor."),
    ] = None,
    gpus: Annotated[
        int, typer.Option("--gpus", metavar="N", help="On Ray: GPUs to encode on; the other processes decode.")
    ] = 0,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make photographs searchable, or bring them up to date.

    New files are added, changed ones encoded again, absent ones marked; what is unchanged is left alone. Stopped at
    any moment, the next run goes on where this one was, wherever it runs. Files that cannot be read are listed with
    the reason, here and in rejected.json of the workspace; the exit code is then 1.
    """
    from lookalike.jobs.index import index_source

    work_offline(offline)
    console = Console(json, quiet)
    with console.progress() as on_progress:
        report = index_source(workspace, source, encoder, on_progress, on, workers, gpus)
    data = {
        "images": report.images,
        "rejected": [{"path": entry.path, "reason": entry.reason} for entry in report.rejected],
        "seconds": round(report.seconds, 3),
        "images_per_second": round(report.images_per_second, 2),
        "added": report.added,
        "updated": report.updated,
        "reused": report.reused,
        "removed": report.removed,
        "unchanged": report.unchanged,
        "ignored": report.ignored,
        "without_vectors": report.without_vectors,
    }
    console.result(data, lambda screen: _show(screen, report, Workspace(workspace)))
    if report.rejected:
        raise typer.Exit(1)


def _show(screen: RichConsole, report: IndexReport, workspace: Workspace) -> None:
    from rich.markup import escape

    parts = [
        f"{count:,} {word}"
        for word in ("added", "updated", "reused", "removed", "unchanged")
        if (count := getattr(report, word))
    ]
    speed = f", {report.images_per_second:,.0f} images/s" if report.added + report.updated else ""
    done = ", ".join(parts) or "nothing to do"
    screen.print(f"[bold]{report.images:,} images[/] in {escape(workspace.place)}: {done}", soft_wrap=True)
    screen.print(f"[dim]{report.seconds:.1f} s{speed}[/]")
    if report.without_vectors:
        screen.print(
            f"[yellow]{report.without_vectors:,} images have no vectors of this encoder: index all of the source[/]"
        )
    show_rejected(screen, report.rejected, f"all in {workspace.rejected_file}")

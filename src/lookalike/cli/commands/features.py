"""``lookalike features``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    OfflineOption,
    QuietOption,
    WorkspaceOption,
    work_offline,
)
from lookalike.cli.rejected import show_rejected

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.embedding.feature_sets import FeatureSet
    from lookalike.jobs.features import FeatureReport

app = typer.Typer(
    help="Name sets of encoders whose features stand side by side, and compute them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of the set.")]


@app.command("define")
def define(
    name: NameArgument,
    encoder: Annotated[
        list[str],
        typer.Option("--encoder", metavar="ENCODER", help="An encoder, with its taps; repeat it for several."),
    ],
    replace: Annotated[bool, typer.Option("--replace", help="Give the name to other encoders than before.")] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Put encoders under a name.

    Each is loaded once, to see that it can be. Weights that are not here are downloaded.
    """
    work_offline(offline)
    from lookalike.jobs.features import define_features

    made = define_features(workspace, name, encoder, replace)
    Console(json, quiet).result(_as_json(made), lambda screen: _show_set(screen, made))


@app.command("list")
def list_(workspace: WorkspaceOption = DEFAULT_WORKSPACE, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """List the feature sets of the workspace and their encoders."""
    from lookalike.jobs.features import list_features

    found = list_features(workspace)

    def draw(screen: RichConsole) -> None:
        for feature_set in found:
            _show_set(screen, feature_set)

    Console(json, quiet).result({"sets": [_as_json(feature_set) for feature_set in found]}, draw)


@app.command("compute")
def compute(
    name: NameArgument,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="DIR", help="A folder of images; by default the collection.")
    ] = None,
    flipped: Annotated[
        bool, typer.Option("--flipped", help="Also of the pictures mirrored left to right, to train with.")
    ] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compute the features of a set and keep them, so that what is done with them later starts at once.

    What is there already is left alone; stopped at any moment, the next run goes on where this one was. Images that
    cannot be read are listed with the reason; the exit code is then 1.
    """
    work_offline(offline)
    from lookalike.jobs.features import compute_features

    console = Console(json, quiet)
    with console.progress() as on_progress:
        report = compute_features(workspace, name, images, flipped, on_progress)
    data = {
        "name": report.name,
        "images": report.images,
        "dim": report.dim,
        "encoders": [{"name": encoder, "dim": dim} for encoder, dim in report.dims.items()],
        "fingerprint": report.fingerprint,
        "rejected": [{"path": entry.path, "reason": entry.reason} for entry in report.rejected],
        "seconds": round(report.seconds, 3),
    }
    console.result(data, lambda screen: _show_report(screen, report))
    if report.rejected:
        raise typer.Exit(1)


def _as_json(feature_set: FeatureSet) -> dict[str, object]:
    return {"name": feature_set.name, "encoders": list(feature_set.encoders)}


def _show_set(screen: RichConsole, feature_set: FeatureSet) -> None:
    screen.print(feature_set.name, style="bold", markup=False)
    for encoder in feature_set.encoders:
        screen.print(f"  {encoder}", markup=False, soft_wrap=True)


def _show_report(screen: RichConsole, report: FeatureReport) -> None:
    screen.print(f"[bold]{report.images:,} images[/], {report.dim:,} numbers each, in {report.seconds:.1f} s")
    for encoder, dim in report.dims.items():
        screen.print(f"  {dim:6,}  {encoder}", markup=False, soft_wrap=True)
    show_rejected(screen, report.rejected, "--json lists all")

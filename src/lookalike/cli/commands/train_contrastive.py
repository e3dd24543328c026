"""``lookalike train contrastive``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    OfflineOption,
    PairFormatOption,
    QuietOption,
    WorkspaceOption,
    parameters_of,
    work_offline,
)
from lookalike.cli.rejected import show_rejected
from lookalike.cli.train_options import (
    AugmentationOption,
    EncodersOption,
    FeaturesOption,
    ImagesOption,
    ModeOption,
    NameOption,
    NoMeasureOption,
    PairsOption,
    PhotosArgument,
    PlotOption,
    ReplaceOption,
    SeedOption,
    SetOption,
    ShowViewsOption,
    TensorboardOption,
    ViewsOption,
)

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.finding import Finding
    from lookalike.jobs.train_contrastive import ContrastiveReport


def contrastive(
    name: NameOption,
    photos: PhotosArgument = None,
    encoder: EncodersOption = None,
    features: FeaturesOption = None,
    pairs: PairsOption = None,
    pair_format: PairFormatOption = None,
    images: ImagesOption = None,
    views: ViewsOption = 8,
    augmentation: AugmentationOption = "corrected",
    show_views: ShowViewsOption = None,
    loss: Annotated[str, typer.Option("--loss", metavar="LOSS", help="nt-xent, semi-hard or curriculum.")] = "nt-xent",
    mode: ModeOption = "corrected",
    set_: SetOption = None,
    seed: SeedOption = 0,
    no_measure: NoMeasureOption = False,
    tensorboard: TensorboardOption = None,
    plot: PlotOption = None,
    replace: ReplaceOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Learn to find the picture that shows the same, from photographs and views of them, or from pairs.

    Features are computed once and stay as they are; a head over them is trained. It is measured first, on a fifth of
    the photographs, of which the one that is measured saw nothing; the model that is kept is fitted on all. Repeat
    --encoder to put several side by side under one head; --set takes the parameters of ProjectionModel.
    """
    work_offline(offline)
    from lookalike.jobs.things_to_learn import WhatThings
    from lookalike.jobs.train_contrastive import Drawn, train_contrastive

    console = Console(json, quiet)
    with console.progress() as on_progress:
        report = train_contrastive(
            workspace,
            name,
            WhatThings(photos, views, augmentation, pairs, pair_format, images),
            encoder or [],
            features,
            {"loss": loss, "mode": mode, "seed": seed, **parameters_of(set_ or [])},
            not no_measure,
            replace,
            Drawn(show_views, plot, tensorboard),
            on_progress,
        )
    console.result(as_json(report), lambda screen: _show(screen, report))
    if report.rejected:
        raise typer.Exit(1)


def as_json(report: ContrastiveReport) -> dict[str, Any]:
    """Lay a report out as JSON values."""
    return {
        "name": report.name,
        "path": str(report.path),
        "images": report.images,
        "pairs": report.pairs,
        "copies": report.copies,
        "encoders": list(report.encoders),
        "dim": report.dim,
        "settings": report.settings,
        "kept": report.kept,
        "measured": None if report.measured is None else report.measured.as_dict(),
        "history": report.history,
        "rejected": [asdict(entry) for entry in report.rejected],
        "seconds": round(report.seconds, 3),
    }


def show_model(screen: RichConsole, report: Any) -> None:
    """Say which images were not used, and where the model is."""
    from rich.text import Text

    if report.copies:
        screen.print(f"[dim]{report.copies:,} files left out: others have the same content[/]")
    show_rejected(screen, report.rejected, "--json lists all")
    screen.print(Text(f"model: {report.path}"), soft_wrap=True)


def show_finding(screen: RichConsole, found: Finding, what: str) -> None:
    """Say how often pictures that were held out find their original first."""
    for label, one in (("features as they are", found.plain), (what, found.model)):
        screen.print(f"{label}: {one.value:.1%} found first ({one.low:.1%} to {one.high:.1%})")
    gain = found.gain
    screen.print(
        f"gain {100 * gain.value:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f}) on "
        f"{found.plain.n:,} pictures of {found.things:,} things held out, each searched among {found.gallery:,}"
    )


def _show(screen: RichConsole, report: ContrastiveReport) -> None:
    screen.print(
        f"[bold]{report.settings['loss']}[/] fitted on {report.pairs:,} pairs of {report.images:,} images, "
        f"{report.dim:,} numbers each, in {report.seconds:.1f} s; kept: {report.kept}"
    )
    if report.measured is not None:
        show_finding(screen, report.measured, "model")
    show_model(screen, report)

"""``lookalike train contrastive``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    OfflineOption,
    QuietOption,
    WorkspaceOption,
    parameters_of,
    work_offline,
)

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.finding import Finding
    from lookalike.jobs.train_contrastive import ContrastiveReport

PhotosArgument = Annotated[
    Path | None, typer.Argument(metavar="PHOTOS", help="A folder of photographs, read with all its folders.")
]
NameOption = Annotated[str, typer.Option("--name", metavar="NAME", help="Of the model.")]
EncodersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder",
        metavar="ENCODER",
        help="What makes the features; repeat it to put several side by side under one head. By default the "
        "workspace's.",
    ),
]
FeaturesOption = Annotated[
    str | None,
    typer.Option("--features", metavar="NAME", help="A set of `lookalike features define`, instead of --encoder."),
]
PairsOption = Annotated[
    Path | None, typer.Option("--pairs", metavar="PATH", help="Pairs of pictures that show the same.")
]
PairFormatOption = Annotated[
    str | None,
    typer.Option("--pair-format", metavar="FORMAT", help="tll, folders or csv; by default as the path looks."),
]
ImagesOption = Annotated[
    Path | None,
    typer.Option("--images", metavar="DIR", help="Where the images of the pairs are; by default, among PHOTOS."),
]
ViewsOption = Annotated[int, typer.Option("--views", min=0, help="Views of each image; 0 for the pairs alone.")]
AugmentationOption = Annotated[
    str,
    typer.Option(
        "--augmentation",
        metavar="VIEWS",
        help="What views look like: corrected, mild, published, copies, or a FILE.json.",
    ),
]
ShowViewsOption = Annotated[
    Path | None,
    typer.Option("--show-views", metavar="FILE", help="Also draw some images and views of them: .png, .jpg, .webp."),
]
ReplaceOption = Annotated[bool, typer.Option("--replace", help="Put the model in the place of one of that name.")]


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
    mode: Annotated[
        str,
        typer.Option("--mode", metavar="MODE", help="corrected, or published: as the program of the source does it."),
    ] = "corrected",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A parameter of ProjectionModel, such as epochs=20; may be repeated."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of training, of views, and of what is held out.")] = 0,
    no_measure: Annotated[bool, typer.Option("--no-measure", help="Hold nothing out to measure on.")] = False,
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", metavar="DIR", help="Also log the final fit for TensorBoard.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also draw the losses: .png, .svg or .pdf.")
    ] = None,
    replace: ReplaceOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Learn to find the picture that shows the same, from photographs and views of them, or from pairs.

    Features are computed once and stay as they are; a head over them is trained. It is measured first, on a fifth of
    the photographs, of which the one that is measured saw nothing; the model that is kept is fitted on all.
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


def show_rejected(screen: RichConsole, report: Any) -> None:
    """Say which images were not used, and where the model is."""
    from rich.text import Text

    if report.copies:
        screen.print(f"[dim]{report.copies:,} files left out: others have the same content[/]")
    for entry in report.rejected:
        screen.print(Text(f"rejected: {entry.path}: {entry.reason}"), soft_wrap=True)
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
    show_rejected(screen, report)

"""``lookalike train classifier`` and ``lookalike classify``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.commands.train_contrastive import show_model
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
    PairsOption,
    PhotosArgument,
    ReplaceOption,
    SeedOption,
    SetOption,
    ShowViewsOption,
    ViewsOption,
)

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.classify import ClassifyReport
    from lookalike.jobs.train_classifier import ClassifierReport


def classifier(
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
    refuse: Annotated[
        float,
        typer.Option("--refuse", metavar="SHARE", help="Of pictures that show no known thing: how many to refuse."),
    ] = 0.95,
    mode: ModeOption = "corrected",
    set_: SetOption = None,
    seed: SeedOption = 0,
    replace: ReplaceOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Learn one class per photograph, or per thing that pairs connect, and when a picture shows none of these.

    A share of the things is held out first: they tell how sure a class is, and from where on it is named. --set takes
    the parameters of ClassifierModel.
    """
    work_offline(offline)
    from lookalike.jobs.things_to_learn import WhatThings
    from lookalike.jobs.train_classifier import train_classifier

    console = Console(json, quiet)
    with console.progress() as on_progress:
        report = train_classifier(
            workspace,
            name,
            WhatThings(photos, views, augmentation, pairs, pair_format, images),
            encoder or [],
            features,
            {"refuse": refuse, "mode": mode, "seed": seed, **parameters_of(set_ or [])},
            replace,
            show_views,
            on_progress,
        )
    console.result(classifier_as_json(report), lambda screen: _show_classifier(screen, report))
    if report.rejected:
        raise typer.Exit(1)


def classify(
    photos: Annotated[
        Path, typer.Argument(metavar="PHOTOS", help="A folder, read with all its folders, or one photograph.")
    ],
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="A classifier of the workspace.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Name the known thing that each photograph shows, or none of these."""
    work_offline(offline)
    from lookalike.jobs.classify import classify as run

    console = Console(json, quiet)
    with console.progress() as on_progress:
        report = run(workspace, photos, model, on_progress)
    console.result(classes_as_json(report), lambda screen: _show_classes(screen, report))
    if report.rejected:
        raise typer.Exit(1)


def classifier_as_json(report: ClassifierReport) -> dict[str, Any]:
    """Lay a report out as JSON values."""
    return {**asdict(report), "path": str(report.path), "encoders": list(report.encoders),
            "seconds": round(report.seconds, 3)}  # fmt: skip


def classes_as_json(report: ClassifyReport) -> dict[str, Any]:
    """Lay a report out as JSON values; the class is null for none of these."""
    results = [{"image": one.image, "class": one.label, "probability": one.probability} for one in report.results]
    return {
        "model": report.model,
        "results": results,
        "rejected": [asdict(entry) for entry in report.rejected],
        "seconds": round(report.seconds, 3),
    }


def _show_classifier(screen: RichConsole, report: ClassifierReport) -> None:
    screen.print(
        f"[bold]{report.classes:,} classes[/] fitted on {report.pairs:,} pairs of {report.images:,} images, "
        f"{report.dim:,} numbers each, in {report.seconds:.1f} s"
    )
    if report.measured is None:
        screen.print("[dim]too few things to find out when none of these is shown: a class is always named[/]")
    else:
        labels = {"refused": "pictures of unknown things refused", "named_right": "of known ones named, and rightly"}
        for key, label in labels.items():
            one = report.measured[key]
            ends = "" if one["low"] is None else f" ({one['low']:.1%} to {one['high']:.1%})"
            screen.print(f"{label}: {one['value']:.1%}{ends} of {one['n']:,} held out")
    show_model(screen, report)


def _show_classes(screen: RichConsole, report: ClassifyReport) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("image")
    table.add_column("class")
    table.add_column("probability", justify="right")
    for one in report.results:
        label = Text(one.label) if one.label is not None else Text("none of these", style="dim")
        table.add_row(Text(one.image), label, f"{one.probability:.1%}")
    screen.print(table)
    show_rejected(screen, report.rejected, "--json lists all")

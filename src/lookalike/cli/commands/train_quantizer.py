"""``lookalike train quantizer``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.accuracies import show_file
from lookalike.cli.commands.train_contrastive import show_finding, show_model
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
    ViewsOption,
)
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.train_quantizer import QuantizerReport


def quantizer(
    name: NameOption,
    photos: PhotosArgument = None,
    encoder: EncodersOption = None,
    features: FeaturesOption = None,
    bits: Annotated[
        int | None,
        typer.Option("--bits", metavar="BITS", help="Of a code, a multiple of 8: a book of 256 words for every byte."),
    ] = None,
    views: ViewsOption = 4,
    augmentation: AugmentationOption = "mild",
    pairs: PairsOption = None,
    pair_format: PairFormatOption = None,
    images: ImagesOption = None,
    mode: ModeOption = "corrected",
    set_: SetOption = None,
    seed: SeedOption = 0,
    no_measure: NoMeasureOption = False,
    plot: PlotOption = None,
    replace: ReplaceOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Learn codes of a few bytes an image, by which `lookalike search --model NAME` searches.

    Photographs are paired with views of them: a quantizer needs no labels. It is measured on a fifth of the
    photographs, of which the one that is measured saw nothing; the model that is kept is fitted on all. --set takes
    the parameters of QuantizerModel.
    """
    work_offline(offline)
    from lookalike.jobs.things_to_learn import WhatThings
    from lookalike.jobs.train_quantizer import train_quantizer

    parameters = {"mode": mode, "seed": seed, **code_size(bits, mode), **parameters_of(set_ or [])}
    console = Console(json, quiet)
    with console.progress() as on_progress:
        report = train_quantizer(
            workspace,
            name,
            WhatThings(photos, views, augmentation, pairs, pair_format, images),
            encoder or [],
            features,
            parameters,
            not no_measure,
            replace,
            plot,
            on_progress,
        )
    console.result(as_json(report), lambda screen: _show(screen, report, plot))
    if report.rejected:
        raise typer.Exit(1)


def as_json(report: QuantizerReport) -> dict[str, Any]:
    """Lay a report out as JSON values."""
    return {
        "name": report.name,
        "path": str(report.path),
        "images": report.images,
        "pairs": report.pairs,
        "copies": report.copies,
        "encoders": list(report.encoders),
        "dim": report.dim,
        "bits": report.bits,
        "settings": report.settings,
        "measured": None if report.measured is None else report.measured.as_dict(),
        "history": report.history,
        "rejected": [asdict(entry) for entry in report.rejected],
        "seconds": round(report.seconds, 3),
    }


def code_size(bits: int | None, mode: str) -> dict[str, Any]:
    """Return the parameters that make codes of so many bits.

    Raises
    ------
    InputError
        There are no such codes.

    Examples
    --------
    >>> code_size(32, "corrected")
    {'books': 4, 'words': 256}
    """
    if bits is None:
        return {}
    if mode == "published":
        raise InputError(
            "--bits is for books of 256 words, which the published ones are not: --set books=8 has 32 bits"
        )
    if bits < 8 or bits % 8:
        raise InputError(f"--bits takes a multiple of 8, not {bits}")
    return {"books": bits // 8, "words": 256}


def _show(screen: RichConsole, report: QuantizerReport, plot: Path | None) -> None:
    screen.print(
        f"codes of {report.bits:g} bits instead of {4 * report.dim:,} bytes, learned from {report.images:,} images and "
        f"{report.pairs:,} pairs in {report.seconds:.1f} s"
    )
    if report.measured is not None:
        show_finding(screen, report.measured, "codes")
    show_model(screen, report)
    show_file(screen, "plot", plot)

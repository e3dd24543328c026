"""``lookalike train quantizer``."""

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
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.train_quantizer import QuantizerReport


def quantizer(
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Of the model.")],
    photos: Annotated[
        Path | None, typer.Argument(metavar="PHOTOS", help="A folder of photographs, read with all its folders.")
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option("--encoder", metavar="ENCODER", help="What makes the features; may be repeated."),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option("--features", metavar="NAME", help="A set of `lookalike features define`, instead of --encoder."),
    ] = None,
    bits: Annotated[
        int | None,
        typer.Option("--bits", metavar="BITS", help="Of a code, a multiple of 8: a book of 256 words for every byte."),
    ] = None,
    views: Annotated[int, typer.Option("--views", min=1, help="Views of each photograph.")] = 4,
    augmentation: Annotated[
        str,
        typer.Option("--augmentation", metavar="VIEWS", help="corrected, published, copies or FILE.json."),
    ] = "corrected",
    pairs: Annotated[
        Path | None,
        typer.Option("--pairs", metavar="PATH", help="Pairs of pictures of the same, instead of photographs."),
    ] = None,
    pair_format: Annotated[
        str | None, typer.Option("--pair-format", metavar="FORMAT", help="tll, folders or csv; guessed by default.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="DIR", help="Where the images of the pairs are.")
    ] = None,
    mode: Annotated[
        str,
        typer.Option("--mode", metavar="MODE", help="corrected, or published: as the program of the paper does it."),
    ] = "corrected",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of QuantizerModel; may be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of training, of views, and of what is held out.")] = 0,
    no_measure: Annotated[bool, typer.Option("--no-measure", help="Hold nothing out to measure on.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also draw the losses: .png, .svg or .pdf.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Put the model in the place of one of that name.")] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Learn codes of a few bytes an image, by which `lookalike search --model NAME` searches.

    Photographs are paired with views of them: a quantizer needs no labels. It is measured on a fifth of the
    photographs, of which the one that is measured saw nothing; the model that is kept is fitted on all.
    """
    work_offline(offline)
    from lookalike.jobs.train_quantizer import WhatPictures, train_quantizer

    parameters = {"mode": mode, "seed": seed, **_size(bits, mode), **parameters_of(set_ or [])}
    console = Console(json, quiet)
    with console.progress() as on_progress:
        report = train_quantizer(
            workspace,
            name,
            WhatPictures(photos, views, augmentation, pairs, pair_format, images),
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
        "encoders": list(report.encoders),
        "dim": report.dim,
        "bits": report.bits,
        "settings": report.settings,
        "measured": None if report.measured is None else asdict(report.measured),
        "history": report.history,
        "rejected": [asdict(entry) for entry in report.rejected],
        "seconds": round(report.seconds, 3),
    }


def _size(bits: int | None, mode: str) -> dict[str, Any]:
    """Return the parameters that make codes of so many bits."""
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
    from rich.text import Text

    screen.print(
        f"codes of {report.bits:g} bits instead of {4 * report.dim:,} bytes, learned from {report.images:,} images and "
        f"{report.pairs:,} pairs in {report.seconds:.1f} s"
    )
    if report.measured is not None:
        for label, found in (("features as they are", report.measured.features), ("codes", report.measured.codes)):
            screen.print(f"{label}: {found.value:.1%} found first ({found.low:.1%} to {found.high:.1%})")
        gap = report.measured.difference
        screen.print(
            f"difference {100 * gap.value:+.1f} points ({100 * gap.low:+.1f} to {100 * gap.high:+.1f}) on {gap.n:,} "
            f"pictures held out, each searched among {report.measured.gallery:,}"
        )
    for entry in report.rejected:
        screen.print(Text(f"rejected: {entry.path}: {entry.reason}"), soft_wrap=True)
    screen.print(Text(f"model: {report.path}"), soft_wrap=True)
    if plot is not None:
        screen.print(Text(f"plot: {plot}"), soft_wrap=True)

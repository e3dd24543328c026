"""``lookalike train matcher``."""

from __future__ import annotations

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

    from lookalike.jobs.train_matching_network import MatcherReport


def matcher(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="A folder of pictures, read with all its folders.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Of the model.")],
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            "--encoder",
            metavar="ENCODER",
            help="The network, such as timm:resnet18 or simnet:vgg16; repeated, their features stand side by side. By "
            "default the workspace's.",
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="PATH", help="A local file of its weights.")
    ] = None,
    preset: Annotated[
        str,
        typer.Option("--preset", metavar="PRESET", help="simclr, identical, curriculum, deeprank or published."),
    ] = "",
    mode: Annotated[
        str | None,
        typer.Option("--mode", metavar="MODE", help="corrected, or published: as the programs of the papers do it."),
    ] = None,
    depth: Annotated[
        str | None,
        typer.Option("--depth", metavar="DEPTH", help="full (every weight), lora, or frozen (a head alone)."),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option("--pairs", metavar="PATH", help="Pairs of pictures of the same thing; without, views are made."),
    ] = None,
    pair_format: Annotated[
        str | None, typer.Option("--pair-format", metavar="FORMAT", help="tll, folders or csv; guessed by default.")
    ] = None,
    augmentation: Annotated[
        str | None,
        typer.Option("--augmentation", metavar="VIEWS", help="corrected, published, copies or FILE.json."),
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Passes over the things, at most.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter, such as batch=64; may be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of training, and of dealing what is held out.")] = 0,
    folds: Annotated[
        int | None,
        typer.Option("--folds", min=2, help="One of so many is held out, to measure on it; 5 by default."),
    ] = None,
    no_measure: Annotated[bool, typer.Option("--no-measure", help="Hold nothing out to measure on.")] = False,
    device: Annotated[str, typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda or mps.")] = "auto",
    save_weights: Annotated[
        Path | None,
        typer.Option("--save-weights", metavar="FILE", help="Also write the network's weights as .safetensors."),
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", metavar="DIR", help="Also log for TensorBoard.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also draw the losses: .png, .svg or .pdf.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint, if there is one.")] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Put the model in the place of one of that name; without --resume, begin anew."),
    ] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train whole networks to find pictures of the same thing, though cropped, recoloured or recompressed.

    Without pairs, each picture is a thing, and two views of it are to be found among those of all others. What comes
    out is an encoder in an ONNX file, and a model of that name for search, match, evaluate and duplicates. It is
    measured on pictures it never saw. On several GPUs: torchrun --nproc-per-node GPUS -m lookalike train matcher ...
    """
    work_offline(offline)
    if no_measure and folds is not None:
        raise InputError("--folds says how to measure: leave it out with --no-measure")
    from lookalike.jobs.networks import Outputs
    from lookalike.jobs.train_matching_network import train_matching_network

    said = {
        "preset": preset,
        "mode": mode,
        "depth": depth,
        "augmentation": augmentation,
        "epochs": epochs,
        "seed": seed,
    }
    console = Console(json, quiet)
    with console.progress() as on_progress:
        report = train_matching_network(
            workspace,
            photos,
            name,
            encoder or (),
            weights,
            pairs,
            pair_format,
            {**said, **parameters_of(set_ or [])},
            0 if no_measure else folds or 5,
            Outputs(save_weights, tensorboard, plot),
            device,
            resume,
            replace,
            on_progress,
        )
    if report is None:  # of several processes the first alone speaks
        return
    console.result(as_json(report), lambda screen: _show(screen, report))
    if report.rejected:
        raise typer.Exit(1)


def as_json(report: MatcherReport) -> dict[str, Any]:
    """Lay a report out as JSON values."""
    return {
        "name": report.name,
        "path": str(report.path),
        "encoder": report.encoder,
        "bases": list(report.bases),
        "things": report.things,
        "validation": report.validation,
        "tested": report.tested,
        "images": report.images,
        "dim": report.dim,
        "trained": report.trained,
        "settings": report.settings,
        "measured": report.about()["measured"],
        "history": report.history,
        "kept": report.kept,
        "copies": report.copies,
        "rejected": [{"path": entry.path, "reason": entry.reason} for entry in report.rejected],
        "seconds": round(report.seconds, 3),
    }


def _show(screen: RichConsole, report: MatcherReport) -> None:
    from rich.table import Table
    from rich.text import Text

    settings = report.settings
    screen.print(
        f"[bold]{settings['loss']}[/], {settings['depth']}: {report.trained:,} numbers trained on {report.things:,} "
        f"things in {len(report.history)} passes, {report.seconds:.0f} s"
    )
    if not report.kept:
        screen.print("no pass was better than the network as it began: that was kept", style="yellow")
    if report.measured is not None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("held out")
        for heading in ("trained", "95% interval", "as it came"):
            table.add_column(heading, justify="right")
        for measure, ours in report.measured.model.items():
            interval = f"{ours.low:.1%} to {ours.high:.1%}"
            plain = report.measured.plain[measure]
            table.add_row(measure, f"{ours.value:.1%}", interval, f"{plain.value:.1%}")
        screen.print(table)
        gain = report.measured.gain
        screen.print(
            f"gain {100 * gain.value:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f}), p = {gain.p:.4f}, "
            f"on {report.tested:,} things"
        )
    for entry in report.rejected[:10]:
        screen.print(Text(f"left out: {entry.path}: {entry.reason}"), soft_wrap=True)
    screen.print(Text(f"encoder: {report.encoder}"), soft_wrap=True)
    screen.print(Text(f"model: {report.path}"), soft_wrap=True)

"""``lookalike train matcher``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.commands.train_quantizer import code_size
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
    DeviceOption,
    HeldOutFoldsOption,
    NameOption,
    NoMeasureOption,
    PairsOption,
    PlotOption,
    PresetAugmentationOption,
    PresetModeOption,
    ResumeOption,
    SaveWeightsOption,
    SeedOption,
    SetOption,
    StartAnewOption,
    TensorboardOption,
    WeightsOption,
    folds_to_hold_out,
)
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.train_matching_network import MatcherReport
    from lookalike.similarity.held_out import HeldOut

NetworksOption = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder",
        metavar="ENCODER",
        help="The network, such as timm:resnet18 or simnet:vgg16; repeated, their features stand side by side. By "
        "default the workspace's.",
    ),
]
PresetOption = Annotated[
    str,
    typer.Option("--preset", metavar="PRESET", help="simclr, identical, curriculum, deeprank, quantized or published."),
]
DepthOption = Annotated[
    str | None,
    typer.Option("--depth", metavar="DEPTH", help="full (every weight), lora, or frozen (a head alone)."),
]
BitsOption = Annotated[
    int | None,
    typer.Option("--bits", metavar="BITS", help="Of a code (quantized), a multiple of 8; 64 by default."),
]
EpochsOption = Annotated[int | None, typer.Option("--epochs", min=1, help="Passes over the things, at most.")]


def matcher(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="A folder of pictures, read with all its folders.")],
    name: NameOption,
    encoder: NetworksOption = None,
    weights: WeightsOption = None,
    preset: PresetOption = "",
    mode: PresetModeOption = None,
    depth: DepthOption = None,
    pairs: PairsOption = None,
    pair_format: PairFormatOption = None,
    augmentation: PresetAugmentationOption = None,
    bits: BitsOption = None,
    epochs: EpochsOption = None,
    set_: SetOption = None,
    seed: SeedOption = 0,
    folds: HeldOutFoldsOption = None,
    no_measure: NoMeasureOption = False,
    device: DeviceOption = "auto",
    save_weights: SaveWeightsOption = None,
    tensorboard: TensorboardOption = None,
    plot: PlotOption = None,
    resume: ResumeOption = False,
    replace: StartAnewOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train whole networks to find pictures of the same thing, though cropped, recoloured or recompressed.

    Without pairs, each picture is a thing, and two views of it are to be found among those of all others. What comes
    out is an encoder in an ONNX file, and a model of that name for search, match, evaluate and duplicates; with the
    preset quantized, one that searches by codes. It is measured on pictures it never saw.
    On several GPUs: torchrun --nproc-per-node GPUS -m lookalike train matcher ...
    """
    work_offline(offline)
    parts = folds_to_hold_out(no_measure, folds)
    if bits is not None and preset != "quantized":
        raise InputError("--bits is for codes: give --preset quantized")
    from lookalike.jobs.networks import Outputs
    from lookalike.jobs.train_matching_network import train_matching_network

    said = {"preset": preset, "mode": mode, "depth": depth, "augmentation": augmentation, "epochs": epochs}
    parameters = {**said, "seed": seed, **code_size(bits, mode or ""), **parameters_of(set_ or [])}
    pictures = photos, name, encoder or (), weights, pairs, pair_format
    outputs = Outputs(save_weights, tensorboard, plot)
    console = Console(json, quiet)
    with console.progress() as on_progress:
        report = train_matching_network(
            workspace, *pictures, parameters, parts, outputs, device, resume, replace, on_progress
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
        **({} if report.bits is None else {"bits": report.bits, "codes": report.about().get("codes")}),
        "history": report.history,
        "kept": report.kept,
        "copies": report.copies,
        "rejected": [{"path": entry.path, "reason": entry.reason} for entry in report.rejected],
        "seconds": round(report.seconds, 3),
    }


def _show(screen: RichConsole, report: MatcherReport) -> None:
    from rich.text import Text

    settings = report.settings
    screen.print(
        f"[bold]{settings['loss']}[/], {settings['depth']}: {report.trained:,} numbers trained on {report.things:,} "
        f"things in {len(report.history)} passes, {report.seconds:.0f} s"
    )
    if not report.kept:
        screen.print("no pass was better than the network as it began: that was kept", style="yellow")
    if report.codes is not None:
        screen.print(f"found by codes of {report.bits:g} bits:")
        _show_measured(screen, report.codes, "codes as they began", report.tested)
    if report.measured is not None:
        _show_measured(screen, report.measured, "features as they came", report.tested)
    for entry in report.rejected[:10]:
        screen.print(Text(f"left out: {entry.path}: {entry.reason}"), soft_wrap=True)
    screen.print(Text(f"encoder: {report.encoder}"), soft_wrap=True)
    screen.print(Text(f"model: {report.path}"), soft_wrap=True)


def _show_measured(screen: RichConsole, measured: HeldOut, beside: str, things: int) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("held out")
    for heading in ("trained", "95% interval", beside):
        table.add_column(heading, justify="right")
    for measure, ours in measured.model.items():
        interval, plain = f"{ours.low:.1%} to {ours.high:.1%}", measured.plain[measure]
        table.add_row(measure, f"{ours.value:.1%}", interval, f"{plain.value:.1%}")
    screen.print(table)
    gain = measured.gain
    screen.print(
        f"gain {100 * gain.value:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f}), p = {gain.p:.4f}, "
        f"on {things:,} things"
    )

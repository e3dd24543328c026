"""``lookalike train finetune``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    ContextOption,
    JsonOption,
    OfflineOption,
    QuietOption,
    SourceOption,
    WorkspaceOption,
    parameters_of,
    work_offline,
)
from lookalike.cli.train_options import (
    DeviceOption,
    HeldOutFoldsOption,
    ModeOption,
    NameOption,
    NoMeasureOption,
    PlotOption,
    ResumeOption,
    SaveWeightsOption,
    SeedOption,
    SetOption,
    StartAnewOption,
    TensorboardOption,
    WeightsOption,
    folds_to_hold_out,
)

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.finetuned import FinetuneReport

NetworkOption = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="ENCODER",
        help="The network, such as timm:resnet18 or dino:vitb16. By default the workspace's.",
    ),
]
DepthOption = Annotated[
    str, typer.Option("--depth", metavar="DEPTH", help="lora (low-rank updates alone) or full (every weight).")
]
EpochsOption = Annotated[
    int | None, typer.Option("--epochs", min=1, help="Passes over the judgments, at most; 25 by default.")
]
ByOption = Annotated[
    str,
    typer.Option(
        "--by",
        metavar="WHAT",
        help="What is not on both sides of what is held out: image, reference, group or question.",
    ),
]


def finetune(
    name: NameOption,
    encoder: NetworkOption = None,
    weights: WeightsOption = None,
    depth: DepthOption = "lora",
    mode: ModeOption = "corrected",
    source: SourceOption = None,
    context: ContextOption = None,
    epochs: EpochsOption = None,
    set_: SetOption = None,
    seed: SeedOption = 0,
    by: ByOption = "image",
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
    """Train a whole network on judgments of triplets, by low-rank updates or in full.

    A ranking head and a triplet loss learn which candidate people found closer. What comes out is an encoder in an
    ONNX file, and a model of that name for search, compare, evaluate and combine. It is measured on answers whose
    images it never saw. On several GPUs: torchrun --nproc-per-node GPUS -m lookalike train finetune ...
    """
    work_offline(offline)
    parts = folds_to_hold_out(no_measure, folds)
    from lookalike.jobs.networks import Outputs
    from lookalike.jobs.train_finetuned import Sides, train_finetuned

    console = Console(json, quiet)
    with console.progress() as on_progress:
        report = train_finetuned(
            workspace,
            name,
            encoder,
            weights,
            source,
            context,
            {"depth": depth, "mode": mode, "epochs": epochs, "seed": seed, **parameters_of(set_ or [])},
            Sides(by, parts, seed),  # type: ignore[arg-type]
            Outputs(save_weights, tensorboard, plot),
            device,
            resume,
            replace,
            on_progress,
        )
    if report is not None:  # of several processes the first alone speaks
        console.result(as_json(report), lambda screen: _show(screen, report))


def as_json(report: FinetuneReport) -> dict[str, Any]:
    """Lay a report out as JSON values."""
    return {
        "name": report.name,
        "path": str(report.path),
        "encoder": report.encoder,
        "base": report.base,
        "examples": report.examples,
        "validation": report.validation,
        "images": report.images,
        "dim": report.dim,
        "trained": report.trained,
        "settings": report.settings,
        "measured": report.about()["measured"],
        "history": report.history,
        "kept": report.kept,
        "seconds": round(report.seconds, 3),
    }


def _show(screen: RichConsole, report: FinetuneReport) -> None:
    from rich.table import Table
    from rich.text import Text

    screen.print(
        f"[bold]{report.settings['depth']}[/]: {report.trained:,} numbers trained on {report.examples:,} judgments of "
        f"{report.images:,} images in {len(report.history)} passes, {report.seconds:.0f} s"
    )
    last = report.history[report.kept - 1] if report.kept else None
    if last is not None and last["accuracy"] is not None:
        screen.print(
            f"[dim]kept: pass {report.kept}; of {report.validation:,} judgments kept back the head agrees with "
            f"{last['head_accuracy']:.1%}, distances with {last['accuracy']:.1%}[/]"
        )
    elif last is None:
        screen.print("no pass was better than the network as it came: that was kept", style="yellow")
    if report.measured is not None and report.head is not None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("held out")
        for heading in ("fine-tuned", "95% interval", "as it came"):
            table.add_column(heading, justify="right")
        for measure, ours in report.measured.model.items():
            interval = f"{ours.low:.1%} to {ours.high:.1%}"
            table.add_row(f"{measure} agreed with", f"{ours.value:.1%}", interval,
                          f"{report.measured.plain[measure].value:.1%}")  # fmt: skip
        head = report.head
        table.add_row("votes, by its head", f"{head.value:.1%}", f"{head.low:.1%} to {head.high:.1%}", "")
        screen.print(table)
        gain = report.measured.gain
        screen.print(
            f"gain {100 * gain.value:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f}), p = {gain.p:.4f}, "
            f"on {report.measured.tested:,} judgments"
        )
    screen.print(Text(f"encoder: {report.encoder}"), soft_wrap=True)
    screen.print(Text(f"model: {report.path}"), soft_wrap=True)

"""``lookalike train distill``."""

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
from lookalike.cli.rejected import show_rejected
from lookalike.cli.train_options import (
    DeviceOption,
    NameOption,
    PlotOption,
    ResumeOption,
    SaveWeightsOption,
    SeedOption,
    SetOption,
    StartAnewOption,
    TensorboardOption,
    WeightsOption,
)

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.distilled import DistillReport


PhotosArgument = Annotated[
    Path, typer.Argument(metavar="PHOTOS", help="A folder of pictures, read with all its folders.")
]
TeacherOption = Annotated[
    list[str],
    typer.Option("--teacher", metavar="ENCODER", help="Who teaches: any encoder, ONNX included; may be repeated."),
]
StudentOption = Annotated[
    str | None,
    typer.Option(
        "--student",
        metavar="ENCODER",
        help="Who learns, with its taps, such as timm:mobilenetv4_conv_small[last:4,size=128]; by default "
        "plain:small with four. It begins with weights of chance, or those of --weights.",
    ),
]
OnwardOption = Annotated[
    Path | None,
    typer.Option(
        "--onward",
        metavar="FILE",
        help="The .onnx file of a student taught before, to go on with its global vector; with --weights of the same.",
    ),
]
ApartOption = Annotated[
    list[Path] | None,
    typer.Option("--apart", metavar="DIR", help="Pictures to be measured on: none of them is learned from."),
]
ViewsOption = Annotated[
    int | None, typer.Option("--views", min=1, help="Of every picture, that teachers are asked about too.")
]
EpochsOption = Annotated[int | None, typer.Option("--epochs", min=1, help="Passes over the pictures.")]


def distill(
    photos: PhotosArgument,
    name: NameOption,
    teacher: TeacherOption,
    student: StudentOption = None,
    weights: WeightsOption = None,
    onward: OnwardOption = None,
    apart: ApartOption = None,
    views: ViewsOption = None,
    epochs: EpochsOption = None,
    set_: SetOption = None,
    seed: SeedOption = 0,
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
    """Teach a small network what larger ones say of your pictures: one encoder that runs everywhere.

    Teachers are asked once about every picture and some views of it; the student learns to say what each of them says,
    how alike pictures are to them together, and which are near. What comes out is an ONNX file with two outputs,
    onnx:FILE (a global vector) and onnx:FILE[taps] (the input of heads), and a model of that name. A training that was
    cut off goes on with --resume. On several GPUs: torchrun --nproc-per-node GPUS -m lookalike train distill ...
    """
    work_offline(offline)
    from lookalike.jobs.networks import Outputs
    from lookalike.jobs.train_distilled import STUDENT, train_distilled

    said = {"views": views, "epochs": epochs, "seed": seed}
    console = Console(json, quiet)
    with console.progress() as on_progress:
        report = train_distilled(
            workspace,
            photos,
            name,
            teacher,
            student or STUDENT,
            weights,
            apart or (),
            {**said, **parameters_of(set_ or [])},
            Outputs(save_weights, tensorboard, plot),
            device,
            resume,
            replace,
            on_progress,
            onward,
        )
    if report is None:  # of several processes the first alone speaks
        return
    console.result(as_json(report), lambda screen: _show(screen, report))
    if report.rejected:
        raise typer.Exit(1)


def as_json(report: DistillReport) -> dict[str, Any]:
    """Lay a report out as JSON values."""
    return {
        "name": report.name,
        "path": str(report.path),
        "encoder": report.encoder,
        "student": report.student,
        "teachers": [*report.teachers],
        "pictures": report.pictures,
        "validation": report.validation,
        "dim": report.dim,
        "taps": report.taps,
        "trained": report.trained,
        "settings": report.settings,
        "before": report.before,
        "after": report.after,
        "history": report.history,
        "kept": report.kept,
        "copies": report.copies,
        "known": report.known,
        "rejected": [{"path": entry.path, "reason": entry.reason} for entry in report.rejected],
        "seconds": round(report.seconds, 3),
    }


def _show(screen: RichConsole, report: DistillReport) -> None:
    from rich.table import Table
    from rich.text import Text

    screen.print(
        f"{report.trained:,} numbers trained on {report.pictures:,} pictures in {len(report.history)} passes, "
        f"{report.seconds:.0f} s"
    )
    if report.before is not None and report.after is not None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column(f"{report.validation:,} pictures held out", overflow="fold")
        for heading in ("before", "after"):
            table.add_column(heading, justify="right")
        for one in report.teachers:
            cosines = [f"{marks['cosine'][one]:.3f}" for marks in (report.before, report.after)]
            table.add_row(Text(f"cosine with {one}"), *cosines)
        table.add_row("nearest 10 shared", *(f"{marks['agreement']:.1%}" for marks in (report.before, report.after)))
        screen.print(table)
    if report.known:
        screen.print(f"{report.known:,} pictures were kept apart")
    show_rejected(screen, report.rejected, "--json lists all")
    screen.print(Text(f"encoder: {report.encoder} (with [taps] behind it: {report.taps:,} numbers)"), soft_wrap=True)
    screen.print(Text(f"model: {report.path}"), soft_wrap=True)

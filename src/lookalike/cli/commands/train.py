"""``lookalike train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.accuracies import show_file
from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    ContextOption,
    JsonOption,
    OfflineOption,
    PairFormatOption,
    PairImagesOption,
    QuietOption,
    SourceOption,
    WorkspaceOption,
    parameters_of,
    work_offline,
)
from lookalike.cli.train_options import (
    EncodersOption,
    FeaturesOption,
    NameOption,
    NoMeasureOption,
    PlotOption,
    ReplaceOption,
    SeedOption,
    SetOption,
    TensorboardOption,
)
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.train_adaptation import TrainingReport
    from lookalike.metrics.two_afc import Accuracy

app = typer.Typer(help="Train models on people's answers.", no_args_is_help=True, rich_markup_mode=None)
PAIRS_ONLY, JUDGMENTS_ONLY = ("pair_format", "images", "runs", "test"), ("source", "context", "by", "folds")

PairsOption = Annotated[
    Path | None,
    typer.Option("--pairs", metavar="PATH", help="Matched pairs, instead of the workspace's judgments."),
]
FlipsOption = Annotated[bool, typer.Option("--flips", help="Also learn from the pictures mirrored left to right.")]
FormOption = Annotated[
    str,
    typer.Option("--form", metavar="FORM", help="auto, original, peterson, identity, residual or within."),
]
RunsOption = Annotated[int | None, typer.Option("--runs", help="Pairs: how often they are dealt anew; 20 by default.")]
TestOption = Annotated[float | None, typer.Option("--test", help="Pairs: the share that is held out; 0.25 by default.")]
ByOption = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="WHAT",
        help="Judgments: no image (the default), reference, group or question is on both sides.",
    ),
]


@app.callback()
def train() -> None:
    """Train models on people's answers."""


@app.command("adaptation")
def adaptation(
    name: NameOption,
    encoder: EncodersOption = None,
    features: FeaturesOption = None,
    pairs: PairsOption = None,
    pair_format: PairFormatOption = None,
    images: PairImagesOption = None,
    source: SourceOption = None,
    context: ContextOption = None,
    flips: FlipsOption = False,
    form: FormOption = "auto",
    set_: SetOption = None,
    seed: SeedOption = 0,
    no_measure: NoMeasureOption = False,
    runs: RunsOption = None,
    test: TestOption = None,
    by: ByOption = None,
    folds: Annotated[int | None, typer.Option("--folds", help="Judgments: how many folds; 5 by default.")] = None,
    tensorboard: TensorboardOption = None,
    plot: PlotOption = None,
    replace: ReplaceOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fit a small map over frozen features, so that distances agree with people.

    It is measured first: models are fitted on a part of the answers and held against the rest, beside the features as
    they are. The model that is kept is then fitted on all answers. --set takes the parameters of AdaptationModel.
    """
    work_offline(offline)
    given = {"pair_format": pair_format, "images": images, "runs": runs, "test": test, "source": source,
             "context": context, "by": by, "folds": folds}  # fmt: skip
    _check_given(given, pairs is not None, no_measure)
    from lookalike.jobs.train_adaptation import Measure, WhatFrom, train_adaptation

    said = {key: given[key] for key in ("runs", "test", "by", "folds") if given[key] is not None}
    console = Console(json, quiet)
    with console.progress() as on_progress:
        report = train_adaptation(
            workspace,
            name,
            encoder or [],
            features,
            WhatFrom(pairs, pair_format, images, source, context, flips),
            {"form": form, "seed": seed, **parameters_of(set_ or [])},
            None if no_measure else Measure(**said, seed=seed),  # type: ignore[arg-type]
            replace,
            tensorboard,
            plot,
            on_progress,
        )
    console.result(as_json(report), lambda screen: _show(screen, report, plot))


def as_json(report: TrainingReport) -> dict[str, Any]:
    """Lay a report out as JSON values."""
    return {
        "name": report.name,
        "path": str(report.path),
        "learned_from": report.kind,
        "examples": report.examples,
        "images": report.images,
        "encoders": list(report.encoders),
        "dim": report.dim,
        "settings": report.settings,
        "measured": None if report.measured is None else report.measured.as_dict(),
        "history": report.history,
        "seconds": round(report.seconds, 3),
    }


def _check_given(given: dict[str, Any], from_pairs: bool, no_measure: bool) -> None:
    """Refuse options that would do nothing."""
    names = {name for name, value in given.items() if value is not None}
    for name in sorted(names & set(JUDGMENTS_ONLY if from_pairs else PAIRS_ONLY)):
        other = "leave it out with --pairs" if from_pairs else "give --pairs PATH too"
        raise InputError(f"--{name.replace('_', '-')} is for {'judgments' if from_pairs else 'pairs'}: {other}")
    for name in sorted(names & {"runs", "test", "by", "folds"} if no_measure else ()):
        raise InputError(f"--{name} says how to measure: leave it out with --no-measure")


def _show(screen: RichConsole, report: TrainingReport, plot: Path | None) -> None:
    from rich.table import Table
    from rich.text import Text

    screen.print(
        f"[bold]{report.settings['form']}[/] fitted on {report.examples:,} {report.kind} of {report.images:,} images, "
        f"{report.dim:,} numbers each, in {report.seconds:.1f} s"
    )
    if report.measured is not None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("held out")
        for heading in ("model", "95% interval", "features as they are", "95% interval"):
            table.add_column(heading, justify="right")
        for measure, ours in report.measured.model.items():
            table.add_row(_label(measure), *_cells(ours), *_cells(report.measured.plain[measure]))
        screen.print(table)
        gain = report.measured.gain
        screen.print(
            f"gain {100 * gain.value:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f}), p = {gain.p:.4f}"
        )
        screen.print(
            f"[dim]{report.measured.divisions} times fitted on {report.measured.train:,} and held against "
            f"{report.measured.test:,} others, {report.measured.tested:,} in all[/]"
        )
    screen.print(Text(f"model: {report.path}"), soft_wrap=True)
    show_file(screen, "plot", plot)


def _label(measure: str) -> str:
    return {"votes": "votes agreed with", "majorities": "majorities agreed with"}.get(measure, measure)


def _cells(found: Accuracy) -> tuple[str, str]:
    return f"{found.value:.1%}", f"{found.low:.1%} to {found.high:.1%}"

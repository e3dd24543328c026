"""``lookalike report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

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
    work_offline,
)

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.report import Reported
    from lookalike.judgments.splits import By


def report(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="The .html file to write.")] = Path("report.html"),
    encoder: Annotated[
        list[str] | None,
        typer.Option("--encoder", metavar="NAME", help="An encoder; may be repeated. By default those of the models."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME", help="A model; may be repeated. By default all of the workspace."),
    ] = None,
    source: SourceOption = None,
    context: ContextOption = None,
    by: Annotated[
        str,
        typer.Option("--by", metavar="WHAT", help="What folds share nothing of: image, reference, group, question."),
    ] = "image",
    folds: Annotated[int, typer.Option("--folds", min=2, help="How many.")] = 5,
    seed: Annotated[int, typer.Option("--seed", help="Of dealing what is held out.")] = 0,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write one HTML file about the models of the workspace: it needs nothing beside it.

    The leaderboard with intervals; accuracy by context; a map of the references with the model that is best about each;
    whom the best ensemble trusts where; training curves; the questions on which the best model is sure and wrong.

    Models that were fitted on these answers are fitted anew without those they are measured on, and so is every kind of
    ensemble of them. On answers that none was fitted on, models and ensembles are measured as they are.
    """
    work_offline(offline)
    from lookalike.jobs.report import write_report
    from lookalike.jobs.training import Folds

    console = Console(json, quiet)
    with console.progress() as on_progress:
        made = write_report(
            workspace,
            out,
            encoder or [],
            model or [],
            source,
            context,
            Folds(by=cast("By", by), folds=folds, seed=seed),
            on_progress,
        )
    console.result(as_json(made), lambda screen: _show(screen, made))


def as_json(made: Reported) -> dict[str, Any]:
    """Lay a report out as JSON values: the leaderboard of `evaluate`, and what each model is."""
    from lookalike.cli.commands.evaluate_judgments import leaderboard_json

    return {**leaderboard_json(made.evaluation), "kinds": made.kinds, "how": made.how, "path": str(made.path)}


def _show(screen: RichConsole, made: Reported) -> None:
    from rich.text import Text

    from lookalike.cli.commands.evaluate_judgments import show_leaderboard

    show_leaderboard(screen, made.evaluation)
    screen.print(Text(made.how, style="dim"))
    screen.print(Text(f"report: {made.path}"), soft_wrap=True)

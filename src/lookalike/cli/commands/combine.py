"""``lookalike combine``."""

from __future__ import annotations

from dataclasses import asdict
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
    parameters_of,
    work_offline,
)
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.combine import Combined
    from lookalike.judgments.splits import By

KINDS = ("vote", "grid", "mlp", "gate")


KindsArgument = Annotated[
    list[str],
    typer.Argument(metavar="{vote,grid,mlp,gate}...", help="How models are weighed; one way or several."),
]
EnsembleNameOption = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Of the ensemble; by default that of its kind.")
]
MemberOption = Annotated[
    list[str] | None,
    typer.Option(
        "--member",
        metavar="NAME",
        help="A model, or an encoder as it is; may be repeated. By default all models of the workspace.",
    ),
]
ParameterOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the ensemble, such as dim=8; may be repeated."),
]


def combine(
    kinds: KindsArgument,
    name: EnsembleNameOption = None,
    member: MemberOption = None,
    source: SourceOption = None,
    context: ContextOption = None,
    set_: ParameterOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Of dealing what is held out.")] = 0,
    by: Annotated[
        str,
        typer.Option("--by", metavar="WHAT", help="What folds share nothing of: image, reference, group, question."),
    ] = "image",
    folds: Annotated[int, typer.Option("--folds", min=2, help="How many.")] = 5,
    no_measure: Annotated[
        bool, typer.Option("--no-measure", help="Fit on all answers at once, without holding any out first.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of a model of that name.")] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Combine models into an ensemble that knows which of them to trust near which picture.

    vote: every model has one vote, everywhere; it cannot search. grid: by how accurate each is around the reference, on
    a map of two principal coordinates. mlp: by a regression of how likely each finds people's votes. gate: weights that
    make the answers likeliest, pulled towards equal ones.

    Members that were fitted on these answers are judged by copies that were not. The ensemble is measured first, on
    answers that neither it nor a member was fitted on; what is kept is then fitted on all of them.
    """
    work_offline(offline)
    for kind in kinds:
        if kind not in KINDS:
            raise InputError(f"models are combined by {', '.join(KINDS[:-1])} or {KINDS[-1]}, not by '{kind}'")
    if name is not None and len(kinds) > 1:
        raise InputError("--name is for one ensemble: give one kind, or leave it out")
    from lookalike.jobs.combine import combine as combine_models
    from lookalike.jobs.training import Folds

    console = Console(json, quiet)
    with console.progress() as on_progress:
        made = combine_models(
            workspace,
            {name: kinds[0]} if name is not None else {kind: kind for kind in kinds},
            member or [],
            source,
            context,
            parameters_of(set_ or []),
            Folds(by=cast("By", by), folds=folds, seed=seed),
            not no_measure,
            replace,
            on_progress,
        )
    console.result({"ensembles": [as_json(one) for one in made]}, lambda screen: _show(screen, made))


def as_json(made: Combined) -> dict[str, Any]:
    """Lay out what was made as JSON values; the leaderboard is that of `evaluate`."""
    from lookalike.cli.commands.evaluate_judgments import leaderboard_json

    return {
        **asdict(made),
        "path": str(made.path),
        "measured": None if made.measured is None else leaderboard_json(made.measured),
        "seconds": round(made.seconds, 3),
    }


def _show(screen: RichConsole, made: list[Combined]) -> None:
    for number, one in enumerate(made):
        if number:
            screen.print()
        _show_one(screen, one)


def _show_one(screen: RichConsole, made: Combined) -> None:
    from rich.table import Table
    from rich.text import Text

    from lookalike.cli.commands.evaluate_judgments import show_leaderboard
    from lookalike.jobs.leaderboard import short_name

    screen.print(
        f"[bold]{made.kind}[/] of {len(made.members)} models, fitted on {made.judgments:,} judgments of "
        f"{made.references:,} references in {made.seconds:.1f} s"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("member", overflow="fold")
    table.add_column("votes" if made.kind == "vote" else "mean weight", justify="right")
    for member, weight in sorted(made.members.items(), key=lambda one: -one[1]):
        table.add_row(Text(short_name(member)), f"{weight:.0%}")
    screen.print(table)
    if made.measured is not None:
        screen.print()
        screen.print("[bold]On answers held out[/]")
        show_leaderboard(screen, made.measured)
        screen.print(
            f"[dim]its probabilities are off by {100 * (made.calibration_error or 0):.1f} points on average[/]"
        )
    screen.print(Text(f"ensemble: {made.path}"), soft_wrap=True)

"""``lookalike train context`` and ``lookalike train global``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from lookalike.cli.accuracies import show_file
from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    OfflineOption,
    QuietOption,
    SourceOption,
    WorkspaceOption,
    parameters_of,
    work_offline,
)
from lookalike.cli.train_options import (
    EncodersOption,
    FeaturesOption,
    ModeOption,
    NameOption,
    NoMeasureOption,
    PlotOption,
    SeedOption,
    SetOption,
    TensorboardOption,
)
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.table import Table

    from lookalike.jobs.context_task import TrainedContext, TrainedContexts
    from lookalike.jobs.training import Folds
    from lookalike.judgments.splits import By

ByOption = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="WHAT",
        help="What is not on both sides of what is held out: image (the default), reference, group or question.",
    ),
]
FoldsOption = Annotated[int | None, typer.Option("--folds", min=2, help="How many; 5 by default.")]
ReplaceOption = Annotated[bool, typer.Option("--replace", help="Put models in the place of those of the same names.")]

NamesOption = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="Call the models NAME.CONTEXT; by default CONTEXT alone."),
]
StartOption = Annotated[
    str | None,
    typer.Option("--from", metavar="MODEL", help="Start from this model, usually a global one, and stay near it."),
]
ContextsOption = Annotated[
    list[str] | None,
    typer.Option("--context", metavar="NAME", help="Only this context; may be repeated. By default all."),
]
DiscoverOption = Annotated[
    bool, typer.Option("--discover", help="Find contexts, as groups of references, instead of using named ones.")
]
CountsOption = Annotated[
    list[int] | None,
    typer.Option("--count", min=1, help="How many contexts to find; repeat it to try several. 1 to 8 by default."),
]


def context(
    name: NamesOption = None,
    start: StartOption = None,
    encoder: EncodersOption = None,
    features: FeaturesOption = None,
    source: SourceOption = None,
    contexts: ContextsOption = None,
    discover: DiscoverOption = False,
    counts: CountsOption = None,
    mode: ModeOption = "corrected",
    set_: SetOption = None,
    seed: SeedOption = 0,
    no_measure: NoMeasureOption = False,
    by: ByOption = None,
    folds: FoldsOption = None,
    tensorboard: TensorboardOption = None,
    plot: PlotOption = None,
    replace: ReplaceOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train one model for each context, on the answers of that context alone.

    Contexts are what judgments name, or with --discover groups of references, as many as predict held-out answers best.
    With few answers a context, start from a global model: --from MODEL. Every model is measured first, on answers that
    it was not fitted on, by the distances of its embeddings and by its ranking head; what is kept is then fitted on all
    answers. --set takes the parameters of ContextModel.
    """
    work_offline(offline)
    if discover and contexts:
        raise InputError("--context chooses named contexts: leave it out with --discover")
    if counts and not discover:
        raise InputError("--count says how many contexts to find: give --discover too")
    how = _folds(no_measure, by, folds, seed)
    from lookalike.jobs.train_context import COUNTS, ContextChoice, train_contexts

    console = Console(json, quiet)
    with console.progress() as on_progress:
        made = train_contexts(
            workspace,
            name,
            encoder or [],
            features,
            ContextChoice(source, tuple(contexts or ()), discover, tuple(counts or COUNTS)),
            start,
            {"mode": mode, "seed": seed, **parameters_of(set_ or [])},
            how,
            replace,
            tensorboard,
            plot,
            on_progress,
        )
    console.result(as_json(made), lambda screen: _show(screen, made, plot))


def global_(
    name: NameOption,
    encoder: EncodersOption = None,
    features: FeaturesOption = None,
    source: SourceOption = None,
    mode: ModeOption = "corrected",
    set_: SetOption = None,
    seed: SeedOption = 0,
    no_measure: NoMeasureOption = False,
    by: ByOption = None,
    folds: FoldsOption = None,
    tensorboard: TensorboardOption = None,
    plot: PlotOption = None,
    replace: ReplaceOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train one model on the answers of all contexts: what context models start from, and have to beat."""
    work_offline(offline)
    how = _folds(no_measure, by, folds, seed)
    from lookalike.jobs.train_context import train_global

    console = Console(json, quiet)
    with console.progress() as on_progress:
        made = train_global(
            workspace,
            name,
            encoder or [],
            features,
            source,
            {"mode": mode, "seed": seed, **parameters_of(set_ or [])},
            how,
            replace,
            tensorboard,
            plot,
            on_progress,
        )
    console.result(as_json(made), lambda screen: _show(screen, made, plot))


def _folds(no_measure: bool, by: str | None, folds: int | None, seed: int) -> Folds | None:
    """Return how to measure, or refuse options that would do nothing."""
    for option, value in (("--by", by), ("--folds", folds)):
        if no_measure and value is not None:
            raise InputError(f"{option} says how to measure: leave it out with --no-measure")
    from lookalike.jobs.training import Folds

    return None if no_measure else Folds(cast("By", by or "image"), folds or 5, seed)


def as_json(made: TrainedContexts) -> dict[str, Any]:
    """Lay out what was made as JSON values."""
    found = made.found
    return {
        "models": [_model(one) for one in made.models],
        "encoders": list(made.encoders),
        "dim": made.dim,
        "started_from": made.start,
        "log_loss": None if found is None else {str(count): loss for count, loss in found.log_loss.items()},
        "seconds": round(made.seconds, 3),
    }


def _model(one: TrainedContext) -> dict[str, Any]:
    return {
        "name": one.name,
        "context": one.context,
        "path": str(one.path),
        "examples": one.examples,
        "images": one.images,
        "settings": one.settings,
        "measured": None if one.measured is None else one.measured.as_dict(),
        "history": one.history,
    }


def _show(screen: RichConsole, made: TrainedContexts, plot: Path | None) -> None:
    from rich.text import Text

    judgments = sum(one.examples for one in made.models)
    start = "" if made.start is None else f", started from [bold]{made.start}[/]"
    screen.print(
        f"{len(made.models)} {'model' if len(made.models) == 1 else 'models'} fitted on {judgments:,} judgments, "
        f"{made.dim:,} numbers an image, in {made.seconds:.1f} s{start}"
    )
    if made.found is not None and made.found.log_loss:
        tried = ", ".join(f"{count}: {loss:.4f}" for count, loss in made.found.log_loss.items())
        screen.print(f"[dim]log loss of held-out answers by number of contexts: {tried}[/]")
    screen.print(_table(made))
    if all(one.measured is None for one in made.models):
        screen.print("[dim]nothing was measured[/]")
    elif any(one.measured is None for one in made.models):
        screen.print(
            "[dim]not measured: no answer of that context could be held out so; --by question asks for less[/]"
        )
    folder = made.models[0].path.parent
    screen.print(Text(f"models: {folder}"), soft_wrap=True)
    show_file(screen, "plot", plot)


def _table(made: TrainedContexts) -> Table:
    """Lay out the models, and what they came to on answers held out."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("model", overflow="fold")
    headings = ["held out", "distances", "head", "features"]
    if made.start is not None:
        headings += [made.start, "gain over it"]
    for heading in headings:
        table.add_column(Text(heading), justify="right")
    for one in made.models:
        table.add_row(Text(one.name), *_cells(one))
    return table


def _cells(one: TrainedContext) -> list[str]:
    measured = one.measured
    if measured is None:
        return [f"0 of {one.examples:,}"]
    votes, plain = measured.embedding.model["votes"], measured.embedding.plain["votes"]
    cells = [
        f"{measured.embedding.tested:,} of {one.examples:,}",
        f"{votes.value:.1%}{_interval(100 * votes.low, 100 * votes.high, '')}",
        f"{measured.head.value:.1%}",
        f"{plain.value:.1%}",
    ]
    if measured.start is not None and measured.over_start is not None:
        gain = measured.over_start
        cells.append(f"{measured.start.value:.1%}")
        cells.append(f"{100 * gain.value:+.1f}{_interval(100 * gain.low, 100 * gain.high, '+')}")
    return cells


def _interval(low: float, high: float, sign: str) -> str:
    """Write an interval in points; nothing where there is none, because all answers are about one reference."""
    return "" if low != low else f" ({low:{sign}.0f} to {high:{sign}.0f})"

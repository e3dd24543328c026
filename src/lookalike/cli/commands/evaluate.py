"""``lookalike evaluate``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.commands.evaluate_edits import (
    NEED_EDITS,
    QUERIES,
    DistractorsOption,
    EditOption,
    EditsOption,
    QueriesOption,
    SheetOption,
    StrengthOption,
    evaluate_edits,
)
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
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.table import Table

    from lookalike.jobs.evaluate_pairs import PairEvaluation, PairRow
    from lookalike.jobs.leaderboard import Evaluation, Row
    from lookalike.metrics.two_afc import Accuracy, Difference


def evaluate(
    encoder: Annotated[
        list[str] | None,
        typer.Option("--encoder", metavar="NAME", help="An encoder; may be repeated. By default the workspace's."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME", help="A trained model, beside its features; may be repeated."),
    ] = None,
    source: SourceOption = None,
    context: ContextOption = None,
    pairs: Annotated[
        Path | None,
        typer.Option("--pairs", metavar="PATH", help="Matched pairs to find, instead of the workspace's judgments."),
    ] = None,
    pair_format: Annotated[
        str | None,
        typer.Option("--pair-format", metavar="FORMAT", help="tll, folders or csv; by default as the path looks."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="DIR", help="Where the images of the pairs are.")
    ] = None,
    matches: Annotated[
        Path | None,
        typer.Option("--matches", metavar="FILE", help="What `match` wrote with --csv or --json, instead of models."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", metavar="FILE", help="Which are right (source,target); by default equal file names."),
    ] = None,
    edits: EditsOption = None,
    distractors: DistractorsOption = None,
    queries: QueriesOption = None,
    strength: StrengthOption = None,
    edit: EditOption = None,
    sheet: SheetOption = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also draw the leaderboard: .png, .svg or .pdf.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Hold encoders and trained models against people's judgments, or against matched pairs.

    One leaderboard: the share of votes that each agrees with, its 95% interval clustered by reference, and how far it
    is behind the best on the same questions; with the ceiling that people's disagreement sets, and chance.

    With --pairs: aR@1, aR@3 and aR@5, the share of pairs of which one image or the other has its partner among its 1,
    3 or 5 nearest.

    With --matches: how many matches of a file are found and right, and how true their probabilities are.

    With --edits: recall@1, @5 and @15 and mAP of photographs that were edited as people do, weakly to strongly, and are
    searched among all originals; of identical files one counts. By edit and by strength, intervals by photograph.

    Answers about images that a model was fitted on prove nothing about new ones: their share is told.
    """
    work_offline(offline)
    console = Console(json, quiet)
    if edits is not None:
        if any((source, context, pairs, pair_format, images, matches, truth)):
            raise InputError("--edits makes its own questions: leave out those of judgments, of pairs and of matches")
        evaluate_edits(
            workspace, edits, distractors or [], encoder or [], model or [], queries or QUERIES, strength or [],
            edit or [], plot, sheet, console,
        )  # fmt: skip
        return
    if any((distractors, queries, strength, edit, sheet)):
        raise InputError(f"{NEED_EDITS} are for edited copies: give --edits PHOTOS too")
    if matches is not None or truth is not None:
        from lookalike.cli.commands.evaluate_matches import evaluate_matches

        others = (encoder, model, source, context, pairs, pair_format, images, plot)
        evaluate_matches(console, matches, truth, any(other is not None for other in others))
        return
    if pairs is not None:
        if source is not None or context is not None:
            raise InputError("--source and --context choose judgments: leave them out with --pairs")
        from lookalike.jobs.evaluate_pairs import evaluate_pairs

        with console.progress() as on_progress:
            matched = evaluate_pairs(
                workspace, pairs, pair_format, images, encoder or [], plot, on_progress, model or []
            )
        console.result(pairs_as_json(matched), lambda screen: _show_pairs(screen, matched, plot))
        return
    if pair_format is not None or images is not None:
        raise InputError("--pair-format and --images are for pairs: give --pairs PATH too")
    from lookalike.jobs.evaluate import evaluate_workspace

    with console.progress() as on_progress:
        found = evaluate_workspace(workspace, encoder or [], source, context, plot, on_progress, model or [])
    console.result(as_json(found), lambda screen: _show(screen, found, plot))


def as_json(found: Evaluation) -> dict[str, Any]:
    """Lay a leaderboard out as JSON values; an interval that does not exist is null."""
    rows = [
        {
            "model": row.model,
            **_accuracy(row.accuracy, "accuracy"),
            "n": row.accuracy.n,
            "behind": _behind(row.behind),
            "seen": row.seen,
            "by_context": {
                context: {**_accuracy(one, "accuracy"), "n": one.n} for context, one in row.by_context.items()
            },
        }
        for row in found.rows
    ]
    return {
        "rows": rows,
        "ceiling": found.ceiling.value,
        "chance": found.chance,
        "judgments": found.judgments,
        "references": found.references,
    }


def pairs_as_json(found: PairEvaluation) -> dict[str, Any]:
    """Lay a leaderboard of matched pairs out as JSON values; the accuracy is aR@1."""
    rows = [
        {
            "model": row.model,
            **_accuracy(row.accuracy, "accuracy"),
            "n": row.accuracy.n,
            "recalls": {str(k): _accuracy(recall, "value") for k, recall in row.recalls.items()},
            "behind": _behind(row.behind),
            "seen": row.seen,
        }
        for row in found.rows
    ]
    return {"rows": rows, "chance": {str(k): value for k, value in found.chance.items()}, "pairs": found.pairs}


def _accuracy(found: Accuracy, name: str) -> dict[str, float | None]:
    return {name: found.value, "low": _end(found.low), "high": _end(found.high)}


def _behind(found: Difference | None) -> dict[str, float | None] | None:
    if found is None:
        return None
    return {"value": found.value, "low": _end(found.low), "high": _end(found.high), "p": _end(found.p)}


def _end(value: float) -> float | None:
    return None if value != value else value


def _show(screen: RichConsole, found: Evaluation, plot: Path | None) -> None:
    from rich.text import Text

    show_leaderboard(screen, found)
    _show_seen(screen, found.rows, "judgments")
    if plot is not None:
        screen.print(Text(f"plot: {plot}"), soft_wrap=True)


def show_leaderboard(screen: RichConsole, found: Evaluation) -> None:
    """Print a leaderboard, and where judgments have contexts, the accuracy in each."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold")
    for heading in ("accuracy", "95% interval", "behind the best", "p"):
        table.add_column(heading, justify="right")
    table.add_row("[dim]ceiling[/]", f"[dim]{found.ceiling.value:.1%}[/]", "", "", "")
    for row in found.rows:
        a = row.accuracy
        table.add_row(Text(row.label), f"{a.value:.1%}", f"{a.low:.1%} to {a.high:.1%}", *_behind_cells(row.behind))
    table.add_row("[dim]chance[/]", f"[dim]{found.chance:.1%}[/]", "", "", "")
    screen.print(table)
    screen.print(f"[dim]{found.judgments:,} judgments of {found.references:,} references[/]")
    contexts = list(found.rows[0].by_context)
    if len(contexts) > 1:
        screen.print()
        screen.print(_context_table(found, contexts))


def _context_table(found: Evaluation, contexts: Sequence[str]) -> Table:
    """Lay out accuracies by context; the best of each in bold."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("by context", overflow="fold")
    for context in contexts:
        table.add_column(Text(context), justify="right")
    best = {context: max(row.by_context[context].value for row in found.rows) for context in contexts}
    for row in found.rows:
        values = {context: row.by_context[context].value for context in contexts}
        cells = [
            Text(f"{100 * value:.1f}", style="bold" if value == best[context] else "")
            for context, value in values.items()
        ]
        table.add_row(Text(row.label), *cells)
    return table


def _show_pairs(screen: RichConsole, found: PairEvaluation, plot: Path | None) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold")
    first, *others = found.chance
    for heading in (f"aR@{first}", "95% interval", *(f"aR@{k}" for k in others), "behind the best", "p"):
        table.add_column(heading, justify="right")
    for row in found.rows:
        a = row.accuracy
        deeper = [f"{row.recalls[k].value:.1%}" for k in others]
        interval = f"{a.low:.1%} to {a.high:.1%}"
        table.add_row(Text(row.label), f"{a.value:.1%}", interval, *deeper, *_behind_cells(row.behind))
    chance = [f"[dim]{found.chance[k]:.1%}[/]" for k in found.chance]
    table.add_row("[dim]chance[/]", chance[0], "", *chance[1:], "", "")
    screen.print(table)
    screen.print(f"[dim]{found.pairs:,} pairs[/]")
    _show_seen(screen, found.rows, "pairs")
    if plot is not None:
        screen.print(Text(f"plot: {plot}"), soft_wrap=True)


def _show_seen(screen: RichConsole, rows: Sequence[Row] | Sequence[PairRow], what: str) -> None:
    """Warn where a model is held against what it was fitted on."""
    for row in rows:
        if row.seen:
            screen.print(
                f"{row.label} was fitted on images of {row.seen:.0%} of these {what}: its row is no measurement of how "
                "it does on new ones",
                style="yellow",
                markup=False,
                soft_wrap=True,
            )


def _behind_cells(found: Difference | None) -> tuple[str, str]:
    """Write how far a model is behind, in points with their interval, and p; nothing for the best."""
    if found is None:
        return "", ""
    return f"{100 * found.value:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})", f"{found.p:.4f}"

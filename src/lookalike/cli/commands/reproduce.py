"""``lookalike reproduce``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookalike.cli.accuracies import show_file
from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    OfflineOption,
    QuietOption,
    WorkspaceOption,
    work_offline,
)

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.reproduce_cosis import ReproducedCosis
    from lookalike.jobs.reproduce_tll import Reproduced

app = typer.Typer(help="Do published experiments again.", no_args_is_help=True, rich_markup_mode=None)
LABELS = {
    "features": "features as they are",
    "components": "256 principal components",
    "peterson": "x ReLU(w) (Peterson et al.)",
    "original": "ReLU(W x) (the published form)",
    "ours": "our default, nothing from test pictures",
}


@app.callback()
def reproduce() -> None:
    """Do published experiments again."""


@app.command("tll")
def tll(
    images: Annotated[Path, typer.Option("--images", metavar="DIR", help="The folder with left/ and right/.")],
    list_: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE", help="TLL_obj.csv, the pairs of the paper; by default all pairs."),
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option("--encoder", metavar="NAME", help="By default CLIP RN50x4 and its five taps; may be repeated."),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="Where the weights of the encoder are.")
    ] = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="How often pairs are dealt anew.")] = 20,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Passes over the training pairs.")] = 150,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also draw aR@1: .png, .svg or .pdf.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Totally Looks Like: what an adaptation function gains (Risser-Maroix et al., 2021).

    Their protocol: mirrored pictures to learn from as well, 256 principal components of all pictures, T = 15, 150
    passes over all pairs at once, a quarter of the pairs held out, 20 times. The pictures and the list are theirs to
    give: docs/formats/tll.md says where.
    """
    work_offline(offline)
    from lookalike.jobs.reproduce_tll import reproduce_tll

    console = Console(json, quiet)
    with console.progress() as on_progress:
        found = reproduce_tll(workspace, images, list_, encoder or [], weights, runs, epochs, plot, on_progress)
    console.result(as_json(found), lambda screen: _show(screen, found, plot))


def as_json(found: Reproduced) -> dict[str, Any]:
    """Lay out what came out as JSON values."""
    return {
        "rows": {label: row.as_dict() for label, row in found.rows.items()},
        "encoders": list(found.encoders),
        "dim": found.dim,
        "pairs": found.pairs,
        "runs": found.runs,
        "epochs": found.epochs,
        "seconds": round(found.seconds, 3),
    }


def _show(screen: RichConsole, found: Reproduced, plot: Path | None) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for heading in ("aR@1", "95% interval", "aR@3", "aR@5"):
        table.add_column(heading, justify="right")
    for label, row in found.rows.items():
        first, *deeper = row.model.values()
        cells = [f"{first.value:.1%}", f"{first.low:.1%} to {first.high:.1%}", *(f"{one.value:.1%}" for one in deeper)]
        table.add_row(LABELS[label], *cells)
    screen.print(table)
    held = next(iter(found.rows.values()))
    screen.print(
        f"[dim]{found.pairs:,} pairs, {found.dim:,} numbers an image; {found.runs} runs of {found.epochs} passes, "
        f"{held.test:,} pairs held out in each; intervals over pairs; {found.seconds:.0f} s[/]"
    )
    for name in found.encoders:
        screen.print(f"features of {name}", markup=False, soft_wrap=True)
    show_file(screen, "plot", plot)


@app.command("cosis")
def cosis(
    labels: Annotated[
        Path, typer.Option("--labels", metavar="DIR", help="The folder with filename_dict.txt and the labels.")
    ],
    images: Annotated[Path, typer.Option("--images", metavar="DIR", help="The folder of the BG-20K photographs.")],
    encoder: Annotated[
        list[str] | None,
        typer.Option("--encoder", metavar="NAME", help="By default torchvision:resnet50; may be repeated."),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="Where the weights of the encoder are.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of training.")] = 0,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """CoSIS: what an ensemble of context-sensitive models gains (Liao and Chen, 2024).

    Their protocol on frozen features: a model per cluster from two thirds of its judgments, ensembles fitted on the
    validation references, all tested on 1,010 others. Then the same corrected, and with a gate. The photographs and the
    labels are theirs to give: docs/formats/cosis.md says where.
    """
    work_offline(offline)
    from lookalike.jobs.reproduce_cosis import reproduce_cosis

    console = Console(json, quiet)
    with console.progress() as on_progress:
        found = reproduce_cosis(workspace, labels, images, encoder or [], weights, seed, on_progress)
    console.result(cosis_as_json(found), lambda screen: _show_cosis(screen, found))


def cosis_as_json(found: ReproducedCosis) -> dict[str, Any]:
    """Lay out what came out as JSON values; the leaderboards are those of `evaluate`."""
    from lookalike.cli.commands.evaluate_judgments import leaderboard_json

    return {
        "local": {anchor: asdict(one) for anchor, one in found.local.items()},
        "published": leaderboard_json(found.published),
        "ours": leaderboard_json(found.ours),
        "encoders": list(found.encoders),
        "dim": found.dim,
        "seconds": round(found.seconds, 3),
    }


def _show_cosis(screen: RichConsole, found: ReproducedCosis) -> None:
    from rich.table import Table

    from lookalike.cli.commands.evaluate_judgments import show_leaderboard

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("in its own cluster")
    for heading in ("judgments", "ranking head", "embedding", "features as they are"):
        table.add_column(heading, justify="right")
    for anchor, one in found.local.items():
        cells = [f"{accuracy.value:.1%}" for accuracy in (one.head, one.embedding, one.plain)]
        table.add_row(anchor, f"{one.head.n:,}", *cells)
    screen.print(table)
    for title, board in (("As published", found.published), ("Corrected", found.ours)):
        screen.print(f"\n[bold]{title}[/]")
        show_leaderboard(screen, board)
    screen.print(f"[dim]{found.dim:,} numbers an image; {found.seconds:.0f} s[/]")
    for name in found.encoders:
        screen.print(f"features of {name}", markup=False, soft_wrap=True)

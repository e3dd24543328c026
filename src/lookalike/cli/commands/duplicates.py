"""``lookalike duplicates``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    EncoderOption,
    JsonOption,
    ModelOption,
    OfflineOption,
    QuietOption,
    WorkspaceOption,
    check_one,
    work_offline,
)

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.embedding.collection import Hit


def duplicates(
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="T",
            min=0,
            max=2,
            help="How far apart copies may be to be looked at (a distance, 0 to 2); by default the encoder's own.",
        ),
    ] = None,
    mirrored: Annotated[bool, typer.Option("--mirrored", help="Let left-right mirrored copies count.")] = False,
    encoder: EncoderOption = None,
    model: ModelOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Group near-identical images.

    Resized, recompressed, slightly cropped ones. Each group begins with the largest picture; the others come with their
    distance to it. Nothing is deleted. With --model, a trained matcher proposes what is looked at.
    """
    from lookalike.jobs.duplicates import find_duplicates

    work_offline(offline)
    check_one(encoder, model)
    console = Console(json, quiet)
    with console.progress() as on_progress:
        groups = find_duplicates(workspace, threshold, mirrored, encoder, model, on_progress)
    data = {"groups": [[{"image": hit.image, "distance": hit.distance} for hit in group] for group in groups]}
    console.result(data, lambda screen: _show(screen, groups))


def _show(screen: RichConsole, groups: list[list[Hit]]) -> None:
    for number, group in enumerate(groups, 1):
        screen.print(f"[bold]group {number}[/]")
        for hit in group:
            screen.print(f"  {hit.distance:.4f}  {hit.image}", markup=False, soft_wrap=True)
    extra = sum(len(group) - 1 for group in groups)
    screen.print(f"{len(groups):,} groups, {extra:,} images that are copies of a larger or equal one")

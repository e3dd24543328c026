"""``lookalike compare REFERENCE A B``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
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

    from lookalike.jobs.compare import Comparison


def compare(
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE", help="The picture to compare with.")],
    a: Annotated[Path, typer.Argument(metavar="A", help="The first candidate.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The second candidate.")],
    encoder: EncoderOption = None,
    model: ModelOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say which of two pictures is closer to a third.

    Needs no collection; in a workspace, its encoder is used, or with --model one of its models.
    """
    work_offline(offline)
    check_one(encoder, model)
    if model is None:
        from lookalike.jobs.compare import compare_images

        found = compare_images(reference, a, b, encoder, workspace)
    else:
        from lookalike.jobs.compare_by_model import compare_by_model

        found = compare_by_model(reference, a, b, model, workspace)
    Console(json, quiet).result(asdict(found), lambda screen: _show(screen, found, a, b))


def _show(screen: RichConsole, found: Comparison, a: Path, b: Path) -> None:
    closer, other = (a, b) if found.closer == "a" else (b, a)
    sure = max(found.probability_a, 1 - found.probability_a)
    screen.print(f"{closer} is closer than {other} (probability {sure:.2f})", markup=False, soft_wrap=True)
    screen.print(f"distance_a {found.distance_a:.4f}  distance_b {found.distance_b:.4f}", style="dim")

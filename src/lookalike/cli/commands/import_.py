"""``lookalike import FORMAT PATH``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import DEFAULT_WORKSPACE, JsonOption, QuietOption, WorkspaceOption
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.import_judgments import Imported

SHOWN = 10
OWN = ("format", "path", "images", "on_problem")


def import_(
    format: Annotated[
        str, typer.Argument(metavar="FORMAT", help="csv, cosis, nights, bapps, things or salmon; see docs/formats.")
    ],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The file or folder of the judgments.")],
    images: Annotated[
        Path | None, typer.Option("--images", metavar="DIR", help="Where the images are: ids become files in it.")
    ] = None,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Leave out rows that cannot be used, instead of stopping at the first.")
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="An option of the format; may be repeated."),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Read people's judgments into the workspace.

    A file that was imported before adds nothing. Rows that cannot be used are named with their line; with --leave-out
    they are listed and the exit code is 1.
    """
    from lookalike.jobs.import_judgments import import_judgments

    console = Console(json, quiet)
    on_problem = "leave_out" if leave_out else "stop"
    with console.progress() as on_progress:
        done = import_judgments(
            workspace,
            format,
            path,
            images,
            on_problem,  # type: ignore[arg-type]
            _options(option or []),
            on_progress,
        )
    data = {
        "judgments": done.judgments,
        "references": done.references,
        "images": done.images,
        "rejected": [{"path": p.file, "row": p.row, "reason": p.reason} for p in done.rejected],
        "added": done.added,
    }
    console.result(data, lambda screen: _show(screen, done))
    if done.rejected:
        raise typer.Exit(1)


def _options(given: list[str]) -> dict[str, str]:
    options = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--option takes NAME=VALUE, not '{text}'")
        if name in OWN:
            raise InputError(f"--option {name}: that is not an option of the format; see `lookalike import --help`")
        options[name] = value
    return options


def _show(screen: RichConsole, done: Imported) -> None:
    known = "" if done.added else " (all imported before)"
    screen.print(
        f"[bold]{done.judgments:,} judgments[/] of {done.references:,} references and {done.images:,} images{known}"
    )
    if done.earlier:
        screen.print(
            f"[yellow]{done.earlier:,} judgments of an earlier file of that name are in the workspace as well[/]"
        )
    if done.rejected:
        screen.print(f"[yellow]{len(done.rejected):,} rows were left out:[/]")
    for problem in done.rejected[:SHOWN]:
        screen.print(f"  {problem}", markup=False, soft_wrap=True)
    if len(done.rejected) > SHOWN:
        screen.print(f"  … and {len(done.rejected) - SHOWN:,} more (--json lists all)", markup=False)

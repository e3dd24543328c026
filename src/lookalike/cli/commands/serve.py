"""``lookalike serve``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

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


def serve(
    host: Annotated[
        str, typer.Option("--host", metavar="H", help="Where to listen; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="P", min=0, max=65535, help="The port; 0 takes any that is free.")
    ] = 8000,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Serve the collection as a web page and a REST API.

    Runs until Ctrl-C. Photos that `lookalike index` adds meanwhile are found within a second.
    """
    from lookalike.jobs.live import LiveCollection
    from lookalike.web import server

    work_offline(offline)
    console = Console(json, quiet)
    with server.listen(host, port) as listener:
        with console.progress() as on_progress:
            live = LiveCollection(workspace, on_progress)
        url = server.url_of(listener)
        if not server.is_loopback(listener):
            sys.stderr.write(
                f"lookalike: warning: whoever can reach {url} can search and see this collection: "
                "there is no authentication yet\n"
            )
        images = len(live)
        console.result({"url": url, "images": images}, lambda screen: _show(screen, url, images))
        sys.stdout.flush()
        server.run(live, listener, host)


def _show(screen: RichConsole, url: str, images: int) -> None:
    screen.print(f"[bold]{images:,} images[/] at {url} (Ctrl-C to stop)", soft_wrap=True)

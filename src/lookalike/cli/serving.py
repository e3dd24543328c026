"""What `serve` and `label` share: they open a workspace, say where, and answer until Ctrl-C."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli.console import Console

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from lookalike.jobs.labelling import Labelling

__all__ = ["HostOption", "PortOption", "open_browser", "serve_workspace"]

HostOption = Annotated[
    str, typer.Option("--host", metavar="H", help="Where to listen; 0.0.0.0 lets other machines in.")
]
PortOption = Annotated[
    int, typer.Option("--port", metavar="P", min=0, max=65535, help="The port; 0 takes any that is free.")
]


def serve_workspace(
    workspace: Path, labelling: Labelling, host: str, port: int, console: Console, page: str = "", browser: bool = False
) -> None:
    """Serve until Ctrl-C.

    Parameters
    ----------
    page : str
        What follows the address of the server.
    browser : bool
        Whether to show it there.
    """
    from lookalike.jobs.live import LiveCollection
    from lookalike.web import server

    with server.listen(host, port) as listener:
        with console.progress() as on_progress:
            live = LiveCollection(workspace, on_progress)
        url = server.url_of(listener) + page
        if not server.is_loopback(listener):
            sys.stderr.write(
                f"lookalike: warning: whoever can reach {url} can search, see and label this collection: "
                "there is no authentication yet\n"
            )
        images = len(live)
        console.result({"url": url, "images": images}, lambda screen: _show(screen, url, images))
        sys.stdout.flush()
        if browser:
            open_browser(url)
        server.run(live, labelling, listener, host)


def open_browser(url: str) -> None:
    """Show a page where there is a screen to show it on; a browser in the terminal would take the terminal away."""
    if sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _show(screen: RichConsole, url: str, images: int) -> None:
    screen.print(f"[bold]{images:,} images[/] at {url} (Ctrl-C to stop)", soft_wrap=True)

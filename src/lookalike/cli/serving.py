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

__all__ = ["HostOption", "KeysOption", "PortOption", "WorkersOption", "open_browser", "serve_workspace"]

HostOption = Annotated[
    str, typer.Option("--host", metavar="H", help="Where to listen; 0.0.0.0 lets other machines in, with a key.")
]
PortOption = Annotated[
    int, typer.Option("--port", metavar="P", min=0, max=65535, help="The port; 0 takes any that is free.")
]
KeysOption = Annotated[
    bool, typer.Option("--keys", help="Ask for keys on this machine too, as behind a server with TLS.")
]
WorkersOption = Annotated[
    int,
    typer.Option("--workers", metavar="N", min=1, max=64, help="Answer with so many processes; one for each core."),
]


def serve_workspace(
    workspace: Path,
    labelling: Labelling,
    host: str,
    port: int,
    ask: bool,
    console: Console,
    page: str = "",
    browser: bool = False,
    workers: int = 1,
) -> None:
    """Serve until Ctrl-C.

    Parameters
    ----------
    ask : bool
        Whether to ask for keys even where only this machine can connect.
    page : str
        What follows the address of the server.
    browser : bool
        Whether to show it there.
    workers : int
        How many processes answer.

    Raises
    ------
    InputError
        There are no keys, and they are asked for, or other machines could reach the server.
    """
    from lookalike.core.errors import InputError
    from lookalike.jobs.keys import KeyRing
    from lookalike.jobs.live import LiveCollection
    from lookalike.web import server

    with server.listen(host, port) as listener:
        keys = None if server.is_loopback(listener) and not ask else KeyRing(workspace)
        if keys is not None and not len(keys):
            why = "--keys was given" if ask else f"{host} lets other machines in"
            raise InputError(f"{why}, and there are no keys: make one with `lookalike keys add NAME --role annotator`")
        with console.progress() as on_progress:
            live = LiveCollection(workspace, on_progress)
        url = server.url_of(listener) + page
        images = len(live)
        console.result({"url": url, "images": images}, lambda screen: _show(screen, url, images))
        sys.stdout.flush()
        if browser:
            open_browser(url)
        server.run(workspace, live, labelling, listener, host, keys, workers)


def open_browser(url: str) -> None:
    """Show a page where there is a screen to show it on; a browser in the terminal would take the terminal away."""
    if sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _show(screen: RichConsole, url: str, images: int) -> None:
    screen.print(f"[bold]{images:,} images[/] at {url} (Ctrl-C to stop)", soft_wrap=True)

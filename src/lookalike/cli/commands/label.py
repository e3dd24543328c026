"""``lookalike label``."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

import typer

from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    MemoryOption,
    OfflineOption,
    QuietOption,
    WorkspaceOption,
    work_offline,
    work_within,
)
from lookalike.cli.serving import HostOption, KeysOption, PortOption, serve_workspace


def label(
    annotator: Annotated[
        str | None, typer.Option("--annotator", metavar="NAME", help="Who answers; without it, the page asks.")
    ] = None,
    strategy: Annotated[
        str,
        typer.Option(
            "--strategy",
            metavar="NAME",
            help="What to ask next: informative (fewest answers needed), random (an even-handed test set), uncertain, "
            "or committee (where several encoders disagree).",
        ),
    ] = "informative",
    context: Annotated[
        str, typer.Option("--context", metavar="NAME", help="Keep this context with every answer.")
    ] = "",
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    keys: KeysOption = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    memory: MemoryOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Answer which of two images is closer to a third, on a page in the browser.

    Serves what `lookalike serve` serves, and opens it on its labelling page. Runs until Ctrl-C; answers are kept in
    the workspace as they are given.
    """
    from lookalike.jobs.labelling import Labelling

    work_offline(offline)
    work_within(memory)
    page = "/label" + (f"?{urlencode({'annotator': annotator})}" if annotator else "")
    labelling = Labelling(workspace, strategy, context)
    serve_workspace(workspace, labelling, host, port, keys, Console(json, quiet), page, browser=browser and not json)

"""``lookalike serve``."""

from __future__ import annotations

from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    MemoryOption,
    OfflineOption,
    QuietOption,
    ReadOnlyOption,
    WorkspaceOption,
    work_offline,
    work_read_only,
    work_within,
)
from lookalike.cli.serving import HostOption, KeysOption, PortOption, WorkersOption, serve_workspace


def serve(
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    keys: KeysOption = False,
    workers: WorkersOption = 1,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    read_only: ReadOnlyOption = False,
    offline: OfflineOption = False,
    memory: MemoryOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Serve the collection as a web page and a REST API.

    Runs until Ctrl-C. Photos that `lookalike index` adds meanwhile are found within a second.
    """
    from lookalike.jobs.labelling import Labelling

    work_offline(offline)
    work_within(memory)
    work_read_only(read_only)
    serve_workspace(workspace, Labelling(workspace), host, port, keys, Console(json, quiet), workers=workers)

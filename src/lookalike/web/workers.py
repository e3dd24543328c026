"""Several processes that serve one collection over one socket: Uvicorn keeps so many alive, and ends them all.

They share what must be one for all: the judgments and the keys (files of the workspace), which questions somebody has
(`lookalike.jobs.labelling_handed`), the numbers for Prometheus, and, mapped from its file, the index. The limit of
requests is each one's own.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from lookalike.core.errors import StorageError
from lookalike.jobs.keys import KeyRing
from lookalike.jobs.labelling import Labelling
from lookalike.jobs.live import LiveCollection
from lookalike.web.app import create_app

__all__ = ["application", "run_workers"]

GIVEN = "LOOKALIKE_WORKER"
"""The variable of the environment that tells a worker what to serve."""

METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""The one by which Prometheus' client shares its numbers; it looks at it when it is imported."""

HUNG_SECONDS = 60
"""A worker that gives no sign for so long is replaced."""


def run_workers(
    workspace: Path,
    labelling: Labelling,
    listener: socket.socket,
    hosts: Sequence[str] | None,
    keys: bool,
    workers: int,
    shutdown_seconds: int,
) -> None:
    """Serve by several processes until Ctrl-C, or until the system asks to stop; one that dies is replaced.

    Parameters
    ----------
    workspace : Path
    labelling : Labelling
        Whose strategy and context each worker's own has.
    listener : socket
        On which all of them answer.
    hosts : sequence of str, optional
        As `create_app` takes them.
    keys : bool
        Whether to ask for keys.
    workers : int
    shutdown_seconds : int
        How long running requests may take at the end.

    Raises
    ------
    StorageError
        A worker cannot start.
    """
    with tempfile.TemporaryDirectory(prefix="lookalike-serve-") as folder:
        (Path(folder) / "metrics").mkdir()
        os.environ[METRICS] = str(Path(folder) / "metrics")
        given = {"workspace": str(workspace), "strategy": labelling.strategy, "context": labelling.context}
        more = {"hosts": hosts, "keys": keys, "handed": str(Path(folder) / "handed.sqlite")}
        os.environ[GIVEN] = json.dumps(given | more)
        config = uvicorn.Config(
            "lookalike.web.workers:application",
            factory=True,
            workers=workers,
            log_level="critical",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=shutdown_seconds,
            timeout_worker_healthcheck=HUNG_SECONDS,
        )
        supervisor = Multiprocess(config, sockets=[listener])
        supervisor.run()
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            raise StorageError("a worker could not start: `lookalike serve` without --workers may say why")


def application() -> FastAPI:
    """Make the application of one worker, as its environment says; it ends when its parent does."""
    given = json.loads(os.environ[GIVEN])
    threading.Thread(target=_end_with_the_server, name="lookalike-parent", daemon=True).start()
    workspace = Path(given["workspace"])
    labelling = Labelling(workspace, given["strategy"], given["context"], handed=Path(given["handed"]))
    keys = KeyRing(workspace) if given["keys"] else None
    return create_app(LiveCollection(workspace), labelling, given["hosts"], keys)


def _end_with_the_server() -> None:
    """Stop when the server was killed, at once: nobody else would, and the port must be free for the next one."""
    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
        os.kill(os.getpid(), signal.SIGTERM)

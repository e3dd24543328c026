"""The process of one background job: ``python -m lookalike.jobs.background_worker FOLDER``.

It is told on its standard input what to do, and lives as long as somebody holds the other end of that pipe: a server
that goes away, however it does, takes the job with it, so that nothing works on unseen.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from lookalike.core.errors import LookalikeError
from lookalike.core.files import finite, write_json
from lookalike.core.progress import Progress
from lookalike.core.runs import noting_runs
from lookalike.core.workspace import Workspace
from lookalike.jobs.background_files import ALIVE, ASKED, CANCEL, ENDED, PROGRESS, TURN, is_alive

__all__ = ["main"]

PAUSE = 0.25
"""Seconds between two notes of progress, and between two looks whether it is this job's turn."""

NICE = 5
"""A search that somebody waits for goes first."""

PATIENCE = 5.0
"""Seconds that a job has to end in, once nobody wants it any more."""


STOPPED = "the server stopped"


class Noted:
    """Writes progress down: every stage with its count, a few times a second. Safe in several threads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._stages: dict[str, dict[str, Any]] = {}
        self._started = time.time()
        self._wrote = 0.0

    def __call__(self, step: Progress) -> None:
        """Take progress."""
        with self._lock:
            self._stages[step.stage] = {
                "stage": step.stage, "done": step.done, "total": step.total, "rejected": step.rejected,
            }  # fmt: skip
            if time.monotonic() - self._wrote >= PAUSE:
                self._write()

    def write(self) -> None:
        """Write what is known now."""
        with self._lock:
            self._write()

    def _write(self) -> None:
        # Not `write_json`: this need not outlive a power cut, and waiting for the disk would slow the work down.
        aside = self._file.with_suffix(".part")
        aside.write_text(json.dumps({"started": self._started, "stages": list(self._stages.values())}))
        aside.replace(self._file)
        self._wrote = time.monotonic()


def main(folder: Path) -> None:
    """Do what is asked for on standard input, and leave the outcome in the job's folder."""
    if hasattr(os, "nice"):
        os.nice(NICE)
    asked = json.loads(_first_line())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then lets go of the pipe
    threading.Thread(target=_watch, args=(folder,), daemon=True).start()
    with FileLock(folder / ALIVE, timeout=PATIENCE):
        write_json(folder / ASKED, {**asked, "id": folder.name, "pid": os.getpid()})
        outcome = _outcome(folder, asked)
        write_json(folder / ENDED, finite({**outcome, "ended": time.time()}))


def _outcome(folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Wait for a turn, and work; whatever happens becomes an outcome."""
    runs: list[str] = []
    try:
        _wait_for_turn(folder)
        with FileLock(folder.parent / TURN), noting_runs() as runs:
            return {"state": "done", "result": _work(folder, asked), "runs": runs}
    except KeyboardInterrupt:
        reason = "cancelled" if (folder / CANCEL).exists() else STOPPED
        return {"state": "cancelled", "error": reason, "runs": runs}
    except LookalikeError as error:
        return {"state": "failed", "error": " ".join(str(error).split()), "runs": runs}
    except Exception as error:
        traceback.print_exc()
        return {"state": "failed", "error": f"internal error: {type(error).__name__}: {error}", "runs": runs}


def _work(folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    from lookalike.jobs.tasks import read_task

    noted = Noted(folder / PROGRESS)
    noted.write()
    try:
        return read_task(asked["task"]).run(Workspace(asked["workspace"]), noted)
    finally:
        noted.write()


def _wait_for_turn(folder: Path) -> None:
    """Wait until all jobs that were asked for earlier have ended."""
    while any(is_alive(other) for other in folder.parent.iterdir() if other.is_dir() and other.name < folder.name):
        time.sleep(PAUSE)


def _first_line() -> bytes:
    """Read up to the end of the line and not a byte further, so that the watch sees the end of the pipe."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit("nothing was asked for")
        line += byte
    return line


def _watch(folder: Path) -> None:
    """End with the one who asked, by force where the work does not let go."""
    with suppress(OSError):
        while os.read(0, 1024):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    write_json(folder / ENDED, {"state": "cancelled", "error": STOPPED, "ended": time.time()})
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

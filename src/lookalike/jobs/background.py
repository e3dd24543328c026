"""Background jobs of a workspace: started, watched and cancelled; one works at a time, each in a process of its own.

A process of its own gives its memory back, leaves the server quick, and can be stopped for good at any moment.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from lookalike.core.errors import InputError, StorageError, WorkspaceError
from lookalike.core.files import read_json, write_json
from lookalike.core.runs import is_run_id
from lookalike.core.workspace import Workspace
from lookalike.jobs.background_files import ASKED, CANCEL, ENDED, LOG, PROGRESS, is_alive
from lookalike.jobs.task import Task
from lookalike.jobs.tasks import title_of

__all__ = ["BackgroundJobs", "Job", "NoJobError", "State"]

KEPT = 200
"""Jobs that are remembered; older ones are forgotten, their runs stay."""

MOST_WAITING = 10
START_SECONDS = 30.0
STOP_SECONDS = 5.0

LOST = "its process ended without a word: it was killed, perhaps because the memory was full"

State: TypeAlias = Literal["waiting", "running", "done", "failed", "cancelled"]


class NoJobError(InputError):
    """There is no job of that id."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job, as it stands.

    Attributes
    ----------
    id : str
        Sorts by time.
    task : dict
        What was asked for.
    title : str
        The same in a few words.
    state : {"waiting", "running", "done", "failed", "cancelled"}
    made, started, ended : float or None
        Seconds since 1970, UTC.
    stages : list of dict
        What it does, one thing after the other: ``stage``, ``done``, ``total`` (0 while unknown), ``rejected``.
    result : dict or None
        What came out.
    error : str or None
        Why nothing came out.
    runs : list of str
        The runs that it recorded, see `lookalike.core.runs`.
    """

    id: str
    task: dict[str, Any]
    title: str
    state: State
    made: float
    started: float | None = None
    ended: float | None = None
    stages: list[dict[str, Any]] = field(default_factory=list)
    result: dict[str, Any] | None = None
    error: str | None = None
    runs: list[str] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "failed", "cancelled")


class BackgroundJobs:
    """The jobs of a workspace. Safe in several threads, and beside other processes with the same workspace.

    Parameters
    ----------
    workspace : Path
        The workspace folder.

    Examples
    --------
    >>> BackgroundJobs(Path("nowhere")).jobs()
    []
    """

    def __init__(self, workspace: Path) -> None:
        self.workspace = Workspace(workspace)
        self._folder = self.workspace.jobs_folder
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def start(self, task: Task) -> Job:
        """Start a job; it waits until those before it have ended.

        Raises
        ------
        InputError
            What is asked for cannot be done.
        WorkspaceError
            Too many jobs are waiting, or the workspace may not be written to.
        StorageError
            The disk refuses, or no process can be started.
        """
        self.workspace.check_writable()
        task.check(self.workspace)
        with self._lock:
            before = self.jobs(KEPT)
            if sum(not job.over for job in before) > MOST_WAITING:
                raise WorkspaceError(f"{MOST_WAITING} jobs are waiting already: wait for one, or cancel it")
            self._forget_old()
            return self._launch(task)

    def jobs(self, limit: int = 50) -> list[Job]:
        """Return the newest jobs, the newest first."""
        if not self._folder.is_dir():
            return []
        names = sorted((path.name for path in self._folder.iterdir() if is_run_id(path.name)), reverse=True)
        found = (self._read(self._folder / name) for name in names)
        return [job for job, _ in zip((job for job in found if job is not None), range(limit), strict=False)]

    def job(self, id: str) -> Job:
        """Return one job.

        Raises
        ------
        NoJobError
        """
        found = self._read(self._folder / id) if is_run_id(id) else None
        if found is None:
            raise NoJobError(f"there is no job '{id[:80]}'")
        return found

    def cancel(self, id: str) -> Job:
        """Stop a job, by force if it does not stop in a few seconds; one that has ended stays as it is.

        Raises
        ------
        NoJobError
        """
        found, folder = self.job(id), self._folder / id
        if found.over:
            return found
        (folder / CANCEL).touch()
        process = int(read_json(folder / ASKED)["pid"])
        for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
            end = time.monotonic() + STOP_SECONDS
            if is_alive(folder):  # so the number is still that of this process
                _signal(process, number)
            while is_alive(folder) and time.monotonic() < end:
                time.sleep(0.02)
        return self.job(id)

    def close(self) -> None:
        """Stop the jobs that were started here, and wait for them; one that does not stop is killed."""
        with self._lock:
            processes = list(self._processes)
            for process in processes:
                assert process.stdin is not None
                process.stdin.close()
            for process in processes:
                try:
                    process.wait(2 * STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _launch(self, task: Task) -> Job:
        """Start a process, and wait until it says that it lives."""
        folder = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{task.model_dump()['task']}"
        asked = {"workspace": self.workspace.place, "task": task.model_dump(), "title": title_of(task)}
        try:
            folder.mkdir(parents=True)
            with (folder / LOG).open("wb") as log:
                process = subprocess.Popen(  # noqa: S603 - our own module, and a folder that we made
                    # -P: a file of the folder that the server was started in is no module.
                    [sys.executable, "-P", "-m", "lookalike.jobs.background_worker", str(folder.resolve())],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            assert process.stdin is not None
            process.stdin.write(json.dumps({**asked, "made": time.time()}).encode() + b"\n")
            process.stdin.flush()
        except OSError as error:
            raise StorageError(f"no job can be started: {error.strerror or error}") from error
        self._processes.add(process)
        threading.Thread(target=self._reap, args=(process,), daemon=True).start()
        end = time.monotonic() + START_SECONDS
        while (found := self._read(folder)) is None:
            if process.poll() is not None or time.monotonic() > end:
                raise StorageError(f"no job can be started: {folder / LOG} says why")
            time.sleep(0.01)
        return found

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        with process:
            process.wait()
        self._processes.discard(process)

    def _read(self, folder: Path) -> Job | None:
        """Return the job of a folder; None where there is none, or not yet."""
        try:
            asked = read_json(folder / ASKED)
            seen = read_json(folder / PROGRESS) if (folder / PROGRESS).exists() else {}
            if not (folder / ENDED).exists() and not is_alive(folder) and not (folder / ENDED).exists():
                outcome, why = ("cancelled", "cancelled") if (folder / CANCEL).exists() else ("failed", LOST)
                write_json(folder / ENDED, {"state": outcome, "error": why, "ended": time.time()})
            end = read_json(folder / ENDED) if (folder / ENDED).exists() else {}
        except (FileNotFoundError, InputError):
            return None
        state: State = end.get("state") or ("running" if seen else "waiting")
        return Job(
            id=folder.name,
            task=asked["task"],
            title=asked["title"],
            state=state,
            made=asked["made"],
            started=seen.get("started"),
            ended=end.get("ended"),
            stages=seen.get("stages", []),
            result=end.get("result"),
            error=end.get("error"),
            runs=end.get("runs", []),
        )

    def _forget_old(self) -> None:
        folders = sorted((path for path in self._folder.glob("*") if is_run_id(path.name)), reverse=True)
        for folder in folders[KEPT:]:
            if not is_alive(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _signal(process: int, number: int) -> None:
    """Send a signal to a process and its children."""
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process, number)
        else:
            os.kill(process, number)

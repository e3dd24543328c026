"""The files of background jobs: a folder for each, which says all that there is to know about it.

Nothing is kept in a server's memory, so that several servers of one workspace, and one that was started again, tell the
same.
"""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["ALIVE", "ASKED", "CANCEL", "ENDED", "LOG", "PROGRESS", "TURN", "is_alive"]

ALIVE = "alive.lock"
"""Held by the job's process for as long as it lives."""

ASKED = "job.json"
"""What was asked for; once it is there, the process lives."""

PROGRESS = "progress.json"
"""How far it is; once it is there, it has its turn."""

CANCEL = "cancel"
"""Whether somebody wanted it to stop."""

ENDED = "end.json"
"""How it ended, and what came out."""

LOG = "log.txt"
"""What its process printed: tracebacks of errors of ours."""

TURN = "turn.lock"
"""In the folder of all jobs: held by the one that is working."""


def is_alive(folder: Path) -> bool:
    """Whether the process of a job lives.

    Examples
    --------
    >>> is_alive(Path("nowhere"))
    False
    """
    if (folder / ENDED).exists() or not (folder / ALIVE).exists():
        return False
    try:
        with FileLock(folder / ALIVE, timeout=0):
            return False
    except Timeout:
        return True

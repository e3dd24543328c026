"""A record of every run: what was asked, by which version, and what came out."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lookalike.core.errors import InputError
from lookalike.core.files import finite, read_json, write_json
from lookalike.core.version import __version__

__all__ = ["is_run_id", "noting_runs", "read_run", "record_run", "run_ids"]

ID = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[a-z0-9-]{1,60}")

_noted: ContextVar[list[str] | None] = ContextVar("noted", default=None)


def record_run(folder: Path, command: str, config: Mapping[str, Any], result: Mapping[str, Any]) -> Path:
    """Write one run's record as JSON and return its path; names sort by time.

    Parameters
    ----------
    folder : Path
        ``workspace.runs_folder``.
    command : str
        The use case, such as ``"index"``.
    config, result : mapping
        JSON values: what was asked, and what came out.

    Examples
    --------
    >>> import json, tempfile
    >>> path = record_run(Path(tempfile.mkdtemp()), "index", {"photos": "p"}, {"images": 3})
    >>> json.loads(path.read_text())["result"]
    {'images': 3}
    """
    now = datetime.now(UTC)
    path = folder / f"{now:%Y%m%dT%H%M%S.%fZ}-{command}.json"
    write_json(
        path,
        {
            "command": command,
            "at": now.isoformat(timespec="seconds"),
            "lookalike": __version__,
            "python": platform.python_version(),
            "config": dict(config),
            "result": dict(result),
        },
    )
    noted = _noted.get()
    if noted is not None:
        noted.append(path.stem)
    return path


@contextmanager
def noting_runs() -> Iterator[list[str]]:
    """Give a list that the ids of the runs recorded in the block come into.

    Examples
    --------
    >>> import tempfile
    >>> with noting_runs() as made:
    ...     path = record_run(Path(tempfile.mkdtemp()), "index", {}, {})
    >>> made == [path.stem]
    True
    """
    made: list[str] = []
    before = _noted.set(made)
    try:
        yield made
    finally:
        _noted.reset(before)


def is_run_id(text: str) -> bool:
    """Return whether a text can be the id of a run: a time, and what was done.

    Examples
    --------
    >>> is_run_id("20261121T214714.123456Z-index"), is_run_id("../index")
    (True, False)
    """
    return ID.fullmatch(text) is not None


def run_ids(folder: Path) -> list[str]:
    """Return the ids of all runs, the newest first.

    Examples
    --------
    >>> run_ids(Path("nowhere"))
    []
    """
    return sorted((path.stem for path in folder.glob("*.json") if is_run_id(path.stem)), reverse=True)


def read_run(folder: Path, run: str) -> dict[str, Any]:
    """Return the record of a run by its id; a number that JSON does not have is None.

    Raises
    ------
    InputError
        There is no such run, or its record is damaged.
    """
    path = folder / f"{run}.json"
    if not is_run_id(run) or not path.is_file():
        raise InputError(f"there is no run '{run[:80]}'")
    found = finite(read_json(path))
    if not isinstance(found, dict) or not isinstance(found.get("command"), str):
        raise InputError(f"{path}: not the record of a run")
    return found

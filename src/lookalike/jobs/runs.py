"""The runs of a workspace, for whoever looks at what was done."""

from __future__ import annotations

from typing import Any

from lookalike.core.errors import InputError
from lookalike.core.runs import is_run_id, read_run, run_ids
from lookalike.core.workspace import Workspace

__all__ = ["NoRunError", "list_runs", "whole_run"]

TOLD = ("name", "photos", "encoder", "models", "images", "examples", "added", "judgments", "members", "seconds")
"""What a list says of a run, where its record has it."""


class NoRunError(InputError):
    """There is no run of that id."""


def list_runs(workspace: Workspace, before: str = "", limit: int = 50) -> tuple[list[dict[str, Any]], int]:
    """Return the newest runs in short, the newest first, and how many there are in all.

    Parameters
    ----------
    before : str
        Only those older than the run of this id.
    limit : int

    Examples
    --------
    >>> from pathlib import Path
    >>> list_runs(Workspace(Path("nowhere")))
    ([], 0)
    """
    ids = run_ids(workspace.runs_folder)
    chosen = [one for one in ids if not before or one < before][:limit]
    return [_short(workspace, one) for one in chosen], len(ids)


def whole_run(workspace: Workspace, run: str) -> dict[str, Any]:
    """Return all that is known of a run: what was asked, and what came out, with the passes of a training.

    Raises
    ------
    NoRunError
    InputError
        Its record is damaged.
    """
    if not is_run_id(run) or run not in run_ids(workspace.runs_folder):
        raise NoRunError(f"there is no run '{run[:80]}'")
    return {"id": run, **read_run(workspace.runs_folder, run)}


def _short(workspace: Workspace, run: str) -> dict[str, Any]:
    """Return the head of a run's record; of a damaged one, that it is damaged."""
    try:
        found = read_run(workspace.runs_folder, run)
    except InputError as error:
        return {"id": run, "command": "", "at": None, "told": {}, "measured": None, "passes": 0, "error": str(error)}
    config, result = found.get("config") or {}, found.get("result") or {}
    told = {name: both[name] for both in (result, config) for name in TOLD if name in both}
    measures = (result.get("measured") or {}).get("model") or {}
    first = next(iter(measures), None)
    return {
        "id": run,
        "command": found["command"],
        "at": found.get("at"),
        "told": {name: list(value) if isinstance(value, dict) else value for name, value in told.items()},
        "measured": None if first is None else {"measure": first, **measures[first]},
        "passes": len(result.get("history") or ()),
        "error": None,
    }

"""The inputs that a collection could not read, kept in a file of the workspace."""

from __future__ import annotations

from collections.abc import Sequence

from lookalike.core.files import read_json, write_json
from lookalike.core.workspace import Workspace
from lookalike.images.folder import Rejected

__all__ = ["keep_rejected", "read_rejected"]


def keep_rejected(workspace: Workspace, rejected: Sequence[Rejected], looked_at: set[str] | tuple[str, ...]) -> None:
    """Write the list of rejected inputs; what this run did not look at stays on it.

    Parameters
    ----------
    workspace : Workspace
    rejected : sequence of Rejected
        By this run.
    looked_at : tuple of str, or set of str
        The beginnings of the paths of whole folders, or the paths of single files.
    """

    def covered(path: str) -> bool:
        return path.startswith(looked_at) if isinstance(looked_at, tuple) else path in looked_at

    earlier = [entry for entry in read_rejected(workspace) if not covered(entry.path)]
    entries = sorted([*earlier, *rejected], key=lambda entry: entry.path)
    write_json(workspace.rejected_file, [{"path": e.path, "reason": e.reason} for e in entries])


def read_rejected(workspace: Workspace) -> list[Rejected]:
    """Return the inputs that could not be read when they were last looked at, with reasons."""
    if not workspace.rejected_file.is_file():
        return []
    return [Rejected(entry["path"], entry["reason"]) for entry in read_json(workspace.rejected_file)]

"""Group the near-identical images of a collection."""

from __future__ import annotations

from pathlib import Path

from lookalike.core.progress import OnProgress, silent
from lookalike.embedding.collection import Collection, Hit

__all__ = ["find_duplicates"]


def find_duplicates(
    workspace: Path,
    threshold: float | None = None,
    mirrored: bool = False,
    encoder: str | None = None,
    on_progress: OnProgress = silent,
) -> list[list[Hit]]:
    """Find groups of images that show the same picture; see `Collection.duplicates`.

    Raises
    ------
    WorkspaceError, InputError, StorageError
    """
    return Collection.open(workspace, encoder).duplicates(threshold, mirrored, on_progress)

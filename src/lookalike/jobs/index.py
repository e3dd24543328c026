"""Bring a workspace's collection in step with a folder of photographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lookalike.core.errors import InputError, WorkspaceError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.runs import record_run
from lookalike.core.workspace import DEFAULT_ENCODER, Workspace
from lookalike.embedding.collection import Collection
from lookalike.embedding.plan import IndexReport

__all__ = ["index_folder"]


def index_folder(
    workspace: Path, photos: Path, encoder: str | None = None, on_progress: OnProgress = silent
) -> IndexReport:
    """Index a folder: new files are added, changed ones encoded again, absent ones marked.

    Parameters
    ----------
    workspace : Path
        The workspace folder; made when it is not there.
    photos : Path
        The folder of photographs, or a folder inside the one that the workspace was made for.
    encoder : str, optional
        What to encode with, from now on; without it, the workspace's encoder, at first `DEFAULT_ENCODER`.

    Raises
    ------
    InputError
        `photos` is not a folder, or there is no such encoder.
    WorkspaceError
        The workspace belongs to another folder, or another process is writing to it.
    """
    if not photos.is_dir():
        what = "is a file" if photos.exists() else "does not exist"
        raise InputError(f"{photos} {what}: give the folder of photographs to index")
    collection, folder = _collection(Workspace(workspace), photos.resolve(), encoder)
    report = collection.sync(folder, on_progress)
    config = collection.workspace.config()
    collection.workspace.configure(config.using(str(collection.root), collection.encoder.name))
    record_run(
        collection.workspace.runs_folder,
        "index",
        {"photos": str(photos), "encoder": collection.encoder.name},
        {
            "images": report.images,
            "added": report.added,
            "updated": report.updated,
            "rejected": len(report.rejected),
            "seconds": round(report.seconds, 3),
        },
    )
    return report


def _collection(workspace: Workspace, photos: Path, encoder: str | None) -> tuple[Collection, Path]:
    """Open or make the collection, and say which of its folders to look at."""
    if not workspace.exists():
        return Collection.create(workspace.path, photos, encoder or DEFAULT_ENCODER), photos
    root = Path(workspace.config().root)
    if photos != root and root not in photos.parents:
        if root.is_dir():
            raise WorkspaceError(
                f"{workspace.path} holds the collection of {root}: use --workspace DIR to make another one for {photos}"
            )
        # The folder was moved as a whole: paths are relative to it, so nothing needs encoding again.
        workspace.configure(replace(workspace.config(), root=str(photos)))
    return Collection.open(workspace.path, encoder), photos

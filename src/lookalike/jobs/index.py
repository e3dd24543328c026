"""Bring a workspace's collection in step with a folder of photographs."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from lookalike.core.errors import InputError, WorkspaceError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.runs import record_run
from lookalike.core.workspace import DEFAULT_ENCODER, Workspace
from lookalike.embedding.collection import Collection, create_or_open
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.fill import Filling, fill
from lookalike.embedding.on_ray.cluster import check_place
from lookalike.embedding.on_ray.filling import RayFilling
from lookalike.embedding.plan import IndexReport
from lookalike.search.store import ImageTable

__all__ = ["index_folder"]


def index_folder(
    workspace: Path,
    photos: Path,
    encoder: str | None = None,
    on_progress: OnProgress = silent,
    on: str = "local",
    workers: int | None = None,
    gpus: int = 0,
) -> IndexReport:
    """Index a folder: new files are added, changed ones encoded again, absent ones marked.

    Parameters
    ----------
    workspace : Path
        The workspace folder, made when it is not there; or the address of the collection.
    photos : Path
        The folder of photographs, or a folder inside the one that the workspace was made for.
    encoder : str, optional
        What to encode with, from now on; without it, the workspace's encoder, at first `DEFAULT_ENCODER`.
    on : str
        Where to decode and encode: ``"local"``, ``"ray"`` or ``"ray://HOST:PORT"``. The table is written here.
    workers, gpus : int
        Of the cluster; see `RayFilling`.

    Raises
    ------
    InputError
        `photos` is not a folder, or there is no such encoder or place.
    WorkspaceError
        The workspace belongs to another folder, or another process is writing to it.
    ClusterError
        The cluster does not answer, or cannot do the work.
    """
    running = _running(on, workers, gpus)
    if not photos.is_dir():
        what = "is a file" if photos.exists() else "does not exist"
        raise InputError(f"{photos} {what}: give the folder of photographs to index")
    collection = _collection(Workspace(workspace), photos.resolve(), encoder)
    with running as filling:
        report = collection.sync(photos.resolve(), on_progress, filling)
    before = collection.workspace.config()
    config = before.using(str(collection.root), collection.encoder.name)
    if report.without_vectors:
        # A part of the folder was encoded anew: searches go on with the encoder that has seen all of it.
        config = replace(config, encoder=before.encoder)
    collection.workspace.configure(config)
    record_run(
        collection.workspace.runs_folder,
        "index",
        {"photos": str(photos), "encoder": collection.encoder.name, "on": on},
        {
            "images": report.images,
            "added": report.added,
            "updated": report.updated,
            "rejected": len(report.rejected),
            "seconds": round(report.seconds, 3),
        },
    )
    return report


def _running(on: str, workers: int | None, gpus: int) -> contextlib.AbstractContextManager[Filling]:
    """Choose who decodes and encodes."""
    check_place(on)
    if on != "local":
        return RayFilling(on, workers, gpus)
    if workers is not None or gpus:
        raise InputError("workers and GPUs are counted on a cluster: use --on ray, or leave them out")
    return contextlib.nullcontext(fill)


def _collection(workspace: Workspace, photos: Path, encoder: str | None) -> Collection:
    """Open or make the collection that the folder belongs to."""
    if not workspace.exists():
        return Collection.create(workspace.place, photos, encoder or DEFAULT_ENCODER)
    config = workspace.config()
    if not config.root:
        raise WorkspaceError(
            f"{workspace.place} holds vectors alone, made elsewhere: use --workspace DIR to make another for {photos}"
        )
    root = Path(config.root)
    with workspace.lock():
        table = create_or_open(workspace)
    if photos != root and root not in photos.parents:
        if root.is_dir() or not _same_files(table, photos):
            gone = "" if root.is_dir() else ", which is not there now"
            raise WorkspaceError(
                f"{workspace.place} holds the collection of {root}{gone}: "
                f"use --workspace DIR to make another one for {photos}"
            )
        # The folder was moved as a whole: paths are relative to it, so nothing needs encoding again.
        root = photos
    return Collection(workspace, table, root, load_encoder(encoder or config.encoder))


def _same_files(table: ImageTable, photos: Path) -> bool:
    """Whether most of some images of the table lie under a folder by the same paths."""
    known = table.some_paths(50)
    return sum((photos / path).is_file() for path in known) > len(known) / 2

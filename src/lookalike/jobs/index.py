"""Bring a workspace's collection in step with its photographs."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from lookalike.core.errors import InputError, WorkspaceError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.runs import record_run
from lookalike.core.source_names import SourceName, source_name
from lookalike.core.workspace import DEFAULT_ENCODER, Workspace
from lookalike.embedding.collection import Collection, create_or_open
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.fill import Filling, fill
from lookalike.embedding.on_ray.cluster import check_place
from lookalike.embedding.on_ray.filling import RayFilling
from lookalike.embedding.plan import IndexReport
from lookalike.images.sources.base import relative
from lookalike.images.sources.opening import open_source, settled
from lookalike.search.store import ImageTable

__all__ = ["index_source"]


def index_source(
    workspace: Path,
    source: str | Path,
    encoder: str | None = None,
    on_progress: OnProgress = silent,
    on: str = "local",
    workers: int | None = None,
    gpus: int = 0,
) -> IndexReport:
    """Index photographs: new ones are added, changed ones encoded again, absent ones marked.

    Parameters
    ----------
    workspace : Path
        The workspace folder, made when it is not there; or the address of the collection.
    source : str or Path
        A folder, an address of an object store, Parquet files or tar archives (`lookalike.core.source_names`); or a
        part of what the workspace was made for.
    encoder : str, optional
        What to encode with, from now on; without it, the workspace's encoder, at first `DEFAULT_ENCODER`.
    on : str
        Where to decode and encode: ``"local"``, ``"ray"`` or ``"ray://HOST:PORT"``. The table is written here.
    workers, gpus : int
        Of the cluster; see `RayFilling`.

    Raises
    ------
    InputError
        There is nothing at `source`, or there is no such encoder or place.
    WorkspaceError
        The workspace belongs to other photographs, or another process is writing to it.
    StorageError
        An object store does not answer, or does not let us in.
    ClusterError
        The cluster does not answer, or cannot do the work.
    """
    running = _running(on, workers, gpus)
    collection, part = _collection(Workspace(workspace), source_name(source), encoder)
    with running as filling:
        report = collection.sync(part, on_progress, filling)
    before = collection.workspace.config()
    config = before.using(collection.source.name.text, collection.encoder.name)
    if report.without_vectors:
        # A part of the photographs was encoded anew: searches go on with the encoder that has seen all of them.
        config = replace(config, encoder=before.encoder)
    collection.workspace.configure(config)
    record_run(
        collection.workspace.runs_folder,
        "index",
        {"photos": part, "encoder": collection.encoder.name, "on": on},
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


def _collection(workspace: Workspace, named: SourceName, encoder: str | None) -> tuple[Collection, str]:
    """Open or make the collection that the photographs belong to; return also which part of it they are."""
    if not workspace.exists():
        made = Collection.create(workspace.place, named.text, encoder or DEFAULT_ENCODER)
        return made, made.source.name.text
    config = workspace.config()
    if not config.root:
        raise WorkspaceError(
            f"{workspace.place} holds vectors alone, made elsewhere: "
            f"use --workspace DIR to make another for {named.text}"
        )
    source = open_source(config.root)
    with workspace.lock():
        table = create_or_open(workspace)
    try:
        source.inside(named.text)
    except InputError:
        named = settled(named)
        if not _is_same(source.name, named, table):
            gone = ", which is not there now" if source.name.folder and not source.name.folder.is_dir() else ""
            raise WorkspaceError(
                f"{workspace.place} holds the collection of {source.name.text}{gone}: "
                f"use --workspace DIR to make another one for {named.text}"
            ) from None
        source = open_source(named)
    return Collection(workspace, table, source, load_encoder(encoder or config.encoder)), named.text


def _is_same(before: SourceName, named: SourceName, table: ImageTable) -> bool:
    """Whether photographs go by the same paths as those of the table, though their source has another name."""
    if before.kind != named.kind:
        return False
    if named.kind != "pictures":  # other archives in the same place: there are more of them now
        return relative(before.base, named.base) == ""
    if before.folder is None or named.folder is None or before.folder.is_dir():
        return False
    # A folder that was moved as a whole: most of some images lie there by the same paths.
    known = table.some_paths(50)
    return sum((named.folder / path).is_file() for path in known) > len(known) / 2

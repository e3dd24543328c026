"""Name sets of encoders, and compute their features for the collection or a folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.runs import record_run
from lookalike.core.workspace import Workspace
from lookalike.embedding import feature_sets
from lookalike.embedding.feature_sets import FeatureSet
from lookalike.embedding.lens import Mirrored
from lookalike.images.folder import Rejected, scan

__all__ = ["FeatureReport", "collection_files", "compute_features", "define_features", "list_features"]


@dataclass(frozen=True, slots=True)
class FeatureReport:
    """What a computation did.

    Attributes
    ----------
    name : str
        Of the set.
    images, dim : int
        Rows and columns.
    dims : dict of str to int
        Columns of each encoder, in order.
    fingerprint : str
        Of the set.
    rejected : list of Rejected
        Images left out, and why.
    seconds : float
        Wall time.
    """

    name: str
    images: int
    dim: int
    dims: dict[str, int]
    fingerprint: str
    rejected: list[Rejected]
    seconds: float


def define_features(workspace: Path, name: str, encoders: Sequence[str], replace: bool = False) -> FeatureSet:
    """Put encoders under a name; see `lookalike.embedding.feature_sets.define`."""
    return feature_sets.define(Workspace(workspace), name, encoders, replace)


def list_features(workspace: Path) -> list[FeatureSet]:
    """Return the feature sets of a workspace, by name.

    Examples
    --------
    >>> list_features(Path("nowhere"))
    []
    """
    held = Workspace(workspace)
    return [feature_sets.read(held, name) for name in feature_sets.names(held)]


def compute_features(
    workspace: Path,
    name: str,
    images: Path | None = None,
    flipped: bool = False,
    on_progress: OnProgress = silent,
) -> FeatureReport:
    """Compute the features of a set and keep them in the workspace, so that what needs them finds them there.

    Parameters
    ----------
    workspace : Path
        The workspace folder.
    name : str
        Of the set.
    images : Path, optional
        A folder, read with all its folders; without it, the images of the collection.
    flipped : bool
        Also of the pictures mirrored left to right.
    on_progress : callable, optional

    Raises
    ------
    InputError
        There is no such set, or there are no images.
    WorkspaceError
        There is no collection, and no folder was given.
    UnknownNameError, EncoderError, StorageError
    """
    started = time.perf_counter()
    held = Workspace(workspace)
    chosen = feature_sets.read(held, name)
    files, rejected = (collection_files(held), []) if images is None else _of_a_folder(images)
    if not files:
        raise InputError(f"{images or workspace} has no images that could be encoded")
    found = feature_sets.compute_set(held, chosen, files, on_progress=on_progress, rejected=rejected)
    if flipped:
        usable = {id_: files[id_] for id_ in found.features.ids.tolist()}
        feature_sets.compute_set(held, chosen, usable, Mirrored(), on_progress, rejected)
    report = FeatureReport(
        name=name,
        images=len(found.features),
        dim=found.features.vectors.shape[1],
        dims=found.dims,
        fingerprint=found.fingerprint,
        rejected=sorted(rejected, key=lambda entry: entry.path),
        seconds=time.perf_counter() - started,
    )
    record_run(
        held.runs_folder,
        "features",
        {"name": name, "encoders": list(chosen.encoders), "images": images and str(images), "flipped": flipped},
        {"images": report.images, "dim": report.dim, "rejected": len(rejected), "seconds": round(report.seconds, 3)},
    )
    return report


def collection_files(workspace: Workspace) -> dict[str, Path]:
    """Return the files of the images of the collection by path.

    Raises
    ------
    InputError
        The folder of the photographs is not there.
    WorkspaceError
        There is no collection, or its photographs are not in a folder.
    """
    from lookalike.search.store import ImageTable

    root = workspace.photographs()
    if not root.is_dir():
        raise InputError(f"{root}, the folder of the collection, is not there")
    table = ImageTable.open(workspace.collection_uri)
    return {path: root / path for path in sorted(table.some_paths(table.count()))}


def _of_a_folder(folder: Path) -> tuple[dict[str, Path], list[Rejected]]:
    found = scan(folder)
    return {file.path: folder / file.path for file in found.files}, list(found.rejected)

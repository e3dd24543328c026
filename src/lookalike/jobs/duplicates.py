"""Group the near-identical images of a collection."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Rows, Vectors
from lookalike.core.workspace import Workspace
from lookalike.embedding.collection import Collection, Hit
from lookalike.embedding.lens import Mirrored
from lookalike.embedding.match_copies import CopyLens, draw_copies
from lookalike.embedding.matching import index_for
from lookalike.images.folder import Rejected
from lookalike.jobs.features import collection_files
from lookalike.jobs.matcher import Matcher, open_matcher

__all__ = ["find_duplicates"]

REACH = 0.98
"""Share of weakly edited copies that are closer to their originals than the threshold that a model gets by default."""
WEAK = CopyLens(0, "weak")


def find_duplicates(
    workspace: Path,
    threshold: float | None = None,
    mirrored: bool = False,
    encoder: str | None = None,
    model: str | None = None,
    on_progress: OnProgress = silent,
) -> list[list[Hit]]:
    """Find groups of images that show the same picture; see `Collection.duplicates`.

    With a model, candidates are those that are close by its distance; whether they are copies is looked at in the same
    way. By default they are as far apart as 98% of weakly edited copies of the collection's own images are.

    Raises
    ------
    WorkspaceError, InputError, StorageError
    """
    if model is None:
        return Collection.open(workspace, encoder).duplicates(threshold, mirrored, on_progress)
    held = Workspace(workspace)
    collection, matcher = Collection.open(workspace), open_matcher(held, None, model)
    if matcher.weighs_by_query:
        raise InputError(
            f"the distance of '{model}' depends on which of two images is asked about: give one of its models"
        )
    files = collection_files(held)
    unreadable: list[Rejected] = []
    features = matcher.see(files, None, on_progress, unreadable)
    names = features.ids.tolist()
    if not names:
        return []
    vectors = matcher.targets(features)
    seen = {name: files[name] for name in names}
    if threshold is None:
        threshold = _reach(matcher, seen, vectors, on_progress)

    def turned(rows: Rows) -> Vectors:
        some = {names[row]: files[names[row]] for row in rows}
        return matcher.targets(matcher.see(some, Mirrored()))

    return collection.grouped(
        names, vectors, index_for(vectors, len(vectors)), threshold, turned if mirrored else None, on_progress
    )


def _reach(matcher: Matcher, files: dict[str, Path], vectors: Vectors, on_progress: OnProgress) -> float:
    """Return how far weakly edited copies of some of the images are from these, nearly all of them."""
    rows, _ = draw_copies(len(files))
    names = list(files)
    copies = matcher.targets(matcher.see({names[row]: files[names[row]] for row in rows}, WEAK, on_progress))
    apart = 1 - (copies * vectors[rows]).sum(axis=1)
    return float(np.clip(np.quantile(apart, REACH), 0, 2))

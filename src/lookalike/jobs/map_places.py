"""Where images of a collection stand on a map: those that look alike to its encoder are near each other."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError, LookalikeError
from lookalike.core.files import read_json, write_json
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.runs import record_run
from lookalike.core.types import Vectors
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.ensembles.axes import principal_axes
from lookalike.ensembles.weighted import WeightedEnsemble
from lookalike.jobs.models import list_models, model_features, open_model
from lookalike.jobs.named_contexts import image_paths
from lookalike.judgments.store import JudgmentStore
from lookalike.search.image_rows import vector_column
from lookalike.search.store import ImageTable

__all__ = ["MOST", "make_map", "places", "read_map"]

FORMAT = 1
MOST = 5000
COMPONENTS = 50
"""What is kept before neighbours are laid out: the rest is mostly noise, and slow."""

FEW = 8
"""With fewer images there are no neighbourhoods to lay out."""

PERPLEXITY = 30.0
"""About how many neighbours each image has."""

STEPS = 1000
"""Of the layout."""


def make_map(workspace: Path, count: int = MOST, seed: int = 0, on_progress: OnProgress = silent) -> dict[str, Any]:
    """Lay out all references of the judgments, and as many other images as there is room for, and keep the map.

    Parameters
    ----------
    workspace : Path
        The workspace folder.
    count : int
        Images at most.
    seed : int
        Of the sample, and of the layout.
    on_progress : callable

    Returns
    -------
    dict
        What `read_map` returns.

    Raises
    ------
    InputError
        The collection is empty.
    WorkspaceError, StorageError, EncoderError, UnknownNameError
    """
    held = Workspace(workspace)
    config = held.config()
    encoder = load_encoder(config.encoder)
    table = ImageTable.open(held.collection_uri)
    column = vector_column(encoder.name, encoder.spec.fingerprint)
    on_progress(Progress("reading", 0, 0))
    paths = table.paths(column)
    references = _references(held)
    images = _sample(paths, references, count, seed)
    if not images:
        raise InputError("the collection is empty: there is nothing to draw")
    vectors = table.vectors_of(column, images)
    spots = places(vectors, seed, on_progress).round(4)
    kept = {
        "format": FORMAT,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "encoder": encoder.name,
        "version": table.version,
        "total": len(paths),
        "images": images,
        "x": spots[:, 0].tolist(),
        "y": spots[:, 1].tolist(),
        "references": [references.get(image) for image in images],
        "ensembles": _weights(held, images, on_progress),
    }
    write_json(held.map_file, kept)
    told = {"images": len(images), "encoder": encoder.name, "ensembles": list(kept["ensembles"])}
    record_run(held.runs_folder, "map", {"count": count, "seed": seed}, told)
    return kept


def read_map(workspace: Workspace) -> dict[str, Any] | None:
    """Return the map that was kept last; None where none was, or another version wrote it.

    ``images`` are paths, ``x`` and ``y`` in [-1, 1], ``references`` the ids by which judgments call the images, or
    null; ``ensembles`` have ``members`` and, for each, the ``weights`` at every image.
    """
    if not workspace.map_file.is_file():
        return None
    found = read_json(workspace.map_file)
    return found if isinstance(found, dict) and found.get("format") == FORMAT else None


def places(vectors: Vectors, seed: int = 0, on_progress: OnProgress = silent) -> NDArray[np.float64]:
    """Lay rows out in two dimensions, neighbours near each other: t-SNE of their first principal components.

    Parameters
    ----------
    vectors : float32 (N, D)
    seed : int
    on_progress : callable
        Told every 50 steps.

    Returns
    -------
    float64 (N, 2)
        In [-1, 1], centred.

    Examples
    --------
    >>> spots = places(np.eye(2, 3, dtype=np.float32))
    >>> spots.round(2).tolist()
    [[1.0, 0.0], [-1.0, 0.0]]
    """
    rows = principal_axes(vectors, COMPONENTS).place(vectors)
    rows = np.pad(rows, ((0, 0), (0, max(0, 2 - rows.shape[1]))))
    if len(np.unique(rows, axis=0)) < FEW:
        spots = rows[:, :2]
    else:
        from sklearn.manifold import TSNE

        perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
        layout = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, max_iter=STEPS, verbose=2)
        # How far it is, it only prints.
        with contextlib.redirect_stdout(_Steps(on_progress)):
            spots = layout.fit_transform(rows)
    spots = np.asarray(spots, np.float64)
    spots = spots - (spots.min(axis=0) + spots.max(axis=0)) / 2
    extent = float(np.abs(spots).max(initial=0)) or 1.0
    return np.asarray(spots / extent, np.float64)


class _Steps(io.TextIOBase):
    """Hears what t-SNE prints, and tells how many steps it has done."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._tell = on_progress
        self._tell(Progress("laying out", 0, STEPS))

    def write(self, text: str) -> int:
        found = re.search(r"Iteration (\d+)", text)
        if found:
            self._tell(Progress("laying out", min(STEPS, int(found[1])), STEPS))
        return len(text)


def _references(workspace: Workspace) -> dict[str, str]:
    """Return what judgments call each image that they are about, by its path in the collection."""
    judgments = JudgmentStore(workspace.judgments_file).read()
    ids = judgments.references.tolist()
    ids = list(dict.fromkeys(ids))
    return dict(zip(image_paths(workspace, ids, judgments.images), ids, strict=True))


def _sample(paths: Sequence[str], references: Mapping[str, str], count: int, seed: int) -> list[str]:
    """Return references first, where there are too many images for all."""
    rng = np.random.default_rng(seed)
    judged = [path for path in paths if path in references]
    others = [path for path in paths if path not in references]
    chosen: list[str] = []
    for group in (judged, others):
        room = min(count - len(chosen), len(group))
        chosen += (
            [group[place] for place in sorted(rng.choice(len(group), room, replace=False).tolist())] if room else []
        )
    return chosen


def _weights(workspace: Workspace, images: Sequence[str], on_progress: OnProgress) -> dict[str, dict[str, Any]]:
    """Return how much each ensemble trusts each of its members at every image; those that cannot tell are left out."""
    found: dict[str, dict[str, Any]] = {}
    folder = workspace.config().folder
    if folder is None:  # then nothing can be encoded
        return found
    files = {image: folder / image for image in images}
    for name, card in list_models(workspace.path).items():
        if "members" not in card:
            continue
        try:
            named = open_model(workspace, name)
            if not isinstance(named.model, WeightedEnsemble):
                continue
            features = model_features(workspace, named, files, on_progress)
        except LookalikeError:  # a photograph is gone, or an encoder: the map is still a map
            continue
        weights = named.model.weights(features.vectors[features.rows(list(images))])
        members = list(named.card["about"]["members"])
        found[name] = {"members": members, "weights": np.asarray(weights, np.float64).T.round(3).tolist()}
    return found

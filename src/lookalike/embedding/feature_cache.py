"""Unit vectors of any image files, kept in the workspace, so that each is encoded once."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lookalike.core.files import write_aside
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Vectors
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.features import Features, file_stamp
from lookalike.search.store import vector_column

__all__ = ["unit_features"]

CHUNK = 2048
"""Images between two writes of the cache: what a killed run can lose."""


def unit_features(
    workspace: Workspace, encoder: Encoder, images: Mapping[str, Path], on_progress: OnProgress = silent
) -> Features:
    """Return unit vectors of image files by id, encoding only what is new or changed since the last call.

    Parameters
    ----------
    workspace : Workspace
        Holds the cache, in ``features/``: one file per encoder and fingerprint.
    encoder : Encoder
    images : mapping of id to Path
    on_progress : callable
        Told of encoding alone.

    Raises
    ------
    ImageDecodeError
        An image cannot be read; the error names it.
    """
    cache = _Cache(workspace.path / "features" / f"{vector_column(encoder.name, encoder.spec.fingerprint)}.npz")
    known = cache.read()
    paths = {id_: path.resolve() for id_, path in images.items()}
    stamps = {path: file_stamp(path) for path in set(paths.values())}
    missing = sorted(path for path, stamp in stamps.items() if known.get(str(path), (None,))[0] != stamp)
    for start in range(0, len(missing), CHUNK):
        some = missing[start : start + CHUNK]

        def tell(step: Progress, before: int = start) -> None:
            on_progress(Progress(f"encoding by {encoder.name}", before + step.done, len(missing)))

        for path, vector in zip(some, unit_rows(encoder.encode(some, tell)), strict=True):
            known[str(path)] = (stamps[path], vector)
        cache.write(known)
    ids = list(paths)
    vectors = np.stack([known[str(paths[id_])][1] for id_ in ids]) if ids else np.zeros((0, encoder.dim), np.float32)
    return Features(np.array(ids, np.str_), vectors)


class _Cache:
    """One npz file: absolute paths, stamps (size, modification time) and vectors."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, tuple[tuple[int, int], Vectors]]:
        """Read everything; a cache that cannot be read counts as empty."""
        try:
            with self._path.open("rb") as handle, np.load(handle, allow_pickle=False) as held:
                paths, stamps, vectors = held["paths"], held["stamps"].tolist(), held["vectors"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return {}
        return {str(p): ((s[0], s[1]), v) for p, s, v in zip(paths, stamps, vectors, strict=True)}

    def write(self, known: Mapping[str, tuple[tuple[int, int], Vectors]]) -> None:
        with write_aside(self._path) as aside:
            np.savez(
                aside,
                paths=np.array(list(known), np.str_),
                stamps=np.array([stamp for stamp, _ in known.values()], np.int64),
                vectors=np.stack([vector for _, vector in known.values()]),
            )

"""Features of any image files, kept in the workspace, so that each picture is encoded once."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lookalike.core.errors import ImageDecodeError, StorageError
from lookalike.core.features import Features
from lookalike.core.lanes import in_lanes
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Pixels, Vectors
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.feature_files import FeatureFiles
from lookalike.embedding.features import file_stamp
from lookalike.embedding.lens import Lens
from lookalike.encoders.spec import EncoderSpec
from lookalike.images.folder import Rejected

__all__ = ["cached_features", "known_features", "unit_features"]

CHUNK_IMAGES = 2048
CHUNK_SECONDS = 30.0
"""Images or seconds between two writes: what a killed run can lose."""

ROWS_AT_ONCE = 4096


def cached_features(
    workspace: Workspace,
    encoder: Encoder,
    images: Mapping[str, Path],
    on_progress: OnProgress = silent,
    lens: Lens | None = None,
    rejected: list[Rejected] | None = None,
) -> Features:
    """Return features of image files by id, encoding only what is new or changed since the last call.

    Parameters
    ----------
    workspace : Workspace
        Holds them, in ``features/``: a folder per encoder and fingerprint.
    encoder : Encoder
    images : mapping of id to Path
    on_progress : callable
        Told of encoding alone.
    lens : Lens, optional
        How the encoder sees the pictures, if not plainly; features under each lens are kept apart.
    rejected : list of Rejected, optional
        Takes the ids of images that cannot be used, which are then left out; without it, the first such image is an
        error.

    Returns
    -------
    Features
        Not normalised, in the order of `images`. They may be mapped from disk: what has not been looked at takes no
        memory.

    Raises
    ------
    ImageDecodeError
        An image cannot be read; the error names it. What was encoded before it is kept.
    StorageError
        The workspace cannot be written.
    """
    files = FeatureFiles(_folder(workspace, encoder.spec, lens), encoder.dim)
    ids, paths = list(images), _absolute(images.values())
    stamps = np.array([file_stamp(path) for path in paths], np.int64).reshape(-1, 2)
    held = files.read()
    rows = held.rows(paths, stamps)
    refused: dict[str, str] = {}
    if (rows < 0).any():
        missing = {paths[at]: (int(stamps[at, 0]), int(stamps[at, 1])) for at in np.flatnonzero(rows < 0)}
        run = _Run(files, missing, refused if rejected is not None else None)
        run.encode(encoder, lens, on_progress)
        files.merge()
        held = files.read()
        rows = held.rows(paths, stamps)
    if rejected is not None and refused:
        rejected += [Rejected(id_, refused[path]) for id_, path in zip(ids, paths, strict=True) if path in refused]
    kept = np.array([path not in refused for path in paths], np.bool_)
    if (rows[kept] < 0).any():
        raise StorageError(f"features in {files.folder} are gone as soon as they are written: delete that folder")
    return Features(np.array(ids, np.str_)[kept], held.take(rows[kept]))


def unit_features(
    workspace: Workspace,
    encoder: Encoder,
    images: Mapping[str, Path],
    on_progress: OnProgress = silent,
    lens: Lens | None = None,
    rejected: list[Rejected] | None = None,
) -> Features:
    """Return unit vectors of image files by id, float32 (N, dim); otherwise as `cached_features`."""
    raw = cached_features(workspace, encoder, images, on_progress, lens, rejected)
    vectors = np.empty(raw.vectors.shape, np.float32)
    for start in range(0, len(raw), ROWS_AT_ONCE):
        vectors[start : start + ROWS_AT_ONCE] = unit_rows(raw.vectors[start : start + ROWS_AT_ONCE])
    return Features(raw.ids, vectors)


def known_features(workspace: Workspace, encoder: EncoderSpec, images: Mapping[str, Path]) -> Features:
    """Return the features of those image files that have been encoded as they are now; encode nothing.

    Parameters
    ----------
    workspace : Workspace
    encoder : EncoderSpec
        The card of one; it need not be loaded.
    images : mapping of id to Path

    Returns
    -------
    Features
        Not normalised; the others are left out.

    Examples
    --------
    >>> from lookalike.embedding.encoder import load_encoder
    >>> len(known_features(Workspace(Path("nowhere")), load_encoder("classic").spec, {"a.jpg": Path("a.jpg")}))
    0
    """
    ids, paths = np.array(list(images), np.str_), _absolute(images.values())
    held = FeatureFiles(_folder(workspace, encoder, None), encoder.dim).read()
    rows = held.rows(paths, np.array([file_stamp(path) for path in paths], np.int64).reshape(-1, 2))
    return Features(ids[rows >= 0], held.take(rows[rows >= 0]))


@dataclass(slots=True)
class _Run:
    """Encodes files and writes what comes out, a chunk at a time.

    Attributes
    ----------
    files : FeatureFiles
    missing : dict of str to (int, int)
        Paths to encode, with their stamps from before they are read: a file that changes meanwhile is encoded again
        by the next run.
    refused : dict of str to str, or None
        Takes the paths that cannot be used, and why; without it, they are errors.
    """

    files: FeatureFiles
    missing: dict[str, tuple[int, int]]
    refused: dict[str, str] | None
    waiting: dict[str, Vectors] = field(default_factory=dict)
    written_at: float = field(default_factory=time.monotonic)

    def encode(self, encoder: Encoder, lens: Lens | None, on_progress: OnProgress) -> None:
        stage = f"encoding by {encoder.name}{f', {lens.name}' if lens else ''}"
        paths = sorted(self.missing)
        size = encoder.spec.batch
        batches = (paths[start : start + size] for start in range(0, len(paths), size))
        done = 0
        try:
            for batch in in_lanes(lambda batch: _encode(encoder, lens, batch), batches, encoder.lanes):
                done += len(batch)
                self._take(batch)
                on_progress(Progress(stage, done, len(paths), len(self.refused or ())))
                if len(self.waiting) >= CHUNK_IMAGES or time.monotonic() - self.written_at > CHUNK_SECONDS:
                    self._write()
        finally:
            self._write()

    def _take(self, batch: dict[str, Vectors | ImageDecodeError]) -> None:
        # First what is good, so that it is kept when the rest stops the run.
        for path, found in batch.items():
            if not isinstance(found, ImageDecodeError):
                self.waiting[path] = found
        for path, found in batch.items():
            if isinstance(found, ImageDecodeError):
                if self.refused is None:
                    raise found
                self.refused[path] = found.reason

    def _write(self) -> None:
        if self.waiting:
            paths = sorted(self.waiting)
            stamps = np.array([self.missing[path] for path in paths], np.int64)
            self.files.append(paths, stamps, np.stack([self.waiting[path] for path in paths]))
        self.waiting = {}
        self.written_at = time.monotonic()


def _encode(encoder: Encoder, lens: Lens | None, paths: Sequence[str]) -> dict[str, Vectors | ImageDecodeError]:
    """Take files through decoder and network: a feature each, or why there is none."""
    found: dict[str, Vectors | ImageDecodeError] = {}
    pixels: dict[str, Pixels] = {}
    for path in paths:
        try:
            pixels[path] = encoder.pixels(path) if lens is None else lens.pixels(encoder, path)
        except ImageDecodeError as error:
            found[path] = error
    features = encoder.forward(np.stack(list(pixels.values()))) if pixels else ()
    for path, feature in zip(pixels, features, strict=True):
        if np.isfinite(feature).all():
            found[path] = feature
        else:
            found[path] = ImageDecodeError(path, f"the encoder {encoder.name} gives no finite numbers for it")
    return found


def _folder(workspace: Workspace, encoder: EncoderSpec, lens: Lens | None) -> Path:
    """Name the folder of an encoder's features for people, and make it unique by the fingerprint and the lens."""
    last = re.split(r"[/\\]", encoder.name.lower().partition("@")[0])[-1]
    slug = re.sub(r"[^a-z0-9]+", "_", last).strip("_")[:60].strip("_")
    digest = hashlib.sha256(encoder.fingerprint.encode()).hexdigest()[:16]
    return workspace.path / "features" / f"{slug}_{digest}{f'_{lens.name}' if lens else ''}"


def _absolute(paths: Iterable[Path]) -> list[str]:
    """Return absolute paths; links are followed in the folders, each of which is looked at once."""
    folders: dict[str, str] = {}
    found = []
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        found.append(os.path.join(folders[folder], name))  # noqa: PTH118 a Path per file takes ten times as long
    return found

"""A collection: images and their vectors on disk, kept in step with a folder, searchable."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from lookalike.core.errors import InputError, WorkspaceError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.source_names import source_name
from lookalike.core.types import Rows, Vectors
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import DEFAULT_ENCODER, Workspace, WorkspaceConfig
from lookalike.embedding.duplicates import (
    MirroredVectors,
    distances_to_first,
    duplicate_groups,
    mirrored_pixels,
)
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.fill import Filling, fill
from lookalike.embedding.plan import IndexReport, make_plan
from lookalike.embedding.rejections import keep_rejected, read_rejected
from lookalike.embedding.searching import Hit, SearchedImages
from lookalike.embedding.writer import Writer
from lookalike.images.decode import decode
from lookalike.images.folder import FolderScan, ImageFile, Rejected
from lookalike.images.sources.base import WHOLE
from lookalike.images.sources.folder import FolderSource
from lookalike.images.sources.opening import open_source, settled
from lookalike.search.protocol import VectorIndex
from lookalike.search.store import ImageTable

__all__ = ["Collection", "Hit", "IndexReport", "create_or_open"]


class Collection(SearchedImages):
    """Images and their vectors in a workspace folder or an object store, and vectors made elsewhere.

    Use `create` or `open`. A search sees all that was written before it, by whomever.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> photos = Path(tempfile.mkdtemp())
    >>> for name, colour in {"red": (200, 0, 0), "rose": (210, 30, 30), "sea": (0, 60, 200)}.items():
    ...     Image.new("RGB", (64, 64), colour).save(photos / f"{name}.png")
    >>> collection = Collection.create(photos / ".lookalike", root=photos)
    >>> collection.sync().images
    3
    >>> [hit.image for hit in collection.search(photos / "red.png", k=2)]
    ['red.png', 'rose.png']
    """

    @classmethod
    def create(cls, uri: str | Path, root: str | Path | None = None, encoder: str = DEFAULT_ENCODER) -> Collection:
        """Make an empty collection for the images at `root`.

        Without `root` it is one of vectors that are made elsewhere; it has no encoder then.

        Parameters
        ----------
        uri : path or str
            The workspace folder, or the address of an object store, ``s3://bucket/prefix``: server and key come from
            the environment (`lookalike.core.object_store`).
        root : path or str, optional
            Where the photographs are: a folder, an address of an object store, Parquet files or tar archives
            (`lookalike.core.source_names`). Of a folder without pictures it is the Parquet files or archives in it.
        encoder : str
            What to encode with.

        Raises
        ------
        WorkspaceError
            There is a collection already.
        InputError
            There is nothing at `root`, no such encoder, or the address cannot be used.
        StorageError
            The folder or the store cannot be written.
        """
        workspace = Workspace(uri)
        if workspace.exists():
            raise WorkspaceError(f"{workspace.place} holds a collection already: open it, or choose another folder")
        source = None if root is None else open_source(settled(source_name(root)))
        loaded = None if source is None else load_encoder(encoder)
        with workspace.lock():
            if workspace.exists():
                raise WorkspaceError(f"{workspace.place} was made by another process just now: try again")
            table = create_or_open(workspace)
            names = () if loaded is None else (loaded.name,)
            text = "" if source is None else source.name.text
            workspace.configure(WorkspaceConfig(text, "".join(names), names))
        return cls(workspace, table, source, loaded)

    @classmethod
    def open(cls, uri: str | Path, encoder: str | None = None, read_only: bool = False) -> Collection:
        """Open the collection in a workspace folder, or at an address.

        Parameters
        ----------
        uri : path or str
            As `create` was given.
        encoder : str, optional
            Whose vectors to use; without it, those of the workspace's encoder.
        read_only : bool
            Whether to search alone: whatever would write to the collection is a `WorkspaceError`. Index files are kept
            on this machine all the same.

        Raises
        ------
        WorkspaceError
            There is none.
        InputError
            The address cannot be used.
        StorageError
            Its table cannot be read.
        """
        workspace = Workspace(uri, read_only)
        config = workspace.config()
        table = ImageTable.open(workspace.collection_uri)
        if not config.root:
            return cls(workspace, table, None, None)
        return cls(workspace, table, open_source(config.root), load_encoder(encoder or config.encoder))

    def sync(
        self, part: str | Path | None = None, on_progress: OnProgress = silent, filling: Filling = fill
    ) -> IndexReport:
        """Bring the collection in step with its photographs: add, update, and mark what is gone.

        Unchanged images (same size and modification time, or same content) are not encoded again. A run that is
        killed has lost nothing that was written; the next goes on from there.

        Parameters
        ----------
        part : path or str, optional
            A folder inside the root, or some of its archives, to look at alone; without it, all.
        on_progress : callable, optional
        filling : Filling
            Who decodes and encodes: threads of this process, or machines of a cluster
            (`lookalike.embedding.on_ray.filling.RayFilling`). The vectors are the same.

        Raises
        ------
        InputError
            The part is not inside the root, or is not there.
        WorkspaceError
            Another process is writing.
        """
        started = time.perf_counter()
        beginnings = WHOLE if part is None else self.source.inside(part)

        def look() -> FolderScan:
            return self.source.look(beginnings, self.workspace.listings_folder, on_progress)

        return self._bring_in(look, beginnings, on_progress, started, filling)

    def add(self, images: Iterable[str | Path], on_progress: OnProgress = silent) -> IndexReport:
        """Add or update single files inside the root; nothing is marked as gone.

        Raises
        ------
        InputError
            A path is not inside the root.
        WorkspaceError
            The photographs are in no folder of this machine.
        """
        started = time.perf_counter()
        inside = FolderSource(source_name(self.root)).inside
        named = {inside(image)[0].rstrip("/"): Path(image) for image in images}
        found = FolderScan(files=[], rejected=[], ignored=0)
        for name, path in sorted(named.items()):
            try:
                status = path.stat()
                found.files.append(ImageFile(name, status.st_size, status.st_mtime_ns))
            except OSError as error:
                found.rejected.append(Rejected(name, error.strerror or str(error)))
        return self._bring_in(lambda: found, set(named), on_progress, started)

    def duplicates(
        self, threshold: float | None = None, mirrored: bool = False, on_progress: OnProgress = silent
    ) -> list[list[Hit]]:
        """Group near-identical images: resized, recompressed, slightly cropped.

        Pairs closer than `threshold` are candidates; a pair counts when the two pictures also agree after a small
        alignment (`lookalike.images.copies`). Memory is bounded by the vectors and a block of pairs.

        Parameters
        ----------
        threshold : float, optional
            Distance, in [0, 2]; without it, the encoder's own `copy_distance`.
        mirrored : bool
            Whether left-right mirrored copies count.

        Returns
        -------
        list of list of Hit
            Groups of at least two, the largest picture first, with distances to it.
        """
        if threshold is None:
            threshold = self.encoder.spec.copy_distance
        if not 0 <= threshold <= 2:
            raise InputError(f"threshold is a distance between 0 and 2, not {threshold}")
        paths, index = self.searchable(on_progress)
        if not paths:
            self._require_vectors()
            return []
        _, vectors = self._table.vectors(self._column)
        return self.grouped(
            paths, vectors, index, threshold, partial(self._mirrored, paths) if mirrored else None, on_progress
        )

    def grouped(
        self,
        paths: Sequence[str],
        vectors: Vectors,
        index: VectorIndex,
        threshold: float,
        mirrored: MirroredVectors | None = None,
        on_progress: OnProgress = silent,
    ) -> list[list[Hit]]:
        """Group near-identical images by vectors that need not be the collection's own; see `duplicate_groups`."""
        groups = duplicate_groups(paths, vectors, index, self.thumbnails, threshold, mirrored, on_progress)
        sizes = self._table.sizes([paths[row] for group in groups for row in group])
        return [_largest_first(paths, vectors, group, sizes) for group in groups]

    def thumbnails(self, images: Sequence[str]) -> dict[str, bytes]:
        """Return the stored thumbnails (JPEG) of images, by path."""
        return self._table.thumbnails(images)

    def compact(self) -> None:
        """Merge the small files that many writes leave, and forget removed images for good."""
        with self.workspace.lock():
            self._table.refresh()
            self._table.compact()
            given = self._opened()
            if given is not None:
                given.compact()

    def _mirrored(self, paths: Sequence[str], rows: Rows) -> Vectors:
        """Encode the thumbnails of rows, mirrored left to right: unit vectors."""
        wanted = [paths[row] for row in rows]
        held = self.thumbnails(wanted)
        return unit_rows(
            self.encoder.encode([mirrored_pixels(np.asarray(decode(held[path]).image)) for path in wanted])
        )

    def _bring_in(
        self,
        look: Callable[[], FolderScan],
        looked_at: set[str] | tuple[str, ...],
        on_progress: OnProgress,
        started: float,
        filling: Filling = fill,
    ) -> IndexReport:
        """Carry out a plan under the workspace's lock, and keep the list of what was rejected.

        `looked_at` are the beginnings of the paths of whole folders, or the paths of single files.
        """
        with self.workspace.lock():
            # Another process may have written between the opening of the table and the lock.
            self._table.refresh()
            self._table.ensure_column(self._column, self.encoder.dim)
            stored = self._table.stored(self._column)
            # After the table: what another writer adds meanwhile is not taken for gone.
            found = look()
            plan = make_plan(found.files, stored, looked_at if isinstance(looked_at, tuple) else None)
            report = IndexReport(unchanged=plan.unchanged, ignored=found.ignored, rejected=[*found.rejected])
            writer = Writer(self._table, self._column, stored, report)
            writer.settle(plan)
            files, again = plan.to_encode, writer.leftover
            writer.write(filling(self.encoder, self.source, files, writer.encoded), len(files), on_progress)
            if again:
                writer.write(filling(self.encoder, self.source, again, ()), len(again), on_progress)
            report.images = self._table.count(self._column)
            report.without_vectors = len(self) - report.images
            report.rejected.sort(key=lambda entry: entry.path)
            report.seconds = time.perf_counter() - started
            keep_rejected(self.workspace, report.rejected, looked_at)
        return report

    def rejected(self) -> list[Rejected]:
        """Return the inputs that could not be read when they were last looked at, with reasons."""
        return read_rejected(self.workspace)


def _largest_first(
    paths: Sequence[str], vectors: Vectors, group: list[int], sizes: Mapping[str, tuple[int, int]]
) -> list[Hit]:
    """Order a group by the size of the picture: the first is the one to keep."""
    ordered = sorted(group, key=lambda row: (-math.prod(sizes[paths[row]]), paths[row]))
    found = zip(ordered, distances_to_first(vectors, ordered), strict=True)
    return [Hit(paths[row], distance, 1 - distance) for row, distance in found]


def create_or_open(workspace: Workspace) -> ImageTable:
    """Open the table of a workspace, whatever else of it was lost; make one where there is none."""
    if workspace.address is None and (Path(workspace.collection_uri) / "images.lance").is_dir():
        return ImageTable.open(workspace.collection_uri)
    return ImageTable.create(workspace.collection_uri)

"""Searching the images of a collection by the vectors of its encoder: pages, filters, several pictures at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lookalike.core.errors import InputError, WorkspaceError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Distances, Rows, Vectors
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import Encoder, ImageLike
from lookalike.embedding.given_vectors import GivenVectors
from lookalike.images.sources.base import ImageSource
from lookalike.search.disposable import open_or_build
from lookalike.search.exact import ExactIndex
from lookalike.search.image_rows import vector_column
from lookalike.search.masked import FEW, among_rows, page_of
from lookalike.search.protocol import VectorIndex
from lookalike.search.references import AGAINST, combine_references
from lookalike.search.store import ImageTable

__all__ = ["Hit", "SearchedImages"]


@dataclass(frozen=True, slots=True)
class Hit:
    """One image found.

    Attributes
    ----------
    image : str
        Path relative to the collection root.
    distance : float
        ``1 - cosine``, in [0, 2].
    similarity : float
        The cosine.
    """

    image: str
    distance: float
    similarity: float


@dataclass(frozen=True, slots=True, eq=False)
class _Among:
    """How to search the images that fit a filter, in one version of the index."""

    index: VectorIndex
    fitting: pa.Array | None
    search: Callable[[Vectors, int], tuple[Rows, Distances]]
    size: int
    exact: bool


class SearchedImages(GivenVectors):
    """What `lookalike.embedding.collection.Collection` does to search its images.

    Parameters
    ----------
    workspace : Workspace
    table : ImageTable
    source : ImageSource, optional
        Of the photographs.
    encoder : Encoder, optional
    """

    def __init__(
        self, workspace: Workspace, table: ImageTable, source: ImageSource | None, encoder: Encoder | None
    ) -> None:
        super().__init__(workspace)
        self._source, self._encoder = source, encoder
        self._table = table
        self._searchable: tuple[int, list[str], VectorIndex] | None = None
        self._narrowed: _Among | None = None
        # Held while the table moves to another version, and while one is read: no answer mixes two.
        self._moving = threading.RLock()

    @property
    def source(self) -> ImageSource:
        """Where the photographs are; a `WorkspaceError` where the collection is one of vectors alone."""
        if self._source is None:
            raise WorkspaceError(
                f"{self.workspace.place} holds vectors alone: it was made without a folder of photographs"
            )
        return self._source

    @property
    def root(self) -> Path:
        """The folder of photographs; a `WorkspaceError` where they are in none (`Workspace.photographs`)."""
        folder = self.source.name.folder
        return folder if folder is not None else self.workspace.photographs()

    def original(self, image: str) -> Path | None:
        """Return where the file of an image should be; None where photographs are no files of this machine."""
        folder = self.source.name.folder
        return None if folder is None else folder / image

    @property
    def encoder(self) -> Encoder:
        """What photographs are encoded by; a `WorkspaceError` where the collection is one of vectors alone."""
        if self._encoder is None:
            raise WorkspaceError(f"{self.workspace.place} holds vectors alone: it has no encoder of photographs")
        return self._encoder

    @property
    def _column(self) -> str:
        return vector_column(self.encoder.name, self.encoder.spec.fingerprint)

    def __len__(self) -> int:
        return self._table.count()

    def search(self, query: ImageLike, k: int = 10, where: str | None = None, offset: int = 0) -> list[Hit]:
        """Find the `k` images closest to a picture, closest first; the picture need not be in the collection.

        Parameters
        ----------
        query : path, bytes, PIL image or uint8 (H, W, 3)
        k : int
            How many.
        where : str, optional
            Only images that fit this filter, such as ``"width > 1000 and folder = 'x'"``
            (`lookalike.search.filters.Filter`).
        offset : int
            How many of the closest are passed over: ``offset=k`` is the second page. Of equal distances the lower path
            comes first.

        Raises
        ------
        ImageDecodeError
            The query cannot be read.
        InputError
            `k` is not positive, `offset` is negative, the filter is not understood, or the collection has no vectors of
            this encoder.
        """
        asked = self.encoder.vector(query)[None]
        self.refresh()
        return self.nearest(asked, k, where, offset)[0]

    def search_many(
        self, queries: Sequence[ImageLike], k: int = 10, where: str | None = None, offset: int = 0
    ) -> list[list[Hit]]:
        """Find the `k` images closest to each of several pictures, which are encoded and searched for in one go.

        Raises as `search`.
        """
        if not len(queries):
            return []
        asked = unit_rows(self.encoder.encode(queries))
        self.refresh()
        return self.nearest(asked, k, where, offset)

    def search_like(
        self,
        like: Sequence[ImageLike],
        unlike: Sequence[ImageLike] = (),
        k: int = 10,
        where: str | None = None,
        offset: int = 0,
        against: float = AGAINST,
    ) -> list[Hit]:
        """Find the `k` images that look like some pictures, and not like others.

        Distances are those to one vector, ``mean of the unit vectors of like - against * (mean of those of unlike)``
        scaled to length 1 (`lookalike.search.references.combine_references`).

        Raises
        ------
        ImageDecodeError, InputError
            As `search`; or nothing is liked, `against` is negative, or the pictures cancel each other out.
        """
        rows = unit_rows(self.encoder.encode([*like, *unlike]))
        (asked,), _ = combine_references([rows], np.ones((len(rows), 1)), len(like), against)
        self.refresh()
        return self.nearest(asked, k, where, offset)[0]

    def refresh(self) -> None:
        """See what others have written; searches by pictures do so themselves.

        Raises
        ------
        StorageError
            The table cannot be read.
        """
        with self._moving:
            self._table.refresh()

    def nearest(self, queries: Vectors, k: int = 10, where: str | None = None, offset: int = 0) -> list[list[Hit]]:
        """Find the `k` images closest to each of several unit vectors of the encoder, float32 (Q, dim).

        In the version of the table that is open; see `refresh`.
        """
        if k < 1:
            raise InputError(f"k must be at least 1, not {k}")
        with self._moving:
            fitting = self._fitting(where)
            paths, index = self.searchable()
            if not paths:
                self._require_vectors()
                raise InputError(f"the collection has no images yet: run `lookalike index {self.source.name.text}`")
            among = self._among(paths, index, fitting)
        rows, distances = page_of(
            lambda depth: among.search(queries, depth), among.size, min(k, len(paths)), offset, among.exact
        )
        return [
            [
                Hit(paths[row], float(np.clip(distance, 0, 2)), float(np.clip(1 - distance, -1, 1)))
                for row, distance in zip(*pair, strict=True)
                if row >= 0
            ]
            for pair in zip(rows, distances, strict=True)
        ]

    def searchable(self, on_progress: OnProgress = silent) -> tuple[list[str], VectorIndex]:
        """Return the paths, and the index whose rows they name; built or loaded when the table has changed."""
        with self._moving:
            version = self._table.version
            if self._searchable is None or self._searchable[0] != version:
                if self._column not in self._table.columns:
                    return [], ExactIndex(np.zeros((0, self.encoder.dim), np.float32))
                paths = self._table.paths(self._column)
                index = open_or_build(
                    self.workspace.index_folder,
                    self._column,
                    self._table.state,
                    lambda: self._table.vectors(self._column)[1],
                    on_progress=on_progress,
                )
                self._searchable = (version, paths, index)
            return self._searchable[1], self._searchable[2]

    def _among(self, paths: Sequence[str], index: VectorIndex, fitting: pa.Array | None) -> _Among:
        """Return how to search among paths that fit; pages of one search find it as the first has left it."""
        exact = isinstance(index, ExactIndex)
        if fitting is None:
            return _Among(index, None, index.search, len(paths), exact)
        held = self._narrowed
        if held is None or held.index is not index or held.fitting is not fitting:
            wanted = pc.is_in(pa.array(paths, pa.large_string()), fitting).to_numpy(zero_copy_only=False)
            count = int(np.count_nonzero(wanted))
            search = _masked(index, wanted)
            if not exact and count <= FEW:
                rows = np.flatnonzero(wanted)
                own = ExactIndex(self._table.vectors_of(self._column, [paths[row] for row in rows.tolist()]))
                search, exact = _picked(own, rows), True
            held = self._narrowed = _Among(index, fitting, search, count, exact)
        return held

    def _require_vectors(self) -> None:
        if len(self):
            raise InputError(
                f"the collection has no images encoded by {self.encoder.name}: run `lookalike index` with it first"
            )


def _masked(index: VectorIndex, wanted: NDArray[np.bool_]) -> Callable[[Vectors, int], tuple[Rows, Distances]]:
    return lambda queries, k: among_rows(index.search, queries, k, wanted)


def _picked(own: ExactIndex, rows: Rows) -> Callable[[Vectors, int], tuple[Rows, Distances]]:
    """Search rows that have been taken out of a larger index, and name them as it does."""

    def search(queries: Vectors, k: int) -> tuple[Rows, Distances]:
        found, distances = own.search(queries, k)
        return np.where(found < 0, -1, rows[found] if len(rows) else -1), distances

    return search

"""Vectors of images that were made elsewhere, kept and searched in a collection."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Distances
from lookalike.core.workspace import Workspace
from lookalike.embedding.fused_collection import FusedVectors, Ids, checked_ids
from lookalike.embedding.image_filter import ImageFilter
from lookalike.search.fused_reduction import BUDGET, fit_layout
from lookalike.search.fused_table import FusedTable

__all__ = ["GivenVectors"]

NAME = "fused_given"


class GivenVectors:
    """What a collection does with vectors of one or several models that somebody else has made.

    Parameters
    ----------
    workspace : Workspace

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> given = GivenVectors(Workspace(Path(tempfile.mkdtemp())))
    >>> given.add_vectors(["x", "y"], {"colour": [[1, 0], [0, 1]], "shape": [[0, 1], [1, 0]]})
    >>> ids, distances = given.search_vectors({"colour": [[1, 0]], "shape": [[1, 0]]}, [0.25, 0.75], k=1)
    >>> ids.tolist(), distances.tolist()
    ([['y']], [[0.25]])
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._given: FusedVectors | None = None
        self._filter: ImageFilter | None = None

    def add_vectors(self, ids: Ids, vectors: Mapping[str, ArrayLike], budget: int | None = BUDGET) -> None:
        """Add vectors of images by several models, and replace those of ids that are there.

        They are kept as float16 unit vectors; when this returns, they are on disk, and found. The first call decides of
        which models there are vectors, and how long they are.

        Parameters
        ----------
        ids : sequence of str (N,)
            Distinct, not empty; they need not be images of the collection.
        vectors : mapping of str to float (N, D_m)
            By the name of the model; rows of any length.
        budget : int, optional
            Of the first call: the most numbers that are kept of an image. Where the models have more, each is turned
            onto fewer directions, learned from these images (`lookalike.search.fused_reduction.fit_layout`). None keeps
            all.

        Raises
        ------
        UnknownNameError
            Earlier calls had no such model.
        InputError
            Ids are no text, empty, or stand twice; a model is missing; vectors have another shape or are not finite; or
            they exceed the budget, and are too few to learn from.
        StorageError
            The collection cannot be written.
        WorkspaceError
            It is open read-only.
        """
        self.workspace.check_writable()
        given = self._opened()
        if given is None:
            layout = fit_layout(vectors, budget)
            checked_ids(ids, len(np.asarray(vectors[layout.names[0]])))
            given = FusedVectors.create(self.workspace.collection_uri, NAME, self.workspace.index_folder, layout)
            self._given = given
        given.add(ids, vectors)

    def remove_vectors(self, ids: Ids) -> None:
        """Remove vectors of images by id; ids that are not there are passed over. Raises as `FusedVectors.remove`."""
        self.workspace.check_writable()
        self._there().remove(ids)

    def search_vectors(
        self,
        vectors: Mapping[str, ArrayLike],
        weights: ArrayLike,
        k: int = 10,
        where: str | None = None,
        offset: int = 0,
    ) -> tuple[NDArray[np.str_], Distances]:
        """Find the images at the smallest ``sum_m weight_m (1 - cos_m)``, by vectors that `add_vectors` was given.

        Parameters
        ----------
        vectors : mapping of str to float (Q, D_m)
            Of the queries, by every model; rows of any length.
        weights : float (M,) or (Q, M)
            Of the models in the order of `vectors`, for all queries or for each: not negative, not all 0. They need not
            sum to 1.
        k : int
            How many images.
        where : str, optional
            Only ids that are paths of images of the collection which fit this filter
            (`lookalike.search.filters.Filter`).
        offset : int
            How many of the nearest are passed over: ``offset=k`` is the second page.

        Returns
        -------
        ids : str (Q, k)
            Nearest first; empty where there are fewer.
        distances : float32 (Q, k)
            Exact for what is stored, which is rounded to float16; infinite where there is no id.

        Raises
        ------
        UnknownNameError, InputError
            A model is unknown or missing; vectors have another shape or are not finite; weights are of another shape,
            negative, not finite or all 0; `k` is below 1, or `offset` below 0; the filter is not understood; or
            no vectors were added yet.
        StorageError
            The collection cannot be read.
        """
        return self._there().search(vectors, weights, k, offset, self._fitting(where))

    def prepare_vectors(self, on_progress: OnProgress = silent) -> None:
        """Build or load the index of the vectors now, and wait for it; otherwise the first search does."""
        self._there().prepare(on_progress)

    def _fitting(self, where: str | None) -> pa.Array | None:
        """Return the paths of the images that fit a filter; None without one."""
        if where is None:
            return None
        if self._filter is None:
            self._filter = ImageFilter(self.workspace.collection_uri)
        return self._filter.paths(where)

    def _there(self) -> FusedVectors:
        given = self._opened()
        if given is None:
            raise InputError("the collection holds no vectors that were made elsewhere: add some by add_vectors first")
        return given

    def _opened(self) -> FusedVectors | None:
        if self._given is None and FusedTable.exists(self.workspace.collection_uri, NAME):
            self._given = FusedVectors(self.workspace.collection_uri, NAME, self.workspace.index_folder)
        return self._given

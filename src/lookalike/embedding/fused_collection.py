"""Fused vectors in a collection: added, replaced and removed by id, searched under any weights of their models."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from lookalike.core.errors import InputError, LookalikeError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Distances
from lookalike.search.fused import FusedLayout, fuse, fused_query, model_distances
from lookalike.search.fused_index import build_view, load_view
from lookalike.search.fused_table import FusedTable, Stamps
from lookalike.search.fused_view import FusedView

__all__ = ["FusedVectors", "Ids", "checked_ids"]

Ids: TypeAlias = Sequence[str] | NDArray[np.str_]

log = logging.getLogger("lookalike")


class FusedVectors:
    """The vectors of one group of models; safe to search, and to write, from several threads and processes.

    A search sees all that was written before it, by whomever. An index that has worn out is built anew in a thread of
    its own; until it is ready the old one answers, together with an exact search of what it does not know.

    Parameters
    ----------
    uri : str
        Of the LanceDB database.
    name : str
        Of the table in it; `create` makes one.
    index_folder : Path
        Of the disposable index files.

    Raises
    ------
    StorageError
        There is no such table, or it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from lookalike.search.fused import FusedModel
    >>> folder = Path(tempfile.mkdtemp())
    >>> layout = FusedLayout([FusedModel("colour", 2), FusedModel("shape", 2)])
    >>> fused = FusedVectors.create(str(folder), "fused", folder / "index", layout)
    >>> fused.add(["x", "y"], {"colour": [[1, 0], [0, 1]], "shape": [[0, 1], [1, 0]]})
    >>> query = {"colour": [[1, 0]], "shape": [[1, 0]]}
    >>> ids, distances = fused.search(query, weights=[0.75, 0.25], k=2)
    >>> ids.tolist(), distances.tolist()
    ([['x', 'y']], [[0.25, 0.75]])
    >>> fused.search(query, weights=[0, 1], k=1)[0].tolist()
    [['y']]
    """

    def __init__(self, uri: str, name: str, index_folder: Path) -> None:
        self.name = name
        self._uri = uri
        self._folder = index_folder
        # Two handles: a write moves its own to a new version, which must not happen amid the reading of another.
        self._writing, self._reading = FusedTable.open(uri, name), FusedTable.open(uri, name)
        self._view: FusedView | None = None
        self._narrowed: tuple[FusedView, pa.Array, FusedView] | None = None
        self._lock = threading.Lock()
        self._building: threading.Thread | None = None
        self._failed = -1

    @classmethod
    def create(cls, uri: str, name: str, index_folder: Path, layout: FusedLayout) -> FusedVectors:
        """Make an empty table, or open the one that another process has made just now."""
        FusedTable.create(uri, name, layout)
        return cls(uri, name, index_folder)

    @property
    def layout(self) -> FusedLayout:
        """The models, and where each stands in a row."""
        return self._writing.layout

    @property
    def dims(self) -> dict[str, int]:
        """Numbers in a vector of each model, as `add` and `search` take it."""
        return {model.name: model.dim for model in self.layout.models}

    def __len__(self) -> int:
        self._writing.refresh()
        return len(self._writing)

    def add(self, ids: Ids, vectors: Mapping[str, ArrayLike], made_of: Stamps | None = None) -> None:
        """Add vectors of images, and replace those of ids that are there.

        When this returns, they are on disk, and found. Of many rows those that were written stay if it is interrupted.

        Parameters
        ----------
        ids : sequence of str (N,)
            Distinct, not empty.
        vectors : mapping of str to float (N, dim)
            Of every model, in any order; rows of any length.
        made_of : int64 (N,), optional
            What changes with the image; see `held`.

        Raises
        ------
        UnknownNameError
            There is no model of that name.
        InputError
            Ids are no text, empty, or stand twice; a model is missing; vectors have another shape or are not finite.
        StorageError
            The table cannot be written.
        """
        rows = fuse(self.layout, vectors)
        self._writing.put(checked_ids(ids, len(rows)), rows, made_of)

    def remove(self, ids: Ids) -> None:
        """Remove the vectors of images by id; ids that are not there are passed over.

        Raises
        ------
        InputError
            Ids are no text, empty, or stand twice.
        StorageError
            The table cannot be written.
        """
        self._writing.remove(checked_ids(ids))

    def held(self) -> dict[str, int]:
        """Return what the vectors of each id were made of, as `add` was told."""
        self._writing.refresh()
        ids, _, made_of = self._writing.ids()
        return dict(zip(ids.to_pylist(), made_of.tolist(), strict=True))

    def search(
        self,
        vectors: Mapping[str, ArrayLike],
        weights: ArrayLike,
        k: int = 10,
        offset: int = 0,
        among: pa.Array | None = None,
    ) -> tuple[NDArray[np.str_], Distances]:
        """Find the images at the smallest ``sum_m weight_m (1 - cos_m)``.

        Parameters
        ----------
        vectors : mapping of str to float (Q, dim)
            Of the queries, by every model; rows of any length.
        weights : float (M,) or (Q, M)
            Of the models in the order of `vectors`, for all queries or for each: not negative, not all 0. They need not
            sum to 1; the calibration of an ensemble is a factor of them.
        k : int
            How many images.
        offset : int
            How many of the nearest are passed over; pages of one `k` have no gaps, and repeat nothing, while nothing is
            written.
        among : pyarrow large_string array, optional
            Only these ids. What is made of it is kept for further searches with the same object.

        Returns
        -------
        ids : str (Q, k)
            Nearest first; empty where there are fewer.
        distances : float32 (Q, k)
            Of the stored vectors, which are float16: within about 0.0003 of the sum of the weights, and exact for what
            is stored. Infinite where there is no id.

        Raises
        ------
        UnknownNameError, InputError
            As `add`; or weights are of another shape, negative, not finite or all 0, `k` is below 1, or `offset` is
            below 0.
        StorageError
            The table cannot be read.
        """
        queries, totals = fused_query(self.layout, vectors, weights)
        if k < 1:
            raise InputError(f"k must be at least 1, not {k}")
        return self._current(among).search(queries, totals, k, offset)

    def distances(self, vectors: Mapping[str, ArrayLike], ids: Ids) -> Distances:
        """Return the distance of one query to some images by each model alone, ``1 - cosine``.

        Parameters
        ----------
        vectors : mapping of str to float (1, dim)
        ids : sequence of str

        Returns
        -------
        float32 (len(ids), M)
            Columns in the order of the layout; not a number where an id is not there.
        """
        self._writing.refresh()
        rows = self._writing.rows_of(list(ids))
        found = dict(zip(rows.ids.to_pylist(), model_distances(self.layout, vectors, rows.vectors), strict=True))
        none = np.full(len(self.layout.models), np.nan, np.float32)
        return np.array([found.get(one, none) for one in ids], np.float32).reshape(len(ids), -1)

    def prepare(self, on_progress: OnProgress = silent) -> None:
        """Load the index, or build one where there is none or the old one is worn, and wait for it."""
        with self._lock:
            view, building = self._newest(on_progress), self._building
            if view.worn and building is None:
                self._view = build_view(self._folder, self.name, self._reading, on_progress)
        if building is not None:
            building.join()

    def compact(self) -> None:
        """Merge the small files that many writes leave."""
        self._writing.merge_files()

    def _current(self, among: pa.Array | None) -> FusedView:
        """Return a view of the newest version, and see to it that a worn index is built anew."""
        with self._lock:
            view = self._newest()
            if view.worn and self._building is None and view.version != self._failed:
                # Daemon, so that it holds up no exit: what it does is repeated by the next process.
                self._building = threading.Thread(target=self._build, name="lookalike-index", daemon=True)
                self._building.start()
            if among is not None:
                held = self._narrowed
                if held is None or held[0] is not view or held[1] is not among:
                    held = self._narrowed = view, among, view.narrowed(among, self._reading)
                return held[2]
        return view

    def _newest(self, on_progress: OnProgress = silent) -> FusedView:
        """Bring the view up to date, with the lock held."""
        self._reading.refresh()
        if self._view is None:
            self._view = load_view(self._folder, self.name, self._reading)
        if self._view is None:
            self._view = build_view(self._folder, self.name, self._reading, on_progress)
        self._view = self._view.advance(self._reading)
        return self._view

    def _build(self) -> None:
        """Build an index of the newest version, and put it in the place of the old one."""
        version = -1
        try:
            table = FusedTable.open(self._uri, self.name)
            version = table.version
            built = build_view(self._folder, self.name, table)
            with self._lock:
                self._reading.refresh()
                self._view = built.advance(self._reading)
        except LookalikeError as error:
            self._failed = version  # to be tried again when more has been written
            log.warning("the index of fused vectors stays as it was: %s", error)
        finally:
            self._building = None


def checked_ids(ids: Ids, vectors: int | None = None) -> list[str]:
    """Return ids as a list, or say what is wrong with them.

    Parameters
    ----------
    ids : sequence of str
    vectors : int, optional
        How many there must be.

    Raises
    ------
    InputError
        Ids are no text, empty, or stand twice, or there are more or fewer than vectors.

    Examples
    --------
    >>> checked_ids(np.array(["a", "b"]), 2)
    ['a', 'b']
    """
    names = ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
    if isinstance(ids, str) or not all(isinstance(one, str) and one for one in names):
        raise InputError("ids are a sequence of texts that are not empty")
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise InputError(f"the id '{twice}' stands twice: give each image once")
    if vectors is not None and vectors != len(names):
        raise InputError(f"{len(names)} ids beside {vectors} vectors of each model")
    return names

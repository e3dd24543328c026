"""The index of a table of fused vectors on disk: disposable, and loaded by whoever opens the table next.

Beside the pair of files of `lookalike.search.disposable` stands ``name.stamps.npy``: the stamps of the rows in the
order of the index. The index counts as one of a version that is named by a digest of these stamps, so the three files
agree or count as absent. What was written or removed since is found by the stamps (`FusedView.advance`): an index need
not be of the newest version to be of use.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np
import pyarrow as pa

from lookalike.core.errors import StorageError
from lookalike.core.files import write_aside
from lookalike.core.progress import OnProgress, silent
from lookalike.search import disposable
from lookalike.search.fused import HalfVectors
from lookalike.search.fused_table import FusedTable, Stamps
from lookalike.search.fused_view import FusedView

__all__ = ["build_view", "load_view"]

log = logging.getLogger("lookalike")


class _StaleError(Exception):
    """The index file does not fit the stamps beside it."""


def load_view(folder: Path, name: str, table: FusedTable) -> FusedView | None:
    """Return a view of the version that `table` has open, by the index on disk; None where there is no good one.

    Parameters
    ----------
    folder : Path
        Of the index files.
    name : str
        Of the files, without a suffix.
    table : FusedTable
    """
    stamps = _kept_stamps(folder / f"{name}.stamps.npy")
    if stamps is None or len(stamps) < disposable.EXACT_BELOW:
        return None
    try:
        index = disposable.open_or_build(folder, name, _digest(stamps), _refuse)
    except _StaleError:
        return None
    if index.dim != table.layout.width or index.size != len(stamps):
        return None
    ids, present, _ = table.ids()
    if not len(present):
        return None
    order = np.argsort(present)
    rows = order[np.minimum(np.searchsorted(present, stamps, sorter=order), len(present) - 1)]
    alive = present[rows] == stamps
    names = ids.take(pa.array(rows, mask=~alive))
    none = np.empty((0, table.layout.width), np.float16)
    # Version -1 is none of the table: rows that the index does not know are yet to be read.
    return FusedView(-1, index, stamps, names, alive, none).advance(table)


def build_view(folder: Path, name: str, table: FusedTable, on_progress: OnProgress = silent) -> FusedView:
    """Build an index over the version that `table` has open, keep it on disk, and return a view by it.

    Fewer rows than `disposable.EXACT_BELOW` have no index. Where the files cannot be written, the index stays in memory
    and the logger ``lookalike`` gets a warning.
    """
    if len(table) < disposable.EXACT_BELOW:
        return FusedView.of_all(table)
    rows, parts = table.scan(folder), table.layout.spans
    version = _digest(rows.stamps)
    index = disposable.open_or_build(folder, name, version, lambda: rows.vectors, on_progress, parts)
    for left in folder.glob(f".{name}.stamps-????????.npy"):  # by processes that were killed while writing
        left.unlink(missing_ok=True)
    try:
        with write_aside(folder / f"{name}.stamps.npy") as aside:
            np.save(aside, rows.stamps, allow_pickle=False)
    except StorageError as error:
        log.warning("the index of fused vectors will be built again next time: %s", error)
    none = np.empty((0, table.layout.width), np.float16)
    return FusedView(table.version, index, rows.stamps, rows.ids, np.ones(len(rows.stamps), np.bool_), none)


def _refuse() -> HalfVectors:
    raise _StaleError


def _kept_stamps(path: Path) -> Stamps | None:
    try:
        stamps = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return stamps if stamps.dtype == np.int64 and stamps.ndim == 1 else None


def _digest(stamps: Stamps) -> str:
    return hashlib.sha256(np.ascontiguousarray(stamps, "<i8").tobytes()).hexdigest()

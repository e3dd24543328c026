"""Carry out a plan: write what the lanes deliver, the images of a few seconds to a commit."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

from lookalike.core.progress import OnProgress, Progress
from lookalike.embedding.fill import Filled
from lookalike.embedding.plan import IndexReport, Plan
from lookalike.images.folder import ImageFile, Rejected
from lookalike.search.image_rows import ImageRow, StoredImage
from lookalike.search.store import ImageTable

__all__ = ["Writer"]

COMMIT_IMAGES = 4096  # of a cluster that is faster than a thousand a second: small commits would hold it back
COMMIT_SECONDS = 3.0
SHARED = 8  # a commit to an object store takes so much longer: it is made so much more rarely
MERGE_ABOVE = 32  # small files of the table, from this run and earlier ones


class Writer:
    """Writes one run into the table; what was committed stays whatever happens to the process.

    Parameters
    ----------
    table : ImageTable
    column : str
        The vectors' column.
    stored : mapping of path to StoredImage
        The table as the run found it.
    report : IndexReport
        Counts what was written, as it is written.
    """

    def __init__(self, table: ImageTable, column: str, stored: Mapping[str, StoredImage], report: IndexReport) -> None:
        self._table = table
        self._column = column
        self._stored = stored
        self._report = report
        self._rows: list[ImageRow] = []
        self._known: list[tuple[ImageFile, str]] = []
        self._gone: list[str] = []
        self._patience = SHARED if table.shared else 1
        self._last = time.monotonic()
        self.encoded = {row.hash: path for path, row in stored.items() if row.has_vector}
        """Path of an image with that content and a vector, by hash."""
        self.leftover: list[ImageFile] = []
        """Files to encode after all: the image whose vector they were to take has changed in this run."""

    def settle(self, plan: Plan) -> None:
        """Write what needs no encoding: what is gone, and what is back."""
        self._table.mark_removed(plan.removed)
        self._table.set_present({file.path: file.mtime_ns for file in plan.back})
        self._report.removed += len(plan.removed)
        self._report.reused += len(plan.back)

    def write(self, filled: Iterable[Filled], total: int, on_progress: OnProgress) -> None:
        """Write batches as they come, and say how far it is."""
        done = 0
        on_progress(Progress("indexing", done, total, len(self._report.rejected)))
        for batch in filled:
            self._take(batch)
            done += len(batch)
            on_progress(Progress("indexing", done, total, len(self._report.rejected)))
        self._commit()
        if self._table.small_files > MERGE_ABOVE:
            on_progress(Progress("merging files", done, total, len(self._report.rejected)))
            self._table.merge_files()

    def _take(self, batch: Filled) -> None:
        self._rows.extend(batch.rows)
        known_paths = sum(row.path in self._stored for row in batch.rows)
        self._report.updated += known_paths
        self._report.added += len(batch.rows) - known_paths
        self._known.extend(batch.known)
        self._report.rejected.extend(batch.rejected)
        self._report.rejected.extend(Rejected(file.path, reason) for file, reason in batch.failed)
        # A file that was fine and can no longer be read must not be found by its old picture; one that only this
        # encoder cannot take is still fine for the others, unless it has changed since they saw it.
        unreadable = {entry.path for entry in batch.rejected}
        unreadable.update(file.path for file, _ in batch.failed if not self._is_unchanged(file))
        self._gone.extend(path for path in unreadable if path in self._stored and not self._stored[path].removed)
        waiting = len(self._rows) + len(self._known) + len(self._gone)
        late = time.monotonic() - self._last > COMMIT_SECONDS * self._patience
        if late or waiting >= COMMIT_IMAGES:
            self._commit()

    def _reuse(self) -> None:
        """Give files of known content the vector that content has; touched files only get their new date."""
        touched = {f.path: f.mtime_ns for f, digest in self._known if self._is_same(f.path, digest)}
        self._table.set_present(touched)
        self._report.reused += len(touched)
        copies = [(f, digest) for f, digest in self._known if f.path not in touched]
        sources = self._table.rows(self._column, sorted({self.encoded[digest] for _, digest in copies}))
        for file, digest in copies:
            source = sources.get(self.encoded[digest])
            if source is None or source.hash != digest:
                self.leftover.append(file)
                continue
            self._rows.append(replace(source, path=file.path, size=file.size, mtime_ns=file.mtime_ns))
            self._report.reused += 1
        self._known = []

    def _is_same(self, path: str, digest: str) -> bool:
        row = self._stored.get(path)
        return row is not None and row.has_vector and row.hash == digest

    def _is_unchanged(self, file: ImageFile) -> bool:
        row = self._stored.get(file.path)
        return row is not None and file.unchanged(row.size, row.mtime_ns)

    def _commit(self) -> None:
        """Write what is at hand; each kind of write is a commit of its own."""
        self._reuse()
        new: list[ImageRow] = []
        same: list[ImageRow] = []
        changed: list[ImageRow] = []
        for row in self._rows:
            before = self._stored.get(row.path)
            (new if before is None else same if before.hash == row.hash else changed).append(row)
        self._table.append(self._column, new)
        self._table.set_vectors(self._column, same)
        self._table.replace(self._column, changed)
        self._table.mark_removed(self._gone)
        self._rows, self._gone = [], []
        self._last = time.monotonic()

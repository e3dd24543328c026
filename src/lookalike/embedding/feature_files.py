"""Features of image files on disk: chunks that are written once, never changed, and merged when they grow many.

A chunk is two files: ``00000007.npy``, the features, which are mapped into memory and not read; and ``00000007.npz``,
their files' paths and stamps. The second is written last, so a chunk is whole or not there. Of a path that stands in
several chunks, the newest counts.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import StorageError
from lookalike.core.files import write_aside
from lookalike.core.types import Rows, Vectors

__all__ = ["FeatureFiles", "Held", "Stamps"]

Stamps = NDArray[np.int64]
"""(N, 2): size in bytes and modification time in nanoseconds of each file, by which a change shows."""

ROWS_AT_ONCE = 4096
PATIENCE = 600
"""Seconds to wait for another process that writes."""


@dataclass(frozen=True, slots=True, eq=False)
class _Chunk:
    number: int
    paths: list[str]
    stamps: Stamps
    vectors: Vectors


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """All chunks as one list of rows.

    Attributes
    ----------
    chunks : list
        In order of age.
    stamps : int64 (N, 2)
        Of the rows, those of earlier chunks first.
    places : dict of str to int
        The row of each path that counts.
    """

    chunks: list[_Chunk]
    dim: int
    stamps: Stamps = field(init=False)
    places: dict[str, int] = field(init=False)
    _starts: Rows = field(init=False)

    def __post_init__(self) -> None:
        """Give every row its number."""
        sizes = [len(chunk.paths) for chunk in self.chunks]
        stamps = [chunk.stamps for chunk in self.chunks] or [np.zeros((0, 2), np.int64)]
        everything = (path for chunk in self.chunks for path in chunk.paths)
        object.__setattr__(self, "stamps", np.concatenate(stamps))
        object.__setattr__(self, "places", {path: row for row, path in enumerate(everything)})
        object.__setattr__(self, "_starts", np.cumsum([0, *sizes]))

    def rows(self, paths: Sequence[str], stamps: Stamps) -> Rows:
        """Return the row of each path, and -1 where there is none for the file as it is now."""
        rows = np.array([self.places.get(path, -1) for path in paths], np.int64)
        if len(self.stamps):
            rows[(self.stamps[rows] != stamps).any(axis=1)] = -1
        # A file that is not there has no features, even if it had when it was not there before.
        rows[stamps[:, 0] < 0] = -1
        return rows

    def take(self, rows: Rows) -> Vectors:
        """Return features by row, float32 (len(rows), dim); mapped and not copied where they lie side by side."""
        if len(rows):
            chunk = int(np.searchsorted(self._starts, rows[0], side="right")) - 1
            first = int(rows[0] - self._starts[chunk])
            within = rows[-1] < self._starts[chunk + 1]
            if within and (np.diff(rows) == 1).all():
                return self.chunks[chunk].vectors[first : first + len(rows)]
        taken = np.empty((len(rows), self.dim), np.float32)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            self._fill(taken[start : start + ROWS_AT_ONCE], rows[start : start + ROWS_AT_ONCE])
        return taken

    def _fill(self, taken: Vectors, rows: Rows) -> None:
        homes = np.searchsorted(self._starts, rows, side="right") - 1
        for home in np.unique(homes).tolist():
            mine = homes == home
            taken[mine] = self.chunks[home].vectors[rows[mine] - self._starts[home]]


class FeatureFiles:
    """The chunks of one folder. Several processes may read and write at once.

    Parameters
    ----------
    folder : Path
        Made when something is written.
    dim : int
        Length of a feature; chunks of another length count as damaged.

    Examples
    --------
    >>> import tempfile
    >>> files = FeatureFiles(Path(tempfile.mkdtemp()), dim=2)
    >>> files.append(["/a.jpg", "/b.jpg"], np.array([[9, 1], [9, 2]]), np.eye(2, dtype=np.float32))
    >>> held = files.read()
    >>> rows = held.rows(["/b.jpg", "/a.jpg"], np.array([[9, 2], [9, 7]]))
    >>> rows.tolist(), held.take(rows[:1]).tolist()
    ([1, -1], [[0.0, 1.0]])
    """

    def __init__(self, folder: Path, dim: int) -> None:
        self.folder = folder
        self.dim = dim

    def read(self) -> Held:
        """Open all chunks; one that cannot be read counts as absent."""
        for _ in range(3):
            numbers = self._numbers()
            chunks = [chunk for number in numbers if (chunk := self._open(number)) is not None]
            # Another process may have merged chunks between the listing and the opening: then look again.
            if self._numbers() == numbers:
                break
        return Held(chunks, self.dim)

    def append(self, paths: Sequence[str], stamps: Stamps, vectors: Vectors) -> None:
        """Write a chunk.

        Parameters
        ----------
        paths : sequence of str (N,)
        stamps : int64 (N, 2)
        vectors : float32 (N, dim)

        Raises
        ------
        StorageError
            The folder cannot be written.
        """
        with self._lock():
            self._write(paths, stamps, [vectors])

    def merge(self) -> None:
        """Merge the newest chunks, sorted by path; old and large ones are left alone until they are worth it.

        Chunks so grow by a factor, and a row is rewritten a few times however many there come to be.
        """
        with self._lock():
            held = self.read()
            first = _merged_from([len(chunk.paths) for chunk in held.chunks], len(held.places))
            kept = {chunk.number for chunk in held.chunks[:first]}
            if first is not None:
                kept.add(self._rewrite(held, int(held._starts[first])))
            self._tidy(kept)

    def _rewrite(self, held: Held, start: int) -> int:
        """Write the rows from `start` on that count as one chunk, and return its number."""
        live = sorted((path, row) for path, row in held.places.items() if row >= start)
        rows = np.array([row for _, row in live], np.int64)
        blocks = (held.take(rows[at : at + ROWS_AT_ONCE]) for at in range(0, len(rows), ROWS_AT_ONCE))
        return self._write([path for path, _ in live], held.stamps[rows], blocks)

    def _numbers(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("[0-9]*.npz") if path.stem.isdecimal())

    def _open(self, number: int) -> _Chunk | None:
        try:
            with self._index(number).open("rb") as handle, np.load(handle, allow_pickle=False) as index:
                names, stamps = index["paths"], index["stamps"]
            # Private pages: whoever writes into them changes no file, and no other reader's features.
            vectors = np.load(self._vectors(number), mmap_mode="c", allow_pickle=False)
            paths = os.fsdecode(names.tobytes()).split("\0")
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        sound = vectors.shape == (len(paths), self.dim) and stamps.shape == (len(paths), 2)
        return _Chunk(number, paths, stamps, vectors) if sound and vectors.dtype == np.float32 else None

    def _write(self, paths: Sequence[str], stamps: Stamps, blocks: Iterable[Vectors]) -> int:
        number = max(self._numbers(), default=0) + 1
        header = {"descr": "<f4", "fortran_order": False, "shape": (len(paths), self.dim)}
        with write_aside(self._vectors(number)) as aside, aside.open("wb") as handle:
            np.lib.format.write_array_header_1_0(handle, header)
            for block in blocks:
                handle.write(np.ascontiguousarray(block, "<f4").data)
        names = np.frombuffer(os.fsencode("\0".join(paths)), np.uint8)
        with write_aside(self._index(number)) as aside:
            np.savez(aside, paths=names, stamps=np.asarray(stamps, np.int64))
        return number

    def _tidy(self, kept: set[int]) -> None:
        """Remove all other chunks: those merged, those that cannot be read, and what a killed process left."""
        # An index before its features: without it they are no chunk.
        for pattern in ("[0-9]*.npz", "[0-9]*.npy", ".[0-9]*-*.np[yz]"):
            for path in list(self.folder.glob(pattern)):
                if not (path.stem.isdecimal() and int(path.stem) in kept):
                    with suppress(OSError):  # some systems keep a file that a reader has mapped
                        path.unlink()

    def _index(self, number: int) -> Path:
        return self.folder / f"{number:08}.npz"

    def _vectors(self, number: int) -> Path:
        return self.folder / f"{number:08}.npy"

    @contextmanager
    def _lock(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / "write.lock", timeout=PATIENCE)
            lock.acquire()
        except Timeout:
            raise StorageError(f"another process has been writing to {self.folder} for long: wait for it") from None
        except (OSError, NotImplementedError) as error:
            raise StorageError(f"cannot write to {self.folder}: {getattr(error, 'strerror', None) or error}") from error
        try:
            yield
        finally:
            lock.release()


def _merged_from(sizes: Sequence[int], live: int) -> int | None:
    """Say from which chunk on to merge: those that are not much larger than all after them; None for nothing.

    Examples
    --------
    >>> _merged_from([100_000, 10, 10], live=100_020), _merged_from([100_000, 10], live=100_010)
    (1, None)
    """
    if not sizes or sum(sizes) > 2 * live:  # most of it was encoded anew since
        return 0 if sizes else None
    first, taken = len(sizes) - 1, sizes[-1]
    while first and sizes[first - 1] <= 2 * taken:
        first -= 1
        taken += sizes[first]
    return first if first < len(sizes) - 1 else None

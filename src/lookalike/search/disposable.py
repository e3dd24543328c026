"""The index file can always be thrown away: it is loaded when it fits the table, otherwise built again.

Two files: ``name.faiss`` and, written after it, ``name.json``, which says what the first must be: the version
of the table it was built from, its numbers and its checksum. An index that is less than its vectors has a third,
``name.rows``, with the vectors in float16. Whatever does not agree counts as absent. The
checksum is CRC-32: it meets accidents, not enemies, and takes 0.3 s for 600 MB where SHA-256 takes 0.6 s and
BLAKE2b 1.0 s.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from lookalike.core.errors import InputError, StorageError
from lookalike.core.files import read_json, write_aside, write_json
from lookalike.core.memory import memory_left
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.search.approximate import ApproximateIndex, Pieces, rows_beside
from lookalike.search.exact import ExactIndex
from lookalike.search.protocol import StoredVectors, VectorIndex
from lookalike.search.rows_file import MappedRows, write_rows

__all__ = ["EXACT_BELOW", "FORMAT", "open_or_build"]

EXACT_BELOW = 20_000
"""Fewer vectors than this are compared one by one: 3 ms a query in 256 dimensions, no file, nothing missed."""

FORMAT = 3
"""Of the pair of files; another number makes every file stale."""

PATIENCE_SECONDS = 1800.0
READ_AT_ONCE = 1 << 20

log = logging.getLogger("lookalike")


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What ``name.json`` says of ``name.faiss``."""

    format: int
    version: str | int
    count: int
    dim: int
    form: str
    bytes: int
    crc32: int
    rows_bytes: int
    rows_crc32: int


def open_or_build(
    folder: Path,
    name: str,
    version: str | int,
    vectors: Callable[[], StoredVectors],
    on_progress: OnProgress = silent,
    parts: Sequence[slice] = (),
) -> VectorIndex:
    """Return an index of the vectors of one version of a table: loaded where possible, otherwise built.

    Within a memory budget (`lookalike.core.memory`) a smaller form of the index is built where need be, and rows that
    were read from its file are given back.

    Below `EXACT_BELOW` vectors the index is exact and has no file. Otherwise the file is mapped into memory
    after its checksum was compared; an absent, stale or damaged one is replaced. Of several processes one
    builds and the others wait for its file. Where the file cannot be written, the index stays in memory and
    the logger ``lookalike`` gets a warning: searching works, and the next process builds again.

    Parameters
    ----------
    folder : Path
        Where the two files are, or will be; created if need be.
    name : str
        Of the files, without a suffix.
    version : str or int
        Of the table: a file of any other version is stale.
    vectors : callable
        Returns float32 or float16 (N, D), rows of the same norm. Called only when an index must be built.
    on_progress : callable
        Told of waiting and building.
    parts : sequence of slice
        Columns that queries will weigh against each other.

    Returns
    -------
    VectorIndex
        Ready to search.

    Raises
    ------
    InputError
        `vectors` returned another shape or type, or no index of them fits into the memory budget.

    Examples
    --------
    >>> import tempfile
    >>> index = open_or_build(Path(tempfile.mkdtemp()), "vectors", 1, lambda: np.eye(3, dtype=np.float32))
    >>> type(index).__name__, index.size
    ('ExactIndex', 3)
    """
    path, memory = folder / f"{name}.faiss", memory_left()
    kept = _load(path, version, memory)
    if kept is not None:
        return kept
    rows = vectors()
    if len(rows) < EXACT_BELOW:
        return ExactIndex(rows.astype(np.float32, copy=False))
    with _alone(path, on_progress) as waited:
        kept = _load(path, version, memory) if waited else None
        return kept or _built(path, version, rows, on_progress, parts, memory)


def _built(
    path: Path,
    version: str | int,
    vectors: StoredVectors,
    on_progress: OnProgress,
    parts: Sequence[slice],
    memory: int | None,
) -> ApproximateIndex:
    """Build an index and its files; where they cannot be written it stays in memory."""
    crcs: list[int] = []

    def keep(dim: int, count: int, pieces: Pieces) -> MappedRows:
        try:
            crcs.append(write_rows(rows_beside(path), dim, count, pieces()))
            return MappedRows.load(rows_beside(path))
        except StorageError as error:
            crcs.clear()
            log.info("%s", error)  # `_save` says what follows from it
            return MappedRows.held(dim, pieces())

    built = ApproximateIndex.build(vectors, on_progress, parts=parts, memory=memory, keep=keep)
    try:
        _save(built, path, version, crcs)
    except StorageError as error:
        log.warning("the search index stays in memory and will be built again next time: %s", error)
        return built
    return _load(path, version, memory) or built


def _load(path: Path, version: str | int, memory: int | None) -> ApproximateIndex | None:
    """Map the files if they are exactly what the sidecar and this version say; None for any doubt."""
    try:
        sidecar = Sidecar(**read_json(path.with_suffix(".json")))
        files = {path: (sidecar.bytes, sidecar.crc32)}
        if sidecar.form != "graph":
            files[rows_beside(path)] = sidecar.rows_bytes, sidecar.rows_crc32
        before = [_identity(file) for file in files]
        if (sidecar.format, sidecar.version) != (FORMAT, version) or (memory or sidecar.bytes) < sidecar.bytes:
            return None
        for file, (size, crc) in files.items():
            if size != file.stat().st_size or crc != _checksum(file):
                log.info("%s is damaged and will be built again", file)
                return None
        index = ApproximateIndex.load(path)
        # Another process may have put newer files in place between the reading and the mapping.
        if before != [_identity(file) for file in files]:
            return None
    except (OSError, InputError, StorageError, TypeError):
        return None
    if (index.size, index.dim, index.form) != (sidecar.count, sidecar.dim, sidecar.form):
        return None
    if memory is not None:
        index.limit(memory - sidecar.bytes)
    return index


def _save(index: ApproximateIndex, path: Path, version: str | int, rows_crcs: Sequence[int]) -> None:
    """Write the file, then its sidecar with the checksums of the bytes meant: a bad write shows when read."""
    rows = rows_beside(path)
    if index.form != "graph" and not rows_crcs:
        raise StorageError(f"{rows.name} could not be written")
    written = crc = 0
    with write_aside(path) as aside, aside.open("wb") as handle:

        def take(piece: bytes) -> None:
            nonlocal written, crc
            handle.write(piece)
            written, crc = written + len(piece), zlib.crc32(piece, crc)

        index.write(take)
    if not rows_crcs:
        rows.unlink(missing_ok=True)  # of an index before
    beside = (rows.stat().st_size, *rows_crcs) if rows_crcs else (0, 0)
    sidecar = Sidecar(FORMAT, version, index.size, index.dim, index.form, written, crc, *beside)
    write_json(path.with_suffix(".json"), asdict(sidecar))


def _checksum(path: Path) -> int:
    crc, buffer = 0, bytearray(READ_AT_ONCE)
    with path.open("rb", buffering=0) as handle:
        while size := handle.readinto(buffer):
            crc = zlib.crc32(memoryview(buffer)[:size], crc)
    return crc


def _identity(path: Path) -> tuple[int, int, int]:
    """Tell one file of that name from the next."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _sweep(path: Path) -> None:
    """Remove what processes that were killed while writing have left; call it with the lock held."""
    for suffix in (path.suffix, ".rows"):
        for left in path.parent.glob(f".{path.stem}-????????{suffix}"):
            left.unlink(missing_ok=True)


@contextmanager
def _alone(path: Path, on_progress: OnProgress) -> Iterator[bool]:
    """Hold the lock of the file; True if another process held it meanwhile.

    The lock saves work and keeps the two files in step. Without it (a folder that cannot be written, a file
    system without locks, an owner that hangs) the worst case is a pair that does not agree, which `_load`
    rejects.
    """
    lock = FileLock(path.with_suffix(".lock"))
    waited = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waited = True
            on_progress(Progress("waiting for another process that builds the index", 0, 0))
            lock.acquire(timeout=PATIENCE_SECONDS)
        _sweep(path)
    except (OSError, NotImplementedError) as error:  # Timeout is an OSError
        log.info("building the index without a lock: %s", error)
    try:
        yield waited
    finally:
        lock.release()

"""Rows in float16 in a file of their own, mapped into memory: what a smaller index is put right by.

The file is one of FAISS (a scalar quantizer of 16 bits), written piece by piece, so that no more than a piece is ever
held. Pages of it that were read stay with the process until `MappedRows.release` gives them back.
"""

from __future__ import annotations

import ctypes
import importlib
import mmap
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import StorageError
from lookalike.core.files import write_aside

__all__ = ["MappedRows", "write_rows"]

ROWS_AT_ONCE = 20_000

COUNT = slice(8, 16)
"""Where the header says how many rows follow; its last 8 bytes say how many bytes they take."""


def write_rows(path: Path, dim: int, count: int, pieces: Iterable[NDArray[np.float16]]) -> int:
    """Write rows to a file, whole or not at all.

    Parameters
    ----------
    path : Path
    dim, count : int
        Of all rows.
    pieces : iterable of float16 (n, dim)
        Together `count` rows.

    Returns
    -------
    int
        CRC-32 of the bytes that were meant.

    Raises
    ------
    StorageError
        The folder cannot be written, the disk is full, or there are more rows or fewer.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "photos.rows"
    >>> _ = write_rows(path, 2, 3, [np.ones((2, 2), np.float16), np.zeros((1, 2), np.float16)])
    >>> MappedRows.load(path).index.ntotal
    3
    """
    header, written = _header(dim, count), 0
    crc = zlib.crc32(header)
    with write_aside(path) as aside, aside.open("wb") as handle:
        handle.write(header)
        for piece in pieces:
            content = np.ascontiguousarray(piece, "<f2").data
            handle.write(content)
            written, crc = written + len(piece), zlib.crc32(content, crc)
        if written != count:
            raise StorageError(f"{path.name} was to hold {count:,} rows, and got {written:,}")
    return crc


class MappedRows:
    """Rows in float16 that FAISS compares queries with.

    Attributes
    ----------
    index : faiss.IndexScalarQuantizer
    """

    def __init__(self, index: Any, mapped: bool) -> None:
        self.index = index
        self._mapped = mapped

    @classmethod
    def load(cls, path: Path) -> MappedRows:
        """Map a file of `write_rows`.

        Raises
        ------
        StorageError
            The file is absent, cut off or of another kind.
        """
        faiss = importlib.import_module("faiss")
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except (RuntimeError, MemoryError, OSError) as error:
            raise StorageError(f"{path} is not a whole file of rows") from error
        if not isinstance(index, faiss.IndexScalarQuantizer):
            raise StorageError(f"{path} holds another kind of index: {type(index).__name__}")
        return cls(index, mapped=True)

    @classmethod
    def held(cls, dim: int, pieces: Iterable[NDArray[np.float16]]) -> MappedRows:
        """Hold rows in memory.

        Examples
        --------
        >>> MappedRows.held(2, [np.ones((3, 2), np.float16)]).bytes
        12
        """
        index = _empty(dim)
        for piece in pieces:
            index.add(piece.astype(np.float32))
        return cls(index, mapped=False)

    def pieces(self) -> Iterator[NDArray[np.float16]]:
        """Give the rows, piece by piece."""
        for start in range(0, self.index.ntotal, ROWS_AT_ONCE):
            count = min(ROWS_AT_ONCE, self.index.ntotal - start)
            yield self.index.reconstruct_n(start, count).astype(np.float16)

    @property
    def bytes(self) -> int:
        """Of all rows."""
        return int(self.index.codes.size())

    def release(self) -> None:
        """Give pages that were read back to the system; they are read again from the file when they are needed."""
        advise: Callable[..., int] | None = getattr(ctypes.CDLL(None), "madvise", None) if self._mapped else None
        if advise is None or not self.bytes:
            return
        first = int(self.index.codes.data())
        start = first // mmap.PAGESIZE * mmap.PAGESIZE
        advise(ctypes.c_void_p(start), ctypes.c_size_t(first + self.bytes - start), mmap.MADV_DONTNEED)


def _empty(dim: int) -> Any:
    faiss = importlib.import_module("faiss")
    index = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    index.is_trained = True  # float16 has nothing to learn
    return index


def _header(dim: int, count: int) -> bytes:
    """Return the beginning of the file that FAISS writes of `count` rows."""
    faiss = importlib.import_module("faiss")
    header = bytearray(faiss.serialize_index(_empty(dim)).tobytes())
    header[COUNT] = count.to_bytes(8, "little")
    header[-8:] = (2 * dim * count).to_bytes(8, "little")
    return bytes(header)

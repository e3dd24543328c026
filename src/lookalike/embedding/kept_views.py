"""Files of numbers for many pictures in several views: mapped into memory, with all the room that they will take."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.core.errors import StorageError
from lookalike.embedding.features import file_stamp
from lookalike.embedding.lens import Lens
from lookalike.encoders.spec import EncoderSpec

__all__ = ["mapped", "views_digest"]

SPARE = 2**30
"""Bytes that are left free on the disk."""


def views_digest(spec: EncoderSpec, files: Sequence[Path], lenses: Sequence[Lens | None], *more: str) -> str:
    """Return 16 hexadecimal digits that differ wherever an encoder could be shown other pixels.

    Parameters
    ----------
    spec : EncoderSpec
    files : sequence of Path
    lenses : sequence of Lens or None
        None looks plainly.
    *more : str
        What else decides.
    """
    names = ["" if lens is None else lens.name for lens in lenses]
    digest = hashlib.sha256(repr((spec.input_size, spec.resize, names, *more)).encode())
    for path in files:
        digest.update(repr((str(path), file_stamp(str(path)))).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def mapped(path: Path, shape: tuple[int, ...], dtype: Any = np.uint8) -> Any:
    """Open a file of numbers, or make it, of zeros.

    Parameters
    ----------
    path : Path
        Its folder is made if it is not there.
    shape : tuple of int
    dtype : numpy dtype

    Returns
    -------
    numpy.memmap

    Raises
    ------
    StorageError
        The file cannot be written, or the disk has no room for it.

    Examples
    --------
    >>> import tempfile
    >>> mapped(Path(tempfile.mkdtemp()) / "some.numbers", (2, 3), np.float16).sum()
    np.float16(0.0)
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.exists() and path.stat().st_size == size
        if not whole and shutil.disk_usage(path.parent).free < size + SPARE:
            raise StorageError(f"{path}: views need {size / 1e9:.1f} GB of disk: free some, or ask for fewer views")
        if not whole:
            _claim(path, size)
        return np.memmap(path, dtype, "r+", shape=shape)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error


def _claim(path: Path, size: int) -> None:
    """Make a file of zeros whose room is taken: a disk that fills later stops whoever writes into a mapped file."""
    with path.open("wb") as made:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(made.fileno(), 0, size)
        else:
            made.truncate(size)

"""What an encoder is shown of many pictures in several views, kept on disk: decoded once, read in every pass."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from lookalike.core.errors import StorageError
from lookalike.core.types import Pixels
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.features import file_stamp
from lookalike.embedding.lens import Lens

__all__ = ["ViewPixels"]

SPARE = 2**30
"""Bytes that are left free on the disk."""

Bytes: TypeAlias = "np.memmap[tuple[int, ...], np.dtype[np.uint8]]"


class ViewPixels:
    """Pixels of pictures through lenses, made when they are first asked for. Safe in several threads.

    Parameters
    ----------
    folder : Path
        Where they are kept; made if it is not there. What another run made there of the same pictures is taken.
    encoder : Encoder
        Whose input they are.
    files : sequence of Path
        One per picture.
    lenses : sequence of Lens or None
        None looks plainly.

    Raises
    ------
    StorageError
        The folder cannot be written, or the disk has no room for all of them.

    Examples
    --------
    >>> import tempfile
    >>> from lookalike.embedding.encoder import load_encoder
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (40, 30), "red").save(folder / "red.png")
    >>> kept = ViewPixels(folder / "views", load_encoder("classic"), [folder / "red.png"], [None])
    >>> kept.picture(0, 0).dtype, kept.picture(0, 0)[0, 0].tolist()
    (dtype('uint8'), [255, 0, 0])
    """

    def __init__(self, folder: Path, encoder: Encoder, files: Sequence[Path], lenses: Sequence[Lens | None]) -> None:
        self._encoder, self._files, self._lenses = encoder, [*files], [*lenses]
        digest, count = _digest(encoder, files, lenses), (len(lenses), len(files))
        self._pixels = _mapped(folder / f"{digest}.pixels", (*count, *encoder.spec.input_size, 3))
        # A picture counts as there once its mark is; it is set after the pixels.
        self._there = _mapped(folder / f"{digest}.marks", count)
        self._lock = threading.Lock()

    def picture(self, image: int, lens: int) -> Pixels:
        """Return the pixels of a picture through a lens, uint8 (H, W, 3), by their numbers.

        Raises
        ------
        ImageDecodeError
            The file cannot be read.
        """
        if self._there[lens, image]:
            return np.asarray(self._pixels[lens, image])
        look, path = self._lenses[lens], self._files[image]
        pixels = self._encoder.pixels(path) if look is None else look.pixels(self._encoder, path)
        with self._lock:
            self._pixels[lens, image] = pixels
            self._there[lens, image] = 1
        return pixels


def _digest(encoder: Encoder, files: Sequence[Path], lenses: Sequence[Lens | None]) -> str:
    spec = encoder.spec
    names = ["" if lens is None else lens.name for lens in lenses]
    digest = hashlib.sha256(repr((spec.input_size, spec.resize, names)).encode())
    for path in files:
        digest.update(repr((str(path), file_stamp(str(path)))).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def _mapped(path: Path, shape: tuple[int, ...]) -> Bytes:
    """Open a file of bytes, or make it, with all the room that it will take."""
    size = int(np.prod(shape, dtype=np.int64))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.exists() and path.stat().st_size == size
        if not whole and shutil.disk_usage(path.parent).free < size + SPARE:
            raise StorageError(f"{path}: views need {size / 1e9:.1f} GB of disk: free some, or ask for fewer views")
        if not whole:
            _claim(path, size)
        return np.memmap(path, np.uint8, "r+", shape=shape)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error


def _claim(path: Path, size: int) -> None:
    """Make a file of zeros whose room is taken: a disk that fills later stops whoever writes into a mapped file."""
    with path.open("wb") as made:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(made.fileno(), 0, size)
        else:
            made.truncate(size)

"""What an encoder is shown of many pictures in several views, kept on disk: decoded once, read in every pass."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lookalike.core.types import Pixels
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.kept_views import mapped, views_digest
from lookalike.embedding.lens import Lens

__all__ = ["ViewPixels"]


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
        digest, count = views_digest(encoder.spec, files, lenses), (len(lenses), len(files))
        self._pixels = mapped(folder / f"{digest}.pixels", (*count, *encoder.spec.input_size, 3))
        # A picture counts as there once its mark is; it is set after the pixels.
        self._there = mapped(folder / f"{digest}.marks", count)
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

"""Perceptual hashes as encoders: ``hash:`` and ``ahash``, ``dhash``, ``phash``, ``whash`` or ``crop-resistant``.

The bits are those of the library ImageHash. They stand as +1 and -1, so that the cosine distance of two pictures is
``2 * Hamming distance / number of bits``: every table, search and command has hashes beside networks.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lookalike.core.errors import EncoderError, UnknownNameError
from lookalike.core.types import Pixels, Vectors
from lookalike.encoders import crop_resistant
from lookalike.encoders.spec import ENCODERS, EncoderSpec

__all__ = ["HASHES", "HashEncoder", "load", "names"]

Describe: TypeAlias = Callable[[Pixels], NDArray[np.float32]]

VERSION = 1
"""Raised when the same library comes to give another vector here."""

SIDE = 256
"""Pixels that bits are made of: the library's wavelets want a power of two, and the others shrink them further."""
BITS = 64


def _bits(function: Callable[[Image.Image], imagehash.ImageHash]) -> Describe:
    def describe(pixels: Pixels) -> NDArray[np.float32]:
        bits = function(Image.fromarray(pixels)).hash.ravel()
        return np.where(bits, 1, -1).astype(np.float32)

    return describe


HASHES: dict[str, Describe] = {
    "ahash": _bits(imagehash.average_hash),
    "dhash": _bits(imagehash.dhash),
    "phash": _bits(imagehash.phash),
    "whash": _bits(imagehash.whash),
    "crop-resistant": crop_resistant.crop_resistant_rows,
}
"""What describes one picture, by the name of the hash."""

COPY_DISTANCE = {"crop-resistant": 0.6}
"""Else 0.3125: 10 of 64 bits, up to which the authors of pHash call two pictures alike."""


class HashEncoder:
    """One of the hashes; safe to call from any number of threads.

    Parameters
    ----------
    hash_name : str
        A key of `HASHES`.

    Examples
    --------
    >>> HashEncoder("dhash").forward(np.zeros((1, 256, 256, 3), np.uint8)).shape
    (1, 64)
    """

    def __init__(self, hash_name: str) -> None:
        by_segments = hash_name == "crop-resistant"
        side = crop_resistant.SIDE if by_segments else SIDE
        self._describe = HASHES[hash_name]
        self._spec = EncoderSpec(
            name=f"hash:{hash_name}",
            fingerprint=f"hash-{hash_name}-{VERSION}-imagehash-{imagehash.__version__}",
            dim=crop_resistant.DIM if by_segments else BITS,
            input_size=(side, side),
            resize="squash",
            lanes=0,
            temperature=0.1,
            copy_distance=COPY_DISTANCE.get(hash_name, 0.3125),
            licence="BSD-2-Clause",
            source="the library ImageHash; no weights",
        )

    @property
    def spec(self) -> EncoderSpec:
        """The card."""
        return self._spec

    def forward(self, pixels: Pixels) -> Vectors:
        """Hash pictures.

        Parameters
        ----------
        pixels : uint8 (N, H, W, 3)
            sRGB pictures of ``spec.input_size``.

        Returns
        -------
        float32 (N, dim)
            +1 and -1; of ``crop-resistant``, 1 and 0.

        Raises
        ------
        EncoderError
            The pictures have another size or type.
        """
        size = self._spec.input_size
        if pixels.ndim != 4 or pixels.shape[1:] != (*size, 3) or pixels.dtype != np.uint8:
            raise EncoderError(
                f"{self._spec.name} takes uint8 pictures of {size[0]}x{size[1]}x3, not {pixels.dtype} "
                f"{pixels.shape[1:]}"
            )
        features = np.empty((len(pixels), self._spec.dim), np.float32)
        for row, picture in enumerate(pixels):
            features[row] = self._describe(picture)
        return features


def names() -> list[str]:
    """Return the names of the hashes.

    Examples
    --------
    >>> names()
    ['hash:ahash', 'hash:dhash', 'hash:phash', 'hash:whash', 'hash:crop-resistant']
    """
    return [f"hash:{name}" for name in HASHES]


@ENCODERS.register("hash")
def load(argument: str, weights: Path | None, device: str) -> HashEncoder:  # noqa: ARG001
    """Make a hash encoder; it runs on the processor whatever the device.

    Raises
    ------
    UnknownNameError
        There is no such hash.
    EncoderError
        Weights were given; hashes have none.
    """
    if argument not in HASHES:
        raise UnknownNameError("hash", argument, HASHES)
    if weights is not None:
        raise EncoderError(f"hash:{argument} has no weights to load: leave out {weights}")
    return HashEncoder(argument)

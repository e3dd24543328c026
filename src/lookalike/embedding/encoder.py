"""The encoder that users hold: files or pictures in, features out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lookalike.core.errors import ImageDecodeError
from lookalike.core.lanes import cores, in_lanes
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Pixels, Vectors
from lookalike.core.vectors import unit_rows
from lookalike.encoders.load import encoder_names, load_pixels
from lookalike.encoders.spec import EncoderSpec, PixelEncoder
from lookalike.images.decode import decode, fit

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Encoder", "ImageLike", "list_encoders", "load_encoder"]

ImageLike: TypeAlias = "str | Path | bytes | Image.Image | Pixels"


class Encoder:
    """A frozen encoder: decoding, fitting to size and the network, over as many cores as there are.

    Made by `load_encoder`.

    Examples
    --------
    >>> encoder = load_encoder("classic")
    >>> picture = np.zeros((90, 120, 3), np.uint8)
    >>> encoder.encode([picture]).shape == (1, encoder.dim)
    True
    """

    def __init__(self, network: PixelEncoder) -> None:
        self._network = network
        self._gate = threading.BoundedSemaphore(network.spec.lanes or cores())

    @property
    def spec(self) -> EncoderSpec:
        """The card."""
        return self._network.spec

    @property
    def name(self) -> str:
        """What `load_encoder` was given."""
        return self.spec.name

    @property
    def dim(self) -> int:
        """Length of one feature."""
        return self.spec.dim

    @property
    def lanes(self) -> int:
        """Threads that keep this machine busy: one per core, and one to wait for the disk."""
        return cores() + 1

    def pixels(self, image: ImageLike) -> Pixels:
        """Decode one image and fit it to the input size, uint8 (H, W, 3).

        Raises
        ------
        ImageDecodeError
            It cannot be read.
        """
        picture = decode(image, min_side=min(self.spec.input_size))
        return fit(picture.image, self.spec.input_size, self.spec.resize)

    def forward(self, pixels: Pixels) -> Vectors:
        """Encode pictures of the input size, (N, H, W, 3) to float32 (N, dim); safe in several threads."""
        with self._gate:
            return self._network.forward(pixels)

    def encode(self, images: Sequence[ImageLike], on_progress: OnProgress | None = None) -> Vectors:
        """Encode images.

        Parameters
        ----------
        images : sequence of paths, PIL images or uint8 arrays (H, W, 3)
        on_progress : callable, optional
            Told after every batch.

        Returns
        -------
        float32 (N, dim)
            Features in the order of `images`, not normalised.

        Raises
        ------
        ImageDecodeError
            An image cannot be read, or the network gives no finite numbers for it; the error names it.
        """
        tell = on_progress or silent
        features = np.empty((len(images), self.dim), np.float32)
        starts = range(0, len(images), self.spec.batch)

        def work(start: int) -> int:
            batch = images[start : start + self.spec.batch]
            found = self.forward(np.stack([self.pixels(x) for x in batch]))
            for number, feature in enumerate(found, start):
                if not np.isfinite(feature).all():
                    raise self._no_numbers(images[number], f"picture {number}")
            features[start : start + len(batch)] = found
            return len(batch)

        done = 0
        for count in in_lanes(work, starts, self.lanes):
            done += count
            tell(Progress("encoding", done, len(images)))
        return features

    def vector(self, image: ImageLike) -> Vectors:
        """Encode one image as a unit vector, float32 (dim,).

        Raises
        ------
        ImageDecodeError
            It cannot be read, or the network gives no finite numbers for it.
        """
        feature = self.forward(self.pixels(image)[None])
        if not np.isfinite(feature).all():
            raise self._no_numbers(image, "the picture")
        return np.asarray(unit_rows(feature)[0])

    def _no_numbers(self, image: ImageLike, otherwise: str) -> ImageDecodeError:
        name = image if isinstance(image, str | Path) else otherwise
        return ImageDecodeError(name, f"the encoder {self.name} gives no finite numbers for it")


def load_encoder(name: str, weights: str | Path | None = None, device: str = "auto") -> Encoder:
    """Load an encoder by name.

    Parameters
    ----------
    name : str
        ``"classic"``, or ``"onnx:PATH"`` for a network in a file; `list_encoders` lists the names.
    weights : path, optional
        A local file to take the weights from; nothing is downloaded then.
    device : {"auto", "cpu", "cuda"}
        Where it runs.

    Raises
    ------
    UnknownNameError, EncoderError
        There is no such encoder, or its file does not fit.

    Examples
    --------
    >>> load_encoder("classic").name
    'classic'
    """
    return Encoder(load_pixels(name, weights, device))


def list_encoders(pattern: str = "*") -> list[str]:
    """Return the names of the encoders that fit a shell pattern, sorted.

    Examples
    --------
    >>> list_encoders("onnx*")
    ['onnx:PATH']
    """
    return encoder_names(pattern)

"""What is known of an encoder without loading it, and what a loaded one can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from lookalike.core.registry import Registry
from lookalike.core.types import Pixels, Vectors

__all__ = ["ENCODERS", "EncoderFactory", "EncoderSpec", "PixelEncoder"]

Resize: TypeAlias = Literal["squash", "crop"]


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """The card of an encoder.

    Attributes
    ----------
    name : str
        What `load_encoder` takes: ``"classic"``, ``"onnx:net.onnx"``, ``"timm:resnet18[layer4]"``.
    fingerprint : str
        Changes whenever the same picture could give other features: a version, or the hash of the weights.
        Stored vectors are valid only under the fingerprint they were made with.
    dim : int
        Length of one feature.
    input_size : tuple of int
        Height and width, in pixels, of the pictures that `PixelEncoder.forward` takes.
    resize : {"squash", "crop"}
        How a picture becomes that size: stretched to it, or scaled by its shorter side and cropped at the centre.
    lanes : int
        How many threads may call `PixelEncoder.forward` at once; 0 for as many as there are cores.
    temperature : float
        Width of the distance differences of this encoder: without any judgment,
        ``P(a is closer) = 1 / (1 + exp((distance_a - distance_b) / temperature))``.
    copy_distance : float
        Distance under which two pictures are worth a closer look as near-identical copies.
    licence, source : str
        Of the weights, for people.
    batch : int
        How many pictures `PixelEncoder.forward` is best given at once: few on a processor, where more would fall out of
        its cache, many on a GPU.
    """

    name: str
    fingerprint: str
    dim: int
    input_size: tuple[int, int]
    resize: Resize
    lanes: int
    temperature: float
    copy_distance: float
    licence: str
    source: str
    batch: int = 4


class PixelEncoder(Protocol):
    """A loaded network (or descriptor): pixels in, features out. Safe to call from several threads."""

    @property
    def spec(self) -> EncoderSpec:
        """The card."""

    def forward(self, pixels: Pixels) -> Vectors:
        """Encode pictures.

        Parameters
        ----------
        pixels : uint8 (N, H, W, 3)
            sRGB pictures of ``spec.input_size``.

        Returns
        -------
        float32 (N, spec.dim)
            Features, not normalised.
        """


EncoderFactory: TypeAlias = Callable[[str, Path | None, str], PixelEncoder]
"""``factory(argument, weights, device)``; the argument is what follows the colon of the name, or empty."""

ENCODERS: Registry[EncoderFactory] = Registry("encoder")
"""Families by name. A file of this folder registers its factory here and is listed in `encoders.load`."""

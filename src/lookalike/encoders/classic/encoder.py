"""The classic encoder: weighted blocks in one vector, whose cosine is the weighted mean of the blocks' cosines."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np

from lookalike.core.errors import EncoderError
from lookalike.core.types import Pixels, Vectors
from lookalike.encoders.classic import blocks
from lookalike.encoders.spec import ENCODERS, EncoderSpec

__all__ = ["WEIGHTS", "ClassicEncoder"]

SIDE = 128
TOGETHER = 16
"""Pictures that are described in one go: few calls for each, and what they work on stays in the processor's cache."""

WEIGHTS = {
    "colour": 0.085,
    "layout": 0.01,
    "fine texture": 0.28,
    "coarse texture": 0.05,
    "colour texture": 0.145,
    "edges": 0.15,
    "contrast": 0.14,
    "directions": 0.14,
}
"""Share of each block in the cosine; they sum to 1. Chosen by the 10-nearest-neighbour class precision on photographs
of scenes, flowers and textures. A share says little of a block's influence: cosines of layout spread over [-1, 1],
those of textures over a fifth of that."""

DIM = 683

SPEC = EncoderSpec(
    name="classic",
    fingerprint="classic-1",
    dim=DIM,
    input_size=(SIDE, SIDE),
    resize="squash",
    lanes=0,
    batch=TOGETHER,
    # The least log loss on 22,801 questions about 100 rendered materials, each counted by its votes: 0.071. On
    # questions about the taste of dishes, which pictures tell less of, it would be 0.11.
    temperature=0.07,
    # Of 11,700 copies (50% to 200% of the size, JPEG from quality 30, crops that keep 85% of each side) 99.3% are
    # closer; so are 6% of random pairs of photographs, which the look at the pictures then tells apart.
    copy_distance=0.09,
    licence="Apache-2.0",
    source="part of lookalike; no weights",
)


class ClassicEncoder:
    """Colour, layout, texture and edges of a picture, by hand-crafted descriptors.

    Works without weights and without training, in less than a millisecond a picture on one core. Each picture
    is described alone, so a batch gives what its pictures give one by one. It holds no state and may be called
    from any number of threads: OpenCV and NumPy let go of the interpreter lock, and stacks of this size stay
    below what OpenCV spreads over threads of its own.

    Examples
    --------
    >>> encoder = ClassicEncoder()
    >>> features = encoder.forward(np.zeros((2, 128, 128, 3), np.uint8))
    >>> features.shape, features.dtype.name
    ((2, 683), 'float32')
    """

    @property
    def spec(self) -> EncoderSpec:
        """The card."""
        return SPEC

    def forward(self, pixels: Pixels) -> Vectors:
        """Describe pictures.

        Parameters
        ----------
        pixels : uint8 (N, 128, 128, 3)
            sRGB pictures.

        Returns
        -------
        float32 (N, 683)
            Features of norm 1 (a little under 1 for a flat picture, which has no edges).

        Raises
        ------
        EncoderError
            The pictures have another size or type.
        """
        if pixels.ndim != 4 or pixels.shape[1:] != (SIDE, SIDE, 3) or pixels.dtype != np.uint8:
            raise EncoderError(
                f"classic takes uint8 pictures of {SIDE}x{SIDE}x3, not {pixels.dtype} {pixels.shape[1:]}"
            )
        features = np.empty((len(pixels), DIM), np.float32)
        for start in range(0, len(pixels), TOGETHER):
            part = slice(start, start + TOGETHER)
            features[part] = _describe(np.ascontiguousarray(pixels[part]))
        return features


@ENCODERS.register("classic")
def classic(argument: str, weights: Path | None, device: str) -> ClassicEncoder:  # noqa: ARG001
    """Make the classic encoder; it runs on the processor whatever the device.

    Raises
    ------
    EncoderError
        An argument or weights were given; it has neither.

    Examples
    --------
    >>> classic("", None, "auto").spec.fingerprint
    'classic-1'
    """
    if argument:
        raise EncoderError(f"the encoder 'classic' takes no argument: write 'classic', not 'classic:{argument}'")
    if weights is not None:
        raise EncoderError(f"the encoder 'classic' has no weights to load: leave out {weights}")
    return ClassicEncoder()


def _describe(pictures: Pixels) -> Vectors:
    """Return the weighted blocks of each picture, each of norm `sqrt(weight)`, as float32 (N, 683)."""
    flat = blocks.tall(blocks.shrunk(pictures, SIDE // 2))
    lab = np.asarray(cv2.cvtColor(flat, cv2.COLOR_RGB2LAB), np.uint8).reshape(-1, SIDE // 2, SIDE // 2, 3)
    grey = np.asarray(cv2.cvtColor(blocks.tall(pictures), cv2.COLOR_RGB2GRAY), np.uint8).reshape(-1, SIDE, SIDE)
    scales = [grey, *[blocks.shrunk(grey, SIDE >> halvings) for halvings in (1, 2, 3)]]
    lengths, angles = zip(*[blocks.gradients(scale) for scale in scales], strict=True)
    parts = {
        "colour": blocks.colour_strips(lab),
        "layout": blocks.layout(lab),
        "fine texture": blocks.local_patterns(grey, threshold=2),
        "coarse texture": blocks.local_patterns(scales[1], threshold=3),
        "colour texture": np.concatenate(
            [blocks.local_patterns(lab[..., channel], threshold=2) for channel in (1, 2)], axis=1
        ),
        "edges": blocks.edge_cells(grey),
        "contrast": blocks.contrast_levels(list(lengths)),
        "directions": blocks.edge_directions(list(lengths[:3]), list(angles[:3])),
    }
    return np.concatenate([_scaled(parts[name], weight) for name, weight in WEIGHTS.items()], axis=1)


def _scaled(block: Vectors, weight: float) -> Vectors:
    """Give each row of a block the norm `sqrt(weight)`; a row of zeros stays."""
    norms = np.linalg.norm(block, axis=1, keepdims=True)
    return np.asarray(block * (math.sqrt(weight) / np.where(norms > 0, norms, 1)), np.float32)

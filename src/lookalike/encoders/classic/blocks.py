"""The blocks of the classic descriptor: pure functions from one picture to one short vector.

Histograms enter as their cube root. The square root (Hellinger) already keeps the fullest bins from ruling a cosine;
with the sharply peaked histograms of local patterns and colours, the cube root separates pictures better still.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Pixels

__all__ = [
    "colour_strips",
    "contrast_levels",
    "edge_cells",
    "edge_directions",
    "layout",
    "local_patterns",
]

Grey = NDArray[np.uint8]
Block = NDArray[np.float32]

STRIPS, COLOUR_LEVELS = 3, 4
CHROMA_LOW, CHROMA_HIGH = 96, 160
"""Lab's a and b are 128 for grey in 8 bits; photographs seldom leave 128 ± 32: stronger colours share the end bins."""

FINE_BINS = 16
LAYOUT_SIZE = 16
CHROMA_GAIN = 3.0
"""Lightness spreads about three times as wide as a and b in photographs; the gain lets the three count alike."""

CONTRAST_BINS, DIRECTION_BINS = 16, 18
MAX_LOG_GRADIENT = 10.5
"""log2 of the longest gradient that a 3x3 Sobel pair can give on 8-bit grey (1,442), rounded up."""

PATTERNS = 59
"""Codes of 8 neighbours: 58 with at most two changes around the circle ("uniform"), and one bin for all others."""

_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))


def _triangles(bins: int, levels: int) -> NDArray[np.float32]:
    """Return (bins, levels): how much each fine bin gives to its two nearest levels; every row sums to 1."""
    place = np.linspace(0.0, levels - 1.0, bins)
    return np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(levels))).astype(np.float32)


def _fold_patterns() -> NDArray[np.float32]:
    """Return (256, PATTERNS): the bin of every 8-bit neighbour code (Ojala, Pietikäinen, Mäenpää 2002)."""
    fold = np.zeros((256, PATTERNS), np.float32)
    uniform = 0
    for code in range(256):
        bits = [(code >> bit) & 1 for bit in range(8)]
        if sum(bits[bit] != bits[bit - 1] for bit in range(8)) <= 2:
            fold[code, uniform] = 1.0
            uniform += 1
        else:
            fold[code, PATTERNS - 1] = 1.0
    return fold


_SOFT = _triangles(FINE_BINS, COLOUR_LEVELS)
_FOLD = _fold_patterns()
_LOW = np.add.outer(np.arange(LAYOUT_SIZE), np.arange(LAYOUT_SIZE))
_LAYOUT_ORDERS = ((0, 6, 1.0), (1, 4, CHROMA_GAIN), (2, 4, CHROMA_GAIN))
_HOG_WINDOW, _HOG_CELL, _HOG_BINS = 128, 32, 6
_HOG = cv2.HOGDescriptor(
    (_HOG_WINDOW, _HOG_WINDOW),
    (_HOG_WINDOW, _HOG_WINDOW),
    (_HOG_CELL, _HOG_CELL),
    (_HOG_CELL, _HOG_CELL),
    _HOG_BINS,
)


def colour_strips(lab: Pixels) -> Block:
    """Count Lab colours in the top, middle and bottom third, with soft bins.

    Parameters
    ----------
    lab : uint8 (H, W, 3)
        A picture in OpenCV's 8-bit Lab.

    Returns
    -------
    float32 (192,)
        Cube roots of three histograms of 4 x 4 x 4 bins. A colour between two levels counts for both in
        proportion, so that a small change of exposure changes the histogram little.

    Examples
    --------
    >>> grey = np.full((6, 6, 3), 128, np.uint8)
    >>> colour_strips(grey).shape
    (192,)
    """
    clipped = lab.copy()
    np.clip(lab[..., 1:], CHROMA_LOW, CHROMA_HIGH - 1, out=clipped[..., 1:])
    ranges = [0, 256, CHROMA_LOW, CHROMA_HIGH, CHROMA_LOW, CHROMA_HIGH]
    counts = np.stack(
        [
            cv2.calcHist([strip], [0, 1, 2], None, [FINE_BINS] * 3, ranges) / strip[..., 0].size
            for strip in np.array_split(clipped, STRIPS)
        ]
    )
    for _ in range(3):  # fold the last axis into levels and bring the next one to the end
        counts = np.moveaxis(counts @ _SOFT, -1, 1)
    return np.cbrt(counts.ravel()).astype(np.float32)


def layout(lab: Pixels) -> Block:
    """Describe where light and colour lie, by the low frequencies of a 16 x 16 Lab picture.

    Parameters
    ----------
    lab : uint8 (H, W, 3)
        A picture in OpenCV's 8-bit Lab.

    Returns
    -------
    float32 (41,)
        Cosine-transform coefficients: 21 of lightness, 10 each of a and b, these three times enlarged.

    Examples
    --------
    >>> flat = layout(np.full((32, 32, 3), 140, np.uint8))
    >>> int(np.count_nonzero(np.abs(flat) > 1e-3))  # a flat picture has only the three means
    3
    """
    small = cv2.resize(lab, (LAYOUT_SIZE, LAYOUT_SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= 128.0
    parts = [
        cv2.dct(np.ascontiguousarray(small[..., channel]))[order > _LOW] * gain
        for channel, order, gain in _LAYOUT_ORDERS
    ]
    return np.concatenate(parts).astype(np.float32)


def local_patterns(grey: Grey, threshold: int) -> Block:
    """Count how pixels compare with their eight neighbours (local binary patterns).

    Parameters
    ----------
    grey : uint8 (H, W)
        One channel.
    threshold : int
        A neighbour counts as brighter from this many levels on; above 0 it keeps noise and
        recompression of smooth areas from making patterns.

    Returns
    -------
    float32 (59,)
        Cube roots of the shares of the uniform patterns, less their mean: two pictures without
        anything in common then have a cosine near 0 and not near 1.

    Examples
    --------
    >>> ramp = np.tile(np.arange(0, 160, 5, dtype=np.uint8), (32, 1))
    >>> bool(np.argmax(local_patterns(ramp, 2)) == np.argmax(local_patterns(ramp + 9, 2)))
    True
    """
    height, width = grey.shape
    bar = cv2.add(grey[1:-1, 1:-1], float(threshold))  # type: ignore[call-overload]
    codes = np.zeros(bar.shape, np.uint8)
    for bit, (down, right) in enumerate(_NEIGHBOURS):
        neighbour = grey[1 + down : height - 1 + down, 1 + right : width - 1 + right]
        codes |= (neighbour >= bar).view(np.uint8) << np.uint8(bit)
    counts = cv2.calcHist([codes], [0], None, [256], [0, 256])[:, 0] @ _FOLD
    root = np.cbrt(counts / codes.size)
    return np.asarray(root - root.mean(), np.float32)


def edge_cells(grey: Grey) -> Block:
    """Describe the edges in each of 4 x 4 cells (a coarse histogram of oriented gradients).

    Parameters
    ----------
    grey : uint8 (128, 128)
        One channel.

    Returns
    -------
    float32 (96,)
        Six directions in each cell, after Dalal and Triggs 2005, normalised over the whole picture.

    Examples
    --------
    >>> edge_cells(np.zeros((128, 128), np.uint8)).shape
    (96,)
    """
    return np.asarray(_HOG.compute(grey), np.float32)


def contrast_levels(gradients: list[Block]) -> Block:
    """Count how strong the gradients are, at each scale.

    Parameters
    ----------
    gradients : list of float32 (H, W)
        Lengths of the Sobel gradients of 8-bit grey pictures, in grey levels.

    Returns
    -------
    float32 (16 * len(gradients),)
        Cube roots of histograms over the logarithm of the length, smoothed over neighbouring bins.

    Examples
    --------
    >>> contrast_levels([np.zeros((8, 8), np.float32)])[:3].round(2).tolist()
    [1.0, 0.0, 0.0]
    """
    parts = []
    for length in gradients:
        level = np.log2(1.0 + length)
        fine = cv2.calcHist([level], [0], None, [2 * CONTRAST_BINS], [0, MAX_LOG_GRADIENT])[:, 0]
        fine = np.concatenate([fine[:1], fine, fine[-1:]]) / length.size  # nothing is lost at the ends
        parts.append(np.convolve(fine, (0.25, 0.5, 0.25), "valid").reshape(-1, 2).sum(axis=1))
    return np.asarray(np.cbrt(np.concatenate(parts)), np.float32)


def edge_directions(gradients: list[Block], angles: list[Block]) -> Block:
    """Share the gradient's length out over its directions, at each scale.

    Parameters
    ----------
    gradients, angles : lists of float32 (H, W)
        Lengths, and angles in radians from 0 to 2 pi; opposite directions count as one.

    Returns
    -------
    float32 (18 * len(gradients),)
        Cube roots of histograms that sum to 1; zeros where the picture is flat.

    Examples
    --------
    >>> one = np.ones((4, 4), np.float32)
    >>> edge_directions([one], [0.3 * one]).nonzero()[0].tolist()
    [1]
    """
    parts = []
    for length, angle in zip(gradients, angles, strict=True):
        place = (angle * (DIRECTION_BINS / np.pi)).astype(np.int64).ravel() % DIRECTION_BINS
        share = np.bincount(place, length.ravel(), DIRECTION_BINS)
        parts.append(share / max(float(share.sum()), 1e-9))
    return np.asarray(np.cbrt(np.concatenate(parts)), np.float32)

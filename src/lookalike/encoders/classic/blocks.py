"""The blocks of the classic descriptor: pure functions from pictures to one short vector each.

They take pictures in stacks, though each is described alone: steps that work on single pixels, or on small squares,
run over all pictures laid out as one tall picture. Each of these calls gives the interpreter lock away and wants it
back; with calls for every picture, two threads spent more time on that than on pictures.

Histograms enter as their cube root. The square root (Hellinger) already keeps the fullest bins from ruling a cosine;
with the sharply peaked histograms of local patterns and colours, the cube root separates pictures better still.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "colour_strips",
    "contrast_levels",
    "edge_cells",
    "edge_directions",
    "gradients",
    "layout",
    "local_patterns",
    "shrunk",
    "tall",
]

Stack = NDArray[np.uint8]
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


def tall(pictures: NDArray[Any]) -> NDArray[Any]:
    """Lay a stack of pictures out as one, each below the one before: (N, H, W, ...) to (N * H, W, ...).

    Examples
    --------
    >>> tall(np.zeros((3, 8, 8), np.uint8)).shape
    (24, 8)
    """
    return np.ascontiguousarray(pictures).reshape(-1, *pictures.shape[2:])


def shrunk(pictures: Stack, side: int) -> Stack:
    """Make square pictures smaller, by a whole number: each pixel is the mean of a square.

    Parameters
    ----------
    pictures : uint8 (N, S, S) or (N, S, S, 3)
    side : int
        A divisor of S.

    Examples
    --------
    >>> shrunk(np.zeros((2, 8, 8, 3), np.uint8), 4).shape
    (2, 4, 4, 3)
    """
    size = (side, len(pictures) * side)
    small = cv2.resize(tall(pictures), size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8).reshape(len(pictures), side, side, *pictures.shape[3:])


def colour_strips(lab: Stack) -> Block:
    """Count Lab colours in the top, middle and bottom third, with soft bins.

    Parameters
    ----------
    lab : uint8 (N, H, W, 3)
        Pictures in OpenCV's 8-bit Lab; at most 256.

    Returns
    -------
    float32 (N, 192)
        Cube roots of three histograms of 4 x 4 x 4 bins. A colour between two levels counts for both in
        proportion, so that a small change of exposure changes the histogram little.

    Examples
    --------
    >>> grey = np.full((1, 6, 6, 3), 128, np.uint8)
    >>> colour_strips(grey).shape
    (1, 192)
    """
    clipped = lab.copy()
    np.clip(lab[..., 1:], CHROMA_LOW, CHROMA_HIGH - 1, out=clipped[..., 1:])
    bins = [(FINE_BINS, (0, 256)), *[(FINE_BINS, (CHROMA_LOW, CHROMA_HIGH))] * 2]
    strips = np.array_split(clipped, STRIPS, axis=1)
    shares = np.stack([_counts(strip, bins) / strip[0, ..., 0].size for strip in strips], axis=1)
    levels = _SOFT.T @ shares @ _SOFT  # of a and b
    levels = _SOFT.T @ levels.reshape(len(lab), STRIPS, FINE_BINS, -1)  # of lightness
    return np.asarray(np.cbrt(levels.reshape(len(lab), -1)), np.float32)


def layout(lab: Stack) -> Block:
    """Describe where light and colour lie, by the low frequencies of a 16 x 16 Lab picture.

    Parameters
    ----------
    lab : uint8 (N, S, S, 3)
        Pictures in OpenCV's 8-bit Lab; 16 divides S.

    Returns
    -------
    float32 (N, 41)
        Cosine-transform coefficients: 21 of lightness, 10 each of a and b, these three times enlarged.

    Examples
    --------
    >>> flat = layout(np.full((1, 32, 32, 3), 140, np.uint8))
    >>> int(np.count_nonzero(np.abs(flat) > 1e-3))  # a flat picture has only the three means
    3
    """
    small = shrunk(lab, LAYOUT_SIZE).astype(np.float32) - np.float32(128.0)
    channels = np.moveaxis(small, -1, 0)
    waves: NDArray[Any] = channels
    for _ in range(2):  # along the rows, then along the columns
        rows = cv2.dct(np.ascontiguousarray(waves).reshape(-1, LAYOUT_SIZE), flags=cv2.DCT_ROWS)
        waves = rows.reshape(channels.shape).swapaxes(-1, -2)
    parts = [waves[channel][:, order > _LOW] * np.float32(gain) for channel, order, gain in _LAYOUT_ORDERS]
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def local_patterns(grey: Stack, threshold: int) -> Block:
    """Count how pixels compare with their eight neighbours (local binary patterns).

    Parameters
    ----------
    grey : uint8 (N, H, W)
        One channel; at most 256 pictures.
    threshold : int
        A neighbour counts as brighter from this many levels on; above 0 it keeps noise and
        recompression of smooth areas from making patterns.

    Returns
    -------
    float32 (N, 59)
        Cube roots of the shares of the uniform patterns, less their mean: two pictures without
        anything in common then have a cosine near 0 and not near 1.

    Examples
    --------
    >>> ramp = np.tile(np.arange(0, 160, 5, dtype=np.uint8), (1, 32, 1))
    >>> bool(np.argmax(local_patterns(ramp, 2)) == np.argmax(local_patterns(ramp + 9, 2)))
    True
    """
    _, height, width = grey.shape
    inner = grey[:, 1:-1, 1:-1]
    bar = np.asarray(cv2.add(tall(inner), float(threshold)), np.uint8).reshape(inner.shape)  # type: ignore[call-overload]
    codes = np.zeros(bar.shape, np.uint8)
    for bit, (down, right) in enumerate(_NEIGHBOURS):
        neighbour = grey[:, 1 + down : height - 1 + down, 1 + right : width - 1 + right]
        codes |= (neighbour >= bar).view(np.uint8) << np.uint8(bit)
    counts = _counts(codes[..., None], [(256, (0, 256))]) @ _FOLD  # whole numbers: exact in any order
    root = np.cbrt(counts / codes[0].size)
    return np.asarray(root - root.mean(axis=1, keepdims=True), np.float32)


def edge_cells(grey: Stack) -> Block:
    """Describe the edges in each of 4 x 4 cells (a coarse histogram of oriented gradients).

    Parameters
    ----------
    grey : uint8 (N, 128, 128)
        One channel.

    Returns
    -------
    float32 (N, 96)
        Six directions in each cell, after Dalal and Triggs 2005, normalised over the whole picture.

    Examples
    --------
    >>> edge_cells(np.zeros((1, 128, 128), np.uint8)).shape
    (1, 96)
    """
    windows = [(0, top + 1) for top in range(0, len(grey) * (_HOG_WINDOW + 2), _HOG_WINDOW + 2)]
    return np.asarray(_HOG.compute(_framed(grey), locations=windows), np.float32).reshape(len(grey), -1)


def gradients(grey: Stack) -> tuple[Block, Block]:
    """Return lengths and angles of the Sobel gradients.

    Parameters
    ----------
    grey : uint8 (N, H, W)
        One channel.

    Returns
    -------
    lengths : float32 (N, H, W)
        In grey levels.
    angles : float32 (N, H, W)
        Radians, from 0 to 2 pi.

    Examples
    --------
    >>> ramp = np.tile(np.arange(0, 160, 5, dtype=np.uint8), (1, 4, 1))
    >>> lengths, angles = gradients(ramp)
    >>> float(lengths[0, 1, 1]), float(angles[0, 1, 1])
    (40.0, 0.0)
    """
    count, height, width = grey.shape
    framed = _framed(grey)
    across, down = cv2.Sobel(framed, cv2.CV_32F, 1, 0), cv2.Sobel(framed, cv2.CV_32F, 0, 1)
    lengths, angles = (
        np.asarray(found, np.float32).reshape(count, height + 2, width)[:, 1:-1]
        for found in cv2.cartToPolar(across, down)
    )
    return lengths, angles


def contrast_levels(lengths: list[Block]) -> Block:
    """Count how strong the gradients are, at each scale.

    Parameters
    ----------
    lengths : list of float32 (N, H, W)
        Lengths of the Sobel gradients of 8-bit grey pictures, in grey levels, for each scale; at most 256 pictures.

    Returns
    -------
    float32 (N, 16 * len(lengths))
        Cube roots of histograms over the logarithm of the length, smoothed over neighbouring bins.

    Examples
    --------
    >>> contrast_levels([np.zeros((1, 8, 8), np.float32)])[0, :3].round(2).tolist()
    [1.0, 0.0, 0.0]
    """
    parts = []
    for length in lengths:
        level = np.log2(1.0 + length)
        fine = _counts(level[..., None], [(2 * CONTRAST_BINS, (0, MAX_LOG_GRADIENT))]) / level[0].size
        wide = np.pad(fine.astype(np.float64), ((0, 0), (1, 1)), mode="edge")  # nothing is lost at the ends
        smooth = (wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]) / 4
        parts.append(smooth.reshape(len(length), -1, 2).sum(axis=2))
    return np.asarray(np.cbrt(np.concatenate(parts, axis=1)), np.float32)


def edge_directions(lengths: list[Block], angles: list[Block]) -> Block:
    """Share the gradient's length out over its directions, at each scale.

    Parameters
    ----------
    lengths, angles : lists of float32 (N, H, W)
        Lengths, and angles in radians from 0 to 2 pi; opposite directions count as one.

    Returns
    -------
    float32 (N, 18 * len(lengths))
        Cube roots of histograms that sum to 1; zeros where the picture is flat.

    Examples
    --------
    >>> one = np.ones((1, 4, 4), np.float32)
    >>> edge_directions([one], [0.3 * one])[0].nonzero()[0].tolist()
    [1]
    """
    parts = []
    for length, angle in zip(lengths, angles, strict=True):
        place = (angle * np.float32(DIRECTION_BINS / np.pi)).astype(np.int64)
        np.minimum(place, 2 * DIRECTION_BINS - 1, out=place)  # a whole turn, after rounding
        place += 2 * DIRECTION_BINS * np.arange(len(length))[:, None, None]
        turns = np.bincount(place.ravel(), length.ravel(), 2 * DIRECTION_BINS * len(length))
        share = turns.reshape(len(length), 2, DIRECTION_BINS).sum(axis=1)
        parts.append(share / np.maximum(share.sum(axis=1, keepdims=True), 1e-9))
    return np.asarray(np.cbrt(np.concatenate(parts, axis=1)), np.float32)


def _framed(grey: Stack) -> Stack:
    """Lay pictures out as one, each with its mirrored border above and below: none sees the next one."""
    return tall(np.pad(grey, ((0, 0), (1, 1), (0, 0)), mode="reflect"))


def _counts(pictures: NDArray[Any], bins: Sequence[tuple[int, tuple[float, float]]]) -> Block:
    """Count the pixels of each picture (N, H, W, C) by the bins of each channel: (N, *bins)."""
    count = len(pictures)
    number = np.repeat(np.arange(count, dtype=pictures.dtype), pictures[0, ..., 0].size)
    one = tall(pictures).reshape(number.size, 1, -1)
    sizes, ranges = [count], [0.0, float(count)]
    for size, (low, high) in bins:
        sizes.append(size)
        ranges += [low, high]
    channels = range(len(sizes))
    return np.asarray(cv2.calcHist([number.reshape(-1, 1), one], list(channels), None, sizes, ranges), np.float32)

"""Do two thumbnails show the same picture? The second stage of finding copies, after the distance of vectors.

Resizing, recompression, a small crop, a change of exposure or a loss of colour leave a picture's fine structure
where it was, up to a small alignment. Two different photographs of the same kind share their layout but not
that structure. So: align, then correlate detail and not layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Pixels

__all__ = [
    "COARSE_SIDE",
    "COPY_AGREEMENT",
    "GATE",
    "INNER_MARGIN",
    "Coarse",
    "Prepared",
    "agreement",
    "coarsen",
    "crops",
    "prepare",
]

Plane: TypeAlias = NDArray[np.float32]
Picture = TypeVar("Picture", Pixels, NDArray[np.float32])
Placement: TypeAlias = NDArray[np.float32]
"""(2, 3), where a pixel of the one picture lies in the other."""

COPY_AGREEMENT = 0.75
"""From this agreement on, two pictures count as copies.

Of edited photographs about 99% reach it; of 30,000 pairs of nearest neighbours of one class 0.2% do, nearly all of them
real copies, frames of one series or the same regular pattern. What falls short of it among copies is mostly
fine regular texture after a crop."""

SIDE, COARSE_SIDE, COLOUR_SIDE, CELLS = 64, 32, 16, 8
SIGMAS = (0.7, 2.0, 8.0)
"""Detail lies between the first two blurs, form between the last two, in pixels of 64; below the first one
recompression and resizing rule."""

DETAIL_NOISE, FORM_NOISE = 4.0, 8.0
"""Variance, in squared grey levels, that recompression adds to each band: less contrast than this is no evidence."""

KEPT = (1.0, 0.9, 0.8)
"""Share of the longer-kept side that a crop may have left."""
LEAST_KEPT = 0.76
INNER_MARGIN = 0.1
"""Left off each side of a template, so that two different crops of one picture still find their common part."""

GATE = 0.7
"""Least correlation of coarse pictures that deserves an alignment: more than 99.5% of copies have it."""

ECC_BLUR = 5
"""Side, in pixels of 64, of the blur before the fine alignment: it widens the reach of the gradient steps."""

HOPELESS_TINT, HOPELESS_FORM = 0.5, 0.35
"""Agreement of colour and of form before the fine alignment, below which it is left out. Of 1,386 edited copies none is
below 0.75 and 0.5; of pairs of neighbours that pass the gate 86% are, and the alignment is what takes most time."""

LEAST_OVERLAP = 0.5
MAX_TURN, MAX_SHIFT = 0.12, 8.0
"""How far the fine alignment may leave the coarse one, in linear terms and in pixels of 64, before it counts as
having run away."""

COLOURLESS = 4.0
"""Largest chroma (Lab, 98th percentile) of a picture that counts as grey: a grey copy of any coloured picture."""
CHROMA_FLOOR = 6.0
BLOWN_OUT = 225.0
"""Lightness (0 to 255) from which a brighter copy has lost its colour to clipping."""
GAIN = (0.85, 1.18)
PLACE_TOLERANCE, MEAN_TOLERANCE, COLOUR_SLOPE = 0.25, 0.12, 2.5
"""Relative differences of colour, place by place and of the whole's mean, that edits cause; measured on copies,
98% stay below. The mean is the sharper test: recompression blurs colours over places but keeps their mean."""
LIGHTNESS_TOLERANCE = 25.0
"""Difference of mean lightness (0 to 255) at which two flat pictures share nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Coarse:
    """A picture in a few pixels; 4 kB.

    Attributes
    ----------
    plane : float32 (32, 32)
        Levels 0 to 255, the whole picture squashed to a square, and blurred.
    ratio : float
        Width by height of the thumbnail.
    """

    plane: Plane
    ratio: float

    def mirrored(self) -> Coarse:
        """Return the picture with left and right exchanged."""
        return Coarse(np.ascontiguousarray(self.plane[:, ::-1]), self.ratio)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What is needed of a thumbnail to compare it with many others; 56 kB.

    Attributes
    ----------
    grey : float32 (64, 64)
        Levels 0 to 255, the whole picture squashed to a square.
    coarse : float32 (32, 32)
        The same, smaller and blurred.
    bands : float32 (64, 64, 2)
        Detail and form: `grey` between two blurs.
    colour : float32 (16, 16, 3)
        Lab, a and b around 0.
    ratio : float
        Width by height of the thumbnail.
    colourless : bool
        Whether it is a grey picture.
    """

    grey: Plane
    coarse: Plane
    bands: Plane
    colour: Plane
    ratio: float
    colourless: bool


def prepare(thumbnail: Pixels) -> Prepared:
    """Make a thumbnail ready for comparison.

    Parameters
    ----------
    thumbnail : uint8 (H, W, 3)
        sRGB, the whole picture; a longer side of 128 to 256 pixels is enough.

    Returns
    -------
    Prepared

    Examples
    --------
    >>> prepare(np.zeros((60, 90, 3), np.uint8)).ratio
    1.5
    """
    thumbnail = np.ascontiguousarray(thumbnail)
    grey, small, coarse = _levels(thumbnail)
    # So wide a blur loses nothing at half the size, and costs a quarter.
    wide = _squash(_blurred(small, SIGMAS[2] * COARSE_SIDE / SIDE), SIDE)
    sharp, soft = (_blurred(grey, sigma) for sigma in SIGMAS[:2])
    lab = cv2.cvtColor(_squash(thumbnail, COLOUR_SIDE), cv2.COLOR_RGB2LAB)
    colour = np.asarray(lab, np.float32) - np.array([0, 128, 128], np.float32)
    return Prepared(
        grey=grey,
        coarse=coarse.plane,
        bands=np.dstack([sharp - soft, soft - wide]).astype(np.float32),
        colour=colour,
        ratio=coarse.ratio,
        colourless=bool(np.quantile(np.hypot(colour[..., 1], colour[..., 2]), 0.98) < COLOURLESS),
    )


def coarsen(thumbnail: Pixels) -> Coarse:
    """Return what is needed of a thumbnail to see whether an alignment is worth while; a part of `prepare`."""
    return _levels(np.ascontiguousarray(thumbnail))[2]


def agreement(left: Prepared, right: Prepared) -> float:
    """Say how far two pictures agree after the best small alignment.

    Parameters
    ----------
    left, right : Prepared
        In either order: the result is the same.

    Returns
    -------
    float
        In [-1, 1]. Near 1 for copies: resized, recompressed, cropped by up to 20% of a side, a little brighter or
        darker, turned to grey, with a small overlay. Two different pictures are seldom above 0.5, however alike.
        A mirrored picture does not count. Where not even the coarse pictures match, their correlation (below the
        gate of 0.7) halved is the answer, and the alignment is not tried.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> picture = cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), (256, 192))
    >>> other = cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), (256, 192))
    >>> agreement(prepare(picture), prepare(picture[10:180, 10:240])) > COPY_AGREEMENT
    True
    >>> agreement(prepare(picture), prepare(other)) > COPY_AGREEMENT
    False
    """
    # An alignment of b on a is not exactly the inverse of a on b: a fixed order makes the result symmetric.
    a, b = sorted((left, right), key=lambda picture: (picture.ratio, picture.grey.tobytes()))
    found, placement = _place(a, b)
    if found < GATE:
        return found / 2
    found = 0.0 if _is_hopeless(a, b, placement) else _compare(a, b, _align(a, b, placement))
    if found < COPY_AGREEMENT:
        # Fine regular patterns leave nothing to place by when coarse; most copies need no placing.
        found = max(found, _compare(a, b, np.eye(2, 3, dtype=np.float32)))
    return float(np.clip(found, -1.0, 1.0))


def _levels(thumbnail: Pixels) -> tuple[Plane, Plane, Coarse]:
    """Return grey levels in a square, smaller ones, and these blurred."""
    height, width = thumbnail.shape[:2]
    levels = np.asarray(cv2.cvtColor(thumbnail, cv2.COLOR_RGB2GRAY), np.uint8)
    grey = _squash(levels, SIDE).astype(np.float32)
    small = _squash(grey, COARSE_SIDE)
    return grey, small, Coarse(_blurred(small, 0.8), width / height)


def _blurred(plane: Plane, sigma: float) -> Plane:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32)


def _squash(picture: Picture, side: int) -> Picture:
    """Stretch a picture to a square; averaging, where it shrinks, keeps fine grain from aliasing."""
    how = cv2.INTER_AREA if min(picture.shape[:2]) >= side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (side, side), interpolation=how), picture.dtype)


def crops(ratio: float) -> list[tuple[float, float]]:
    """List what shares of width and height the second picture may have kept of the first.

    `ratio` is the second's shape over the first's: cropping width alone lowers it. A pair is tried both ways,
    so that shares above 1 mean that the first is the crop.

    Examples
    --------
    >>> crops(1.0), crops(0.5)
    ([(1.0, 1.0), (0.9, 0.9), (0.8, 0.8)], [])
    """
    crops = [(1.0, 1.0)] if 0.9 < ratio < 1 / 0.9 else []
    for kept in KEPT:
        wide, high = (kept, kept / ratio) if ratio > 1 else (kept * ratio, kept)
        if min(wide, high) >= LEAST_KEPT and (wide, high) != (1.0, 1.0):
            crops.append((wide, high))
    return crops


def _place(a: Prepared, b: Prepared) -> tuple[float, Placement]:
    """Find the crop and shift under which the coarse pictures match best: (correlation, placement of a in b)."""
    best, placement = 0.0, np.eye(2, 3, dtype=np.float32)
    ratio = b.ratio / a.ratio
    tries = [(a, b, crop, False) for crop in crops(ratio)] + [(b, a, crop, True) for crop in crops(1 / ratio)]
    for whole, part, crop, swapped in tries:
        width, height = (max(1, round(COARSE_SIDE * kept)) for kept in crop)
        aside, above = round(width * INNER_MARGIN), round(height * INNER_MARGIN)
        whole_size = width == height == COARSE_SIDE
        template = part.coarse if whole_size else cv2.resize(part.coarse, (width, height))
        inner = template[above : height - above, aside : width - aside]
        _, score, _, corner = cv2.minMaxLoc(cv2.matchTemplate(whole.coarse, inner, cv2.TM_CCOEFF_NORMED))
        if score > best:
            best = score
            placement = _placement((width, height), (corner[0] - aside, corner[1] - above), swapped)
    return best, placement


def _placement(size: tuple[int, int], corner: tuple[int, int], swapped: bool) -> Placement:
    """Turn "part lies at `corner` of whole, `size` large" (coarse pixels) into a map between pixels of 64.

    From whole to part, or from part to whole where `swapped` (then the first picture is the part).
    """
    scale, shift = np.divide(size, COARSE_SIDE), np.multiply(corner, SIDE / COARSE_SIDE)
    if not swapped:
        scale, shift = 1 / scale, -shift / scale
    # Pixel centres lie half a pixel inside: u + 0.5 is what scales.
    return np.column_stack([np.diag(scale), shift + 0.5 * scale - 0.5]).astype(np.float32)


def _align(a: Prepared, b: Prepared, placement: Placement) -> Placement:
    """Refine a placement by enhanced correlation (Evangelidis and Psarakis 2008); keep it where that runs away."""
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 3e-4)
    everywhere = np.full((SIDE, SIDE), 255, np.uint8)
    try:
        _, fine = cv2.findTransformECC(a.grey, b.grey, placement.copy(), cv2.MOTION_AFFINE, stop, everywhere, ECC_BLUR)
    except cv2.error:  # it did not converge: the pictures differ, or are flat
        return placement
    moved = np.abs(fine - placement)
    if moved[:, :2].max() > MAX_TURN or moved[:, 2].max() > MAX_SHIFT:
        return placement
    return np.asarray(fine, np.float32)


def _is_hopeless(a: Prepared, b: Prepared, placement: Placement) -> bool:
    """Whether pictures differ so much where they lie on each other coarsely that the fine alignment is in vain."""
    if _colours(a, b, placement, grey_allowed=True)[1] < HOPELESS_TINT:
        return True
    mask = (_warp(np.ones((SIDE, SIDE), np.float32), placement, SIDE) > 0.99).astype(np.float32)
    form, weight = _band(a.bands[..., 1], _warp(b.bands[..., 1], placement, SIDE), mask, FORM_NOISE)
    return weight > 0.5 and form < HOPELESS_FORM


def _warp(picture: Plane, placement: Placement, side: int) -> Plane:
    """Bring b's plane of `side` pixels over a's; zeros where b does not reach."""
    scaled = placement.copy()
    if side != SIDE:
        factor = side / SIDE
        half = 0.5 * (1 - placement[:, :2].sum(axis=1))
        scaled[:, 2] = (placement[:, 2] + half) * factor - half
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, scaled, (side, side), flags=flags), np.float32)


def _compare(a: Prepared, b: Prepared, placement: Placement) -> float:
    """Correlate what lies on each other: detail first; form where there is no detail; lightness where neither."""
    mask = (_warp(np.ones((SIDE, SIDE), np.float32), placement, SIDE) > 0.99).astype(np.float32)
    if mask.mean() < LEAST_OVERLAP:
        return 0.0
    warped = _warp(b.bands, placement, SIDE)
    detail, detail_weight = _band(a.bands[..., 0], warped[..., 0], mask, DETAIL_NOISE)
    form, form_weight = _band(a.bands[..., 1], warped[..., 1], mask, FORM_NOISE)
    evidence = 1 - (1 - detail_weight) * (1 - form_weight)
    light, tint = _colours(a, b, placement, grey_allowed=evidence > 0.5)
    flat = form_weight * form + (1 - form_weight) * light
    return (detail_weight * detail + (1 - detail_weight) * flat) * tint


def _band(x: Plane, y: Plane, mask: Plane, noise: float) -> tuple[float, float]:
    """Return the agreement of one band, and how far its contrast stands above the noise, in [0, 1].

    The agreement is the mean of the correlation over all and of the mean correlation over 8 x 8 cells: in the
    first, strong edges count; in the second, every part of the picture does.
    """

    def cells(plane: Plane) -> Plane:
        return np.asarray(cv2.resize(plane, (CELLS, CELLS), interpolation=cv2.INTER_AREA))

    covered = cells(mask)
    moments = np.stack([cells(product * mask) for product in (x * y, x * x, y * y)])
    inside = covered > 0.5
    local = moments[:, inside] / covered[inside]
    # The noise in every term makes two flat cells agree, and a flat one differ from one with contrast.
    by_cell = (local[0] + noise) / np.sqrt((local[1] + noise) * (local[2] + noise))
    overall = moments.sum(axis=(1, 2)) / covered.sum()
    total = (overall[0] + noise) / np.sqrt((overall[1] + noise) * (overall[2] + noise))
    contrast = float(np.sqrt(overall[1] * overall[2]))
    return float((by_cell.mean() + total) / 2), contrast**2 / (contrast**2 + noise**2)


def _colours(a: Prepared, b: Prepared, placement: Placement, grey_allowed: bool) -> tuple[float, float]:
    """Compare mean lightness, and the colours that lie on each other; each 1 where they agree, down to 0."""
    ones = np.ones((COLOUR_SIDE, COLOUR_SIDE), np.float32)
    inside = _warp(ones, placement, COLOUR_SIDE) > 0.99
    if not inside.any():
        return 0.0, 0.0
    x, y = a.colour[inside], _warp(b.colour, placement, COLOUR_SIDE)[inside]
    light = max(0.0, 1 - abs(float(x[:, 0].mean() - y[:, 0].mean())) / LIGHTNESS_TOLERANCE)
    if grey_allowed:
        kept = np.maximum(x[:, 0], y[:, 0]) < BLOWN_OUT
        if a.colourless or b.colourless or not kept.any():
            return light, 1.0
        x, y = x[kept], y[kept]
    # A change of exposure or contrast scales all colours alike; a change of hue does not.
    gain = np.clip(np.sqrt((np.linalg.norm(y[:, 1:]) + 1) / (np.linalg.norm(x[:, 1:]) + 1)), *GAIN)
    u, v = x[:, 1:] * gain, y[:, 1:] / gain
    scale = CHROMA_FLOOR + float(np.linalg.norm(u, axis=1).mean() + np.linalg.norm(v, axis=1).mean()) / 2
    by_place = float(np.linalg.norm(u - v, axis=1).mean()) / scale
    of_mean = float(np.linalg.norm((u - v).mean(axis=0))) / scale
    excess = max(by_place - PLACE_TOLERANCE, of_mean - MEAN_TOLERANCE)
    return light, float(np.clip(1 - COLOUR_SLOPE * excess, 0.0, 1.0))

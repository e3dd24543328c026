"""From a scene to pixels: the painter of its context, then the camera."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.types import Pixels
from lookalike.images.samples.abstract import paint_abstract
from lookalike.images.samples.city import paint_city
from lookalike.images.samples.field import paint_field
from lookalike.images.samples.finish import finish
from lookalike.images.samples.flower import paint_flower
from lookalike.images.samples.forest import paint_forest
from lookalike.images.samples.frame import Frame, make_frame
from lookalike.images.samples.indoor import paint_indoor
from lookalike.images.samples.mountain import paint_mountain
from lookalike.images.samples.ocean import paint_ocean
from lookalike.images.samples.paint import Picture
from lookalike.images.samples.scene import Scene

__all__ = ["render", "render_photo"]

_PAINTERS: Mapping[str, Callable[[Frame], Picture]] = {
    "indoor": paint_indoor,
    "city": paint_city,
    "ocean": paint_ocean,
    "field": paint_field,
    "mountain": paint_mountain,
    "forest": paint_forest,
    "flower": paint_flower,
    "abstract": paint_abstract,
}
_OVERSAMPLED = {"indoor": 1.3, "city": 1.4, "mountain": 1.25, "field": 1.25}
"""Contexts whose painter decides edges per pixel; the others antialias by themselves."""

_SMALLEST = 64
_LARGEST_PAINTING = 1280
_PHOTO_GRAIN = 5.0


def render(scene: Scene, size: int = 224) -> Pixels:
    """Render a scene as a square picture.

    Parameters
    ----------
    scene : Scene
        What to show.
    size : int
        Side in pixels, at least 64. The composition does not depend on it.

    Returns
    -------
    uint8 (size, size, 3)
        sRGB. The same scene and size give the same bytes.

    Raises
    ------
    InputError
        The size is under 64.

    Examples
    --------
    >>> render(Scene("abstract", (0.5,) * 9, seed=1), size=64).shape
    (64, 64, 3)
    """
    if size < _SMALLEST:
        raise InputError(f"a rendered picture is at least {_SMALLEST} pixels wide, not {size}")
    work = round(size * (_OVERSAMPLED.get(scene.context, 1.0) if size <= 640 else 1.0))
    frame = make_frame(scene, work)
    return finish(frame, _PAINTERS[scene.context](frame), size)


def render_photo(scene: Scene, width: int = 4000, height: int = 3000) -> Pixels:
    """Render a scene as a large picture of any proportion, with the grain of a real sensor.

    A square of at most 1280 pixels is painted, enlarged to cover, cut at the centre, and given grain
    at full resolution; so a JPEG of it is about as long, and as slow to decode, as a camera's.

    Parameters
    ----------
    scene : Scene
        What to show.
    width, height : int
        In pixels, at least 64 each.

    Returns
    -------
    uint8 (height, width, 3)

    Raises
    ------
    InputError
        A side is under 64.

    Examples
    --------
    >>> render_photo(Scene("abstract", (0.5,) * 9, seed=1), 96, 64).shape
    (64, 96, 3)
    """
    if min(width, height) < _SMALLEST:
        raise InputError(f"a rendered photo is at least {_SMALLEST} pixels wide and high, not {width}x{height}")
    side = max(width, height)
    square = render(scene, min(side, _LARGEST_PAINTING))
    top, left = (side - height) // 2, (side - width) // 2
    rows = slice(top * square.shape[0] // side, -(-(top + height) * square.shape[0] // side))
    columns = slice(left * square.shape[0] // side, -(-(left + width) * square.shape[0] // side))
    photo = np.asarray(cv2.resize(square[rows, columns], (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    grain = np.random.default_rng([scene.seed, 6]).standard_normal((height, width), np.float32)
    offset = np.rint(grain * np.float32(_PHOTO_GRAIN)).astype(np.int16)[..., None]
    return np.asarray(np.clip(photo.astype(np.int16) + offset, 0, 255), np.uint8)

"""Training views: a random part of a picture, perhaps mirrored, at the size that a network takes.

What a view is made of stands in a `ViewPlan`; chance comes from a generator that the caller gives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from lookalike.core.errors import InputError
from lookalike.core.types import Pixels
from lookalike.images.fit import fit

__all__ = ["View", "ViewPlan", "draw_view", "random_view", "take_view"]

TRIES = 10
"""How often a part is drawn that may not fit into the picture."""


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """What views look like; as published, by default (``RandomResizedCrop(224)``, flipped in half of all cases).

    Attributes
    ----------
    size : tuple of int
        Height and width of a view, in pixels.
    area : tuple of float
        Least and greatest share of the picture that a view shows, in (0, 1].
    aspect : tuple of float
        Least and greatest width over height of that part, before it is stretched to `size`.
    flip : float
        Probability that a view is mirrored left to right.

    Raises
    ------
    InputError
        A value is out of range.
    """

    size: tuple[int, int] = (224, 224)
    area: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5

    def __post_init__(self) -> None:
        if min(self.size) < 1:
            raise InputError(f"a view has 1 pixel at least on each side, not {self.size}")
        if not all(a <= b for a, b in pairwise((1e-6, *self.area, 1.0))):
            raise InputError(f"the area of a view is a share of the picture, from least to greatest, not {self.area}")
        if not all(a <= b for a, b in pairwise((1e-3, *self.aspect, 1e3))):
            raise InputError(f"the aspect of a view is width over height, from least to greatest, not {self.aspect}")
        if not 0 <= self.flip <= 1:
            raise InputError(f"flip is a probability, not {self.flip}")


@dataclass(frozen=True, slots=True)
class View:
    """One view of a picture, before it is taken.

    Attributes
    ----------
    box : tuple of int
        Left, top, right and bottom edge of what it shows, in pixels of the picture.
    mirrored : bool
    """

    box: tuple[int, int, int, int]
    mirrored: bool


def draw_view(plan: ViewPlan, width: int, height: int, rng: np.random.Generator) -> View:
    """Draw a view of a picture of some size.

    The share of the area is drawn evenly, and the aspect evenly on a logarithmic axis (Szegedy et al., *Going deeper
    with convolutions*, 2015). Where no part of ten fits, it is the greatest one in the middle whose aspect is allowed.

    Parameters
    ----------
    plan : ViewPlan
    width, height : int
        Of the picture, in pixels.
    rng : numpy.random.Generator

    Examples
    --------
    >>> draw_view(ViewPlan(), 400, 300, np.random.default_rng(1))
    View(box=(3, 10, 296, 236), mirrored=False)
    >>> draw_view(ViewPlan(area=(1, 1), flip=0), 640, 80, np.random.default_rng(1))
    View(box=(266, 0, 373, 80), mirrored=False)
    """
    box = _random_box(plan, width, height, rng) or _middle_box(plan, width, height)
    return View(box, bool(rng.random() < plan.flip))


def take_view(image: Image.Image, view: View, size: tuple[int, int]) -> Pixels:
    """Take a view of a picture.

    Parameters
    ----------
    image : PIL.Image.Image
        Mode RGB.
    view : View
        Within the picture.
    size : tuple of int
        Height and width of the result.

    Returns
    -------
    uint8 (H, W, 3)
        A new array.

    Examples
    --------
    >>> picture = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
    >>> take_view(picture, View((0, 1, 2, 2), mirrored=True), (1, 2))[0].tolist()
    [[9, 10, 11], [6, 7, 8]]
    """
    pixels = fit(image.crop(view.box), size, "squash")
    return np.ascontiguousarray(pixels[:, ::-1]) if view.mirrored else pixels


def random_view(image: Image.Image, plan: ViewPlan, rng: np.random.Generator) -> Pixels:
    """Draw a view of a picture and take it, uint8 (H, W, 3).

    Examples
    --------
    >>> random_view(Image.new("RGB", (40, 30)), ViewPlan(size=(8, 6)), np.random.default_rng(0)).shape
    (8, 6, 3)
    """
    return take_view(image, draw_view(plan, image.width, image.height, rng), plan.size)


def _random_box(plan: ViewPlan, width: int, height: int, rng: np.random.Generator) -> tuple[int, int, int, int] | None:
    for _ in range(TRIES):
        pixels = width * height * rng.uniform(*plan.area)
        aspect = math.exp(rng.uniform(math.log(plan.aspect[0]), math.log(plan.aspect[1])))
        wide, tall = round(math.sqrt(pixels * aspect)), round(math.sqrt(pixels / aspect))
        if 0 < wide <= width and 0 < tall <= height:
            left, top = (int(rng.integers(room + 1)) for room in (width - wide, height - tall))
            return left, top, left + wide, top + tall
    return None


def _middle_box(plan: ViewPlan, width: int, height: int) -> tuple[int, int, int, int]:
    least, greatest = plan.aspect
    wide = min(width, max(1, round(height * greatest)))
    tall = min(height, max(1, round(width / least)))
    left, top = (width - wide) // 2, (height - tall) // 2
    return left, top, left + wide, top + tall

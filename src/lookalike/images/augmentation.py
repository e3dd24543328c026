"""How views of a picture are made, declared: a part of it, mirrored, recoloured, greyed, blurred, or edited.

A view is another picture of the same thing for whoever has no labels. What views are made of stands in an
`Augmentation`, which is plain JSON on disk; chance comes from a generator that the caller gives.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from PIL import Image

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.files import read_json
from lookalike.core.types import Pixels
from lookalike.images.edits import EDITS, STRENGTHS, edited
from lookalike.images.fit import fit
from lookalike.images.jitter import Colours, grey, jittered
from lookalike.images.views import ViewPlan, random_view

__all__ = ["AUGMENTATIONS", "Augmentation", "augmented", "chosen_augmentation"]

VERSION = 1
"""Raised when the same augmentation and the same chance come to give other pixels."""

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
"""Of ImageNet, by which the networks of the published system normalise."""

BLUR_SIDE = 224
"""The side of a view, in pixels, for which the blur is declared."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What views look like; by default as in SimCLR (Chen et al. 2020, appendix A).

    The steps come in this order: edits, crop and flip, jitter, grey, blur; with `normalised`, the jitter comes before
    the crop.

    Attributes
    ----------
    area : tuple of float, or None
        Least and greatest share of the picture that a view shows, in (0, 1]; None shows the whole picture.
    aspect : tuple of float
        Least and greatest width over height of that part, before it is stretched.
    flip : float
        Probability that a view is mirrored left to right.
    jitter : tuple of float
        Amounts of brightness, contrast, saturation and hue, as in `lookalike.images.jitter.jittered`.
    strength : float
        The amounts are multiplied by this (SimCLR's s); it is cut where a hue would turn by more than a half.
    jitter_share : float
        Probability of a jitter.
    normalised : bool
        Jitter the picture after it was normalised by ImageNet's mean and deviation, as the published system does: what
        is then outside [0, 1], half of all values and more, is cut off. The values are brought back to
        pixels, so that a network that normalises in that way sees what the published ones saw.
    grey : float
        Probability that a view loses its colour.
    blur : tuple of float
        Least and greatest standard deviation of the blur, in pixels of a view of 224; it grows with the view.
    blur_share : float
        Probability of a blur.
    edits : tuple of str
        Names of `lookalike.images.edits.EDITS`, of which some are drawn, each at a strength by chance.
    edit_count : tuple of int
        Least and greatest number of edits of a view.
    plain_first : bool
        Whether a view is compared with the picture as it is, and not with another view.

    Raises
    ------
    InputError
        A value is out of range.
    UnknownNameError
        There is no such edit.

    Examples
    --------
    >>> milder = Augmentation(area=(0.2, 1.0))
    >>> Augmentation.from_json(milder.as_json()) == milder
    True
    """

    area: tuple[float, float] | None = (0.08, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    jitter: tuple[float, float, float, float] = (0.8, 0.8, 0.8, 0.2)
    strength: float = 1.0
    jitter_share: float = 0.8
    normalised: bool = False
    grey: float = 0.2
    blur: tuple[float, float] = (0.1, 2.0)
    blur_share: float = 0.5
    edits: tuple[str, ...] = ()
    edit_count: tuple[int, int] = (1, 2)
    plain_first: bool = False

    def __post_init__(self) -> None:
        """Check every value."""
        ViewPlan(area=self.area or (1.0, 1.0), aspect=self.aspect, flip=self.flip)
        for name in ("jitter_share", "grey", "blur_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is a probability, not {getattr(self, name)}")
        if len(self.jitter) != 4 or not all(0 <= amount < np.inf for amount in (*self.jitter, self.strength)):
            raise InputError("the jitter of a view is four amounts times a strength, none below 0")
        if self.jitter[3] > 0.5:
            raise InputError(f"the hue turns by 0.5 at most, half the colour circle, not {self.jitter[3]}")
        if not all(a <= b for a, b in pairwise((1e-3, *self.blur, 100.0))):
            raise InputError(f"the blur of a view is a deviation in pixels, from least to greatest, not {self.blur}")
        if not all(a <= b for a, b in pairwise((0, *self.edit_count, 10))):
            raise InputError(f"a view has 0 to 10 edits, from least to greatest, not {self.edit_count}")
        for name in self.edits:
            if name not in EDITS:
                raise UnknownNameError("edit", name, EDITS)

    @property
    def amounts(self) -> tuple[float, float, float, float]:
        """The amounts of the jitter, times its strength."""
        light, contrast, saturation, hue = (amount * self.strength for amount in self.jitter)
        return light, contrast, saturation, min(hue, 0.5)

    @property
    def digest(self) -> str:
        """12 hexadecimal digits that differ wherever the same picture and chance could give other pixels."""
        # Whether views are compared with the plain picture or with each other changes none of them.
        made_of = {name: value for name, value in self.as_json().items() if name != "plain_first"}
        return hashlib.sha256(json.dumps([VERSION, made_of], sort_keys=True).encode()).hexdigest()[:12]

    def as_json(self) -> dict[str, Any]:
        """Return JSON values, from which `from_json` makes an equal one."""
        values = dataclasses.asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, raw: Any) -> Augmentation:
        """Make one of JSON values; what is not named is as by default.

        Raises
        ------
        InputError
            The values are no augmentation; the message names the first that is wrong.
        """
        if not isinstance(raw, dict):
            raise InputError(f"an augmentation is a JSON object, not {type(raw).__name__}")
        default = cls()
        known = [field.name for field in dataclasses.fields(cls)]
        values: dict[str, Any] = {}
        for name, value in raw.items():
            if name not in known:
                raise UnknownNameError("value of an augmentation called", name, known)
            values[name] = None if name == "area" and value is None else _like(name, value, getattr(default, name))
        return cls(**values)


AUGMENTATIONS: dict[str, Augmentation] = {
    "corrected": Augmentation(),
    "published": Augmentation(
        area=(0.6, 1.0), jitter_share=1.0, normalised=True, grey=0.0, blur_share=0.0, plain_first=True
    ),
    "copies": Augmentation(
        area=None, flip=0.0, jitter_share=0.0, grey=0.0, blur_share=0.0, edits=tuple(EDITS), plain_first=True
    ),
    "mild": Augmentation(area=(0.3, 1.0), strength=0.25, grey=0.0, blur_share=0.3),
}
"""By name. ``"corrected"``: SimCLR's, two views. ``"published"``: the source system's, its two defects included: the
jitter after normalisation, and the clamping that destroys what is then below 0 or above 1. ``"copies"``: one or two of
the edits that people make, at any strength. ``"mild"``: colours stay about what they are, for whoever tells kinds by
them."""


def chosen_augmentation(name: str) -> Augmentation:
    """Return an augmentation by name, or read it from a JSON file.

    Raises
    ------
    UnknownNameError
        It is neither a name nor a file that ends in ``.json``.
    InputError
        The file cannot be read, or is no augmentation.

    Examples
    --------
    >>> chosen_augmentation("published").area
    (0.6, 1.0)
    """
    if name in AUGMENTATIONS:
        return AUGMENTATIONS[name]
    path = Path(name)
    if path.suffix.lower() != ".json":
        raise UnknownNameError("augmentation", name, [*AUGMENTATIONS, "FILE.json"])
    if not path.is_file():
        raise InputError(f"{path}: there is no such file of an augmentation")
    try:
        return Augmentation.from_json(read_json(path))
    except InputError as error:
        raise InputError(f"{path}: {error}".replace(f"{path}: {path}", f"{path}")) from error


def augmented(
    picture: Image.Image,
    plan: Augmentation,
    size: tuple[int, int],
    rng: np.random.Generator,
    resize: Literal["squash", "crop"] = "squash",
) -> Pixels:
    """Draw a view of a picture and make it.

    Parameters
    ----------
    picture : PIL.Image.Image
        Mode RGB.
    plan : Augmentation
    size : tuple of int
        Height and width of the view.
    rng : numpy.random.Generator
    resize : {"squash", "crop"}
        How a whole picture comes to that size.

    Returns
    -------
    uint8 (H, W, 3)

    Examples
    --------
    >>> picture = Image.new("RGB", (60, 40), (200, 30, 30))
    >>> augmented(picture, AUGMENTATIONS["corrected"], (32, 32), np.random.default_rng(0)).shape
    (32, 32, 3)
    """
    for name in _drawn_edits(plan, rng):
        picture = edited(picture, name, STRENGTHS[int(rng.integers(len(STRENGTHS)))], rng)
    if plan.normalised:
        colours = (_colours(fit(picture, size, resize)) - MEAN) / STD
        picture = Image.fromarray(_pixels(jittered(colours, plan.amounts, rng, plan.jitter_share) * STD + MEAN))
    if plan.area is None:
        pixels = fit(picture, size, resize)
        pixels = np.ascontiguousarray(pixels[:, ::-1]) if rng.random() < plan.flip else pixels
    else:
        pixels = random_view(picture, ViewPlan(size, plan.area, plan.aspect, plan.flip), rng)
    return _recoloured(pixels, plan, rng)


def _recoloured(pixels: Pixels, plan: Augmentation, rng: np.random.Generator) -> Pixels:
    colours = before = _colours(pixels)
    if not plan.normalised:
        colours = jittered(colours, plan.amounts, rng, plan.jitter_share)
    if rng.random() < plan.grey:
        colours = np.repeat(grey(colours), 3, axis=2)
    blurred, deviation = rng.random() < plan.blur_share, rng.uniform(*plan.blur)
    if blurred:
        colours = _blurred(colours, deviation)
    return pixels if colours is before else _pixels(colours)


def _blurred(colours: Colours, deviation: float) -> Colours:
    """Blur as SimCLR does: the kernel is a tenth of the view, an odd number of pixels."""
    sides = [int(0.1 * side) // 2 * 2 + 1 for side in (colours.shape[1], colours.shape[0])]
    scaled = deviation * min(colours.shape[:2]) / BLUR_SIDE
    return np.asarray(cv2.GaussianBlur(colours, sides, scaled, borderType=cv2.BORDER_REFLECT_101), np.float32)


def _drawn_edits(plan: Augmentation, rng: np.random.Generator) -> list[str]:
    """Draw distinct edits, in the order in which they are made."""
    if not plan.edits:
        return []
    count = int(rng.integers(plan.edit_count[0], plan.edit_count[1] + 1))
    order = rng.permutation(len(plan.edits))[:count]
    return [plan.edits[number] for number in order.tolist()]


def _colours(pixels: Pixels) -> Colours:
    return pixels.astype(np.float32) / np.float32(255)


def _pixels(colours: Colours) -> Pixels:
    return np.clip(np.rint(colours * 255), 0, 255).astype(np.uint8)


def _like(name: str, value: Any, default: Any) -> Any:
    """Check that a JSON value is of the kind of the default, and make tuples of lists."""
    if isinstance(default, tuple):
        one: type | tuple[type, ...] = str if name == "edits" else (int if name == "edit_count" else (int, float))
        if (
            isinstance(value, list)
            and (name == "edits" or len(value) == len(default))
            and all(isinstance(x, one) and not isinstance(x, bool) for x in value)
        ):
            return tuple(value)
    elif isinstance(default, bool):
        if isinstance(value, bool):
            return value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise InputError(f"{name} of an augmentation is like {json.dumps(default)}, not {json.dumps(value)}")

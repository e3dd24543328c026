"""The registry of edits: each declares what it does at three strengths, and draws the rest by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from lookalike.core.errors import UnknownNameError
from lookalike.core.registry import Registry

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["EDITS", "STRENGTHS", "Apply", "Edit", "Strength", "edited", "register"]

Strength: TypeAlias = Literal["weak", "middle", "strong"]
STRENGTHS: tuple[Strength, ...] = get_args(Strength)

Apply: TypeAlias = "Callable[[Image.Image, float, np.random.Generator], Image.Image]"
"""``apply(picture, amount, rng)``: a mode RGB picture in, a new one out."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What people do to a picture, and how much of it.

    Attributes
    ----------
    name : str
    about : str
        What the amounts are, for people.
    amounts : dict of Strength to float
    apply : callable
    """

    name: str
    about: str
    amounts: dict[Strength, float]
    apply: Apply


EDITS: Registry[Edit] = Registry("edit")
"""Edits by name."""


def register(name: str, about: str, weak: float, middle: float, strong: float) -> Callable[[Apply], Apply]:
    """Return the decorator that files a function under `name`, with its amounts at the three strengths."""

    def file(apply: Apply) -> Apply:
        EDITS.register(name)(Edit(name, about, {"weak": weak, "middle": middle, "strong": strong}, apply))
        return apply

    return file


def edited(picture: Image.Image, name: str, strength: Strength, rng: np.random.Generator) -> Image.Image:
    """Edit a picture as people do.

    Parameters
    ----------
    picture : PIL.Image.Image
        Mode RGB; left as it is.
    name : str
        One of `EDITS`.
    strength : {"weak", "middle", "strong"}
        At ``"middle"`` as is common, at ``"strong"`` as far as people still know the picture again.
    rng : numpy.random.Generator
        Decides what the strength leaves open: which part, which way, which words.

    Returns
    -------
    PIL.Image.Image
        Mode RGB; of another size, where the edit changes it.

    Raises
    ------
    UnknownNameError
        There is no such edit, or no such strength.

    Examples
    --------
    >>> from PIL import Image
    >>> from lookalike.images.edits import edited
    >>> edited(Image.new("RGB", (200, 100)), "crop", "middle", np.random.default_rng(0)).size
    (160, 75)
    """
    edit = EDITS[name]
    if strength not in edit.amounts:
        raise UnknownNameError("strength", strength, STRENGTHS)
    return edit.apply(picture, edit.amounts[strength], rng)

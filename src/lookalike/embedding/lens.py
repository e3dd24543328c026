"""Lenses: how an encoder sees a picture other than plainly - mirrored, as a view for training, or edited."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from lookalike.core.types import Pixels
from lookalike.embedding.encoder import Encoder
from lookalike.images.augmentation import Augmentation, augmented
from lookalike.images.decode import decode, fit
from lookalike.images.edits import Strength, edited

__all__ = ["EDITED_SIDE", "EditLens", "Lens", "Mirrored", "ViewLens", "chance"]

ROOM = 2
"""A view shows a part of a picture, so pictures are decoded at up to this many times the size of a view."""

EDITED_SIDE = 512
"""Pixels of the shorter side at which a picture is edited, if it has as many: all encoders are shown the same copy."""

EDITS_VERSION = 1
"""Raised when the same edit and the same chance come to give other pixels."""


class Lens(Protocol):
    """What stands between a picture and an encoder."""

    @property
    def name(self) -> str:
        """Letters, digits and ``_``. Two lenses that could give different pixels have different names."""

    def pixels(self, encoder: Encoder, path: str | Path) -> Pixels:
        """Return what the encoder is shown of a file, uint8 (H, W, 3) of its input size.

        Raises
        ------
        ImageDecodeError
            The file cannot be read.
        """


@dataclass(frozen=True, slots=True)
class Mirrored:
    """The picture, left and right exchanged."""

    @property
    def name(self) -> str:
        """Always ``"mirrored"``."""
        return "mirrored"

    def pixels(self, encoder: Encoder, path: str | Path) -> Pixels:
        """Return the mirrored pixels; see `Lens.pixels`."""
        return np.ascontiguousarray(encoder.pixels(path)[:, ::-1])


@dataclass(frozen=True, slots=True)
class ViewLens:
    """One view of every picture.

    Chance is drawn by the seed, the number, and the name of the file: a view depends on no other picture.

    Attributes
    ----------
    augmentation : Augmentation
    number : int
        Which view, from 1 on.
    seed : int

    Examples
    --------
    >>> ViewLens(Augmentation(), 3, seed=0).name
    'view_3_seed0_78176f9cd645'
    """

    augmentation: Augmentation
    number: int
    seed: int = 0

    @property
    def name(self) -> str:
        """Its number, its seed, and the digest of the augmentation."""
        return f"view_{self.number}_seed{self.seed}_{self.augmentation.digest}"

    def pixels(self, encoder: Encoder, path: str | Path) -> Pixels:
        """Return the pixels of the view; see `Lens.pixels`."""
        size = encoder.spec.input_size
        picture = decode(path, min_side=ROOM * min(size)).image
        rng = chance(self.seed, "view", self.number, Path(path).name)
        return augmented(picture, self.augmentation, size, rng, encoder.spec.resize)


@dataclass(frozen=True, slots=True)
class EditLens:
    """An edited copy of every picture.

    Chance is drawn by the seed, the edit, its strength, and the name of the file.

    Attributes
    ----------
    edit : str
        One of `lookalike.images.edits.EDITS`.
    strength : {"weak", "middle", "strong"}
    seed : int

    Examples
    --------
    >>> EditLens("crop", "middle").name
    'edit_crop_middle_seed0_v1'
    """

    edit: str
    strength: Strength
    seed: int = 0

    @property
    def name(self) -> str:
        """The edit, its strength, the seed and a version."""
        return f"edit_{self.edit}_{self.strength}_seed{self.seed}_v{EDITS_VERSION}"

    def pixels(self, encoder: Encoder, path: str | Path) -> Pixels:
        """Return the pixels of the edited copy; see `Lens.pixels`."""
        return fit(self.picture(path), encoder.spec.input_size, encoder.spec.resize)

    def picture(self, path: str | Path) -> Image.Image:
        """Return the edited copy itself, whatever looks at it.

        Raises
        ------
        ImageDecodeError
            The file cannot be read.
        """
        rng = chance(self.seed, "edit", self.edit, self.strength, Path(path).name)
        return edited(decode(path, min_side=EDITED_SIDE).image, self.edit, self.strength, rng)


def chance(seed: int, *words: str | int) -> np.random.Generator:
    """Return the generator that belongs to a seed and some words, whatever else is drawn before or beside it.

    Examples
    --------
    >>> [int(chance(0, "view", 1, name).integers(100)) for name in ("a.jpg", "b.jpg", "a.jpg")]
    [88, 24, 88]
    """
    digest = hashlib.sha256(repr((seed, *words)).encode("utf-8", "surrogateescape")).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))

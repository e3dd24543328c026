"""The parameters of a quantizer as they are used: what the user said, else what suits the mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.similarity.settings import check_kind

__all__ = ["DEFAULTS", "QuantizerSettings", "resolve_quantizer"]

STEPS = 50
"""Of the corrected mode by default. With 90 steps at three times the rate, classes of scenes were found less well."""

WIDTH = 1024
"""Numbers of all books together in the corrected mode, where none were asked for: with 256, codes were worse."""


@dataclass(frozen=True, slots=True)
class QuantizerSettings:
    """See `lookalike.similarity.quantizer.QuantizerModel`; nothing is None here."""

    mode: str
    books: int
    words: int
    length: int
    reduce: int
    soft: bool
    sharpness: float
    temperature: float
    reconstruction: float
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    seed: int

    @property
    def bits(self) -> float:
        """Of a code: ``M log2 K``."""
        return self.books * float(np.log2(self.words))

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values by name."""
        return asdict(self)


DEFAULTS: dict[str, dict[str, Any]] = {
    "corrected": {
        "books": 8,
        "words": 256,
        "length": 0,
        "reduce": 1024,
        "reconstruction": 1.0,
        "epochs": 0,
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
    },
    "published": {
        "books": 8,
        "words": 16,
        "length": 16,
        "reduce": 0,
        "reconstruction": 0.0,
        "epochs": 2000,
        "learning_rate": 3e-4,
        "weight_decay": 1e-5,
    },
}
"""By mode: what parameters that are None become; 0 stands for what is found out from the others or from the data."""

COMMON = {"soft": False, "sharpness": 5.0, "temperature": 0.5, "batch": 256, "seed": 0}


def resolve_quantizer(given: Mapping[str, Any], things: int) -> QuantizerSettings:
    """Fill parameters that are None from the defaults of the mode, and check all.

    Parameters
    ----------
    given : mapping
        Parameters of `QuantizerModel`.
    things : int
        How many it learns from.

    Raises
    ------
    UnknownNameError
        There is no such mode.
    InputError
        A parameter is of the wrong kind or out of range.

    Examples
    --------
    >>> made = resolve_quantizer({"mode": "published", "epochs": 3}, 1000)
    >>> made.length, made.epochs, made.bits
    (16, 3, 32.0)
    >>> resolve_quantizer({"mode": "corrected"}, 1000).epochs
    12
    """
    mode = given["mode"]
    if mode not in DEFAULTS:
        raise UnknownNameError("mode of a quantizer", str(mode), DEFAULTS)
    defaults = {**COMMON, **DEFAULTS[mode]}
    said = {name: value for name, value in given.items() if name in defaults and value is not None}
    for name, value in said.items():
        check_kind(name, value, defaults[name])
        said[name] = value.item() if isinstance(value, np.generic) else value
    values = {**defaults, **said}
    if "length" not in said:
        values["length"] = values["length"] or max(1, WIDTH // max(1, values["books"]))
    if "epochs" not in said:
        values["epochs"] = values["epochs"] or max(1, round(STEPS / -(-things // max(1, values["batch"]))))
    made = QuantizerSettings(mode, **values)
    _check(made)
    return made


def _check(made: QuantizerSettings) -> None:
    if not 2 <= made.words <= 256:
        raise InputError(f"words is 2 to 256, so that a word's number is a byte at most, not {made.words}")
    for name in ("books", "length", "batch"):
        if getattr(made, name) < 1:
            raise InputError(f"{name} is at least 1, not {getattr(made, name)}")
    for name in ("reduce", "epochs"):
        if getattr(made, name) < 0:
            raise InputError(f"{name} is a number from 0, not {getattr(made, name)}")
    if made.reduce and made.mode == "published":
        raise InputError("the published mode takes features as they are: leave reduce out, or take mode corrected")
    if not 0 <= made.seed < 2**32:
        raise InputError(f"seed is a number from 0 to {2**32 - 1}, not {made.seed}")
    for name in ("sharpness", "temperature", "learning_rate"):
        if not getattr(made, name) > 0:
            raise InputError(f"{name} is above 0, not {getattr(made, name)}")
    for name in ("reconstruction", "weight_decay"):
        if not getattr(made, name) >= 0:
            raise InputError(f"{name} is not negative, not {getattr(made, name)}")

"""The parameters of a context model as they are used: what the user said, else what suits the mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.similarity.heads import HEADS
from lookalike.similarity.settings import check_kind
from lookalike.training.plan import Keep, TripletOn

__all__ = ["MODES", "ContextSettings", "resolve_context"]


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """See `lookalike.similarity.context.ContextModel`; nothing is None here, and 0 epochs are as many as suit."""

    mode: str = "corrected"
    head: str = "antisymmetric"
    reduce: int = 128
    width: int = 512
    members: int = 2
    epochs: int = 0
    batch: int = 1024
    learning_rate: float = 3e-3
    weight_decay: float = 0.0
    dropout: float = 0.5
    scale: float = 5.0
    learn_scale: bool = True
    triplet_on: TripletOn = "unit"
    triplet_weight: float = 0.1
    triplet_margin: float = 0.2
    grade_margin: float = 0.2
    pull: float = 0.0
    validation: float = 0.0
    patience: int = 10
    keep: Keep = "best"
    seed: int = 0

    @property
    def published(self) -> bool:
        """Whether it is to be as in the published program."""
        return self.mode == "published"

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values by name."""
        return asdict(self)


MODES: dict[str, dict[str, Any]] = {
    "corrected": {},
    "published": {
        "head": "concatenated",
        "reduce": 0,
        "members": 1,
        "epochs": 25,
        "batch": 8,
        "learning_rate": 1e-5,
        "dropout": 0.0,
        "scale": 1.0,
        "learn_scale": False,
        "triplet_on": "plain",
        "keep": "last",
    },
}
"""What differs from the defaults of `ContextSettings`."""

# Found on rendered worlds, and on validation folds of real answers: weights must not move far. There are as many passes
# as the start took: answers that are soon learned by heart are so in every context.
WARM = {"batch": 64, "learning_rate": 5e-4, "dropout": 0.7, "pull": 3.0}
"""What differs where training starts from a fitted model."""

TAKEN_OVER = ("head", "reduce", "width", "members", "triplet_on")
"""What a model has in common with the one it starts from."""

CHOICES = {"head": tuple(HEADS), "triplet_on": ("unit", "plain", "layer"), "keep": ("best", "last")}


def resolve_context(given: Mapping[str, Any], start: Mapping[str, Any] | None = None) -> ContextSettings:
    """Fill parameters that are None from the defaults of the mode, and check all.

    Parameters
    ----------
    given : mapping
        Parameters of `ContextModel`.
    start : mapping, optional
        `settings_` of the fitted model that training starts from.

    Raises
    ------
    UnknownNameError
        A mode, a head or another choice is unknown.
    InputError
        A parameter is out of range, or another one than that of the model to start from.

    Examples
    --------
    >>> settings = resolve_context({"mode": "published", "epochs": 3})
    >>> settings.head, settings.epochs, settings.batch
    ('concatenated', 3, 8)
    """
    mode = given["mode"]
    if mode not in MODES:
        raise UnknownNameError("mode", str(mode), MODES)
    fields = ContextSettings.__dataclass_fields__
    said = {name: value for name, value in given.items() if name in fields and name != "mode" and value is not None}
    for name, value in said.items():
        if name in CHOICES:
            if value not in CHOICES[name]:
                raise UnknownNameError(name, str(value), CHOICES[name])
        else:
            check_kind(name, value, fields[name].default)
            said[name] = value.item() if isinstance(value, np.generic) else value
    taken = {} if start is None else {**WARM, **{name: start[name] for name in ("epochs", *TAKEN_OVER)}}
    for name in TAKEN_OVER:
        if start is not None and said.get(name, start[name]) != start[name]:
            raise InputError(f"{name} is that of the model to start from, {start[name]!r}: leave it out")
    made = ContextSettings(**{**MODES[mode], **taken, **said, "mode": mode})
    _check(made)
    return made


def _check(made: ContextSettings) -> None:
    lowest = {"reduce": 0, "batch": 0, "seed": 0, "epochs": 0, "width": 1, "members": 1, "patience": 1}
    for name, low in lowest.items():
        if getattr(made, name) < low:
            raise InputError(f"{name} is at least {low}, not {getattr(made, name)}")
    if made.seed >= 2**32:
        raise InputError(f"seed is a number from 0 to {2**32 - 1}, not {made.seed}")
    for name in ("scale", "learning_rate"):
        if not getattr(made, name) > 0:
            raise InputError(f"{name} is above 0, not {getattr(made, name)}")
    for name in ("dropout", "validation"):
        if not 0 <= getattr(made, name) < 1:
            raise InputError(f"{name} is at least 0 and below 1, not {getattr(made, name)}")
    for name in ("weight_decay", "triplet_weight", "triplet_margin", "grade_margin", "pull"):
        if not getattr(made, name) >= 0:
            raise InputError(f"{name} is not negative, not {getattr(made, name)}")

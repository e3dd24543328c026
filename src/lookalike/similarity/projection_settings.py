"""The parameters of a projection model as they are used: what the user said, else what suits the mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.types import Rows
from lookalike.similarity.projections import PROJECTIONS
from lookalike.similarity.settings import check_kind
from lookalike.training.contrastive_plan import ContrastivePlan, Optimiser
from lookalike.training.things import Pairing

__all__ = ["LOSSES", "MODES", "ProjectionSettings", "check_numbers", "resolve_projection", "said_of"]

LossName: TypeAlias = Literal["nt-xent", "semi-hard", "curriculum"]
LOSSES = ("nt-xent", "semi-hard", "curriculum")


@dataclass(frozen=True, slots=True)
class ProjectionSettings:
    """See `lookalike.similarity.projection.ProjectionModel`; nothing is None here."""

    mode: str = "corrected"
    loss: LossName = "nt-xent"
    head: str = "linear"
    reduce: int = 1024
    shrinkage: float = 0.0
    hidden: int = 512
    length: int = 0
    temperature: float = 0.03
    margin: float = 1.0
    stages: int = 4
    pairing: Pairing = "any"
    epochs: int = 10
    batch: int = 512
    optimiser: Optimiser = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    pull: float = 0.0
    validation: float = 0.1
    patience: int = 3
    seed: int = 0

    @property
    def published(self) -> bool:
        """Whether it is to be as in the published program."""
        return self.mode == "published"

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values by name."""
        return asdict(self)

    def plan(self, train: Rows, held: Rows) -> ContrastivePlan:
        """Return what the loop is told, for the numbers of the things to train on and to hold out."""
        return ContrastivePlan(
            epochs=self.epochs,
            batch=self.batch,
            whole_batches=self.published,
            pairing=self.pairing,
            optimiser=self.optimiser,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            cosine=not self.published,
            pull=self.pull,
            train_things=train,
            held_things=held,
            patience=self.patience,
            seed=self.seed,
        )


MODES: dict[str, dict[str, Any]] = {
    "corrected": {},
    "published": {
        "head": "mlp",
        "reduce": 0,
        "hidden": 1000,
        "length": 1000,
        "temperature": 0.05,
        "pairing": "given",
        "epochs": 15,
        "batch": 256,
        "optimiser": "sgd",
        "weight_decay": 1e-3,
        "validation": 0.0,
    },
}
"""What differs from the defaults of `ProjectionSettings`."""

CHOICES = {
    "loss": LOSSES,
    "head": tuple(PROJECTIONS),
    "pairing": ("any", "given"),
    "optimiser": ("adamw", "sgd"),
}


def resolve_projection(given: Mapping[str, Any]) -> ProjectionSettings:
    """Fill parameters that are None from the defaults of the mode, and check all.

    Raises
    ------
    UnknownNameError
        A mode, a loss, a head or another choice is unknown.
    InputError
        A parameter is out of range.

    Examples
    --------
    >>> settings = resolve_projection({"mode": "published", "epochs": 3})
    >>> settings.head, settings.epochs, settings.optimiser
    ('mlp', 3, 'sgd')
    """
    mode = given["mode"]
    if mode not in MODES:
        raise UnknownNameError("mode", str(mode), MODES)
    made = ProjectionSettings(**{**MODES[mode], **said_of(given, ProjectionSettings, CHOICES), "mode": mode})
    check_numbers(made)
    if made.head == "mlp" and made.length < 1:
        raise InputError(f"the head 'mlp' needs a length of at least 1, not {made.length}")
    if made.head != "mlp" and made.length:
        raise InputError(f"the head '{made.head}' gives as many numbers as it takes: leave length out, or set reduce")
    return made


def said_of(given: Mapping[str, Any], settings: type, choices: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Return the parameters of some settings that are not None, of the right kinds; all but the mode."""
    fields = settings.__dataclass_fields__  # type: ignore[attr-defined]
    said = {name: value for name, value in given.items() if name in fields and name != "mode" and value is not None}
    for name, value in said.items():
        if name in choices:
            if value not in choices[name]:
                raise UnknownNameError(name, str(value), choices[name])
        else:
            check_kind(name, value, fields[name].default)
            said[name] = value.item() if isinstance(value, np.generic) else value
    return said


def check_numbers(made: Any) -> None:
    """Refuse numbers out of range; settings that lack one are not asked for it."""
    names = made.__dataclass_fields__
    lowest = {"reduce": 0, "length": 0, "epochs": 0, "hidden": 1, "batch": 2, "stages": 1, "patience": 1}
    for name, low in lowest.items():
        if name in names and getattr(made, name) < low:
            raise InputError(f"{name} is at least {low}, not {getattr(made, name)}")
    if not 0 <= made.seed < 2**32:
        raise InputError(f"seed is a number from 0 to {2**32 - 1}, not {made.seed}")
    for name in ("temperature", "margin", "learning_rate", "scale"):
        if name in names and not getattr(made, name) > 0:
            raise InputError(f"{name} is above 0, not {getattr(made, name)}")
    for name in ("weight_decay", "pull"):
        if name in names and not getattr(made, name) >= 0:
            raise InputError(f"{name} is not negative, not {getattr(made, name)}")
    for name in ("validation", "shrinkage"):
        if name in names and not 0 <= getattr(made, name) < 1:
            raise InputError(f"{name} is at least 0 and below 1, not {getattr(made, name)}")

"""The parameters of a classifier as they are used: what the user said, else what suits the mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.types import Rows
from lookalike.similarity.projection_settings import check_numbers, said_of
from lookalike.training.contrastive_plan import ContrastivePlan, Optimiser

__all__ = ["CLASSIFIER_MODES", "ClassifierSettings", "resolve_classifier"]


@dataclass(frozen=True, slots=True)
class ClassifierSettings:
    """See `lookalike.similarity.classifier.ClassifierModel`; nothing is None here."""

    mode: str = "corrected"
    reduce: int = 1024
    shrinkage: float = 0.0
    hidden: int = 1000
    scale: float = 20.0
    epochs: int = 10
    batch: int = 512
    optimiser: Optimiser = "adamw"
    learning_rate: float = 3e-4
    weight_decay: float = 0.0
    refuse: float = 0.95
    unknown: float = 0.2
    patience: int = 2
    seed: int = 0

    @property
    def published(self) -> bool:
        """Whether it is to be as the source system says."""
        return self.mode == "published"

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values by name."""
        return asdict(self)

    def plan(self, things: int, epochs: int) -> ContrastivePlan:
        """Return what the loop is told, for so many things and passes."""
        none: Rows = np.zeros(0, np.int64)
        return ContrastivePlan(
            epochs=epochs,
            batch=self.batch,
            whole_batches=self.published,
            pairing="any",
            optimiser=self.optimiser,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            cosine=not self.published,
            pull=0.0,
            train_things=np.arange(things),
            held_things=none,
            patience=self.patience,
            seed=self.seed,
        )


CLASSIFIER_MODES: dict[str, dict[str, Any]] = {
    "corrected": {},
    "published": {
        "reduce": 0,
        "epochs": 50,
        "batch": 256,
        "optimiser": "sgd",
        "learning_rate": 1e-3,
        "weight_decay": 1e-3,
    },
}
"""What differs from the defaults of `ClassifierSettings`."""


def resolve_classifier(given: Mapping[str, Any]) -> ClassifierSettings:
    """Fill parameters that are None from the defaults of the mode, and check all.

    Raises
    ------
    UnknownNameError
        A mode or an optimiser is unknown.
    InputError
        A parameter is out of range.

    Examples
    --------
    >>> resolve_classifier({"mode": "published", "refuse": 0.9}).epochs
    50
    """
    mode = given["mode"]
    if mode not in CLASSIFIER_MODES:
        raise UnknownNameError("mode", str(mode), CLASSIFIER_MODES)
    said = said_of(given, ClassifierSettings, {"optimiser": ("adamw", "sgd")})
    made = ClassifierSettings(**{**CLASSIFIER_MODES[mode], **said, "mode": mode})
    check_numbers(made)
    if made.published and not made.epochs:
        raise InputError("the published classifier starts at random: epochs is at least 1")
    for name in ("refuse", "unknown"):
        if not 0 <= getattr(made, name) < 1:
            raise InputError(f"{name} is at least 0 and below 1, not {getattr(made, name)}")
    return made

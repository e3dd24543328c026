"""What a training of context models is about, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.progress import OnProgress
from lookalike.core.workspace import Workspace
from lookalike.jobs.context_measures import MeasuredContext
from lookalike.jobs.models import NamedModel
from lookalike.jobs.training import Folds
from lookalike.similarity.context import ContextModel
from lookalike.similarity.context_settings import ContextSettings, resolve_context
from lookalike.similarity.contexts import Contexts

__all__ = ["ContextTask", "Mask", "TrainedContext", "TrainedContexts"]

Mask: TypeAlias = NDArray[np.bool_]
"""Of judgments: those that a model learns from."""


@dataclass(frozen=True, slots=True)
class TrainedContext:
    """One model.

    Attributes
    ----------
    name : str
    context : str or None
        None for a global model.
    path : Path
        Of the file; the card is beside it.
    examples, images : int
        How many judgments it learned from, and of how many images.
    settings : dict
        All parameters as they were used.
    measured : MeasuredContext or None
        None where that was not asked for, or nothing could be held out.
    history : list of dict
        Of the final fit, per pass.
    """

    name: str
    context: str | None
    path: Path
    examples: int
    images: int
    settings: dict[str, Any]
    measured: MeasuredContext | None
    history: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class TrainedContexts:
    """What one command made.

    Attributes
    ----------
    models : list of TrainedContext
    encoders : tuple of str
        Whose features they take, side by side.
    dim : int
        Length of those features.
    start : str or None
        The model that they started from.
    found : Contexts or None
        Where contexts were discovered.
    seconds : float
        Wall time, features and measuring included.
    """

    models: list[TrainedContext]
    encoders: tuple[str, ...]
    dim: int
    start: str | None
    found: Contexts | None
    seconds: float


@dataclass(slots=True)
class ContextTask:
    """What is under way: one model for each set of judgments."""

    workspace: Workspace
    command: str
    model: ContextModel
    measure: Folds | None
    replace: bool
    tensorboard: Path | None
    plot: Path | None
    on_progress: OnProgress
    start: NamedModel | None = None
    found: Contexts | None = None
    contexts: dict[str, str | None] = field(default_factory=dict)
    learned: dict[str, Mask] = field(default_factory=dict)

    def settings(self) -> ContextSettings:
        """Return the parameters as they will be used, or refuse them."""
        start = self.model.start
        return resolve_context(self.model.get_params(), None if start is None else start.settings_)

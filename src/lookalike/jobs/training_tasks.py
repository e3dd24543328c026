"""Trainings that a server may be asked for: those that learn from the workspace's judgments or photographs alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress
from lookalike.core.workspace import Workspace
from lookalike.jobs.task import (
    Count,
    HoldOut,
    Name,
    Names,
    Parameters,
    Seed,
    Task,
    Text,
    check_encoders,
    check_feature_set,
    check_models,
    check_source,
)
from lookalike.jobs.training import new_model_file

__all__ = ["TrainAdaptation", "TrainContext", "TrainContrastive", "TrainGlobal", "TrainQuantizer"]

Augmentation = Literal["corrected", "mild", "published", "copies"]
Mode = Literal["corrected", "published"]


class Training(Task):
    """What all trainings take."""

    encoders: Names = Field([], description="Whose features, side by side; by default the workspace's encoder's")
    features: Name | None = Field(None, description="A feature set of the workspace, instead of encoders")
    parameters: Parameters = Field({}, description="Of the model, such as epochs")
    seed: Seed = 0
    replace: bool = Field(False, description="Put the model in the place of one of that name")

    def check_training(self, workspace: Workspace, model: Any, given: dict[str, Any]) -> dict[str, Any]:
        """Check features and parameters, and return all parameters of the model."""
        workspace.check_writable()
        check_encoders(workspace, self.encoders)
        check_feature_set(workspace, self.features, self.encoders)
        for name in ("seed", "start", *given):
            if name in self.parameters:
                where = "the model to start from" if name == "start" else f"'{name}'"
                raise InputError(f"parameters: {where} is given on its own, not among the parameters")
        parameters: dict[str, Any] = model.set_params(**given, seed=self.seed, **self.parameters).get_params()
        return parameters


class TrainAdaptation(Training):
    """Fit a small map over frozen features on judgments."""

    title: ClassVar[str] = "Train an adaptation function"

    task: Literal["train-adaptation"]
    name: Name
    form: Text = "auto"
    source: Text | None = None
    context: Text | None = None
    flips: bool = False
    measure: HoldOut | None = HoldOut()

    def check(self, workspace: Workspace) -> None:
        """Refuse names that are taken, unknown encoders, and parameters out of range."""
        from lookalike.similarity.adaptation import AdaptationModel
        from lookalike.similarity.settings import resolve

        new_model_file(workspace, self.name, self.replace)
        resolve(self.check_training(workspace, AdaptationModel(), {"form": self.form}), "judgments")
        check_source(workspace, self.source)

    def run(self, workspace: Workspace, on_progress: OnProgress) -> dict[str, Any]:
        """Train it."""
        from lookalike.jobs.train_adaptation import Measure, WhatFrom, train_adaptation

        how = self.measure
        report = train_adaptation(
            Path(workspace.place),
            self.name,
            self.encoders,
            self.features,
            WhatFrom(source=self.source, context=self.context, flips=self.flips),
            {"form": self.form, "seed": self.seed, **self.parameters},
            None if how is None else Measure(by=how.by, folds=how.folds, seed=how.seed),
            self.replace,
            on_progress=on_progress,
        )
        return {"models": [self.name], "examples": report.examples, "seconds": report.seconds}


class _OnContexts(Training):
    """What global and context models take."""

    mode: Mode = "corrected"
    source: Text | None = None
    measure: HoldOut | None = HoldOut()

    def check_contexts(self, workspace: Workspace) -> None:
        """Check what both share."""
        from lookalike.similarity.context import ContextModel
        from lookalike.similarity.context_settings import resolve_context

        resolve_context(self.check_training(workspace, ContextModel(), {"mode": self.mode}))
        check_source(workspace, self.source)

    def learned(self) -> dict[str, Any]:
        """Return the arguments that both take."""
        return {
            "encoders": self.encoders,
            "feature_set": self.features,
            "parameters": {"mode": self.mode, "seed": self.seed, **self.parameters},
            "measure": None if self.measure is None else self.measure.folded(),
            "replace": self.replace,
        }


class TrainGlobal(_OnContexts):
    """Train one model on the answers of all contexts."""

    title: ClassVar[str] = "Train a global model"

    task: Literal["train-global"]
    name: Name

    def check(self, workspace: Workspace) -> None:
        """Refuse names that are taken, unknown encoders, and parameters out of range."""
        new_model_file(workspace, self.name, self.replace)
        self.check_contexts(workspace)

    def run(self, workspace: Workspace, on_progress: OnProgress) -> dict[str, Any]:
        """Train it."""
        from lookalike.jobs.train_context import train_global

        made = train_global(
            Path(workspace.place), self.name, source=self.source, on_progress=on_progress, **self.learned()
        )
        return {"models": [one.name for one in made.models], "seconds": made.seconds}


class TrainContext(_OnContexts):
    """Train one model for each context, on the answers of that context alone."""

    title: ClassVar[str] = "Train a model for each context"

    task: Literal["train-context"]
    name: Name | None = Field(None, description="Call the models NAME.CONTEXT; by default CONTEXT alone")
    start: Name | None = Field(None, description="The model to start from, usually a global one")
    contexts: Names = Field([], description="Only these; by default all that judgments name")
    discover: bool = Field(False, description="Find contexts, as groups of references, instead of using named ones")
    counts: Annotated[list[Count], Field(max_length=20)] = Field([], description="How many to try to find")

    def check(self, workspace: Workspace) -> None:
        """Refuse unknown models and encoders, and parameters out of range."""
        if self.discover and self.contexts:
            raise InputError("contexts are chosen by name or discovered: give one or the other")
        if self.counts and not self.discover:
            raise InputError("counts say how many contexts to find: set discover too")
        if self.start is not None:
            check_models(workspace, [self.start])
        self.check_contexts(workspace)

    def run(self, workspace: Workspace, on_progress: OnProgress) -> dict[str, Any]:
        """Train them."""
        from lookalike.jobs.train_context import COUNTS, ContextChoice, train_contexts

        counts = tuple(self.counts) or COUNTS
        choice = ContextChoice(self.source, tuple(self.contexts), self.discover, counts)
        made = train_contexts(
            Path(workspace.place), self.name, choice=choice, start=self.start, on_progress=on_progress, **self.learned()
        )
        return {"models": [one.name for one in made.models], "seconds": made.seconds}


class _OnViews(Training):
    """What is learned from the photographs and views of them, without labels."""

    name: Name
    mode: Mode = "corrected"
    measure: bool = True

    def learned(self, workspace: Workspace, views: int, augmentation: str) -> dict[str, Any]:
        """Return the arguments that all take."""
        from lookalike.jobs.things_to_learn import WhatThings

        return {
            "name": self.name,
            "what": WhatThings(workspace.photographs(), views, augmentation),
            "encoders": self.encoders,
            "feature_set": self.features,
            "measure": self.measure,
            "replace": self.replace,
        }


class TrainContrastive(_OnViews):
    """Learn which pictures show the same, from views of the photographs."""

    title: ClassVar[str] = "Train a matcher on views"

    task: Literal["train-contrastive"]
    loss: Text = "nt-xent"
    views: Annotated[int, Field(ge=1, le=64)] = 8
    augmentation: Augmentation = "corrected"

    def check(self, workspace: Workspace) -> None:
        """Refuse names that are taken, unknown encoders, and parameters out of range."""
        from lookalike.similarity.projection import ProjectionModel
        from lookalike.similarity.projection_settings import resolve_projection

        new_model_file(workspace, self.name, self.replace)
        workspace.photographs()
        given = {"loss": self.loss, "mode": self.mode}
        resolve_projection(self.check_training(workspace, ProjectionModel(), given))

    def run(self, workspace: Workspace, on_progress: OnProgress) -> dict[str, Any]:
        """Train it."""
        from lookalike.jobs.train_contrastive import train_contrastive

        report = train_contrastive(
            Path(workspace.place),
            parameters={"loss": self.loss, "mode": self.mode, "seed": self.seed, **self.parameters},
            on_progress=on_progress,
            **self.learned(workspace, self.views, self.augmentation),
        )
        rejected = [asdict(entry) for entry in report.rejected[:20]]
        return {"models": [self.name], "images": report.images, "rejected": rejected, "seconds": report.seconds}


class TrainQuantizer(_OnViews):
    """Learn codes of a few bytes an image."""

    title: ClassVar[str] = "Train compact codes"

    task: Literal["train-quantizer"]
    views: Annotated[int, Field(ge=1, le=64)] = 4
    augmentation: Augmentation = "mild"

    def check(self, workspace: Workspace) -> None:
        """Refuse names that are taken, unknown encoders, and parameters out of range."""
        from lookalike.similarity.quantizer import QuantizerModel
        from lookalike.similarity.quantizer_settings import resolve_quantizer

        new_model_file(workspace, self.name, self.replace)
        workspace.photographs()
        resolve_quantizer(self.check_training(workspace, QuantizerModel(), {"mode": self.mode}), 1000)

    def run(self, workspace: Workspace, on_progress: OnProgress) -> dict[str, Any]:
        """Train it."""
        from lookalike.jobs.train_quantizer import train_quantizer

        report = train_quantizer(
            Path(workspace.place),
            parameters={"mode": self.mode, "seed": self.seed, **self.parameters},
            on_progress=on_progress,
            **self.learned(workspace, self.views, self.augmentation),
        )
        rejected = [asdict(entry) for entry in report.rejected[:20]]
        return {"models": [self.name], "images": report.images, "rejected": rejected, "seconds": report.seconds}

"""All that a server may be asked to do in the background, and what may be chosen for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress
from lookalike.core.workspace import Workspace
from lookalike.embedding.feature_sets import names as feature_sets
from lookalike.jobs.map_places import MOST, make_map
from lookalike.jobs.models import list_models
from lookalike.jobs.task import (
    HoldOut,
    Name,
    Names,
    Parameters,
    Seed,
    Task,
    Text,
    check_encoders,
    check_models,
    check_source,
    usable_encoders,
)
from lookalike.jobs.training import new_model_file
from lookalike.jobs.training_tasks import (
    TrainAdaptation,
    TrainContext,
    TrainContrastive,
    TrainGlobal,
    TrainQuantizer,
)
from lookalike.judgments.store import JudgmentStore

__all__ = ["AnyTask", "Combine", "DrawMap", "Evaluate", "Index", "choices", "read_task", "title_of"]


class Index(Task):
    """Bring the collection in step with its photographs."""

    title: ClassVar[str] = "Index the photographs"

    task: Literal["index"]
    encoder: Text | None = Field(None, description="What to encode with from now on; by default as before")

    def check(self, workspace: Workspace) -> None:
        """Refuse an unknown encoder, and a collection without photographs."""
        workspace.check_writable()
        check_encoders(workspace, [self.encoder])
        workspace.source()

    def run(self, workspace: Workspace, on_progress: OnProgress) -> dict[str, Any]:
        """Index them."""
        from lookalike.jobs.index import index_source

        report = index_source(Path(workspace.place), workspace.source(), self.encoder, on_progress)
        counts = ("images", "added", "updated", "removed", "unchanged", "seconds")
        rejected = [{"path": entry.path, "reason": entry.reason} for entry in report.rejected[:20]]
        return {name: getattr(report, name) for name in counts} | {"rejected": rejected}


class Combine(Task):
    """Fit ensembles of models."""

    title: ClassVar[str] = "Combine models"

    task: Literal["combine"]
    kinds: Annotated[list[Literal["vote", "grid", "mlp", "gate"]], Field(min_length=1, max_length=4)]
    name: Name | None = Field(None, description="Of the ensemble, where one kind is given; by default as its kind")
    members: Names = Field([], description="Models, and encoders as they are; by default all models of the workspace")
    source: Text | None = None
    context: Text | None = None
    parameters: Parameters = Field({}, description="Of the ensembles")
    folds: HoldOut = HoldOut()
    measure: bool = True
    replace: bool = False

    def named(self) -> dict[str, str]:
        """Return the kinds by the names that they get.

        Raises
        ------
        InputError
            One name is given for several.
        """
        if self.name is not None and len(set(self.kinds)) > 1:
            raise InputError("name is for one ensemble: give one kind, or leave it out")
        return {self.name: self.kinds[0]} if self.name is not None else {kind: kind for kind in self.kinds}

    def check(self, workspace: Workspace) -> None:
        """Refuse names that are taken, unknown members and unknown parameters."""
        from lookalike.ensembles.kinds import ENSEMBLES
        from lookalike.jobs.combine import all_models

        workspace.check_writable()
        for name, kind in self.named().items():
            new_model_file(workspace, name, self.replace)
            ENSEMBLES[kind]([]).set_params(**self.parameters)
        if "models" in self.parameters:
            raise InputError("parameters: models are given as members, not among the parameters")
        check_models(workspace, self.members or all_models(workspace.path), encoders=True)
        check_source(workspace, self.source)

    def run(self, workspace: Workspace, on_progress: OnProgress) -> dict[str, Any]:
        """Combine them."""
        from lookalike.jobs.combine import combine

        made = combine(
            Path(workspace.place),
            self.named(),
            self.members,
            self.source,
            self.context,
            self.parameters,
            self.folds.folded(),
            self.measure,
            self.replace,
            on_progress,
        )
        return {"models": [one.name for one in made], "seconds": made[-1].seconds}


class Evaluate(Task):
    """Measure models and encoders side by side, on answers that none of them was fitted on."""

    title: ClassVar[str] = "Measure all models"

    task: Literal["evaluate"]
    models: Names = Field([], description="By default all of the workspace")
    encoders: Names = Field([], description="Beside them, as they are; by default those whose features the models take")
    source: Text | None = None
    folds: HoldOut = HoldOut()

    def check(self, workspace: Workspace) -> None:
        """Refuse unknown models and encoders."""
        check_encoders(workspace, self.encoders)
        check_models(workspace, self.models)
        check_source(workspace, self.source)
        if not self.models and not list_models(workspace.path):
            raise InputError("there are no models to measure: train one first")

    def run(self, workspace: Workspace, on_progress: OnProgress) -> dict[str, Any]:
        """Measure them, and keep the leaderboard."""
        from lookalike.jobs.kept_leaderboard import measure_models

        found = measure_models(
            Path(workspace.place), self.encoders, self.models, self.source, self.folds.folded(), on_progress
        )
        return {"best": found["rows"][0]["label"], "judgments": found["judgments"]}


class DrawMap(Task):
    """Lay the collection out on a map."""

    title: ClassVar[str] = "Draw the map"

    task: Literal["map"]
    count: Annotated[int, Field(ge=1, le=MOST, description="Images at most; references of judgments come first")] = MOST
    seed: Seed = 0

    def check(self, workspace: Workspace) -> None:
        """Refuse a collection without photographs."""
        workspace.source()

    def run(self, workspace: Workspace, on_progress: OnProgress) -> dict[str, Any]:
        """Draw it."""
        found = make_map(Path(workspace.place), self.count, self.seed, on_progress)
        return {"images": len(found["images"]), "ensembles": list(found["ensembles"])}


AnyTask: TypeAlias = Annotated[
    Index
    | TrainAdaptation
    | TrainGlobal
    | TrainContext
    | TrainContrastive
    | TrainQuantizer
    | Combine
    | Evaluate
    | DrawMap,
    Field(discriminator="task"),
]

_TASKS: TypeAdapter[Task] = TypeAdapter(AnyTask)


def read_task(values: Any) -> Task:
    """Read what `Task.model_dump` laid out.

    Raises
    ------
    pydantic.ValidationError

    Examples
    --------
    >>> read_task({"task": "index"})
    Index(task='index', encoder=None)
    """
    return _TASKS.validate_python(values)


def title_of(task: Task) -> str:
    """Say what a task does, and to what.

    Examples
    --------
    >>> title_of(read_task({"task": "train-global", "name": "all"}))
    'Train a global model: all'
    """
    name = getattr(task, "name", None) or ", ".join(getattr(task, "kinds", ()))
    return f"{task.title}: {name}" if name else task.title


def choices(workspace: Workspace) -> dict[str, list[str]]:
    """Return what may be chosen for tasks, by what it is.

    Raises
    ------
    WorkspaceError, StorageError
    """
    cards = list_models(workspace.path)
    store = JudgmentStore(workspace.judgments_file)
    return {
        "encoders": usable_encoders(workspace),
        "features": feature_sets(workspace),
        "models": [name for name, card in cards.items() if "members" not in card],
        "ensembles": [name for name, card in cards.items() if "members" in card],
        "contexts": [name for name in store.contexts() if name],
        "sources": list(dict.fromkeys(one.name for one in store.sources())),
    }

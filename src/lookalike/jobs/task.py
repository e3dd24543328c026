"""What a server may be asked to do in the background: fields with limits, a check before, and the work itself.

Nothing here can name a file: photographs are those of the collection, judgments and models those of the workspace, and
encoders those that it has been used with, or that come with the package. So whoever may start a job over a network
reads and writes nothing beyond them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.progress import OnProgress
from lookalike.core.workspace import Workspace
from lookalike.embedding.feature_sets import names as feature_sets
from lookalike.jobs.models import list_models
from lookalike.jobs.training import Folds
from lookalike.judgments.splits import By
from lookalike.judgments.store import JudgmentStore

__all__ = [
    "Count",
    "HoldOut",
    "Name",
    "Names",
    "Parameters",
    "Seed",
    "Task",
    "Text",
    "check_encoders",
    "check_feature_set",
    "check_models",
    "check_source",
    "usable_encoders",
]

BUNDLED = ("classic", "compact", "compact:taps")
"""Encoders that need no file and no download."""

Text: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Names: TypeAlias = Annotated[list[Text], Field(max_length=50)]
Seed: TypeAlias = Annotated[int, Field(ge=0, lt=2**32)]
Count: TypeAlias = Annotated[int, Field(ge=1, le=1000)]
Scalar: TypeAlias = bool | int | Annotated[float, Field(allow_inf_nan=False)] | Text | None
Parameters: TypeAlias = Annotated[
    dict[Name, Scalar | Annotated[list[Scalar], Field(max_length=1000)]], Field(max_length=50)
]


class Task(BaseModel):
    """One thing to do on a workspace."""

    model_config = ConfigDict(extra="forbid")

    title: ClassVar[str]
    """What it does, in a few words for people."""

    def check(self, workspace: Workspace) -> None:
        """Refuse, in a moment, what the work would refuse later.

        Raises
        ------
        InputError, WorkspaceError, StorageError
        """
        raise NotImplementedError

    def run(self, workspace: Workspace, on_progress: OnProgress) -> dict[str, Any]:
        """Do it, and return JSON values to show."""
        raise NotImplementedError


class HoldOut(BaseModel):
    """How answers are held out to measure on."""

    model_config = ConfigDict(extra="forbid")

    by: By = "image"
    folds: Annotated[int, Field(ge=2, le=100)] = 5
    seed: Seed = 0

    def folded(self) -> Folds:
        """Return the same as the jobs take it."""
        return Folds(self.by, self.folds, self.seed)


def usable_encoders(workspace: Workspace) -> list[str]:
    """Return the encoders that a job may use, the workspace's own first: those it was used with, and the package's."""
    own = workspace.config().encoder
    found = set(workspace.config().encoders) | set(BUNDLED)
    for card in list_models(workspace.path).values():
        found.update(str(name) for name in card["about"].get("encoders") or ())
    return [own, *sorted(found - {own})]


def check_encoders(workspace: Workspace, names: Iterable[str | None]) -> None:
    """Raise an `UnknownNameError` for an encoder that is none of `usable_encoders`."""
    known = usable_encoders(workspace)
    for name in names:
        if name is not None and name not in known:
            raise UnknownNameError("encoder to use from here", name, known)


def check_models(workspace: Workspace, names: Sequence[str], encoders: bool = False) -> None:
    """Raise an `UnknownNameError` for what is no model of the workspace, nor, where that may be, an encoder."""
    known = [*list_models(workspace.path), *(usable_encoders(workspace) if encoders else ())]
    for name in names:
        if name not in known:
            raise UnknownNameError("model or encoder" if encoders else "model", name, known)


def check_feature_set(workspace: Workspace, name: str | None, encoders: Sequence[str]) -> None:
    """Raise an `InputError` where there is no such set of features, or encoders are given beside it."""
    if name is None:
        return
    if encoders:
        raise InputError("give encoders or a feature set, not both")
    if name not in feature_sets(workspace):
        raise UnknownNameError("feature set", name, feature_sets(workspace))


def check_source(workspace: Workspace, source: str | None) -> None:
    """Raise an `InputError` where the workspace has no judgments, or none of that import."""
    store = JudgmentStore(workspace.judgments_file)
    if not store.count():
        raise InputError("there are no judgments to learn from: answer some questions, or import some")
    known = [one.name for one in store.sources()]
    if source is not None and source not in known:
        raise UnknownNameError("import of judgments", source, known)

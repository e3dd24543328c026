"""``/leaderboard`` and ``/runs``: what the workspace's models came to, and how they were made."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from lookalike.jobs.kept_leaderboard import is_out_of_date, list_standings, read_leaderboard
from lookalike.jobs.runs import list_runs, whole_run
from lookalike.web.errors import Failure
from lookalike.web.running import Jobs

__all__ = ["router"]

router = APIRouter()


class Agreement(BaseModel):
    """The share of votes that is agreed with, its 95% interval by reference where there is one, and on how many."""

    accuracy: float
    low: float | None
    high: float | None
    n: int


class Difference(BaseModel):
    """How far behind the best, on the same questions."""

    value: float
    low: float | None
    high: float | None
    p: float | None
    n: int


class Line(Agreement):
    """One line: a model, an ensemble or an encoder; `seen` is the share of these answers that it was fitted on."""

    model: str
    label: str
    kind: str
    seen: float
    behind: Difference | None
    by_context: dict[str, Agreement]


class Measured(BaseModel):
    """Models side by side on the same answers, none of which they were fitted on; best first."""

    at: str
    how: str
    source: str | None
    judgments: int
    references: int
    ceiling: float
    chance: float
    rows: list[Line]


class HeldOut(BaseModel):
    """What a model came to when it was made, on answers of its own that were held out."""

    measure: str
    value: float
    low: float | None
    high: float | None
    n: int


class ModelCard(BaseModel):
    """A model of the workspace; `passes` counts those of its training that were noted."""

    name: str
    model: str
    ensemble: bool
    learned_from: str | None
    examples: int | None
    encoders: list[str]
    members: dict[str, float]
    context: str | None
    held_out: HeldOut | None
    passes: int


class Leaderboard(BaseModel):
    """`measured` is what the job ``evaluate`` kept last, out of date where a model was made since."""

    measured: Measured | None
    out_of_date: bool
    models: list[ModelCard]


class RunHead(BaseModel):
    """A run in short."""

    id: str
    command: str
    at: str | None
    told: dict[str, Any]
    measured: HeldOut | None
    passes: int
    error: str | None


class RunList(BaseModel):
    """The newest runs, the newest first, and how many there are in all."""

    runs: list[RunHead]
    total: int


class Run(BaseModel):
    """All of a run: what was asked (`config`) and what came out (`result`; `history` has the passes of a training)."""

    id: str
    command: str
    at: str | None = None
    lookalike: str | None = None
    python: str | None = None
    config: dict[str, Any] = {}
    result: dict[str, Any] = {}


# Plain functions: FastAPI runs them in threads, since they read files.
@router.get("/leaderboard")
def leaderboard(jobs: Jobs) -> Leaderboard:
    """Say how the models of the workspace do on answers that they were not fitted on."""
    found = read_leaderboard(jobs.workspace)
    return Leaderboard(
        measured=None if found is None else Measured(**found),
        out_of_date=is_out_of_date(jobs.workspace),
        models=[ModelCard(**one) for one in list_standings(jobs.workspace)],
    )


@router.get("/runs")
def runs(
    jobs: Jobs,
    before: Annotated[str, Query(max_length=100, description="Only older ones than this id: the last of a page")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> RunList:
    """List what was done with the workspace, on the command line or from here."""
    found, total = list_runs(jobs.workspace, before, limit)
    return RunList(runs=[RunHead(**one) for one in found], total=total)


@router.get("/runs/{id}", responses={404: {"model": Failure, "description": "There is no such run"}})
def run(id: Annotated[str, Path(max_length=100)], jobs: Jobs) -> Run:
    """Give the whole record of a run."""
    return Run(**whole_run(jobs.workspace, id))

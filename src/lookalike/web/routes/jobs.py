"""``/jobs``: long work on the server's workspace, started, watched and cancelled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from lookalike.jobs.background import BackgroundJobs, Job
from lookalike.jobs.tasks import AnyTask, choices
from lookalike.web.bodies import TextRoute
from lookalike.web.errors import Failure
from lookalike.web.running import Jobs

__all__ = ["router"]

LOOK_SECONDS = 0.25
"""Between two looks at how far a job is."""

SILENT_SECONDS = 15.0
"""After which a line that means nothing keeps the connection open."""

NO_JOB: dict[int | str, dict[str, Any]] = {404: {"model": Failure, "description": "There is no such job"}}
REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "The body is not JSON"},
    413: {"model": Failure, "description": "The body is too large"},
    422: {"model": Failure, "description": "It cannot be done so; nothing was started"},
    503: {"model": Failure, "description": "Too many jobs are waiting, or the workspace is read-only"},
}

router = APIRouter(prefix="/jobs", route_class=TextRoute)

Id = Annotated[str, Path(max_length=100)]


class Stage(BaseModel):
    """A part of the work: units finished, and units in all, 0 while that is unknown."""

    stage: str
    done: int
    total: int
    rejected: int


class JobState(BaseModel):
    """A job as it stands; times in seconds since 1970, UTC."""

    id: str
    task: dict[str, Any]
    title: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    made: float
    started: float | None
    ended: float | None
    stages: list[Stage]
    result: dict[str, Any] | None
    error: str | None
    runs: list[str]

    @classmethod
    def of(cls, job: Job) -> JobState:
        """Lay a job out."""
        return cls(**{name: getattr(job, name) for name in cls.model_fields})


class JobList(BaseModel):
    """The newest jobs, the newest first."""

    jobs: list[JobState]


class Choices(BaseModel):
    """What may be chosen for jobs."""

    encoders: list[str]
    features: list[str]
    models: list[str]
    ensembles: list[str]
    sources: list[str]
    contexts: list[str]


# Plain functions: FastAPI runs them in threads, since they wait for the disk and for processes.
@router.post("", status_code=202, responses=REFUSED)
def start(body: AnyTask, jobs: Jobs) -> JobState:
    """Start a job on the server's workspace; it waits until those before it have ended."""
    return JobState.of(jobs.start(body))


@router.get("")
def newest(jobs: Jobs, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> JobList:
    """List jobs, whoever started them."""
    return JobList(jobs=[JobState.of(job) for job in jobs.jobs(limit)])


@router.get("/choices")
def chosen(jobs: Jobs) -> Choices:
    """Say which encoders, models, contexts and imports of judgments a job may be told to use."""
    return Choices(**choices(jobs.workspace))


@router.get("/{id}", responses=NO_JOB)
def one(id: Id, jobs: Jobs) -> JobState:
    """Say how a job stands."""
    return JobState.of(jobs.job(id))


@router.delete("/{id}", responses=NO_JOB)
def cancel(id: Id, jobs: Jobs) -> JobState:
    """Stop a job; when this returns, its process is gone. One that has ended stays as it is."""
    return JobState.of(jobs.cancel(id))


@router.get(
    "/{id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "`progress` events, then `end`"}, **NO_JOB},
)
async def events(id: Id, request: Request, jobs: Jobs) -> StreamingResponse:
    """Follow a job (server-sent events): its state as it changes, ended by an event ``end`` with the result."""
    await run_in_threadpool(jobs.job, id)
    return StreamingResponse(_followed(id, request, jobs), media_type="text/event-stream")


async def _followed(id: str, request: Request, jobs: BackgroundJobs) -> AsyncIterator[str]:
    told, silent = "", 0.0
    while not await request.is_disconnected():
        job = await run_in_threadpool(jobs.job, id)
        said = json.dumps(JobState.of(job).model_dump(), allow_nan=False)
        if job.over:
            yield f"event: end\ndata: {said}\n\n"
            return
        if said != told:
            yield f"event: progress\ndata: {said}\n\n"
            told, silent = said, 0.0
        elif silent >= SILENT_SECONDS:
            yield ": still there\n\n"
            silent = 0.0
        await asyncio.sleep(LOOK_SECONDS)
        silent += LOOK_SECONDS

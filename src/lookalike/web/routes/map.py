"""``/map``: where images stand, what is known about them, and contexts that people name there."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lookalike.jobs.live import NotHeldError
from lookalike.jobs.map_places import MOST
from lookalike.jobs.map_view import context_counts, view_map
from lookalike.jobs.named_contexts import forget_context, name_context
from lookalike.web.bodies import TextRoute
from lookalike.web.errors import FAILURES, Failure
from lookalike.web.running import Jobs, Live

__all__ = ["router"]

router = APIRouter(prefix="/map", route_class=TextRoute)

Context: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Image: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class Weights(BaseModel):
    """An ensemble's members, and for each its weight at every image."""

    members: list[str]
    weights: list[list[float]]


class Places(BaseModel):
    """Images by position: where they stand in [-1, 1], whether judgments are about them, and what is known there."""

    at: str
    encoder: str
    total: int
    out_of_date: bool
    images: list[str]
    x: list[float]
    y: list[float]
    judged: list[bool]
    contexts: list[str | None]
    agreement: dict[str, list[float | None]]
    kinds: dict[str, str]
    ensembles: dict[str, Weights]


class Map(BaseModel):
    """The map that the job ``map`` made last, if any, and the contexts that people named, with their images counted."""

    places: Places | None
    named: dict[str, int]


class NamedBody(BaseModel):
    """Images that make a context; they leave the one that they were in."""

    model_config = ConfigDict(extra="forbid")

    name: Context
    images: Annotated[list[Image], Field(min_length=1, max_length=MOST)]


class Named(BaseModel):
    """The contexts that people named, with their images counted."""

    named: dict[str, int]


# Plain functions: FastAPI runs them in threads, since they read files.
@router.get("")
def whole(jobs: Jobs, live: Live) -> Map:
    """Give the map of the collection."""
    found = view_map(jobs.workspace, live.version)
    return Map(places=None if found is None else Places(**found), named=context_counts(jobs.workspace))


@router.post("/contexts", responses={404: {"model": Failure, "description": "An image is not held"}, **FAILURES})
def name(body: NamedBody, jobs: Jobs, live: Live) -> Named:
    """Make images a context: what `train context` and the leaderboard then go by."""
    for image in body.images:
        if not live.holds(image):
            raise NotHeldError(f"the collection holds no image {image}")
    name_context(jobs.workspace, body.name, body.images)
    return Named(named=context_counts(jobs.workspace))


@router.delete("/contexts/{name}", responses=FAILURES)
def forget(name: Annotated[str, Path(max_length=100)], jobs: Jobs) -> Named:
    """Take all images out of a context; what judgments said before counts again."""
    forget_context(jobs.workspace, name)
    return Named(named=context_counts(jobs.workspace))

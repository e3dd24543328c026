"""What routes share: the collection, its labelling, its keys, and turns for the work that fills a core."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from lookalike.jobs.background import BackgroundJobs
from lookalike.jobs.duplicates_review import DuplicateReview
from lookalike.jobs.keys import KeyRing
from lookalike.jobs.labelling import Labelling
from lookalike.jobs.live import LiveCollection

__all__ = ["Jobs", "Keys", "Labels", "Live", "Review", "Turns", "Work"]

Answer = TypeVar("Answer")


class Turns:
    """Runs work in threads, at most so many at once; the others wait without holding a picture in memory.

    Parameters
    ----------
    lanes : int
        How many at once.

    Examples
    --------
    >>> asyncio.run(Turns(2).run(lambda: 6 * 7))
    42
    """

    def __init__(self, lanes: int) -> None:
        self._free = asyncio.Semaphore(lanes)

    async def run(self, work: Callable[[], Answer]) -> Answer:
        """Wait for a turn, run `work` in a thread, and return its answer."""
        async with self._free:
            return await run_in_threadpool(work)


# Async, although nothing is waited for: FastAPI would send plain functions through a thread, three times a search.
async def _live(request: Request) -> LiveCollection:
    live: LiveCollection = request.app.state.live
    return live


async def _turns(request: Request) -> Turns:
    turns: Turns = request.app.state.turns
    return turns


async def _labels(request: Request) -> Labelling:
    labelling: Labelling = request.app.state.labelling
    return labelling


async def _review(request: Request) -> DuplicateReview:
    review: DuplicateReview = request.app.state.review
    return review


async def _keys(request: Request) -> KeyRing | None:
    keys: KeyRing | None = request.app.state.keys
    return keys


def _jobs(request: Request) -> BackgroundJobs:
    jobs: BackgroundJobs = request.app.state.jobs
    return jobs


Jobs = Annotated[BackgroundJobs, Depends(_jobs)]
Keys = Annotated[KeyRing | None, Depends(_keys)]
Labels = Annotated[Labelling, Depends(_labels)]
Live = Annotated[LiveCollection, Depends(_live)]
Review = Annotated[DuplicateReview, Depends(_review)]
Work = Annotated[Turns, Depends(_turns)]

"""Run work in a few threads with a bounded number of items under way."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

__all__ = ["cores", "in_lanes"]

Item = TypeVar("Item")
Result = TypeVar("Result")


_lane = threading.local()


def cores() -> int:
    """Count the processors that the calling thread may use: in a lane its share, elsewhere all that the process may.

    Examples
    --------
    >>> list(in_lanes(lambda _: cores(), [None], lanes=1)) == [cores()]
    True
    """
    share = getattr(_lane, "share", None)
    if share is not None:
        return int(share)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_lanes(work: Callable[[Item], Result], items: Iterable[Item], lanes: int) -> Iterator[Result]:
    """Yield the result of `work` for every item, in the order in which they finish.

    At most two items per lane are under way or waiting, so a slow reader holds the lanes back and memory stays
    bounded. The first exception is raised here, after the items under way have ended; so does closing the iterator.
    Lanes inside a lane share what `cores` gives it.

    Examples
    --------
    >>> sorted(in_lanes(lambda x: x * x, range(4), lanes=2))
    [0, 1, 4, 9]
    """
    waiting = iter(items)
    share = max(1, cores() // lanes)

    def enter() -> None:
        _lane.share = share

    with ThreadPoolExecutor(lanes, thread_name_prefix="lookalike", initializer=enter) as pool:
        pending: set[Future[Result]] = set()
        try:
            while True:
                room = 2 * lanes - len(pending)
                pending |= {pool.submit(work, item) for item in islice(waiting, room)}
                if not pending:
                    return
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in pending:
                future.cancel()

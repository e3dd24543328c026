"""No picture, and no two pictures at once, may take more memory than the run can spare."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["MAX_PIXELS", "MEMORY_LIMIT", "MemoryBudget", "Refused", "require_memory"]

MEMORY_LIMIT = 480 * 2**20
"""Bytes that all decoding together may take: with the base of the process, some 300 MB, that is below 1 GB."""

MAX_PIXELS = 500_000_000
"""Larger pictures are rejected even where memory would do: they would take too long."""

_SMALL = 16 * 2**20


class Refused(Exception):  # noqa: N818 - not an error of ours to show: `decode` turns it into one
    """An image will not be decoded; the message is the reason, ready for people."""


class MemoryBudget:
    """Shares `limit` bytes among threads: who needs more than is free waits.

    Small needs (below 16 MB) are not counted, so that small pictures never wait behind a large one.

    Examples
    --------
    >>> budget = MemoryBudget(100 * 2**20)
    >>> with budget.share(60 * 2**20):
    ...     budget.used // 2**20
    60
    >>> budget.used
    0
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._changed = threading.Condition()

    @contextmanager
    def share(self, need: int) -> Iterator[None]:
        """Hold `need` bytes of the budget (at most all of it) while the block runs."""
        if need < _SMALL:
            yield
            return
        need = min(need, self.limit)
        with self._changed:
            self._changed.wait_for(lambda: self.used + need <= self.limit)
            self.used += need
        try:
            yield
        finally:
            with self._changed:
                self.used -= need
                self._changed.notify_all()


def require_memory(need: int, width: int, height: int) -> None:
    """Refuse a picture that is too large to decode.

    Parameters
    ----------
    need : int
        Bytes that decoding it takes, estimated from its header.
    width, height : int
        Pixels.

    Raises
    ------
    Refused
        The message says how much it would need.

    Examples
    --------
    >>> require_memory(1_717_986_918, 40_000, 40_000)
    Traceback (most recent call last):
    lookalike.images.memory.Refused: would need 1.6 GB to decode (limit 0.5 GB): 40000 x 40000 pixels
    """
    if need > MEMORY_LIMIT:
        limit = f"{MEMORY_LIMIT / 2**30:.1f} GB"
        raise Refused(f"would need {need / 2**30:,.1f} GB to decode (limit {limit}): {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        raise Refused(f"too many pixels: {width} x {height} (limit {MAX_PIXELS // 10**6} million)")

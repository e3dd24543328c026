"""How many threads PyTorch takes for one training: in a lane its share, and afterwards what it was before."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lookalike.core.lanes import cores

__all__ = ["share_of_threads"]

_lock = threading.Lock()
_before: list[int] = []
"""What PyTorch had, once per training under way."""


@contextmanager
def share_of_threads() -> Iterator[None]:
    """Limit PyTorch to the processors that the calling thread may use, and never to more than it had.

    The limit holds for the calling thread, but PyTorch gives the last one set anywhere to threads that start later: so
    the one that was there before comes back as soon as nothing trains any more.

    Examples
    --------
    >>> before = torch.get_num_threads()
    >>> with share_of_threads():
    ...     torch.get_num_threads() <= cores()
    True
    >>> torch.get_num_threads() == before
    True
    """
    with _lock:
        _before.append(_before[-1] if _before else torch.get_num_threads())
        before = _before[-1]
    torch.set_num_threads(min(cores(), before))
    try:
        yield
    finally:
        with _lock:
            torch.set_num_threads(_before.pop())

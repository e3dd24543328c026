"""Memory that a training gives back in every step and takes again in the next: kept meanwhile, where there is glibc.

The maps of a batch are large. By default each is taken from the system and given back to it, page by page, which takes
longer than some of the sums made with them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["kept_memory"]

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of ``mallopt``, as in malloc.h."""

USUAL = 128 * 1024
"""Bytes: what glibc begins with, for both."""

MOST = 2**31 - 1


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep what is freed within, for what comes next; elsewhere than with glibc nothing changes.

    It holds for the whole process. Afterwards all that is free goes back to the system.

    Examples
    --------
    >>> with kept_memory():
    ...     sum(range(4))
    6
    """
    library = _glibc()
    if library is None:
        yield
        return
    _set(library.mallopt, MOST)
    try:
        yield
    finally:
        _set(library.mallopt, USUAL)
        library.malloc_trim(0)


def _set(mallopt: Callable[[int, int], int], size: int) -> None:
    mallopt(TRIM_THRESHOLD, size)
    mallopt(MMAP_THRESHOLD, size)


def _glibc() -> Any:
    """Return the C library of this process, if it is glibc."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):  # TypeError: Windows has none without a name
        return None
    wanted = ("gnu_get_libc_version", "mallopt", "malloc_trim")
    return library if all(hasattr(library, name) for name in wanted) else None

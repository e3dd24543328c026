"""One thread for every product of matrices, while several fits run side by side in lanes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["one_thread_each"]

_lock = threading.Lock()
_inside = 0
_controller: Any = None
_limit: Any = None


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Keep the linear algebra of NumPy and SciPy from starting threads of its own.

    The matrices of an ensemble are small, and the lanes are as many as the processors: threads below them only wait for
    each other. (Measured on 2 cores with other work on them: a gate at the size of CoSIS takes 6 s, and 90 s without
    this.) The limit is that of the whole process; it is lifted when the last one leaves.

    Examples
    --------
    >>> with one_thread_each(), one_thread_each():
    ...     pass
    """
    global _controller, _inside, _limit
    import scipy.linalg  # noqa: F401 what is loaded later would not be limited
    from threadpoolctl import ThreadpoolController

    with _lock:
        if not _inside:
            _controller = ThreadpoolController()
            _limit = _controller.limit(limits=1, user_api="blas")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _give_up_control(_controller)
                _limit.restore_original_limits()
                _give_up_control(_controller)


def _give_up_control(controller: Any) -> None:
    """Let any thread change the limit: since threadpoolctl 3.8 only that can which did it first, and it may be gone."""
    for library in controller.lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)

"""Commits to LanceDB tables that may have several writers: optimistic, and repeated where two have met."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from lookalike.core.object_store import storage

__all__ = ["KEY", "commit"]

KEY = {"lance-schema:unenforced-primary-key": "true"}
"""Metadata of the column whose values stand once in a table, whoever writes them at the same time."""

TRIES = 20


def commit(doing: str, table: Any, write: Callable[[], object]) -> None:
    """Write to a LanceDB table; where that met the commits of others too often, wait a little and write again.

    Raises
    ------
    StorageError
        It cannot be written; the message begins with `doing`.
    """
    for number in range(TRIES):
        with storage(doing):
            try:
                write()
                return
            except (OSError, RuntimeError, ValueError) as error:
                if "conflict" not in str(error).lower() or number == TRIES - 1:
                    raise
            time.sleep(secrets.randbelow(100) * (number + 1) / 1000)
            table.checkout_latest()

"""The settings of a collection at an address: a table of its own in the database, so that every machine reads the same.

In a folder they are a file, ``workspace.json``. An object store has no file that two could write safely by other means
than the commits of the database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lookalike.core.errors import WorkspaceError
from lookalike.core.object_store import connect, storage

__all__ = ["make_settings", "read_settings", "write_settings"]

NAME = "settings"
KEY = "workspace"


def read_settings(address: str) -> dict[str, Any] | None:
    """Return what was written last; None where there is no collection.

    Raises
    ------
    StorageError
        The store cannot be read.
    """
    with storage(f"cannot open the collection at {address}"):
        try:
            table = connect(address).open_table(NAME)
        except ValueError as error:
            if "was not found" in str(error):
                return None
            raise
        rows = table.to_arrow().to_pylist()
    found: dict[str, Any] = json.loads(rows[0]["value"])
    return found


def make_settings(address: str, settings: Mapping[str, Any]) -> None:
    """Write the first settings of a collection; of two that make one at the same time, the second is refused.

    Raises
    ------
    WorkspaceError
        Another was first.
    StorageError
        The store cannot be written.
    """
    with storage(f"cannot make the collection at {address}"):
        try:
            connect(address).create_table(NAME, _rows(settings))
        except ValueError as error:
            if "already exists" not in str(error):
                raise
            raise WorkspaceError(f"{address} was made by another process just now: open it") from None


def write_settings(address: str, settings: Mapping[str, Any]) -> None:
    """Replace the settings of a collection that is there, in one commit.

    Raises
    ------
    StorageError
        The store cannot be written.
    """
    with storage(f"cannot write the settings of {address}"):
        table = connect(address).open_table(NAME)
        table.merge_insert("key").when_matched_update_all().when_not_matched_insert_all().execute(_rows(settings))


def _rows(settings: Mapping[str, Any]) -> Any:
    import pyarrow as pa

    marked = {"lance-schema:unenforced-primary-key": "true"}  # so that two writers leave one row
    schema = pa.schema(
        [pa.field("key", pa.string(), nullable=False, metadata=marked), pa.field("value", pa.string(), nullable=False)]
    )
    return pa.table({"key": [KEY], "value": [json.dumps(settings)]}, schema=schema)

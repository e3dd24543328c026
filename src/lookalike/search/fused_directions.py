"""The layout of fused vectors on disk: names and sizes in the table's metadata, directions in tables of their own.

Metadata are written anew by every commit, and directions take megabytes. A table of directions is named by what it
holds: it never changes, and whoever writes it second writes the same.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa

from lookalike.search.fused import FusedLayout, FusedModel

__all__ = ["keep_layout", "kept_layout"]


def keep_layout(database: Any, layout: FusedLayout) -> list[dict[str, Any]]:
    """Write the directions of a layout into a LanceDB database, and return JSON values for `kept_layout`."""
    described = []
    for model in layout.models:
        entry: dict[str, Any] = {"name": model.name, "dim": model.dim}
        if model.directions is not None:
            content = np.ascontiguousarray(model.directions, "<f4").tobytes()
            name = f"directions_{hashlib.sha256(content).hexdigest()[:16]}"
            rows = pa.table({"directions": pa.array([content], pa.large_binary())})
            database.create_table(name, rows, exist_ok=True)
            entry |= {
                "kept": model.kept,
                "directions": name,
                "mean_error": model.mean_error,
                "max_error": model.max_error,
            }
        described.append(entry)
    return described


def kept_layout(database: Any, described: list[dict[str, Any]]) -> FusedLayout:
    """Read back what `keep_layout` returned and wrote."""
    models = []
    for entry in described:
        directions = None
        if "directions" in entry:
            content = database.open_table(entry["directions"]).to_arrow()["directions"][0].as_py()
            directions = np.frombuffer(content, "<f4").reshape(entry["dim"], entry["kept"])
        errors = entry.get("mean_error", 0.0), entry.get("max_error", 0.0)
        models.append(FusedModel(entry["name"], entry["dim"], directions, *errors))
    return FusedLayout(models)

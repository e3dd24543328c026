"""A record of every run: what was asked, by which version, and what came out."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lookalike.core.files import write_json
from lookalike.core.version import __version__

__all__ = ["record_run"]


def record_run(folder: Path, command: str, config: Mapping[str, Any], result: Mapping[str, Any]) -> Path:
    """Write one run's record as JSON and return its path; names sort by time.

    Parameters
    ----------
    folder : Path
        ``workspace.runs_folder``.
    command : str
        The use case, such as ``"index"``.
    config, result : mapping
        JSON values: what was asked, and what came out.

    Examples
    --------
    >>> import json, tempfile
    >>> path = record_run(Path(tempfile.mkdtemp()), "index", {"photos": "p"}, {"images": 3})
    >>> json.loads(path.read_text())["result"]
    {'images': 3}
    """
    now = datetime.now(UTC)
    path = folder / f"{now:%Y%m%dT%H%M%S.%fZ}-{command}.json"
    write_json(
        path,
        {
            "command": command,
            "at": now.isoformat(timespec="seconds"),
            "lookalike": __version__,
            "python": platform.python_version(),
            "config": dict(config),
            "result": dict(result),
        },
    )
    return path

"""Files are written aside and renamed: a reader sees the old file or the new one, never half of one."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lookalike.core.errors import InputError, StorageError

__all__ = ["finite", "read_json", "write_aside", "write_json"]

# The only portable way to read the mask is to set it, which is for one thread alone: once, at import.
_UMASK = os.umask(0o077)
os.umask(_UMASK)


@contextmanager
def write_aside(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it into place when the block ends well.

    The temporary name keeps the suffix of `path`, for writers that choose a format by it.

    Raises
    ------
    StorageError
        The folder cannot be written, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with write_aside(target) as aside:
    ...     _ = aside.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
    aside = Path(name)
    try:
        yield aside
        _sync(aside)
        aside.chmod(0o666 & ~_UMASK)
        aside.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        aside.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented UTF-8 JSON, whole or not at all.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "card.json"
    >>> write_json(target, {"dim": 3})
    >>> read_json(target)
    {'dim': 3}
    """
    with write_aside(path) as aside:
        aside.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    InputError
        The file is not JSON; the message names the line.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a JSON file (it is not UTF-8 text)") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not a JSON file (line {error.lineno}: {error.msg})") from None


def finite(value: Any) -> Any:
    """Return JSON values with null for every number that JSON does not have: NaN and the infinities.

    Examples
    --------
    >>> finite({"low": float("nan"), "values": (0.5, float("inf"))})
    {'low': None, 'values': [0.5, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(one) for key, one in value.items()}
    return [finite(one) for one in value] if isinstance(value, list | tuple) else value


def _sync(path: Path) -> None:
    """Make the content durable before its name is."""
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())

"""Keys of a served workspace: who may read, who may answer, who may do all; only their hashes are kept."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any

from filelock import FileLock

from lookalike.core.errors import InputError, StorageError, UnknownNameError
from lookalike.core.files import read_json, write_json
from lookalike.core.workspace import Workspace

__all__ = ["Key", "KeyRing", "Role", "add_key", "list_keys", "revoke_key"]

FORMAT = 1
PREFIX = "lk-"
BYTES = 32
NAME = re.compile(r"[\w.@+-][\w.@+ -]{0,63}")


class Role(IntEnum):
    """What a key opens; each role may do what the ones before it may."""

    READER = 1
    ANNOTATOR = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Key:
    """A key, without its secret.

    Attributes
    ----------
    name : str
        Whose it is.
    role : Role
    made : str
        When, UTC, ISO 8601.
    """

    name: str
    role: Role
    made: str

    def as_json(self) -> dict[str, str]:
        """Return JSON values."""
        return {**asdict(self), "role": self.role.name.lower()}


class KeyRing:
    """The keys of a workspace, read again when their file changes. Safe in several threads.

    Parameters
    ----------
    workspace : Path
        The workspace folder.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> ring = KeyRing(folder)
    >>> secret = add_key(folder, "ann", Role.ANNOTATOR)
    >>> ring.holder(secret).name, ring.holder("lk-guessed")
    ('ann', None)
    """

    def __init__(self, workspace: Path) -> None:
        self._file = _file(workspace)
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._keys: dict[str, Key] = {}

    def holder(self, secret: str) -> Key | None:
        """Return the key of a secret; None where there is none.

        Raises
        ------
        StorageError, InputError
            The file of keys cannot be read: then nobody is let in.
        """
        # A secret is 256 bits of chance: its hash cannot be guessed step by step, as a password's could.
        return self._current().get(_hash(secret))

    def __len__(self) -> int:
        return len(self._current())

    def _current(self) -> dict[str, Key]:
        try:
            status = self._file.stat()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StorageError(f"cannot read {self._file}: {error.strerror or error}") from error
        seen = status.st_ino, status.st_size, status.st_mtime_ns
        with self._lock:
            if seen != self._seen:
                self._keys, self._seen = _read(self._file), seen
            return self._keys


def add_key(workspace: Path, name: str, role: Role) -> str:
    """Make a key, and return its secret: it is shown here and nowhere again.

    Parameters
    ----------
    workspace : Path
    name : str
        Whose it is: 1 to 64 letters, digits and ``_ . @ + -``, spaces within.
    role : Role

    Raises
    ------
    InputError
        The name cannot be one, or has a key already.
    StorageError
        The file of keys cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> add_key(Path(tempfile.mkdtemp()), "ann", Role.READER)[:3]
    'lk-'
    """
    if not NAME.fullmatch(name):
        raise InputError(
            f"'{name}' is no name for a key: take 1 to 64 letters, digits and _ . @ + - with spaces within"
        )
    secret = PREFIX + secrets.token_urlsafe(BYTES)
    file = _file(workspace)
    with _alone(file):
        keys = _read(file)
        if any(key.name == name for key in keys.values()):
            raise InputError(f"'{name}' has a key: revoke it first, or choose another name")
        made = datetime.now(UTC).isoformat(timespec="seconds")
        _write(file, {**keys, _hash(secret): Key(name, role, made)})
    return secret


def list_keys(workspace: Path) -> list[Key]:
    """Return the keys, by name.

    Examples
    --------
    >>> import tempfile
    >>> list_keys(Path(tempfile.mkdtemp()))
    []
    """
    return sorted(_read(_file(workspace)).values(), key=lambda key: key.name)


def revoke_key(workspace: Path, name: str) -> None:
    """Take a key back; a running server refuses it from the next request on.

    Raises
    ------
    UnknownNameError
        There is no key of that name.
    StorageError

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = add_key(folder, "ann", Role.READER)
    >>> revoke_key(folder, "ann")
    >>> list_keys(folder)
    []
    """
    file = _file(workspace)
    with _alone(file):
        keys = _read(file)
        names = [key.name for key in keys.values()]
        if name not in names:
            raise UnknownNameError("key", name, names)
        _write(file, {hashed: key for hashed, key in keys.items() if key.name != name})


def _file(workspace: Path) -> Path:
    return Workspace(workspace).keys_file


def _alone(file: Path) -> FileLock:
    """Return a lock, so that of two commands at once neither loses the other's key."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write {file}: {error.strerror or error}") from error
    return FileLock(file.with_suffix(".lock"), timeout=30)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _read(file: Path) -> dict[str, Key]:
    if not file.exists():
        return {}
    raw = read_json(file)
    try:
        if raw["format"] != FORMAT:
            raise InputError(f"{file} has format {raw['format']}, this version reads {FORMAT}: update lookalike")
        return {
            entry["sha256"]: Key(entry["name"], Role[entry["role"].upper()], entry["made"]) for entry in raw["keys"]
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file} is damaged: delete it and make the keys anew") from error


def _write(file: Path, keys: dict[str, Key]) -> None:
    entries: list[dict[str, Any]] = [{"sha256": hashed, **key.as_json()} for hashed, key in keys.items()]
    write_json(file, {"format": FORMAT, "keys": entries})

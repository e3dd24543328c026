"""The files below a folder, or below an address of an object store: listed and read alike.

Reading goes through pyarrow; the server and the key come from the environment, as `lookalike.core.object_store` says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from lookalike.core.errors import InputError, StorageError
from lookalike.core.object_store import endpoint, greet, storage

__all__ = ["FileStore", "StoredFile", "refused"]

S3 = "s3://"
CONNECT_SECONDS, ANSWER_SECONDS, ATTEMPTS = 5, 30, 3


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as it was found.

    Attributes
    ----------
    path : str
        Below the base, with ``/`` between the parts.
    size : int
        Bytes.
    mtime_ns : int
        When it was last changed, in nanoseconds since 1970; an object store says it to the second.
    tag : str
        What an object store calls this content, where it was asked for the one file.
    """

    path: str
    size: int
    mtime_ns: int
    tag: str = ""


class FileStore:
    """The files below a place. Nothing is asked before something is wanted.

    Parameters
    ----------
    base : str
        A folder, or ``s3://bucket/prefix``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.txt").write_bytes(b"abc")
    >>> store = FileStore(str(folder))
    >>> [(file.path, file.size) for file in store.files()], store.read("a.txt")
    ([('a.txt', 3)], b'abc')
    """

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/") or "/"

    @property
    def remote(self) -> bool:
        """Whether it is an object store."""
        return self.base.startswith(S3)

    def at(self, path: str) -> str:
        """Return where a file is, for people and for another store."""
        return f"{self.base.rstrip('/')}/{path}" if path else self.base

    def files(self, below: str = "", deep: bool = True) -> list[StoredFile]:
        """List files by path, those of the folders below too; of a folder alone where it is not `deep`.

        Raises
        ------
        InputError
            There is no such folder, or nothing at the address.
        StorageError
            It cannot be listed.
        """
        from pyarrow import fs

        where, start = self.at(below), len(self._inner("").rstrip("/")) + 1
        with self._asked(f"cannot list {where}"):
            system = self._system()
            try:
                found = system.get_file_info(fs.FileSelector(self._inner(below), recursive=deep))
            except NotADirectoryError:
                raise InputError(f"{where} is a file: give a folder") from None
            except FileNotFoundError:
                what = "nothing at the address" if self.remote else "no folder"
                raise InputError(f"there is {what} {where}: correct it") from None
        files = [StoredFile(one.path[start:], one.size, one.mtime_ns) for one in found if one.type == fs.FileType.File]
        return sorted(files, key=lambda file: file.path)

    def find(self, path: str) -> StoredFile | None:
        """Look for one file; None where there is none.

        Raises
        ------
        StorageError
            The store does not answer.
        """
        from pyarrow import fs

        with self._asked(f"cannot look for {self.at(path)}"):
            if self.remote:
                return self._found(path)
            found = self._system().get_file_info(self._inner(path))
        return StoredFile(path, found.size, found.mtime_ns) if found.type == fs.FileType.File else None

    def _found(self, path: str) -> StoredFile | None:
        """Ask an object store for one file."""
        try:
            handle = self._system().open_input_file(self._inner(path))
        except FileNotFoundError:
            return None
        with handle:
            said = {name: value.decode() for name, value in handle.metadata().items()}
            changed = datetime.fromisoformat(said.get("Last-Modified", "1970-01-01T00:00:00Z"))
            return StoredFile(path, handle.size(), int(changed.timestamp()) * 10**9, said.get("ETag", ""))

    def open(self, path: str) -> Any:
        """Open a file for reading anywhere in it: a `pyarrow.NativeFile`, whose `read_at` several threads may call.

        Raises
        ------
        OSError
            It cannot be opened; `refused` says whose fault it is.
        """
        if self.remote:
            greet(endpoint())
        return self._system().open_input_file(self._inner(path))

    def read(self, path: str, offset: int = 0, size: int | None = None) -> bytes:
        """Read a file, or a part of it. Raises as `open`."""
        with self.open(path) as handle:
            data: bytes = handle.read_at(handle.size() - offset if size is None else size, offset)
        return data

    def _inner(self, path: str) -> str:
        """Name a path as pyarrow does."""
        return self.at(path).removeprefix(S3)

    def _system(self) -> Any:
        from pyarrow import fs

        if not self.remote:
            return fs.LocalFileSystem()
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SKIP_SIGNATURE")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
        return _s3(endpoint(), region, *(os.environ.get(name, "") for name in names))

    @contextmanager
    def _asked(self, doing: str) -> Iterator[None]:
        with storage(doing):
            try:
                if self.remote:
                    greet(endpoint())
                yield
            except InputError as error:
                told = error
            else:
                return
        raise told from None


@lru_cache(maxsize=8)
def _s3(server: str, region: str, key: str, secret: str, token: str, unsigned: str) -> Any:
    """Connect to a server; several threads may use the connection."""
    from pyarrow import fs

    options: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "request_timeout": ANSWER_SECONDS,
        "retry_strategy": fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
    }
    if server:
        parts = urlsplit(server)
        options |= {"endpoint_override": parts.netloc + parts.path, "scheme": parts.scheme}
    if region:
        options["region"] = region
    if unsigned.lower() in ("1", "true"):
        options["anonymous"] = True
    elif key:
        options |= {"access_key": key, "secret_key": secret, "session_token": token or None}
    return fs.S3FileSystem(**options)


def refused(error: Exception, doing: str) -> str:
    """Say in a few words why one file cannot be read; what ails the whole store is raised.

    So one file that is gone is left out, and a server that is gone stops the run, which can be repeated.

    Raises
    ------
    StorageError
        The server does not answer, or does not let us in.

    Examples
    --------
    >>> refused(FileNotFoundError(2, "gone"), "cannot read a.tar")
    'no such file'
    """
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, StorageError):
        raise error
    if "AWS Error" in str(error) or isinstance(error, ConnectionError):
        with storage(doing):
            raise error
    return " ".join(str(error).split())[:160] or type(error).__name__

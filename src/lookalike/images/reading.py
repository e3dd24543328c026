"""Files are opened with care: a pipe, a device or a giant must not block or fill the run."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from lookalike.core.errors import ImageDecodeError

__all__ = ["MAX_FILE_BYTES", "hash_file", "open_regular", "read_bytes"]

MAX_FILE_BYTES = 512 * 2**20
"""Larger files are rejected without being read."""

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

_KINDS = {
    stat.S_IFDIR: "a folder, not a file",
    stat.S_IFIFO: "a named pipe, not a file",
    stat.S_IFSOCK: "a socket, not a file",
    stat.S_IFCHR: "a device, not a file",
    stat.S_IFBLK: "a device, not a file",
}

_REASONS = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "no such file",
    errno.ELOOP: "its links lead in a circle",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ESTALE: "the file vanished",
}


def os_reason(error: OSError, path: str | Path) -> str:
    """Say in a few words why the system refused a file.

    Examples
    --------
    >>> os_reason(PermissionError(errno.EACCES, "Permission denied"), "cat.jpg")
    'permission denied'
    """
    if error.errno == errno.ENOENT and os.path.islink(path):  # noqa: PTH114 - a Path costs more and says no more
        return "a broken link"
    known = _REASONS.get(error.errno or 0)
    return known or (error.strerror or str(error) or type(error).__name__).lower()


def open_regular(path: str | Path) -> tuple[BinaryIO, int]:
    """Open a regular file for reading, without ever blocking on something else.

    Parameters
    ----------
    path : str or Path
        The file; links are followed.

    Returns
    -------
    handle : binary file
        Unbuffered; the caller closes it.
    size : int
        Bytes in the file.

    Raises
    ------
    ImageDecodeError
        There is no such file, it is not a regular file, it may not be read, or it exceeds `MAX_FILE_BYTES`.

    Examples
    --------
    >>> open_regular("/no/such/cat.jpg")
    Traceback (most recent call last):
    lookalike.core.errors.ImageDecodeError: /no/such/cat.jpg: no such file
    """
    try:
        _require_regular(path, os.stat(path))  # noqa: PTH116 - opening a device can have effects: ask first
        number = os.open(path, _FLAGS)
    except ImageDecodeError:
        raise
    except OSError as error:
        raise ImageDecodeError(path, os_reason(error, path)) from error
    except ValueError as error:  # a zero byte in the name
        raise ImageDecodeError(repr(path), "not a valid file name") from error
    try:
        status = os.fstat(number)
        _require_regular(path, status)
        return os.fdopen(number, "rb", buffering=0), status.st_size
    except BaseException:
        os.close(number)
        raise


def read_bytes(path: str | Path) -> bytes:
    """Read a whole file that should be an image.

    Parameters
    ----------
    path : str or Path
        The file; links are followed.

    Returns
    -------
    bytes
        The content, at most `MAX_FILE_BYTES`.

    Raises
    ------
    ImageDecodeError
        As for `open_regular`, or the file vanished or changed on the way.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "three"
    >>> _ = file.write_bytes(b"abc")
    >>> read_bytes(file)
    b'abc'
    """
    handle, size = open_regular(path)
    with handle:
        return read_open(handle, size, path)


def hash_file(path: str | Path) -> str:
    """Hash a file's content (SHA-256, hexadecimal), piece by piece.

    Raises
    ------
    ImageDecodeError
        As for `open_regular`.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "three"
    >>> _ = file.write_bytes(b"abc")
    >>> hash_file(file)[:8]
    'ba7816bf'
    """
    handle, _ = open_regular(path)
    with handle:
        try:
            return hashlib.file_digest(handle, "sha256").hexdigest()  # type: ignore[arg-type]
        except OSError as error:
            raise ImageDecodeError(path, os_reason(error, path)) from error


def read_open(handle: BinaryIO, size: int, path: str | Path) -> bytes:
    """Read what `open_regular` opened; `path` is for the message.

    Examples
    --------
    >>> import io
    >>> read_open(io.BytesIO(b"abc"), 3, "three")
    b'abc'
    """
    try:
        data = handle.read(size + 1)  # one read when the file has the size it said
        while len(data) < size and (more := handle.read(size - len(data))):
            data += more
    except OSError as error:
        raise ImageDecodeError(path, os_reason(error, path)) from error
    if len(data) > size:
        raise ImageDecodeError(path, "the file grew while it was read")
    return data


def _require_regular(path: str | Path, status: os.stat_result) -> None:
    """Refuse what is not a regular file, and giants."""
    if not stat.S_ISREG(status.st_mode):
        raise ImageDecodeError(path, _KINDS.get(stat.S_IFMT(status.st_mode), "not a regular file"))
    if status.st_size > MAX_FILE_BYTES:
        megabytes = f"{status.st_size / 2**20:,.0f} MB"
        raise ImageDecodeError(path, f"the file has {megabytes} (limit {MAX_FILE_BYTES // 2**20} MB)")

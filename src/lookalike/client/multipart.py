"""Forms with pictures, as bytes: what the standard library does not write."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from lookalike.core.errors import InputError

__all__ = ["Picture", "form"]

Picture: TypeAlias = str | Path | bytes
"""The path of an image in the server's collection (str), a file here (Path), or the content of one."""


def form(fields: Iterable[tuple[str, Picture]]) -> tuple[bytes, str]:
    """Write a form: its bytes, and its content type.

    Parameters
    ----------
    fields : iterable of (name, value)
        A str is sent as it is, a file or bytes as a picture.

    Raises
    ------
    InputError
        A file cannot be read.

    Examples
    --------
    >>> body, kind = form([("image", "sea/1.jpg"), ("k", "5")])
    >>> kind[:30], body.count(b"Content-Disposition")
    ('multipart/form-data; boundary=', 2)
    """
    boundary = secrets.token_hex(16)
    parts = [_part(boundary, name, value) for name, value in fields]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def _part(boundary: str, name: str, value: Picture) -> bytes:
    file = "" if isinstance(value, str) else f'; filename="{_file_name(value)}"'
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n'
    kind = "" if isinstance(value, str) else "Content-Type: application/octet-stream\r\n"
    return f"{head}{kind}\r\n".encode() + _content(value) + b"\r\n"


def _file_name(value: Path | bytes) -> str:
    """Return a name that cannot end the header that it stands in."""
    if isinstance(value, bytes):
        return "the picture"
    quoted = value.name.replace("\\", "%5C").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    return quoted.encode(errors="replace").decode()


def _content(value: Picture) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    try:
        return value.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {value}: {error.strerror or error}") from error

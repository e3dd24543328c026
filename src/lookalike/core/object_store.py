"""Addresses of object stores, ``s3://bucket/prefix``: what they may say, how to connect, and errors in one line.

The server, the key and the region come from the usual environment variables, which LanceDB reads itself:
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL, AWS_REGION and AWS_DEFAULT_REGION. Keys
are never handed on, written down, or repeated in a message.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lookalike.core.errors import InputError, StorageError

__all__ = ["address_of", "connect", "endpoint", "greet", "local_half", "storage"]

LONGEST = 300
"""Characters of an error that we have no words of our own for."""

BOUNDS = {
    "connect_timeout": "5 seconds",
    "timeout": "30 seconds",
    "client_max_retries": "2",
    "client_retry_timeout": "20",
}
"""One request may take so long, and is repeated so often where the server is busy or silent."""

ANSWER_SECONDS = 10.0
_ANSWERED: set[str] = set()

KEY_HELP = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
UNREACHABLE = "{server} cannot be reached, or does not answer: check AWS_ENDPOINT_URL and the network"
CAUSES: Sequence[tuple[str, str]] = (
    (
        r"NoSuchBucket|NO_SUCH_BUCKET|ListRequest.*status: 404",
        "there is no such bucket at {server}: make it, or correct the address or AWS_ENDPOINT_URL",
    ),
    (
        r"get AWS credentials|CredentialsNotLoaded",
        "no key for {server} was found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken"
        r"|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|INVALID_CLIENT_TOKEN|EXPIRED_TOKEN",
        "{server} refuses the key: " + KEY_HELP,
    ),
    (
        r"AuthorizationHeaderMalformed|PermanentRedirect|status:? 30\d|configured region",
        "{server} has the bucket in another region: set AWS_REGION",
    ),
    (
        r"AccessDenied|ACCESS_DENIED|status:? 40[13]|Unauthenticated|PermissionDenied",
        "{server} does not allow this to the key: ask for the right to list and read, and of a writer to write, or "
        + KEY_HELP,
    ),
    (
        r"SlowDown|ServiceUnavailable|InternalError|SLOW_DOWN|SERVICE_UNAVAILABLE|INTERNAL_FAILURE"
        r"|status:? (429|5\d\d)",
        "{server} is overloaded or out of order: try again later",
    ),
    (r"HttpError|ConnectError|timed out|dns error|error sending request|NETWORK_CONNECTION|TIMEOUT", UNREACHABLE),
)
"""What stands in an error of the store, the first that does, and what is said of it."""


def address_of(place: str | Path) -> str | None:
    """Return the address that a text, or a path made of it, stands for; None for a folder.

    ``Path`` makes one slash of the two of ``s3://``; both are read.

    Raises
    ------
    InputError
        It names no bucket, holds more than a bucket and a prefix, or is an address of another kind.

    Examples
    --------
    >>> address_of(Path("s3://bucket/photos/")), address_of(".lookalike")
    ('s3://bucket/photos', None)
    """
    text = str(place) if isinstance(place, str) else place.as_posix()
    # A drive of Windows has one letter.
    found = re.match(r"([a-z][a-z0-9+.-]+):/+(.*)", text, flags=re.IGNORECASE | re.DOTALL)
    if found is None:
        return None
    scheme, rest = found.group(1).lower(), found.group(2).strip("/")
    if scheme != "s3":
        raise InputError(f"{scheme}:// cannot be used: give a folder, or s3://bucket/prefix")
    bucket, *parts = rest.split("/")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", bucket) or re.search(r"[?#@%\\\s]|(^|/)\.{0,2}/", rest + "/"):
        # Not repeated: what stands before an @ may be a key.
        raise InputError("an address is s3://bucket/prefix, without spaces, keys and queries: keys are set as AWS_...")
    return "s3://" + "/".join([bucket, *parts])


def endpoint() -> str:
    """Return the server of S3 that the environment names; empty for Amazon's own.

    Raises
    ------
    InputError
        It is no address of a server.

    Examples
    --------
    >>> isinstance(endpoint(), str)
    True
    """
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    for name in names:
        if value := os.environ.get(name):
            if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s@?#]*)?", value):
                raise InputError(f"{name} is not http://SERVER or https://SERVER, without a key: correct it")
            return value.rstrip("/")
    return ""


def local_half(address: str) -> Path:
    """Return the folder on this machine for what is not kept at an address: index files, features, models, runs.

    Below ``LOOKALIKE_DATA``, else the platform's folder of data and ``lookalike``; one for each server and address.

    Examples
    --------
    >>> local_half("s3://bucket/photos").name
    'bucket-photos-...'
    """
    if chosen := os.environ.get("LOOKALIKE_DATA"):
        base = Path(chosen).expanduser()
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "lookalike"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support" / "lookalike"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "lookalike"
    slug = re.sub(r"[^a-z0-9]+", "-", address.removeprefix("s3://").lower()).strip("-")[:40]
    digest = hashlib.sha256(f"{endpoint()} {address}".encode()).hexdigest()[:12]
    return base / "collections" / f"{slug}-{digest}"


def connect(uri: str) -> Any:
    """Connect to the LanceDB database in a folder, or at an address; use it inside `storage`."""
    import lancedb

    if address_of(uri) is None:
        return lancedb.connect(uri)
    greet(endpoint())
    options = {**BOUNDS, "allow_http": str(endpoint().startswith("http://")).lower()}
    if endpoint():
        options["aws_endpoint"] = endpoint()
    return lancedb.connect(uri, storage_options=options)


def greet(server: str) -> None:
    """Ask a server for anything, once in this process: one that never answers is found out in seconds, not minutes.

    Raises
    ------
    ConnectionError
        It does not.

    Examples
    --------
    >>> greet("")  # Amazon's own answers
    """
    if not server or server in _ANSWERED:
        return
    try:
        urllib.request.urlopen(server, timeout=ANSWER_SECONDS).close()  # noqa: S310 (http or https: `endpoint`)
    except urllib.error.HTTPError as error:
        error.close()  # that is an answer
    except (OSError, http.client.HTTPException) as error:
        # What it makes of a certificate may differ from what LanceDB does, which says so itself.
        if not isinstance(getattr(error, "reason", error), ssl.SSLError):
            raise ConnectionError(UNREACHABLE.format(server=server)) from error
    _ANSWERED.add(server)


@contextlib.contextmanager
def storage(doing: str) -> Iterator[None]:
    """Turn whatever LanceDB raises into one line that says what was being done, and of a server what to do.

    Examples
    --------
    >>> with storage("cannot read the table"):
    ...     raise OSError("No space left on device (os error 28)")
    Traceback (most recent call last):
    lookalike.core.errors.StorageError: cannot read the table: the disk is full
    """
    import pyarrow as pa

    try:
        yield
    except (OSError, RuntimeError, ValueError, pa.ArrowException) as error:
        raise StorageError(f"{doing}: {_reason(str(error).strip() or type(error).__name__)}") from _kept(error)


def _reason(text: str) -> str:
    if "No space left on device" in text:
        return "the disk is full"
    if re.search(r"\bS3\b|AWS (credentials|Error)", text):
        server = endpoint() or "S3"
        for pattern, words in CAUSES:
            if re.search(pattern, text):
                return words.format(server=server)
    return _without_keys(text.splitlines()[0])[:LONGEST]


def _without_keys(text: str) -> str:
    """Take the keys of the environment out of a text."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        if len(key := os.environ.get(name, "")) > 3:
            text = text.replace(key, f"<{name}>")
    return text


def _kept(error: BaseException) -> BaseException | None:
    """Return an error as a cause, unless a traceback of it would show a key."""
    return error if _without_keys(str(error)) == str(error) else None

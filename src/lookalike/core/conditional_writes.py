"""Whether a server of S3 knows conditional writes: without them, of two commits at a time one is lost, and nobody told.

Commits rest on ``If-None-Match: *``: of two that write the next version of a table, one is refused. A server that does
not know that header passes over it, and writes both, one over the other. So it is asked, before the first write of a
process to an address, by such a write.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from lookalike.core.errors import StorageError
from lookalike.core.object_store import endpoint, greet, storage

__all__ = ["ONE_WRITER", "require_conditional_writes", "signed_headers"]

ONE_WRITER = "LOOKALIKE_ONE_WRITER"
"""The variable of the environment by which people say that nobody else writes."""

PROBE = "_lookalike_conditional_write"
"""The name of the object that is written only where it is not there; it stays, so that later one request is enough."""

SECONDS = 10.0
WRITTEN, NOT_IMPLEMENTED = range(200, 300), 501
_KNOWN: set[str] = set()


def require_conditional_writes(address: str) -> None:
    """Refuse to write to an address, where the server would let two writers lose each other's commits.

    Asked once in a process, and only of a server that is named by the environment, with a key from there; Amazon's own
    knows them. A server that gives no clear answer is left to say what is wrong when it is written to.

    Raises
    ------
    StorageError
        It does not know conditional writes, and `ONE_WRITER` is not set; or it does not answer.

    Examples
    --------
    >>> require_conditional_writes("s3://bucket/photos") if not endpoint() else None
    """
    server = endpoint()
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not server or not key or not secret or os.environ.get(ONE_WRITER) or f"{server} {address}" in _KNOWN:
        return
    with storage(f"cannot open the collection at {address}"):
        greet(server)
    url = f"{server}/{quote(address.removeprefix('s3://'))}/{PROBE}"
    answer = _put(url, key, secret)
    if answer in WRITTEN:  # it was not there, or is written over: the second time tells
        answer = _put(url, key, secret)
    if answer in WRITTEN or answer == NOT_IMPLEMENTED:
        raise StorageError(
            f"cannot write to {address}: {server} does not know conditional writes (If-None-Match: *), so of two "
            "writers at a time one would lose images: use a server that does, or set "
            f"{ONE_WRITER}=1 if nobody else writes there"
        )
    _KNOWN.add(f"{server} {address}")


def _put(url: str, key: str, secret: str) -> int:
    """Write the probe where it is not there; return the status of the answer, 0 without one."""
    headers = {"if-none-match": "*", "content-type": "application/octet-stream"}
    if token := os.environ.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = token
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    signed = signed_headers("PUT", url, headers, b"", (key, secret), region, datetime.now(UTC))
    request = urllib.request.Request(url, b"", signed, method="PUT")  # noqa: S310 (http or https: `endpoint`)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return int(error.code)
    except OSError:
        return 0


def signed_headers(
    method: str, url: str, headers: Mapping[str, str], body: bytes, keys: tuple[str, str], region: str, when: datetime
) -> dict[str, str]:
    """Return headers with a signature of Amazon's, version 4.

    Parameters
    ----------
    method, url : str
        The path of the URL is quoted already; it has no query.
    headers : mapping of str to str
        By names in lower case; all are signed.
    body : bytes
    keys : (str, str)
        The key's id, and the secret.
    region : str
    when : datetime
        In UTC.

    References
    ----------
    Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)".

    Examples
    --------
    >>> when = datetime(2013, 5, 24, tzinfo=UTC)
    >>> signed = signed_headers("PUT", "http://localhost/bucket/name", {}, b"", ("id", "secret"), "us-east-1", when)
    >>> signed["authorization"][:60]
    'AWS4-HMAC-SHA256 Credential=id/20130524/us-east-1/s3/aws4_re'
    """
    parts = urlsplit(url)
    digest = hashlib.sha256(body).hexdigest()
    stamp = when.strftime("%Y%m%dT%H%M%SZ")
    named = {**headers, "host": parts.netloc, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    names = sorted(named)
    lines = [method, parts.path, "", *[f"{name}:{named[name].strip()}" for name in names], "", ";".join(names), digest]
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256("\n".join(lines).encode()).hexdigest()])
    signing = f"AWS4{keys[1]}".encode()
    for part in scope.split("/"):
        signing = hmac.digest(signing, part.encode(), "sha256")
    signature = hmac.digest(signing, text.encode(), "sha256").hex()
    credential = f"AWS4-HMAC-SHA256 Credential={keys[0]}/{scope}"
    return {**named, "authorization": f"{credential}, SignedHeaders={';'.join(names)}, Signature={signature}"}

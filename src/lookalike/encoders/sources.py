"""Where the weights of a network come from: a folder on this machine first, else the publisher."""

from __future__ import annotations

import hashlib
import os
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit

from lookalike.core.errors import EncoderError
from lookalike.core.files import write_aside
from lookalike.core.version import __version__

__all__ = ["WeightSource", "find", "hub_url", "obtain", "weights_folder"]

HUB = "https://huggingface.co"
TIMEOUT = 30
"""Seconds without a byte before a download counts as failed."""
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class WeightSource:
    """The published weights of a network.

    Attributes
    ----------
    file : str
        Their name in the folder of weights; empty where nothing was published.
    url : str or None
        What serves them.
    sha256 : str or None
        Their checksum in hexadecimal, or the beginning of it that the publisher gives.
    how : str
        How to get them by hand where no url serves them, as a command that "and put it into ..." can follow:
        ``"run convert.py of the publisher"``; without a file, why there are none.

    Examples
    --------
    >>> WeightSource("resnet18-f37072fd.pth", "https://download.pytorch.org/models/resnet18-f37072fd.pth").file
    'resnet18-f37072fd.pth'
    """

    file: str
    url: str | None = None
    sha256: str | None = None
    how: str = ""


def weights_folder() -> Path:
    """Return the folder of weights: ``LOOKALIKE_CACHE``, else the platform's cache folder and ``lookalike/weights``."""
    if chosen := os.environ.get("LOOKALIKE_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "lookalike" / "weights"


def hub_url(repository: str, file: str) -> str:
    """Return the address of a file on the Hugging Face hub, or on the mirror that ``HF_ENDPOINT`` names.

    Examples
    --------
    >>> hub_url("timm/resnet18.a1_in1k", "model.safetensors")
    'https://.../timm/resnet18.a1_in1k/resolve/main/model.safetensors'
    """
    endpoint = os.environ.get("HF_ENDPOINT") or HUB
    return f"{endpoint.rstrip('/')}/{repository}/resolve/main/{file}"


def find(source: WeightSource, cache: Path | None = None) -> Path | None:
    """Return the file of the weights on this machine, if it is here.

    Parameters
    ----------
    source : WeightSource
    cache : Path, optional
        The folder to look in; by default `weights_folder`.

    Examples
    --------
    >>> import tempfile
    >>> find(WeightSource("net.pth"), Path(tempfile.mkdtemp())) is None
    True
    """
    path = (cache or weights_folder()) / source.file
    return path if source.file and path.is_file() else None


def obtain(source: WeightSource) -> Path:
    """Return the file of the weights, downloading it into the folder of weights where it is not there.

    Nothing is downloaded while ``LOOKALIKE_OFFLINE`` is set (to anything but 0).

    Raises
    ------
    EncoderError
        It is not here and cannot be had; the message says which file to fetch, and where to put it.
    """
    held = find(source)
    if held is not None:
        return held
    if source.url is None:
        raise _absent(source, source.how or "get them from their publisher")
    if os.environ.get("LOOKALIKE_OFFLINE", "0") not in ("", "0"):
        raise _absent(source, "working offline")
    path = weights_folder() / source.file
    with write_aside(path) as aside:
        with aside.open("wb") as handle:
            for block in _download(source):
                handle.write(block)
        with aside.open("rb") as handle:
            _check(source, handle)
    return path


def _download(source: WeightSource) -> Iterator[bytes]:
    """Yield what the publisher sends; an error of the network is told apart from one of the disk."""
    url = str(source.url)
    if urlsplit(url).scheme not in ("http", "https"):
        raise _absent(source, f"{url} is not a web address")
    request = urllib.request.Request(url, headers={"User-Agent": f"lookalike/{__version__}"})  # noqa: S310 checked above
    received = 0
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
            promised = int(answer.headers.get("Content-Length") or -1)
            while block := answer.read(BLOCK):
                received += len(block)
                yield block
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()
        raise _absent(source, f"the download failed: {getattr(error, 'reason', None) or error}") from error
    if received < promised:
        raise _absent(source, f"the download broke off after {received:,} of {promised:,} bytes")


def _check(source: WeightSource, handle: IO[bytes]) -> None:
    if source.sha256 is None:
        return
    found = hashlib.file_digest(handle, "sha256").hexdigest()  # type: ignore[arg-type]
    if not found.startswith(source.sha256.lower()):
        raise _absent(source, f"what was downloaded has another checksum: {found[:16]}, not {source.sha256[:16]}")


def _absent(source: WeightSource, reason: str) -> EncoderError:
    """Say in one line what to fetch and where to put it."""
    if not source.file:
        return EncoderError(f"there are no weights to download: {reason}; give weights=PATH")
    if source.url is not None:
        reason = f"{reason}; fetch {source.url}"
    return EncoderError(
        f"the weights {source.file} are not on this machine: {reason.rstrip('.')} and put it into {weights_folder()} "
        "under that name, or give weights=PATH"
    )

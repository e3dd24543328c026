"""Coming to a Ray cluster, or starting one on this machine, and leaving it as it was."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from lookalike.core.errors import ClusterError, InputError
from lookalike.core.lanes import cores

__all__ = ["PLACES", "check_place", "connected"]

PLACES = "local, ray or ray://HOST:PORT"
"""What `--on` takes."""

ANSWER_SECONDS = 10
PORT = 10001  # of Ray's own servers for clients
STORE_BYTES = 512 * 2**20  # of shared memory on this machine: the pictures under way take a few dozen MB

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to anybody
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # Ray prints on standard output, which belongs to --json
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the way that is to come; without a choice, Ray warns
}


def check_place(place: str) -> None:
    """Raise an `InputError` unless a text names a place to run at.

    Examples
    --------
    >>> check_place("ray://10.0.0.1:10001")
    >>> check_place("spark")
    Traceback (most recent call last):
    lookalike.core.errors.InputError: spark is no place to run on: use local, ray or ray://HOST:PORT
    """
    if place in ("local", "ray"):
        return
    try:
        parts = urlsplit(place)
        good = parts.scheme == "ray" and bool(parts.hostname) and (parts.port or PORT) > 0 and not parts.path
    except ValueError:  # a port that is no number
        good = False
    if not good:
        raise InputError(f"{place} is no place to run on: use {PLACES}")


@contextlib.contextmanager
def connected(place: str) -> Iterator[Any]:
    """Give the module `ray`, connected to a cluster, while the block runs.

    For "ray" a connection that this process has already is used, and stays.

    Parameters
    ----------
    place : str
        ``"ray"`` starts Ray on this machine, on the processors that this process may use, for as long as the block
        runs; ``"ray://HOST:PORT"`` is a cluster.

    Raises
    ------
    ClusterError
        Ray is not installed, or the cluster does not answer.
    """
    ray = _ray()
    if place == "ray" and ray.is_initialized():
        yield ray
        return
    if place != "ray":
        _knock(place)
    here = {
        "address": "local",
        "num_cpus": cores(),
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
    }
    try:
        with warnings.catch_warnings(action="ignore"):
            ray.init(
                **(here if place == "ray" else {"address": place}), logging_level=logging.CRITICAL, log_to_driver=False
            )
    except Exception as error:  # of many kinds: versions that differ, a token that is missing, no shared memory
        token = (
            "" if place == "ray" else " (if it asks for a token: RAY_AUTH_MODE=token, and the token as Ray's docs say)"
        )
        raise ClusterError(f"{_named(place)} cannot be used: {_line(error)}{token}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _ray() -> Any:
    """Import Ray, quiet."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise ClusterError("--on ray needs Ray, which is not installed: pip install 'lookalike[ray]'") from error
    return ray


def _knock(place: str) -> None:
    """Find out in seconds that nobody is there, which takes Ray half a minute."""
    parts = urlsplit(place)
    host, port = parts.hostname or "", parts.port or PORT
    try:
        socket.create_connection((host, port), ANSWER_SECONDS).close()
    except OSError as error:
        raise ClusterError(
            f"no Ray cluster answers at {place} ({error.strerror or error}): "
            f"is `ray start --head --ray-client-server-port={port}` running there?"
        ) from error


def _named(place: str) -> str:
    return "Ray on this machine" if place == "ray" else f"the cluster at {place}"


def _line(error: Exception) -> str:
    """Return the first line that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__

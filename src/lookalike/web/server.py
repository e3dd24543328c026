"""From a host and a port to a running server, and to a quiet end."""

from __future__ import annotations

import errno
import ipaddress
import os
import signal
import socket
from pathlib import Path

import uvicorn

from lookalike.core.errors import InputError
from lookalike.jobs.keys import KeyRing
from lookalike.jobs.labelling import Labelling
from lookalike.jobs.live import LiveCollection
from lookalike.web.app import create_app

__all__ = ["is_loopback", "listen", "run", "url_of"]

SHUTDOWN_SECONDS = 5
"""How long running requests may take after Ctrl-C."""

_REASONS = {
    errno.EADDRINUSE: "the port is in use: choose another with --port",
    errno.EACCES: "no permission for this port: choose one above 1023 with --port",
    errno.EADDRNOTAVAIL: "this machine does not have that address: check --host",
}


def listen(host: str, port: int) -> socket.socket:
    """Open the socket to serve on.

    Parameters
    ----------
    host : str
        A name or an address.
    port : int
        0 takes any that is free.

    Raises
    ------
    InputError
        The port is in use, or the host is none of this machine.

    Examples
    --------
    >>> with listen("127.0.0.1", 0) as listener:
    ...     is_loopback(listener)
    True
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise InputError(f"cannot listen on {host}: there is no such host") from error
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere this would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise InputError(f"cannot listen on {host} port {port}: {reason}") from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the address of the page."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine can connect."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def run(
    workspace: Path,
    live: LiveCollection,
    labelling: Labelling,
    listener: socket.socket,
    host: str,
    keys: KeyRing | None = None,
    workers: int = 1,
) -> None:
    """Serve until Ctrl-C, or until the system asks to stop; requests that are running are answered first.

    With several workers, `live` has done its work when its index is on the disk: each of them opens its own.
    """
    # Where a key is asked for, no other site can use a name that it points here; and a proxy may have any name.
    hosts = [host, "localhost", "127.0.0.1", "::1"] if keys is None else None
    if workers > 1:
        from lookalike.web.workers import run_workers

        run_workers(workspace, labelling, listener, hosts, keys is not None, workers, SHUTDOWN_SECONDS)
        return
    config = uvicorn.Config(
        create_app(live, labelling, hosts, keys),
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    # Once it has shut down, Uvicorn raises the signal again: both signals then end here.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)

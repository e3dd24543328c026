"""One request after another over connections that are kept, and refusals as errors of the tree."""

from __future__ import annotations

import http.client
import json
import time
from collections import deque
from typing import Any
from urllib.parse import urlsplit

from lookalike.core.errors import InputError, ServerError

__all__ = ["Transport"]

API = "/api/v1"
OURS = {400, 404, 413, 415, 422}
"""Statuses that blame what was asked; the others blame the key, the server or the network."""

TRIES = 4
LONGEST_WAIT = 10.0
"""Seconds; a server that wants a longer pause is not waited for."""


class Transport:
    """Sends requests to one server; safe in several threads; connections are kept for the next request.

    Parameters
    ----------
    url : str
        ``http://HOST:PORT`` or ``https://HOST``, perhaps with a path before ``/api/v1``.
    key : str, optional
    timeout : float
        Seconds without a sign of the server after which it is given up.

    Raises
    ------
    InputError
        The address is none.
    """

    def __init__(self, url: str, key: str | None, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"'{url}' is no address of a server: give one such as http://127.0.0.1:8000")
        self.url = url.rstrip("/")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._before, self._timeout = parts.path.rstrip("/") + API, timeout
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._idle: deque[http.client.HTTPConnection] = deque()

    def close(self) -> None:
        """Close the connections that are kept; the next request opens another one."""
        while self._idle:
            self._idle.pop().close()

    def __del__(self) -> None:
        if hasattr(self, "_idle"):
            self.close()

    def json(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Any:
        """Send a request, and return the JSON that is answered."""
        return json.loads(self.content(method, path, body, kind))

    def content(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        """Send a request, and return what is answered; where the server wants a short pause, make it.

        Raises
        ------
        InputError
            What was asked cannot be answered.
        ServerError
            The server does not answer, does not let this key in, or is in trouble.
        """
        headers = self._headers | ({} if body is None else {"Content-Type": kind})
        for number in range(1, TRIES + 1):
            status, pause, content = self._once(method, self._before + path, body, headers)
            if status < 300:
                return content
            if status != 429 or number == TRIES or pause > LONGEST_WAIT:
                break
            time.sleep(pause)
        line = _line(content) or f"the server answered {status}"
        raise InputError(line) if status in OURS else ServerError(line, status)

    def _once(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, float, bytes]:
        """Ask once; over a connection that the server has closed meanwhile, twice."""
        for kept in (True, False):
            connection = self._kept() if kept else self._connect()
            if connection is None:
                continue
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if not kept:
                    raise ServerError(f"{self.url} does not answer: {str(error) or type(error).__name__}") from error
                continue
            if response.will_close:
                connection.close()
            else:
                self._idle.append(connection)
            return response.status, _seconds(response.headers.get("Retry-After")), content
        raise AssertionError("the second try is always made")

    def _kept(self) -> http.client.HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=self._timeout)


def _seconds(said: str | None) -> float:
    return float(said) if said is not None and said.isdecimal() else 1.0


def _line(content: bytes) -> str:
    """Return what a refusal says."""
    try:
        return str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        return ""

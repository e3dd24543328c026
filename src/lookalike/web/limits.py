"""How much one client may ask of a server that other machines can reach, and when it may go on."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from lookalike.web.doors import HOLDER

__all__ = ["Buckets", "Limits", "cost"]

RATE = 50.0
"""Requests a second that a client may keep up: a page of thumbnails every second or so."""

BURST = 600.0
"""Requests at once, after a while of silence."""

SEARCH, BATCH = 10.0, 50.0
"""What a request counts that makes the server encode or search; and one that makes it do so many times."""

EXPLAIN = 60.0
"""And one that makes it encode a hundred pictures."""

COSTS = {
    "/search": SEARCH,
    "/compare": SEARCH,
    "/session": SEARCH,
    "/embed": BATCH,
    "/search/batch": BATCH,
    "/explain": EXPLAIN,
    "/sheet": SEARCH,
}
"""By the end of the path, of a POST."""

CLIENTS = 10_000
"""So many are remembered; one that was silent longest is forgotten, and has its full burst again."""


class Buckets:
    """A bucket of tokens per client, filled evenly.

    Parameters
    ----------
    rate, burst : float
        Tokens a second, and at most.
    now : callable
        Seconds of a clock that never goes back.

    Examples
    --------
    >>> buckets = Buckets(rate=1, burst=2, now=lambda: 0.0)
    >>> [buckets.take("ann", 1) for _ in range(3)]
    [0.0, 0.0, 1.0]
    """

    def __init__(self, rate: float, burst: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._now = rate, burst, now
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, tokens: float) -> float:
        """Take tokens, and return 0; or take none, and return after how many seconds there will be enough."""
        now = self._now()
        left, when = self._held.pop(client, (self._burst, now))
        left = min(self._burst, left + (now - when) * self._rate)
        enough = left >= tokens
        self._held[client] = (left - tokens if enough else left, now)
        if len(self._held) > CLIENTS:
            self._held.popitem(last=False)
        return 0.0 if enough else (tokens - left) / self._rate


def cost(path: str, method: str) -> float:
    """Return what a request counts; pages and their files count nothing.

    Examples
    --------
    >>> cost("/style.css", "GET"), cost("/api/v1/thumbnails/x.jpg", "GET"), cost("/api/v1/search", "POST")
    (0.0, 1.0, 10.0)
    """
    if not path.startswith("/api/"):
        return 0.0
    if method != "POST":
        return 1.0
    return next((tokens for end, tokens in COSTS.items() if path.endswith(end)), 1.0)


class Limits:
    """Middleware that lets a client wait who asks too much: by key, where it sends one, else by address.

    Parameters
    ----------
    app : ASGI application
    buckets : Buckets, optional
    """

    def __init__(self, app: ASGIApp, buckets: Buckets | None = None) -> None:
        self.app = app
        self.buckets = buckets or Buckets(RATE, BURST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wait = self.buckets.take(_client(scope), cost(scope["path"], scope["method"]))
        if not wait:
            await self.app(scope, receive, send)
            return
        seconds = math.ceil(wait)
        line = f"too many requests: wait {seconds} second{'s' if seconds > 1 else ''}"
        await JSONResponse({"error": line}, 429, {"Retry-After": str(seconds)})(scope, receive, send)


def _client(scope: Scope) -> str:
    holder = scope.get(HOLDER)
    return f"key {holder}" if holder else f"address {scope['client'][0] if scope.get('client') else ''}"

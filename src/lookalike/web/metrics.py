"""What a server has done, for Prometheus: requests by route and status, their seconds, how many images there are."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Metrics", "Observed"]

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Where several workers keep their numbers together, Prometheus' client looks for the folder under this name."""

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The numbers of one server.

    Parameters
    ----------
    images : callable
        Says how many images are served, when asked.

    Examples
    --------
    >>> metrics = Metrics(lambda: 3)
    >>> metrics.observe("GET", "/api/v1/health", 200, 0.002)
    >>> b'lookalike_requests_total{method="GET",route="/api/v1/health",status="200"} 1.0' in metrics.page().body
    True
    """

    def __init__(self, images: Callable[[], int]) -> None:
        self._images = images
        self._registry = CollectorRegistry()
        names = ("method", "route")
        self._requests = Counter("lookalike_requests", "Requests answered", (*names, "status"), registry=self._registry)
        self._seconds = Histogram(
            "lookalike_request_seconds", "Time until an answer began", names, buckets=SECONDS, registry=self._registry
        )
        # Each worker searches the same images: the number of the one that was asked last is that of all.
        self._held = Gauge(
            "lookalike_images", "Images that are searched", registry=self._registry, multiprocess_mode="mostrecent"
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def page(self) -> Response:
        """Return all of them in Prometheus' text format; of several workers, the sums."""
        self._held.set(self._images())
        registry = self._registry
        if os.environ.get(SHARED):
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class Observed:
    """Middleware that counts every request, refused ones included.

    Routes stand for the paths that they take, so that as many images are one row; what no route took is ``other``.

    Parameters
    ----------
    app : ASGI application
    metrics : Metrics
    prefix : str
        Of the routes of the API.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, prefix: str) -> None:
        self.app = app
        self.metrics = metrics
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how it went."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self.metrics.observe(_method(scope), self._route(scope), status, time.perf_counter() - started)
            await send(message)

        await self.app(scope, receive, noted)

    def _route(self, scope: Scope) -> str:
        route = scope.get("route")
        path = str(getattr(route, "path_format", None) or getattr(route, "path", "other"))
        # Some versions of FastAPI name the route of a router without the prefix that the router has.
        inside = scope["path"].startswith(self.prefix) and route is not None
        return f"{self.prefix}{path}" if inside and not path.startswith(self.prefix) else path


def _method(scope: Scope) -> str:
    """Return a method's name; whatever a client may call one is a row of its own only if it is one."""
    known = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
    return scope["method"] if scope["method"] in known else "other"

"""What every request must pass, and what every response carries, whichever route it belongs to.

A server on this machine asks for no key, so it must not become a way in for other web sites: a page of another site may
neither read through a name that it has pointed here (DNS rebinding: the host is checked), nor post
(the origin is checked), nor embed pictures (the resource policy says so).
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HEADERS", "Guard"]

HEADERS = {
    # Pictures a visitor picks are shown from memory: that is what blob: is for.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """Middleware that checks host and origin, and adds the security headers.

    Parameters
    ----------
    app : ASGI application
    hosts : collection of str, optional
        Names this server answers to, without ports; without it, any.

    Examples
    --------
    >>> Guard(lambda *_: None, hosts=["localhost"]).refusal(Headers({"host": "evil.example:8000"}), "GET")
    'this server does not answer to the name evil.example: start it with --host to let others in'
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None = None) -> None:
        self.app = app
        self.hosts = None if hosts is None else frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        refusal = self.refusal(Headers(scope=scope), scope["method"])
        answer = self.app if refusal is None else JSONResponse({"error": refusal}, status_code=403)
        await answer(scope, receive, with_headers)

    def refusal(self, headers: Headers, method: str) -> str | None:
        """Say why a request is refused; None lets it pass."""
        host = headers.get("host", "")
        name = _hostname(f"//{host}")
        if self.hosts is not None and name not in self.hosts:
            return f"this server does not answer to the name {name}: start it with --host to let others in"
        origin = headers.get("origin")
        if method not in {"GET", "HEAD"} and origin is not None and _netloc(origin) != host.lower():
            return f"a page of {origin} may not post to this server"
        return None


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # an IPv6 address that is none
        return ""


def _netloc(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""

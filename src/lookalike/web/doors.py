"""Who may do what: a key with every request, where a server is open to other machines.

A program sends its key as ``Authorization: Bearer KEY``. A browser signs in once and then sends it as a cookie that no
script can read and no other site can send; where it changes something it must say which page it comes from.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from lookalike.core.errors import LookalikeError
from lookalike.jobs.keys import Key, KeyRing, Role

__all__ = ["COOKIE", "HOLDER", "ROLE", "Doors", "needed", "secret_of"]

COOKIE = "lookalike_key"
HOLDER, ROLE = "lookalike.holder", "lookalike.role"
"""Where a request's scope says whose key it came with, and what that may do."""

OPEN = ("/api/v1/health", "/api/v1/session")
DOORS = (
    ("/api/v1/duplicates/trash", Role.ADMIN),
    ("/api/v1/label/", Role.ANNOTATOR),
    ("/api/", Role.READER),
    ("/metrics", Role.READER),
)
CHANGES = (("/api/v1/jobs", Role.ADMIN), ("/api/v1/map/", Role.ANNOTATOR))
"""What changing something below a path wants, where that is more than reading it."""

READING = {"GET", "HEAD"}


def needed(path: str, method: str = "GET") -> Role | None:
    """Return the least role that a request wants; None for what holds nothing of the collection: pages and their files.

    Examples
    --------
    >>> needed("/api/v1/search").name, needed("/api/v1/label/answers").name, needed("/style.css")
    ('READER', 'ANNOTATOR', None)
    >>> needed("/api/v1/jobs").name, needed("/api/v1/jobs", "POST").name
    ('READER', 'ADMIN')
    """
    for start, role in CHANGES if method not in READING else ():
        if path.startswith(start):
            return role
    if path in OPEN:
        return None
    return next((role for start, role in DOORS if path.startswith(start)), None)


class Doors:
    """Middleware that asks for a key.

    Parameters
    ----------
    app : ASGI application
    keys : KeyRing
    """

    def __init__(self, app: ASGIApp, keys: KeyRing) -> None:
        self.app = app
        self.keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        role = needed(scope["path"], scope["method"])
        if role is None:
            await self.app(scope, receive, send)
            return
        found = await self._holder(Headers(scope=scope), scope["method"], role)
        if isinstance(found, Key):
            scope[HOLDER], scope[ROLE] = found.name, found.role
            await self.app(scope, receive, send)
        else:
            await found(scope, receive, send)

    async def _holder(self, headers: Headers, method: str, role: Role) -> Key | JSONResponse:
        """Return whose key it is, or why nobody gets in."""
        secret, by_cookie = secret_of(headers)
        if secret is None:
            return _refusal(401, "this server wants a key: send it as 'Authorization: Bearer KEY', or sign in")
        try:
            key = await run_in_threadpool(self.keys.holder, secret)
        except LookalikeError as error:
            return _refusal(503, str(error))
        if key is None:
            return _refusal(401, "this key does not open this server, or not any more")
        if by_cookie and method not in READING and "origin" not in headers:
            return _refusal(403, "a browser that is signed in must say which page a request comes from")
        if key.role < role:
            return _refusal(403, f"the key of {key.name} is that of a {key.role.name.lower()}: this wants {_a(role)}")
        return key


def secret_of(headers: Headers) -> tuple[str | None, bool]:
    """Return the key that a request carries, if any, and whether as a cookie.

    Examples
    --------
    >>> secret_of(Headers({"authorization": "Bearer lk-1"})), secret_of(Headers({"cookie": "lookalike_key=lk-2"}))
    (('lk-1', False), ('lk-2', True))
    """
    kind, _, secret = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and secret.strip():
        return secret.strip(), False
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None, False
    return (morsel.value, True) if morsel is not None and morsel.value else (None, False)


def _a(role: Role) -> str:
    return f"{'a' if role is Role.READER else 'an'} {role.name.lower()}"


def _refusal(status: int, message: str) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": message}, status, headers)

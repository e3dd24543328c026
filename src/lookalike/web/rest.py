"""What no route takes: the files of the pages, and the right way to say that something else is not here."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

__all__ = ["Rest"]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
STATIC = Path(__file__).parent / "static"


class Rest(StaticFiles):
    """Serves files to those who read; says 405 with the right methods where a route would take another one.

    Parameters
    ----------
    routes : list of BaseRoute
        Of the application, looked at with every request.

    Examples
    --------
    >>> from starlette.routing import Route
    >>> scope = {"type": "http", "path": "/x", "method": "POST"}
    >>> Rest([Route("/x", lambda _: None, methods=["DELETE"])]).methods(scope)
    ['DELETE']
    """

    def __init__(self, routes: list[BaseRoute]) -> None:
        super().__init__(directory=STATIC)
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a file, or refuse."""
        allowed = self.methods(scope)
        if allowed:
            raise HTTPException(405, "this address takes " + " or ".join(allowed), {"Allow": ", ".join(allowed)})
        await super().__call__(scope, receive, send)

    def methods(self, scope: Scope) -> list[str]:
        """Return the methods that some route takes at this path."""
        routes = [route for route in self._routes if not isinstance(route, Mount)]
        asked = ({**scope, "method": method} for method in METHODS)
        return [one["method"] for one in asked if any(route.matches(one)[0] is Match.FULL for route in routes)]

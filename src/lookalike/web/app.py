"""The application: routes under /api/v1, the pages and their files under /."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

from lookalike import __version__
from lookalike.jobs.keys import KeyRing
from lookalike.jobs.labelling import Labelling
from lookalike.jobs.live import LiveCollection
from lookalike.web.doors import Doors
from lookalike.web.errors import add_error_handlers
from lookalike.web.guard import Guard
from lookalike.web.limits import Limits
from lookalike.web.metrics import Metrics, Observed
from lookalike.web.routes import compare, health, images, label, search, session
from lookalike.web.running import Turns

__all__ = ["API", "create_app"]

API = "/api/v1"
PAGES = ("label", "signin")
STATIC = Path(__file__).parent / "static"


def create_app(
    live: LiveCollection, labelling: Labelling, hosts: Collection[str] | None = None, keys: KeyRing | None = None
) -> FastAPI:
    """Make the application that serves a collection, and takes people's answers about it.

    Parameters
    ----------
    live : LiveCollection
        What to serve.
    labelling : Labelling
        Of the same workspace.
    hosts : collection of str, optional
        Names to answer to, see `Guard`; without it, any.
    keys : KeyRing, optional
        Who may do what, see `lookalike.web.doors.Doors`; without it, everybody everything.

    Examples
    --------
    >>> import tempfile
    >>> from lookalike.embedding.collection import Collection
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = Collection.create(folder / ".lookalike", root=folder)
    >>> app = create_app(LiveCollection(folder / ".lookalike"), Labelling(folder / ".lookalike"))
    >>> sorted(app.openapi()["paths"])[:3]
    ['/api/v1/compare', '/api/v1/health', '/api/v1/images']
    """
    # The documentation pages would load scripts from another host; the schema itself is served.
    app = FastAPI(
        title="lookalike", version=__version__, openapi_url=f"{API}/openapi.json", docs_url=None, redoc_url=None
    )
    app.state.live = live
    app.state.labelling = labelling
    app.state.keys = keys
    app.state.turns = Turns(live.lanes)
    for route in (search, compare, images, label, health, session):
        app.include_router(route.router, prefix=API)
    add_error_handlers(app)
    for page in PAGES:
        app.add_api_route(f"/{page}", _page(page), include_in_schema=False)
    if keys is not None:
        app.add_middleware(Limits)
        app.add_middleware(Doors, keys=keys)
    metrics = Metrics(lambda: len(live))
    app.add_api_route("/metrics", metrics.page, include_in_schema=False)
    app.mount("/", StaticFiles(directory=STATIC, html=True))
    app.add_middleware(Guard, hosts=hosts)
    app.add_middleware(Observed, metrics=metrics, prefix=API)  # the last one added is the first that a request meets
    return app


def _page(name: str) -> Callable[[], FileResponse]:
    return lambda: FileResponse(STATIC / f"{name}.html")

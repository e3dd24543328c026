"""The application: routes under /api/v1, the pages and their files under /."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import HTMLResponse

from lookalike import __version__
from lookalike.jobs.background import BackgroundJobs
from lookalike.jobs.duplicates_review import DuplicateReview
from lookalike.jobs.keys import KeyRing
from lookalike.jobs.labelling import Labelling
from lookalike.jobs.live import LiveCollection
from lookalike.web.doors import Doors
from lookalike.web.errors import add_error_handlers
from lookalike.web.guard import Guard
from lookalike.web.limits import Limits
from lookalike.web.metrics import Metrics, Observed
from lookalike.web.openapi import Described
from lookalike.web.page import PAGES
from lookalike.web.rest import Rest
from lookalike.web.routes import (
    batch,
    compare,
    duplicates,
    explain,
    health,
    images,
    jobs,
    label,
    map,
    models,
    search,
    session,
    standings,
)
from lookalike.web.running import Turns

__all__ = ["API", "create_app"]

API = "/api/v1"
ROUTES = (
    search,
    batch,
    explain,
    models,
    compare,
    duplicates,
    images,
    label,
    jobs,
    standings,
    map,
    health,
    session,
)


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
    >>> from pathlib import Path
    >>> from lookalike.embedding.collection import Collection
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = Collection.create(folder / ".lookalike", root=folder)
    >>> app = create_app(LiveCollection(folder / ".lookalike"), Labelling(folder / ".lookalike"))
    >>> {"/api/v1/search", "/api/v1/compare"} <= set(app.openapi()["paths"])
    True
    """
    # The documentation pages would load scripts from another host; the schema itself is served.
    app = Described(
        title="lookalike", version=__version__, openapi_url=f"{API}/openapi.json", docs_url=None, redoc_url=None
    )
    app.state.live = live
    app.state.labelling = labelling
    app.state.review = DuplicateReview(live.workspace.place)
    app.state.keys = keys
    app.state.jobs = BackgroundJobs(Path(live.workspace.place))
    app.state.turns = Turns(live.lanes)
    for route in ROUTES:
        app.include_router(route.router, prefix=API)
    add_error_handlers(app)
    for page in PAGES:
        app.add_api_route(page.path, _answer(page.html()), include_in_schema=False)
    if keys is not None:
        app.add_middleware(Limits)
        app.add_middleware(Doors, keys=keys)
    metrics = Metrics(lambda: len(live))
    app.add_api_route("/metrics", metrics.page, include_in_schema=False)
    app.mount("/", Rest(app.routes))
    app.add_middleware(Guard, hosts=hosts)
    app.add_middleware(Observed, metrics=metrics, prefix=API)  # the last one added is the first that a request meets
    return app


def _answer(page: str) -> Callable[[], HTMLResponse]:
    return lambda: HTMLResponse(page)

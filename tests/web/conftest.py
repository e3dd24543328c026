"""A real server on a free port of this machine, in a thread, over a small collection."""

import importlib.util
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image

from lookalike.embedding.collection import Collection
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_cache import unit_features
from lookalike.embedding.feature_sets import FeatureSet, fingerprint
from lookalike.ensembles.gate import GateEnsemble
from lookalike.ensembles.saving import save_ensemble
from lookalike.ensembles.vote import VoteEnsemble
from lookalike.jobs.keys import KeyRing, Role, add_key
from lookalike.jobs.labelling import Labelling
from lookalike.jobs.live import LiveCollection
from lookalike.judgments.table import Judgments
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.saving import save_model
from lookalike.similarity.selected import SelectedModel
from lookalike.web.app import create_app
from lookalike.web.server import listen, url_of


@dataclass
class Site:
    """A running server: its photographs, their collection, and a client."""

    photos: Path
    collection: Collection
    client: httpx.Client


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, make_photo: Callable[..., Path]) -> Iterator[Site]:
    photos = tmp_path_factory.mktemp("web") / "photos"
    for number in range(12):
        make_photo(photos / "ab"[number % 2] / f"{number:02}.jpg", number)
    Image.new("RGB", (40, 30), (9, 120, 30)).save(photos / "it's 100% #green?.png")
    collection = Collection.create(photos.parent / ".lookalike", photos)
    collection.sync()
    with listen("127.0.0.1", 0) as listener:
        path = collection.workspace.path
        app = create_app(LiveCollection(path), Labelling(path), hosts=["127.0.0.1"])
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        # The server hangs up after an internal error; a request that reuses that connection meets the hanging up.
        afresh = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=url_of(listener), trust_env=False, timeout=20, limits=afresh) as client:
            yield Site(photos, collection, client)
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def taught(site: Site) -> Site:
    """The same with two models and ensembles of them, fitted without torch."""
    workspace, paths = (
        site.collection.workspace,
        sorted(str(path.relative_to(site.photos)) for path in site.photos.glob("?/*")),
    )
    features = unit_features(workspace, load_encoder("compact"), {path: site.photos / path for path in paths})
    width = features.vectors.shape[1]
    whole, half = IdentityModel.of(width), SelectedModel.over(IdentityModel.of(width // 2), (0, width // 2), width)
    rng = np.random.default_rng(0)
    asked = np.array([rng.choice(paths, 3, replace=False) for _ in range(120)])
    r, a, b = (features.vectors[features.rows(column)] for column in asked.T.tolist())
    first = ((r * a).sum(1) > (r * b).sum(1)) ^ (rng.random(120) < 0.2)  # mostly, the nearer one is chosen
    answers = Judgments.from_ids(*asked.T.tolist(), np.where(first, 3, 1), np.where(first, 1, 3))
    about = {"encoders": ["compact"], "fingerprint": fingerprint(FeatureSet("", ("compact",)))}
    for name, model in (("whole", whole), ("half", half)):
        save_model(model, workspace.models_folder / name, about)
    for name, kind in (("gate", GateEnsemble), ("vote", VoteEnsemble)):
        ensemble = kind([whole, half]).fit(answers, features)
        save_ensemble(ensemble, workspace.models_folder / name, {**about, "members": ["whole", "half"]})
    return site


@dataclass
class Closed:
    """A running server that wants keys."""

    workspace: Path
    url: str
    secrets: dict[str, str]

    def ask(self, method: str, path: str, who: str | None = None, **given: Any) -> httpx.Response:
        headers = {} if who is None else {"Authorization": f"Bearer {self.secrets.get(who, who)}"}
        headers |= given.pop("headers", {})
        return httpx.request(method, self.url + path, headers=headers, trust_env=False, timeout=20, **given)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, make_photo: Callable[..., Path]) -> Iterator[Closed]:
    photos = tmp_path_factory.mktemp("doors") / "photos"
    for number in range(6):
        make_photo(photos / f"{number:02}.jpg", number)
    collection = Collection.create(photos.parent / ".lookalike", photos)
    collection.sync()
    path = collection.workspace.path
    secrets = {role.name.lower(): add_key(path, role.name.lower(), role) for role in Role}
    with listen("127.0.0.1", 0) as listener:
        app = create_app(LiveCollection(path), Labelling(path), None, KeyRing(path))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield Closed(path, url_of(listener), secrets)
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")  # not longer: Playwright runs an event loop meanwhile, and there can be no other
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: install the extra dev")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with playwright.sync_playwright() as session:
        launched = session.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()


@contextmanager
def watched(browser: Any, url: str, seconds: float = 30, **options: Any) -> Iterator[Any]:
    """Open a page in a browser that remembers nothing; whatever it complains of fails the test."""
    context = browser.new_context(base_url=url, **{"viewport": {"width": 1280, "height": 800}, **options})
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    opened.set_default_timeout(1000 * seconds)
    yield opened
    context.close()
    assert complaints == []


@pytest.fixture(scope="session", name="watched")
def _watched() -> Callable[..., Any]:
    """Return `watched`."""
    return watched


@pytest.fixture(scope="session")
def serious() -> Callable[[Any], list[str]]:
    """What axe-core finds serious on a page: rules and places."""
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("needs axe-core: install the extra dev")
    axe = (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")

    def check(page: Any) -> list[str]:
        page.evaluate(axe)
        violations = page.evaluate("axe.run().then((found) => found.violations)")
        return [
            f"{one['id']}: {[node['html'] for node in one['nodes']]}"
            for one in violations
            if one["impact"] in ("serious", "critical")
        ]

    return check

"""A server with keys: who gets in, as what, and how a browser signs in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from lookalike.embedding.collection import Collection
from lookalike.jobs.keys import KeyRing, Role, add_key, revoke_key
from lookalike.jobs.labelling import Labelling
from lookalike.jobs.live import LiveCollection
from lookalike.web.app import create_app
from lookalike.web.doors import COOKIE, needed
from lookalike.web.server import listen, url_of


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


def test_every_path_of_the_api_wants_a_key(closed: Closed) -> None:
    paths = closed.ask("GET", "/api/v1/openapi.json", "reader").json()["paths"]
    assert len(paths) > 8
    for path, methods in paths.items():
        if path in ("/api/v1/health", "/api/v1/session"):
            continue
        for method in methods:
            answer = closed.ask(method.upper(), path.replace("{image}", "00.jpg"))
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_pages_hold_nothing_and_are_open(closed: Closed) -> None:
    for path in ("/", "/label", "/signin", "/style.css", "/api/v1/health"):
        assert closed.ask("GET", path).status_code == 200


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        ("reader", "/api/v1/images", 200),
        ("annotator", "/api/v1/images", 200),
        ("admin", "/api/v1/images", 200),
        ("reader", "/api/v1/label/questions?annotator=ann", 403),
        ("annotator", "/api/v1/label/questions?annotator=ann", 200),
        ("admin", "/api/v1/label/progress?annotator=ann", 200),
        ("lk-guessed", "/api/v1/images", 401),
    ],
)
def test_roles(closed: Closed, who: str, path: str, status: int) -> None:
    assert closed.ask("GET", path, who).status_code == status


@pytest.mark.parametrize("path", ["//api/v1/images", "/api/v1/../v1/images", "/API/v1/images", "/api%2fv1/images"])
def test_no_other_spelling_of_a_path_gets_in(closed: Closed, path: str) -> None:
    with httpx.Client(trust_env=False) as client:
        request = client.build_request("GET", closed.url)
        request.url = request.url.copy_with(raw_path=path.encode())
        assert client.send(request).status_code in (401, 404)


def test_a_browser_signs_in_and_out(closed: Closed) -> None:
    here = {"Origin": closed.url}
    with httpx.Client(base_url=closed.url, trust_env=False, timeout=20) as browser:
        assert browser.get("/api/v1/session").json() == {"keys_wanted": True, "name": None, "role": None}
        assert browser.post("/api/v1/session", json={"key": "lk-no"}, headers=here).status_code == 401
        done = browser.post("/api/v1/session", json={"key": closed.secrets["annotator"]}, headers=here)
        assert done.json()["role"] == "annotator"
        cookie = done.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert browser.get("/api/v1/images").status_code == 200
        form = {"image": "00.jpg", "k": "3"}
        assert browser.post("/api/v1/search", data=form).status_code == 403  # it does not say where it comes from
        assert browser.post("/api/v1/search", data=form, headers={"Origin": "http://evil.example"}).status_code == 403
        assert browser.post("/api/v1/search", data=form, headers=here).status_code == 200
        assert browser.delete("/api/v1/session", headers=here).status_code == 200
        assert browser.get("/api/v1/images").status_code == 401


def test_a_key_that_is_taken_back_is_refused_at_once(closed: Closed) -> None:
    secret = add_key(closed.workspace, "guest", Role.READER)
    assert closed.ask("GET", "/api/v1/images", secret).status_code == 200
    revoke_key(closed.workspace, "guest")
    refused = closed.ask("GET", "/api/v1/images", secret)
    assert refused.status_code == 401
    assert refused.json() == {"error": "this key does not open this server, or not any more"}


def test_nobody_gets_in_by_a_damaged_file(closed: Closed) -> None:
    file = closed.workspace / "keys.json"
    whole = file.read_bytes()
    try:
        file.write_text("{")
        answer = closed.ask("GET", "/api/v1/images", "admin")
        assert answer.status_code == 503
        assert "keys.json" in answer.json()["error"]
    finally:
        file.write_bytes(whole)


def test_odd_cookies_open_nothing(closed: Closed) -> None:
    for cookie in (f"{COOKIE}=", f"{COOKIE}", "\x7f=;;=", f"other={closed.secrets['admin']}"):
        assert closed.ask("GET", "/api/v1/images", headers={"Cookie": cookie}).status_code == 401


def test_what_is_not_listed_under_the_api_wants_a_reader() -> None:
    assert needed("/api/v1/anything-new") is Role.READER
    assert needed("/api/v1/label/anything-new") is Role.ANNOTATOR
    assert needed("/metrics") is Role.READER

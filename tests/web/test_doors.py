"""A server with keys: who gets in, as what, and how a browser signs in."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from lookalike.jobs.keys import Role, add_key, revoke_key
from lookalike.web.doors import COOKIE, needed


def test_every_path_of_the_api_wants_a_key(closed: Any) -> None:
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


def test_pages_hold_nothing_and_are_open(closed: Any) -> None:
    for path in ("/", "/label", "/signin", "/style.css", "/api/v1/health"):
        assert closed.ask("GET", path).status_code == 200


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        ("reader", "/api/v1/images", 200),
        ("annotator", "/api/v1/images", 200),
        ("admin", "/api/v1/images", 200),
        ("reader", "/api/v1/label/questions?annotator=ann", 403),
        ("annotator", "/api/v1/label/questions?annotator=annotator", 200),
        ("annotator", "/api/v1/label/questions?annotator=ann", 403),
        ("admin", "/api/v1/label/progress?annotator=ann", 200),
        ("lk-guessed", "/api/v1/images", 401),
    ],
)
def test_roles(closed: Any, who: str, path: str, status: int) -> None:
    assert closed.ask("GET", path, who).status_code == status


@pytest.mark.parametrize("path", ["//api/v1/images", "/api/v1/../v1/images", "/API/v1/images", "/api%2fv1/images"])
def test_no_other_spelling_of_a_path_gets_in(closed: Any, path: str) -> None:
    with httpx.Client(trust_env=False) as client:
        request = client.build_request("GET", closed.url)
        request.url = request.url.copy_with(raw_path=path.encode())
        assert client.send(request).status_code in (401, 404)


def test_a_browser_signs_in_and_out(closed: Any) -> None:
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


def test_a_key_that_is_taken_back_is_refused_at_once(closed: Any) -> None:
    secret = add_key(closed.workspace, "guest", Role.READER)
    assert closed.ask("GET", "/api/v1/images", secret).status_code == 200
    revoke_key(closed.workspace, "guest")
    refused = closed.ask("GET", "/api/v1/images", secret)
    assert refused.status_code == 401
    assert refused.json() == {"error": "this key does not open this server, or not any more"}


def test_nobody_gets_in_by_a_damaged_file(closed: Any) -> None:
    file = closed.workspace / "keys.json"
    whole = file.read_bytes()
    try:
        file.write_text("{")
        answer = closed.ask("GET", "/api/v1/images", "admin")
        assert answer.status_code == 503
        assert "keys.json" in answer.json()["error"]
    finally:
        file.write_bytes(whole)


def test_odd_cookies_open_nothing(closed: Any) -> None:
    for cookie in (f"{COOKIE}=", f"{COOKIE}", "\x7f=;;=", f"other={closed.secrets['admin']}"):
        assert closed.ask("GET", "/api/v1/images", headers={"Cookie": cookie}).status_code == 401


def test_what_is_not_listed_under_the_api_wants_a_reader() -> None:
    assert needed("/api/v1/anything-new") is Role.READER
    assert needed("/api/v1/label/anything-new") is Role.ANNOTATOR
    assert needed("/metrics") is Role.READER

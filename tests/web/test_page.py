"""The page and what guards it: headers, hosts, origins, and that nothing comes from elsewhere."""

import re
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers

import lookalike.web
from lookalike.web.guard import Guard
from lookalike.web.page import PAGES, Page

STATIC = Path(lookalike.web.__file__).parent / "static"
FILES = sorted(path.name for path in STATIC.iterdir())


@pytest.mark.parametrize(
    "path",
    ["/", "/label", "/api/v1/health", "/api/v1/label/questions", "/nothing", "/api/v1/thumbnails/nothing.jpg", *FILES],
)
def test_every_response_carries_the_security_headers(site: Any, path: str) -> None:
    headers = site.client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert policy["frame-ancestors"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-cache"


def test_an_error_of_ours_is_one_line_with_the_headers_too(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lookalike.jobs.live.LiveCollection.images", lambda *_: 1 / 0)
    response = site.client.get("/api/v1/images")
    assert response.status_code == 500
    assert response.json()["error"].startswith("internal error: ZeroDivisionError")
    assert response.headers["x-content-type-options"] == "nosniff"


def test_the_files_are_served_with_types_that_browsers_accept(site: Any) -> None:
    types = {"html": "text/html", "css": "text/css", "js": "javascript", "svg": "image/svg+xml"}
    for name in FILES:
        response = site.client.get(name)
        assert response.status_code == 200
        assert types[name.rpartition(".")[2]] in response.headers["content-type"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_an_address_of_its_own_and_leads_to_the_others(site: Any, page: Page) -> None:
    response = site.client.get(page.path, params={"annotator": "ann"})
    assert response.text == page.html()
    assert response.headers["content-type"].startswith("text/html")
    assert "script" not in response.headers["content-security-policy"].replace("default-src 'self'", "")
    links = dict(re.findall(r'<a href="(/\w*)"(?: aria-current="page")?>([^<]+)</a>', response.text))
    assert links == {other.path: other.link for other in PAGES if other.link}
    assert response.text.count("aria-current") == bool(page.link)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_is_inline_and_nothing_comes_from_another_host(page: Page) -> None:
    html = page.html().replace(' xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=|javascript:|https?:", html)
    for name in FILES:
        text = (STATIC / name).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|[\"'(]//|\beval\(|innerHTML", text), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_import_files_and_ids_that_exist(page: Page) -> None:
    ids = re.findall(r'\bid="(\w+)"', page.html())
    assert len(ids) == len(set(ids))
    scripts, unread = set(), {f"{page.name}.js"}
    while unread:
        text = (STATIC / unread.pop()).read_text(encoding="utf-8")
        scripts.add(text)
        unread |= set(re.findall(r'from "\./([\w.]+)"', text)) & set(FILES)
        assert set(re.findall(r'from "\./([\w.]+)"', text)) <= set(FILES)
        assert set(re.findall(r"\bat\.(?=[a-z])(\w+)\b(?!\()", text)) <= set(ids)
    assert len(scripts) > 1


def test_another_name_is_not_answered_to(site: Any) -> None:
    response = site.client.get("/api/v1/images", headers={"host": "evil.example"})
    assert response.status_code == 403
    assert "evil.example" in response.json()["error"]


def test_a_page_of_another_site_may_not_post(site: Any) -> None:
    body = {"image": "a/00.jpg"}
    assert site.client.post("/api/v1/search", json=body, headers={"origin": "https://evil.example"}).status_code == 403
    assert site.client.post("/api/v1/search", json=body, headers={"origin": "null"}).status_code == 403
    own = str(site.client.base_url).rstrip("/")
    assert site.client.post("/api/v1/search", json=body, headers={"origin": own}).status_code == 200


@pytest.mark.parametrize(
    "host", ["", "[", "[::1]:80", "LOCALHOST:9", "localhost.evil.example", "localhost@evil.example"]
)
def test_hosts_are_compared_whole(host: str) -> None:
    guard = Guard(lambda *_: None, hosts=["localhost", "::1"])
    assert (guard.refusal(Headers({"host": host}), "GET") is None) == (host in {"[::1]:80", "LOCALHOST:9"})
    assert Guard(lambda *_: None).refusal(Headers({"host": host}), "GET") is None

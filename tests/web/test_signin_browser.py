"""Signing in with a key, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest


@pytest.fixture
def page(browser: Any, closed: Any) -> Iterator[Any]:
    context = browser.new_context(base_url=closed.url)
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    yield opened
    context.close()


def test_a_page_asks_for_a_key_and_comes_back(page: Any, closed: Any) -> None:
    page.goto("/?from=here")
    page.wait_for_url("**/signin?next=*")
    page.get_by_label("Your key").fill("lk-wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("this key does not open this server").wait_for()
    page.get_by_label("Your key").fill(closed.secrets["reader"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/?from=here")
    page.locator("#grid img").first.wait_for()
    assert page.evaluate("document.cookie") == ""  # no script can read the key


def test_a_link_carries_a_key_and_leaves_it_nowhere(page: Any, closed: Any) -> None:
    page.goto(f"/signin?next={quote('/label?annotator=bob')}#key={closed.secrets['annotator']}")
    page.wait_for_url("**/label?annotator=bob")
    page.get_by_label("Your name").and_(page.locator("[readonly]")).wait_for()
    assert page.get_by_label("Your name").input_value() == "annotator"  # a key answers under its own name
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.URL, document.referrer])")
    assert closed.secrets["annotator"] not in kept


@pytest.mark.parametrize("elsewhere", ["https://example.com/", "//example.com", "javascript:alert(1)", "/signin"])
def test_it_leads_to_pages_of_this_server_alone(page: Any, closed: Any, elsewhere: str) -> None:
    page.goto(f"/signin?next={quote(elsewhere, safe='')}#key={closed.secrets['reader']}")
    page.wait_for_url(f"{closed.url}/")
    page.locator("#grid img").first.wait_for()
    assert page.url == f"{closed.url}/"


def test_without_the_right_role_nothing_is_lost(page: Any, closed: Any) -> None:
    page.goto(f"/signin?next=/label#key={closed.secrets['reader']}")
    page.wait_for_url("**/label")
    page.get_by_text("All answers saved").wait_for()
    page.evaluate(
        """() => localStorage.setItem("lookalike.waiting.1.000001.a", JSON.stringify(
            {path: "/label/undo", annotator: "ann", item: "00000000000000000000000000000000"}))"""
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.get_by_text("1 not sent yet").wait_for()
    assert any(url.endswith("/label/undo") for url in asked)
    page.wait_for_timeout(100)
    assert page.evaluate("Object.keys(localStorage).filter((name) => name.includes('waiting')).length") == 1

"""Searching by a model on the page: chosen, shared by the address, waited for, kept from result to result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lookalike.jobs import live_models


@pytest.fixture
def page(browser: Any, taught: Any, watched: Any) -> Iterator[Any]:
    """A page whose errors fail the test."""
    with watched(browser, str(taught.client.base_url), seconds=45) as opened:
        yield opened


def expected(site: Any, **asked: Any) -> list[str]:
    found = site.client.post("/api/v1/search", json={"k": 13, **asked}).json()["results"]
    return [hit["image"] for hit in found if hit["image"] != asked["image"]]


def images(page: Any) -> list[str]:
    page.locator("body:not(.busy)").wait_for()
    return [link.get_attribute("data-image") for link in page.locator("#grid a").all()]


def test_a_model_is_chosen_and_stays_in_the_address(page: Any, taught: Any) -> None:
    page.goto("/?image=b%2F05.jpg")
    page.get_by_role("heading", name="The closest images").wait_for()
    choice = page.get_by_label("Search by", exact=True)
    choice.wait_for()
    assert choice.locator("option").all_inner_texts() == ["compact", "gate", "half", "whole"]
    choice.select_option("half")
    page.wait_for_url("**by=half")
    page.get_by_role("heading", name="The closest images").wait_for()
    assert images(page) == expected(taught, image="b/05.jpg", by="half") != expected(taught, image="b/05.jpg")
    page.reload()
    page.get_by_role("heading", name="The closest images").wait_for()
    assert choice.input_value() == "half"
    first = images(page)[0]
    page.locator("#grid a").first.click()
    page.wait_for_url("**by=half")
    page.get_by_role("heading", name="The closest images").wait_for()
    assert images(page) == expected(taught, image=first, by="half")
    choice.select_option("")
    page.wait_for_url(lambda url: "by=" not in url)


def test_the_page_waits_for_what_is_being_prepared(page: Any, taught: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    filled, fill = threading.Event(), live_models._filled

    def slow(*given: Any) -> Any:
        filled.wait(20)
        return fill(*given)

    monkeypatch.setattr(live_models, "_filled", slow)
    monkeypatch.setattr(live_models, "PATIENCE_SECONDS", 0.1)
    page.goto("/?image=b%2F05.jpg&by=gate")
    page.get_by_role("alert").get_by_text("'gate' is being prepared").wait_for()
    filled.set()
    page.get_by_role("heading", name="The closest images").wait_for()
    assert page.get_by_role("alert").count() == 0


def test_a_model_that_is_gone_is_named_and_can_be_left(page: Any) -> None:
    page.goto("/?image=b%2F05.jpg&by=gone")
    page.get_by_role("alert").get_by_text("there is no model 'gone'").wait_for()
    page.get_by_label("Search by", exact=True).select_option("")
    page.get_by_role("heading", name="The closest images").wait_for()

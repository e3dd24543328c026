"""The search page in a real browser: results, filters, and like these but not like those."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest


@pytest.fixture
def page(browser: Any, site: Any, watched: Any) -> Iterator[Any]:
    """A page whose errors fail the test."""
    with watched(browser, str(site.client.base_url), seconds=15) as opened:
        yield opened


def images(page: Any) -> list[str]:
    return [link.get_attribute("data-image") for link in page.locator("#grid a").all()]


def asked(page: Any) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(page.url).query)


def found(page: Any, count: int) -> list[str]:
    page.locator(f"#grid li:nth-child({count})").wait_for()
    page.locator("body:not(.busy)").wait_for()
    assert page.locator("#grid li").count() == count
    return images(page)


def test_a_picture_leads_to_what_looks_like_it_and_back(page: Any) -> None:
    page.goto("/")
    found(page, 13)
    page.locator("a[data-image='b/05.jpg']").click()
    page.get_by_role("heading", name="The closest images").wait_for()
    assert "b/05.jpg" not in found(page, 12)
    assert asked(page) == [("image", "b/05.jpg")]
    page.go_back()
    page.get_by_role("heading", name="Or start from the collection").wait_for()
    found(page, 13)


def test_a_filter_is_part_of_the_question(page: Any) -> None:
    page.goto("/?image=b%2F05.jpg")
    found(page, 12)
    where = page.get_by_label("Only images that fit")
    where.fill("folder = 'a'")
    where.press("Enter")
    page.wait_for_url("**where=*")
    assert all(image.startswith("a/") for image in found(page, 6))
    page.reload()
    found(page, 6)
    assert where.input_value() == "folder = 'a'"
    where.fill("colour = 'red'")
    where.press("Enter")
    page.get_by_role("alert").get_by_text("colour").wait_for()
    assert where.is_visible()  # to be mended
    where.fill("width > 100000")
    where.press("Enter")
    page.get_by_role("heading", name="No image fits").wait_for()


def test_like_these_and_not_those(page: Any, site: Any) -> None:
    page.goto("/?image=b%2F05.jpg")
    found(page, 12)
    page.get_by_role("button", name="Like a/02.jpg, too").click(force=True)
    page.wait_for_url("**like=a%2F02.jpg")
    found(page, 11)
    page.get_by_role("button", name="Not like a/04.jpg").click(force=True)
    page.wait_for_url("**unlike=a%2F04.jpg")
    body = {"image": "b/05.jpg", "like": ["a/02.jpg"], "unlike": ["a/04.jpg"], "k": 13}
    hits = site.client.post("/api/v1/search", json=body).json()["results"]
    assert found(page, 10) == [hit["image"] for hit in hits if hit["image"] not in ("b/05.jpg", "a/02.jpg", "a/04.jpg")]
    page.get_by_role("button", name="not like 04.jpg: take away").click()
    assert asked(page) == [("image", "b/05.jpg"), ("like", "a/02.jpg")]
    found(page, 11)


def test_an_upload_is_narrowed_too(page: Any, site: Any) -> None:
    page.goto("/")
    page.locator("#file").set_input_files(site.photos / "b" / "05.jpg")
    page.get_by_role("heading", name="The closest images").wait_for()
    assert found(page, 13)[0] == "b/05.jpg"
    page.get_by_role("button", name="Not like a/04.jpg").click(force=True)
    page.wait_for_url("**unlike=a%2F04.jpg")
    assert "a/04.jpg" not in found(page, 12)
    page.go_back()
    found(page, 13)

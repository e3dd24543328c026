"""The compare page: pictures come in, the verdict stands, is swapped and shared, and leads from the search page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

LINK = "/compare?r=b%2F05.jpg&a=a%2F02.jpg&b=a%2F04.jpg"
STORED = {"reference": "b/05.jpg", "a": "a/02.jpg", "b": "a/04.jpg"}


@pytest.fixture(params=[(1280, 800, "light"), (360, 740, "dark")], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: Any, taught: Any, watched: Any) -> Iterator[Any]:
    """A page whose errors fail the test, on a large screen by day and on a phone by night."""
    width, height, scheme = request.param
    with watched(
        browser,
        str(taught.client.base_url),
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        permissions=["clipboard-read", "clipboard-write"],
        seconds=45,
    ) as opened:
        yield opened


def said(site: Any, **asked: Any) -> list[tuple[str, str]]:
    verdicts = site.client.post("/api/v1/compare", json={**STORED, **asked, "every": True}).json()["verdicts"]
    sure = [one["probability_a"] if one["closer"] == "a" else 1 - one["probability_a"] for one in verdicts]
    return [(one["by"], f"{one['closer'].upper()} {100 * p:.0f}%") for one, p in zip(verdicts, sure, strict=True)]


def shown(page: Any) -> list[tuple[str, str]]:
    page.locator("body:not(.busy)").wait_for()
    page.locator("#verdict").wait_for()
    rows = page.locator("#rows tr").all()
    return [(row.locator("th").inner_text().split("\n")[0], row.locator("td").first.inner_text()) for row in rows]


def test_a_link_shows_what_each_model_says(page: Any, taught: Any, serious: Callable[[Any], list[str]]) -> None:
    page.goto(LINK)
    assert shown(page) == said(taught)
    letter = dict(said(taught))["gate"][0]
    assert page.locator("#verdict").inner_text().startswith(f"{letter} is closer, with probability ")
    assert page.locator("#verdict").inner_text().endswith("by gate")
    assert page.locator(".closer").get_attribute("data-slot") == letter.lower()
    assert serious(page) == []


def test_a_and_b_are_swapped_and_the_link_is_shared(page: Any, taught: Any) -> None:
    page.goto(LINK)
    shown(page)
    page.get_by_role("button", name="Swap A and B").click()
    page.wait_for_url("**a=a%2F04.jpg&b=a%2F02.jpg")
    page.locator("body:not(.busy)").wait_for()
    assert shown(page) == said(taught, a="a/04.jpg", b="a/02.jpg")
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("button", name="Link copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_pictures_come_in_as_files_paths_and_pasted(page: Any, taught: Any) -> None:
    page.goto("/compare")
    page.get_by_label("Choose a picture for the reference").set_input_files(taught.photos / "b" / "05.jpg")
    path = page.get_by_label("Path in the collection for A")
    path.press_sequentially("a/02")
    page.locator("#apaths option[value='a/02.jpg']").wait_for(state="attached")
    path.fill("a/02.jpg")
    path.press("Enter")
    path.blur()
    page.locator("#aimage:not([hidden])").wait_for()
    assert not page.locator("#answer").is_visible()
    script = """async () => {
        const blob = await (await fetch("/api/v1/pictures/a/04.jpg")).blob();
        const data = new DataTransfer();
        data.items.add(new File([blob], "04.jpg", { type: blob.type }));
        document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
    }"""
    page.evaluate(script)
    assert [by for by, _ in shown(page)] == [by for by, _ in said(taught)]
    assert page.locator("#bname").inner_text() == "04.jpg"
    assert parse_qs(urlsplit(page.url).query) == {"a": ["a/02.jpg"]}
    assert not page.get_by_role("button", name="Copy link").is_visible()


def test_what_is_not_there_is_said_and_can_be_mended(page: Any, taught: Any) -> None:
    page.goto("/compare?r=b%2F05.jpg&a=a%2F02.jpg&b=none.jpg")
    page.get_by_role("alert").get_by_text("holds no image none.jpg").wait_for()
    path = page.get_by_label("Path in the collection for B")
    path.fill("a/04.jpg")
    path.blur()
    assert shown(page) == said(taught)
    assert page.get_by_role("alert").count() == 0


def test_the_search_page_leads_there(page: Any) -> None:
    page.goto("/?image=b%2F05.jpg")
    page.get_by_role("heading", name="The closest images").wait_for()
    for number in (0, 1):
        page.locator(".choice.mark").nth(number).click(force=True)
    page.get_by_role("link", name="Compare").last.click()
    page.wait_for_url("**/compare?r=b%2F05.jpg&a=*")
    assert len(shown(page)) == 5

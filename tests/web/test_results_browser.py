"""What can be done with results: why they were found, a search by a part, a selection and its files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

START = "/?image=b%2F05.jpg&by=gate"


@pytest.fixture(params=[(1280, 800, "light"), (360, 740, "dark")], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: Any, taught: Any, watched: Any) -> Iterator[Any]:
    """A page whose errors fail the test, on a large screen by day and on a phone by night."""
    width, height, scheme = request.param
    with watched(
        browser,
        str(taught.client.base_url),
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        accept_downloads=True,
        permissions=["clipboard-read", "clipboard-write"],
        seconds=45,
    ) as opened:
        opened.goto(START)
        opened.get_by_role("heading", name="The closest images").wait_for()
        yield opened


def ask(site: Any, path: str, **asked: Any) -> Any:
    return site.client.post(f"/api/v1/{path}", json=asked).json()


def found(site: Any, **asked: Any) -> list[str]:
    hits = ask(site, "search", image="b/05.jpg", by="gate", k=13, **asked)["results"]
    return [hit["image"] for hit in hits if hit["image"] != "b/05.jpg"]


def test_why_a_result_was_found(page: Any, taught: Any, serious: Callable[[Any], list[str]]) -> None:
    first, second = found(taught)[:2]
    page.locator(f"#grid a[data-image='{first}']").focus()
    page.keyboard.press("w")
    dialog = page.get_by_role("dialog", name=f"Why {first.split('/')[1]}")
    dialog.get_by_role("row").nth(2).wait_for()
    expected = ask(taught, "explain", image="b/05.jpg", found=first, than=second, by="gate")
    rows = dialog.get_by_role("row").all()[1:]
    by_name = {row.get_by_role("rowheader").inner_text(): row.locator("td").first.inner_text() for row in rows}
    assert by_name == {part["model"]: f"{100 * part['weight']:.0f}%" for part in expected["models"]}
    facts = dialog.locator("#facts").inner_text()
    assert f"Distance {expected['distance']:.3f}." in facts
    assert f"with probability {100 * expected['than']['probability']:.0f}%" in facts
    dialog.get_by_role("img", name="Searched for; the").wait_for()
    dialog.get_by_role("img", name="Found; the").wait_for()
    lit = page.evaluate("document.querySelector('#right').toDataURL()")
    assert serious(page) == []
    dialog.get_by_label("Light up what matters").uncheck()
    assert page.evaluate("document.querySelector('#right').toDataURL()") != lit
    page.keyboard.press("Escape")
    assert dialog.count() == 0
    assert serious(page) == []


def test_a_part_is_dragged_typed_and_moved_by_keys(page: Any, taught: Any, serious: Callable[[Any], list[str]]) -> None:
    page.get_by_role("button", name="Search by a part").click()
    dialog = page.get_by_role("dialog", name="Search by a part")
    edges = {name: dialog.get_by_label(name, exact=True) for name in ("Left", "Top", "Right", "Bottom")}
    dialog.get_by_role("group").wait_for()
    assert serious(page) == []
    page.keyboard.press("ArrowRight")  # from 20, 20, 80, 80
    page.keyboard.press("Shift+ArrowUp")
    assert [float(edge.input_value()) for edge in edges.values()] == [22, 20, 82, 78]
    edges["Left"].fill("50")
    assert page.locator("#box").evaluate("(box) => box.style.left") == "50%"
    frame = page.locator("#whole").bounding_box()
    x, y, width, height = frame["x"], frame["y"], frame["width"], frame["height"]
    page.mouse.move(x + 0.02 * width, y + 0.02 * height)
    page.mouse.down()
    page.mouse.move(x + 0.5 * width, y + 0.6 * height, steps=4)
    page.mouse.up()
    values = [float(edge.input_value()) for edge in edges.values()]
    assert values == pytest.approx([2, 2, 50, 60], abs=1)
    dialog.get_by_role("button", name="Search").click()
    page.wait_for_url("**box=*")
    box = parse_qs(urlsplit(page.url).query)["box"][0]
    assert [100 * float(edge) for edge in box.split(",")] == pytest.approx(values, abs=0.06)
    page.get_by_text("A part of b/05.jpg").wait_for()
    page.get_by_role("heading", name="The closest images").wait_for()
    page.locator("body:not(.busy)").wait_for()
    images = [link.get_attribute("data-image") for link in page.locator("#grid a").all()]
    assert images == found(taught, box=box) != found(taught)
    page.reload()
    page.get_by_text("A part of b/05.jpg").wait_for()
    page.get_by_role("button", name="Search by a part").click()
    assert float(edges["Right"].input_value()) == pytest.approx(values[2], abs=0.06)
    dialog.get_by_role("button", name="Whole picture").click()
    page.wait_for_url(lambda url: "box=" not in url)


def test_a_part_of_an_upload(page: Any, taught: Any) -> None:
    page.locator("#file").set_input_files(taught.photos / "b" / "05.jpg")
    page.locator("a[data-image='b/05.jpg']").wait_for()
    page.get_by_role("button", name="Search by a part").click()
    page.get_by_role("dialog").get_by_role("button", name="Search", exact=True).click()
    page.get_by_text("A part of 05.jpg").wait_for()
    page.get_by_role("heading", name="The closest images").wait_for()
    page.locator("body:not(.busy)").wait_for()
    hits = ask(taught, "search", image="b/05.jpg", box="0.2,0.2,0.8,0.8", k=13)["results"]
    assert [link.get_attribute("data-image") for link in page.locator("#grid a").all()] == [
        hit["image"] for hit in hits
    ]


def test_results_are_selected_copied_and_saved(page: Any, taught: Any, serious: Callable[[Any], list[str]]) -> None:
    first, second, third = found(taught)[:3]
    page.locator("#grid a").first.focus()
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.get_by_role("button", name=f"Select {third}").click(force=True)
    page.get_by_role("button", name=f"Select {third}").click(force=True)
    bar = page.get_by_role("region", name="Selected images")
    bar.get_by_text("2 selected").wait_for()
    assert page.get_by_role("button", name=f"Select {first}").get_attribute("aria-pressed") == "true"
    assert serious(page) == []
    bar.get_by_role("button", name="Copy paths").click()
    bar.get_by_text("paths copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == f"{first}\n{second}"
    hits = {hit["image"]: hit["distance"] for hit in ask(taught, "search", image="b/05.jpg", by="gate")["results"]}
    rows = [{"image": one, "distance": hits[one], "query": "b/05.jpg", "by": "gate"} for one in (first, second)]
    assert json.loads(saved(page, bar, "JSON")) == rows
    table = list(csv.DictReader(io.StringIO(saved(page, bar, "CSV"))))
    assert [{**row, "distance": float(row["distance"])} for row in table] == rows
    assert bar.get_by_role("link", name="Compare").get_attribute("href") == (
        f"/compare?r=b%2F05.jpg&a={first.replace('/', '%2F')}&b={second.replace('/', '%2F')}"
    )
    bar.get_by_role("button", name="Clear").click()
    assert bar.count() == 0


def saved(page: Any, bar: Any, name: str) -> str:
    with page.expect_download() as download:
        bar.get_by_role("button", name=name).click()
    return Path(download.value.path()).read_bytes().decode()

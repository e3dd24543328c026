"""The map page in a real browser: drawn, moved, coloured; contexts named by lasso, by keys and from the list."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lookalike.jobs.map_places import make_map
from lookalike.jobs.named_contexts import forget_context, read_contexts


@pytest.fixture
def page(browser: Any, site: Any, watched: Any) -> Iterator[Any]:
    """A page whose errors fail the test; contexts that it names are forgotten."""
    with watched(browser, str(site.client.base_url), viewport={"width": 1280, "height": 900}) as opened:
        yield opened
    for name in set(read_contexts(site.collection.workspace).values()):
        forget_context(site.collection.workspace, name)


@pytest.fixture
def drawn(site: Any) -> None:
    if not site.collection.workspace.map_file.exists():
        make_map(site.collection.workspace.path)


def shown(page: Any) -> None:
    page.goto("/map")
    page.locator("#key_list button").first.wait_for()
    page.wait_for_timeout(300)


def name(page: Any, context: str) -> None:
    page.get_by_label("Name them as a context").fill(context)
    page.get_by_role("button", name="Name", exact=True).click()
    page.locator("#named").get_by_text(context, exact=True).wait_for()


def test_the_map_is_drawn_from_the_page(page: Any, site: Any, serious: Callable[[Any], list[str]]) -> None:
    site.collection.workspace.map_file.unlink(missing_ok=True)
    page.goto("/map")
    page.get_by_role("heading", name="There is no map yet").wait_for()
    assert serious(page) == []
    page.get_by_role("button", name="Draw the map").click()
    page.locator("#key_list button").first.wait_for(timeout=60_000)
    assert page.locator("#about").inner_text().startswith("all 13 pictures, by compact")
    page.wait_for_timeout(500)
    ink = page.evaluate(
        """() => {
          const canvas = document.querySelector("#canvas");
          const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          let inked = 0;
          for (let at = 3; at < pixels.length; at += 4) inked += pixels[at] > 0;
          return inked;
        }"""
    )
    assert ink > 1000
    assert serious(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


@pytest.mark.usefixtures("drawn")
def test_what_is_in_view_is_named_by_keys_alone(page: Any, site: Any) -> None:
    shown(page)
    page.locator("#canvas").focus()
    for key in ("+", "ArrowLeft", "0", "v"):
        page.keyboard.press(key)
        page.wait_for_timeout(100)
    assert page.locator("#count").inner_text() == "13 selected"
    page.keyboard.press("Escape")
    assert page.locator("#count").inner_text() == "Nothing selected"
    assert page.locator("#naming").is_hidden()
    page.keyboard.press("v")
    name(page, "everything")
    assert set(read_contexts(site.collection.workspace).values()) == {"everything"}
    assert page.locator("#colour").input_value() == "context"
    assert page.locator("#key_list").inner_text().split() == ["everything", "13"]
    page.get_by_role("button", name="Forget the context everything").click()
    page.locator("#named_part").wait_for(state="hidden")
    assert read_contexts(site.collection.workspace) == {}


@pytest.mark.usefixtures("drawn")
def test_a_lasso_takes_what_it_goes_around(page: Any) -> None:
    shown(page)
    page.get_by_role("button", name="Lasso").click()
    box = page.locator("#canvas").bounding_box()
    corners = [(0.025, 0.025), (0.975, 0.025), (0.975, 0.975), (0.025, 0.975)]  # the canvas has round corners
    points = [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in corners]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=4)
    page.mouse.up()
    assert page.locator("#count").inner_text() == "13 selected"
    page.get_by_role("button", name="Clear").click()
    page.keyboard.down("Shift")  # a box
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[2], steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")
    assert page.locator("#count").inner_text() == "13 selected"


@pytest.mark.usefixtures("drawn")
def test_pictures_are_ticked_in_the_list_and_by_their_colour(page: Any, site: Any) -> None:
    shown(page)
    page.get_by_text("Pictures in view").click()
    boxes = page.locator("#ticks input")
    boxes.nth(2).wait_for()
    for number in range(3):
        boxes.nth(number).check()
    name(page, "few")
    assert len(read_contexts(site.collection.workspace)) == 3
    page.locator("#colour").select_option("folder")
    page.locator("#key_list").get_by_role("button", name="a 6").click()
    assert page.locator("#count").inner_text() == "6 selected"
    name(page, "left")
    contexts = read_contexts(site.collection.workspace)
    assert {image for image, one in contexts.items() if one == "left"} == {f"a/{n:02}.jpg" for n in range(0, 12, 2)}


@pytest.mark.usefixtures("drawn")
def test_pictures_come_many_at_once_and_a_ticked_box_keeps_the_focus(page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition("/api/v1")[2]))
    with page.expect_response("**/api/v1/sheet") as sheet:
        shown(page)
    assert sheet.value.status == 200
    page.get_by_text("Pictures in view").click()  # those for which the map has no room, too
    inked = """[...document.querySelectorAll("#ticks canvas")].filter((canvas) =>
      canvas.getContext("2d").getImageData(48, 48, 1, 1).data[3] > 0).length"""
    deadline = time.monotonic() + 15
    while page.evaluate(inked) < 13 and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    assert page.evaluate(inked) == 13
    assert not [one for one in asked if one.startswith("/thumbnails")]
    assert len([one for one in asked if one == "/sheet"]) <= 3
    first = page.locator("#ticks input").first
    first.focus()
    page.keyboard.press("Space")
    page.wait_for_timeout(500)
    assert first.is_checked()
    assert first.evaluate("(box) => box === document.activeElement")


@pytest.mark.usefixtures("drawn")
def test_wheel_and_drag_move_the_view_and_the_pointer_shows_a_picture(page: Any) -> None:
    shown(page)
    page.get_by_role("checkbox", name="Pictures", exact=True).uncheck()
    box = page.locator("#canvas").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.wheel(0, -3000)
    page.wait_for_timeout(200)
    page.get_by_role("button", name="Select what is in view").click()
    few = page.locator("#count").inner_text()
    assert few != "13 selected"
    page.get_by_role("button", name="Whole map").click()
    page.get_by_role("button", name="Select what is in view").click()
    assert page.locator("#count").inner_text() == "13 selected"
    found = False
    for row in range(12):
        for column in range(24):
            page.mouse.move(box["x"] + box["width"] * (column + 0.5) / 24, box["y"] + box["height"] * (row + 0.5) / 12)
            if page.locator("#tip").is_visible():
                found = True
                break
        if found:
            break
    assert found
    assert page.locator("#tip_text").inner_text()
    assert page.locator("#tip_picture").get_attribute("src").startswith("/api/v1/thumbnails/")


def test_the_api_of_the_map(site: Any) -> None:
    make_map(site.collection.workspace.path, count=5)
    found = site.client.get("/api/v1/map").json()
    assert len(found["places"]["images"]) == len(found["places"]["x"]) == 5
    assert found["named"] == {}
    body = {"name": "sea", "images": ["a/00.jpg", "it's 100% #green?.png"]}
    assert site.client.post("/api/v1/map/contexts", json=body).json() == {"named": {"sea": 2}}
    assert site.client.get("/api/v1/map").json()["named"] == {"sea": 2}
    for bad, status in (
        ({"name": "sea", "images": ["../../etc/passwd"]}, 404),
        ({"name": "sea", "images": []}, 422),
        ({"name": "../x", "images": ["a/00.jpg"]}, 422),
        ({"name": "sea", "images": ["a/00.jpg"], "file": "/x"}, 422),
    ):
        answer = site.client.post("/api/v1/map/contexts", json=bad)
        assert answer.status_code == status, answer.text
        assert "\n" not in answer.json()["error"]
    assert site.client.delete("/api/v1/map/contexts/odd").status_code == 422
    assert site.client.delete("/api/v1/map/contexts/sea").json() == {"named": {}}
    site.collection.workspace.map_file.unlink()
    assert site.client.get("/api/v1/map").json() == {"places": None, "named": {}}


def test_naming_wants_an_annotator(closed: Any) -> None:
    body = {"name": "sea", "images": ["00.jpg"]}
    assert closed.ask("POST", "/api/v1/map/contexts", "reader", json=body).status_code == 403
    assert closed.ask("POST", "/api/v1/map/contexts", "annotator", json=body).status_code == 200
    assert closed.ask("GET", "/api/v1/map", "reader").json()["named"] == {"sea": 1}
    assert closed.ask("DELETE", "/api/v1/map/contexts/sea", "reader").status_code == 403

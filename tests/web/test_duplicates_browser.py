"""The duplicates page in a real browser: marks by keys, lists, a dry run, the trash and back."""

from __future__ import annotations

import csv
import io
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from PIL import Image

from lookalike.embedding.collection import Collection
from lookalike.jobs.labelling import Labelling
from lookalike.jobs.live import LiveCollection
from lookalike.web.app import create_app
from lookalike.web.server import listen, url_of

COPIES = {"1.jpg": "1 small.jpg", "3.jpg": "3 small.jpg"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_photo: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("twice")
    for number in range(6):
        make_photo(folder / "photos" / f"{number}.jpg", number)
    for name, copy in COPIES.items():
        with Image.open(folder / "photos" / name) as picture:
            picture.resize((48, 36)).save(folder / "photos" / copy, quality=88)
    Collection.create(folder / ".lookalike", folder / "photos").sync()
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with listen("127.0.0.1", 0) as listener:
        place = folder / ".lookalike"
        app = create_app(LiveCollection(place), Labelling(place), hosts=["127.0.0.1"])
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield url_of(listener)
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def page(browser: Any, url: str, watched: Any) -> Iterator[Any]:
    with watched(browser, url) as opened:
        opened.goto("/duplicates")
        opened.locator(".set").first.wait_for()
        yield opened


def marks(page: Any) -> dict[str, str]:
    names = page.locator(".copy .file").all_inner_texts()
    return dict(zip(names, page.locator(".mark-word").all_inner_texts(), strict=True))


def saved(page: Any, name: str) -> str:
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    return Path(download.value.path()).read_text()


def test_groups_come_with_a_suggestion_and_keys_change_it(page: Any) -> None:
    suggested = {**dict.fromkeys(COPIES, "Keep"), **dict.fromkeys(COPIES.values(), "Remove")}
    assert marks(page) == suggested
    assert "2 groups, 2 copies" in page.locator("#summary").inner_text()
    assert "2 pictures to remove" in page.locator("#marked").inner_text()
    first = page.locator(".copy button").first
    first.focus()
    for key in ("ArrowDown", "ArrowRight", "o"):  # of the second group, the other one alone
        page.keyboard.press(key)
    assert marks(page) == {**suggested, "3.jpg": "Remove", "3 small.jpg": "Keep"}
    page.keyboard.press("r")
    assert page.locator(".set[data-none] h3").inner_text() == "Group 2: nothing of it would be left"
    page.keyboard.press("a")
    assert marks(page)["3.jpg"] == marks(page)["3 small.jpg"] == "Keep"
    rows = list(csv.DictReader(io.StringIO(saved(page, "List (CSV)"))))
    assert {row["image"]: row["mark"] for row in rows} == {name: mark.lower() for name, mark in marks(page).items()}
    assert '"remove":["1 small.jpg"]' in saved(page, "JSON")


def test_the_slider_says_what_it_means_and_looks_again(page: Any) -> None:
    slider = page.get_by_label("How alike")
    assert "usual" in slider.get_attribute("aria-valuetext")
    slider.focus()
    page.keyboard.press("Home")
    page.get_by_text("No duplicates at this setting").first.wait_for()
    assert "very same" in page.locator("#meaning").inner_text()
    assert page.locator("#tray").is_hidden()
    page.keyboard.press("End")
    page.locator(".set").first.wait_for()


def test_files_go_after_a_second_word_and_come_back(page: Any, folder: Path) -> None:
    photos = folder / "photos"
    page.get_by_role("button", name="Remove…").click()
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    assert dialog.locator("#files li span:first-child").all_inner_texts() == sorted(COPIES.values())
    confirm = dialog.get_by_role("button", name="Move to the trash")
    assert confirm.is_disabled()
    page.keyboard.press("Escape")
    assert all((photos / name).exists() for name in COPIES.values())
    page.get_by_role("button", name="Remove…").click()
    dialog.get_by_label("I have looked at this list").check()
    confirm.click()
    page.get_by_text("No duplicates at this setting").first.wait_for()
    assert not any((photos / name).exists() for name in COPIES.values())
    page.get_by_role("button", name="Put back").click()
    page.locator(".set").nth(1).wait_for()
    assert all((photos / name).exists() for name in COPIES.values())
    assert page.locator("#trash").is_hidden()


def test_it_fits_a_phone_and_the_dark(browser: Any, url: str) -> None:
    if shutil.which("chromium") is None:
        pytest.skip("needs Chromium")
    context = browser.new_context(base_url=url, viewport={"width": 360, "height": 740}, color_scheme="dark")
    page = context.new_page()
    page.goto("/duplicates")
    page.locator(".set").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    sizes = page.evaluate("[...document.querySelectorAll('.copy button, #tray button')].map((one) => one.offsetHeight)")
    assert min(sizes) >= 24
    context.close()

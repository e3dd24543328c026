"""The models page in a real browser: leaderboard, contexts, curves, runs, and jobs that are started and cancelled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from filelock import FileLock

from lookalike.core.files import write_json
from lookalike.core.runs import record_run
from lookalike.jobs.background_files import TURN


@pytest.fixture
def page(browser: Any, site: Any, watched: Any) -> Iterator[Any]:
    """A page whose errors fail the test."""
    with watched(browser, str(site.client.base_url), viewport={"width": 1280, "height": 900}) as opened:
        yield opened


def line(model: str, accuracy: float, kind: str, sea: float, town: float) -> dict[str, Any]:
    def found(value: float) -> dict[str, Any]:
        return {"accuracy": value, "low": value - 0.05, "high": value + 0.05, "n": 40}

    behind = None if model == "gate" else {"value": 0.1, "low": 0.02, "high": 0.2, "p": 0.03, "n": 80}
    contexts = {"sea": found(sea), "town": found(town)}
    return {"model": model, "label": model, "kind": kind, **found(accuracy), "seen": 0.0, "behind": behind,
            "by_context": contexts}  # fmt: skip


@pytest.fixture
def measured(site: Any) -> None:
    """A leaderboard, and the run of a training."""
    workspace = site.collection.workspace
    rows = [line("gate", 0.82, "ensemble: gate", 0.8, 0.84), line("compact", 0.7, "encoder", 0.85, 0.6)]
    write_json(
        workspace.leaderboard_file,
        {"format": 1, "at": "2026-11-21T10:00:00+00:00", "how": "5 folds by image", "source": None, "judgments": 80,
         "references": 20, "ceiling": 0.9, "chance": 0.5, "rows": rows,
         "by_reference": {"references": ["a/00.jpg"], "agreement": [[1.0], [0.5]]}},
    )  # fmt: skip
    history = [
        {"member": member, "epoch": epoch, "loss": 1 / epoch + member / 10, "validation_loss": 1.2 / epoch}
        for member in (0, 1)
        for epoch in (1, 2, 3, 4)
    ]
    result = {"examples": 80, "history": history, "settings": {"epochs": 4}, "measured": None}
    record_run(workspace.runs_folder, "train-global", {"name": "all"}, result)


@pytest.mark.usefixtures("measured")
def test_what_models_came_to(page: Any, serious: Callable[[Any], list[str]]) -> None:
    page.goto("/models")
    rows = page.locator("#board tbody tr")
    rows.first.wait_for()
    assert [row.locator("th").inner_text() for row in rows.all()] == ["gate", "compact"]
    assert "82.0%" in rows.first.inner_text()
    assert "77.0% to 87.0%" in rows.first.inner_text()
    assert "10.0 points, p 0.030" in rows.nth(1).inner_text()
    assert page.locator("#board tfoot").inner_text().split() == ["ceiling", "90.0%", "chance", "50.0%"]
    dots = page.locator("#board .dot")
    assert float(dots.nth(0).get_attribute("cx")) > float(dots.nth(1).get_attribute("cx"))
    cells = page.locator("#matrix tbody tr").nth(1).locator("td")
    assert cells.all_inner_texts() == ["85.0%", "60.0%"]
    assert cells.first.locator("b").count() == 1
    heat = [float(cell.evaluate("each => each.style.getPropertyValue('--heat')").rstrip("%")) for cell in cells.all()]
    assert heat[0] > heat[1]
    page.set_viewport_size({"width": 360, "height": 740})
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert serious(page) == []


@pytest.mark.usefixtures("measured")
def test_the_curves_of_a_run_are_read_by_keys_and_pointer(page: Any) -> None:
    page.goto("/models")
    page.locator("summary", has_text="train-global").first.click()
    slider = page.get_by_role("slider", name="Losses of all by pass")
    slider.focus()
    assert "pass 4 of 4 · training 0.3000 · kept back 0.3000" in slider.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowLeft")
    page.get_by_text("pass 3 of 4").wait_for()
    page.keyboard.press("Home")
    page.get_by_text("pass 1 of 4 · training 1.050 · kept back 1.200").wait_for()
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 60)
    page.get_by_text("pass 4 of 4").wait_for()
    assert page.locator(".curves .thin").count() == 4
    page.get_by_text("settings.epochs").wait_for()


def test_a_job_is_started_followed_and_ends_as_a_run(page: Any, site: Any) -> None:
    page.goto("/models")
    page.get_by_label("What to do").select_option("index")
    assert not page.get_by_label("Name", exact=True).is_visible()
    before = page.locator("#runs li").count()
    page.get_by_role("button", name="Start", exact=True).click()
    page.locator("#jobs").get_by_text("Index the photographs").wait_for()
    page.locator("#working").wait_for(state="hidden", timeout=60_000)
    page.locator(f"#runs li:nth-child({before + 1})").wait_for()
    assert "index" in page.locator("#runs li").first.inner_text()


def test_a_job_outlives_a_reload_and_is_cancelled(page: Any, site: Any, serious: Callable[[Any], list[str]]) -> None:
    folder = site.collection.workspace.jobs_folder
    folder.mkdir(exist_ok=True)
    with FileLock(folder / TURN):
        page.goto("/models")
        page.get_by_label("What to do").select_option("index")
        page.get_by_role("button", name="Start", exact=True).click()
        page.get_by_text("waiting for its turn").wait_for()
        page.reload()
        page.get_by_text("waiting for its turn").wait_for()
        assert serious(page) == []
        page.get_by_role("button", name="Cancel Index the photographs").click()
        page.locator("#jobs").get_by_text("cancelled").first.wait_for()
    page.get_by_role("button", name="Dismiss Index the photographs").click()
    page.locator("#working").wait_for(state="hidden")


def test_what_cannot_be_done_is_said(page: Any) -> None:
    page.goto("/models")
    page.get_by_label("What to do").select_option("train-adaptation")
    page.get_by_label("Name", exact=True).fill("taste")
    page.get_by_label("Other parameters").fill("width=odd")
    page.get_by_label("Passes").fill("3")
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("alert").get_by_text("width is a whole number, not 'odd'").wait_for()
    page.get_by_label("Other parameters").fill("dropout=0.1")
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("alert").get_by_text("there are no judgments to learn from").wait_for()

"""The labelling page in a real browser: the journey of an annotator, a lost network, the time to the next question."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lookalike.jobs import labelling_accuracy
from lookalike.judgments.store import JudgmentStore
from lookalike.judgments.table import Judgments


@pytest.fixture
def page(browser: Any, site: Any, watched: Any) -> Iterator[Any]:
    """A page in a browser that remembers nothing; whatever it complains of fails the test."""
    with watched(browser, str(site.client.base_url), seconds=15) as opened:
        yield opened


def stored(site: Any, annotator: str) -> Judgments:
    return JudgmentStore(site.collection.workspace.judgments_file).read(annotator=annotator)


def begin(page: Any, annotator: str, candidates: int = 2) -> None:
    page.goto("/label")
    page.get_by_label("Your name").fill(annotator)
    page.locator(f"input[value='{candidates}']").check()
    page.get_by_role("button", name="Begin").click()
    ready(page)


def until(page: Any, ready: Callable[[], bool]) -> None:
    """Ask again and again; `wait_for_function` would be an eval, which the page's policy forbids."""
    deadline = time.monotonic() + 15
    while not ready():
        assert time.monotonic() < deadline, page.locator("body").inner_text()
        page.wait_for_timeout(15)


def ready(page: Any) -> None:
    until(page, lambda: page.evaluate("document.querySelector('#b img')?.naturalWidth > 0"))
    page.wait_for_timeout(80)


def shown(page: Any) -> list[str]:
    """The images on show: the reference, then the candidates."""
    script = "[...document.querySelectorAll('.frame img')].map((image) => image.dataset.image)"
    return list(page.evaluate(script))


def press(page: Any, key: str) -> None:
    """Press a key and wait until the next question has been drawn."""
    before = shown(page)
    page.keyboard.press(key)
    until(page, lambda: shown(page) not in ([], before))
    page.wait_for_timeout(60)


def saved(page: Any) -> None:
    until(page, lambda: page.locator("#saved").get_attribute("data-state") == "saved")


def test_answers_by_keys_and_clicks_are_stored_as_they_were_given(page: Any, site: Any) -> None:
    begin(page, "bea")
    asked = []
    for key, choice in (("ArrowLeft", "a"), ("b", "b"), ("ArrowRight", "b"), ("A", "a")):
        asked.append((*shown(page), choice == "a"))
        press(page, key)
    asked.append((*shown(page), False))
    page.locator("#b").click()
    ready(page)
    skipped = shown(page)
    press(page, "s")
    asked.append((*shown(page), True))
    press(page, "ArrowLeft")
    before = shown(page)
    press(page, "Backspace")  # takes the last answer back, and asks it again
    assert shown(page) == list(asked[-1][:3])
    asked[-1] = (*asked[-1][:3], False)
    press(page, "ArrowRight")
    assert shown(page) == before
    saved(page)
    found = stored(site, "bea")
    columns = (found.references, found.candidates_a, found.candidates_b, found.closer_a)
    assert [tuple(row) for row in zip(*(column.tolist() for column in columns), strict=True)] == asked
    assert tuple(skipped) in {
        skip.images for skip in JudgmentStore(site.collection.workspace.judgments_file).skips("bea")
    }
    assert found.response_seconds is not None
    assert (found.response_seconds > 0.01).all()
    assert page.locator("#tally").inner_text().startswith("6 of 10")


def test_the_next_question_waits_for_no_server(page: Any) -> None:
    begin(page, "eve")
    held: list[Any] = []
    page.route("**/api/v1/label/**", lambda route: held.append(route))
    seen = [shown(page)]
    for number in range(3):  # how fast they show is measured in benchmarks/service.py
        press(page, "ab"[number % 2])
        seen.append(shown(page))
    assert len({*map(tuple, seen)}) == 4
    assert held
    assert page.locator("#saved").get_attribute("data-state") != "saved"
    assert len(page.evaluate("performance.getEntriesByName('next question')")) >= 3
    page.unroute("**/api/v1/label/**")  # which lets those go that were held
    saved(page)


def test_without_a_network_answers_are_kept_and_sent_once_when_it_is_back(page: Any, site: Any) -> None:
    begin(page, "kim")
    press(page, "a")
    saved(page)
    page.context.set_offline(True)
    for _ in range(3):
        press(page, "b")
    page.get_by_text("3 not sent yet").wait_for()
    assert len(stored(site, "kim")) == 1
    page.context.set_offline(False)
    saved(page)
    assert stored(site, "kim").closer_a.tolist() == [True, False, False, False]


def test_while_the_server_is_away_the_page_never_says_saved(page: Any, site: Any) -> None:
    begin(page, "ira")
    page.route("**/api/v1/label/answers", lambda route: route.abort())
    for count in (1, 2, 3):
        press(page, "a")
        page.get_by_text(f"{count} not sent yet").wait_for(timeout=900)
    page.unroute("**/api/v1/label/answers")
    saved(page)
    assert len(stored(site, "ira")) == 3


def test_what_was_not_sent_outlives_the_page_and_a_lost_reply_stores_nothing_twice(page: Any, site: Any) -> None:
    begin(page, "lee")
    lost = []

    def lose_the_reply(route: Any) -> None:
        lost.append(route.fetch())  # the server stores it, but nobody hears of it
        route.abort()

    page.route("**/api/v1/label/answers", lose_the_reply)
    press(page, "a")
    page.get_by_text("1 not sent yet").wait_for()
    page.unroute("**/api/v1/label/answers")
    assert lost
    page.reload()
    saved(page)
    assert stored(site, "lee").closer_a.tolist() == [True]
    ready(page)  # the name is in the address: straight on
    assert page.locator("#tally").inner_text().startswith("1 of 10")


def test_what_the_server_refuses_is_said_and_keeps_nothing_else_back(page: Any, site: Any) -> None:
    begin(page, "max")
    page.context.set_offline(True)
    for _ in range(2):
        press(page, "a")
    page.evaluate("""() => {
      const name = Object.keys(localStorage).filter((key) => key.startsWith("lookalike.waiting.")).sort()[0];
      const act = JSON.parse(localStorage[name]);
      act.item.b = "gone.jpg";
      localStorage[name] = JSON.stringify(act);
    }""")
    page.context.set_offline(False)
    page.get_by_text("1 answer could not be stored: the collection holds no image gone.jpg").wait_for()
    saved(page)
    assert len(stored(site, "max")) == 1
    page.get_by_role("button", name="Discard").click()
    assert page.locator("#refused").is_hidden()


def test_a_ranking_by_keys_and_by_touch(page: Any, site: Any) -> None:
    begin(page, "pat", candidates=3)
    reference, a, b, c = shown(page)
    for key in "21":
        page.keyboard.press(key)
    page.get_by_text("How alike is the closest one?").wait_for()
    page.get_by_role("button", name="Undo").click()  # back to the second choice
    page.keyboard.press("3")
    for key in "135":
        page.keyboard.press(key)
    saved(page)
    ready(page)
    found = stored(site, "pat")
    assert set(found.references.tolist()) == {reference}
    assert found.grades_a is not None
    assert found.grades_b is not None
    ranks = {b: 1, c: 3, a: 5}
    grades = [(ranks[one], ranks[other]) for one, other in zip(found.candidates_a, found.candidates_b, strict=True)]
    assert list(zip(found.grades_a.tolist(), found.grades_b.tolist(), strict=True)) == grades
    assert found.closer_a.tolist() == [one < other for one, other in grades]
    page.locator("#c").click()
    page.locator("#a").click()
    page.locator("#grades button").nth(1).click()
    assert page.locator("#grades button").first.is_disabled()
    for _ in range(2):
        page.locator("#grades button").nth(1).click()
    deadline = time.monotonic() + 10
    while len(stored(site, "pat")) < 6 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(stored(site, "pat")) == 6


def test_keys_of_one_letter_can_be_switched_off(page: Any, site: Any) -> None:
    page.goto("/label")
    page.get_by_label("Your name").fill("ned")
    page.get_by_label("Letters and digits").uncheck()
    page.keyboard.press("Enter")
    ready(page)
    page.keyboard.press("a")
    page.keyboard.press("s")
    press(page, "ArrowLeft")
    saved(page)
    assert len(stored(site, "ned")) == 1


def test_how_often_models_agree_shows_while_one_answers(
    page: Any, taught: Any, serious: Callable[[Any], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelling_accuracy, "SHARE", float("inf"))  # however slow the machine is
    page.set_viewport_size({"width": 1400, "height": 900})
    begin(page, "ada")
    for number in range(12):
        press(page, "ab"[number % 2])
    panel = page.locator("#agreement")
    panel.wait_for()
    until(page, lambda: "%" in page.locator("#agreement_rows").inner_text())  # of few answers, it says how many
    assert page.evaluate("agreement.open")  # there is room beside the question
    names = page.locator("#agreement_rows th")
    assert set(names.all_text_contents()) == {"compact", "whole", "half", "gate", "vote"}
    assert serious(page) == []
    page.evaluate("""() => {
      const rows = document.querySelector("#agreement_rows");
      for (let time = 0; time < 3; time += 1) rows.append(...[...rows.children].map((row) => row.cloneNode(true)));
    }""")
    assert not page.evaluate("document.documentElement.scrollHeight > innerHeight + 1")  # forty models scroll inside
    page.keyboard.press("m")
    assert not page.evaluate("agreement.open")
    until(page, lambda: "compact" in page.locator("#agreement_short").inner_text())  # once enough have been counted
    page.locator("#agreement summary").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("agreement.open")
    before = shown(page)
    press(page, "a")  # the questions go on beside it
    assert shown(page) != before
    page.keyboard.press("Escape")
    assert not page.evaluate("agreement.open")
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_text("Agree with you", exact=True).click()
    page.locator(".agreement_body").wait_for()
    box, summary = page.locator(".agreement_body").bounding_box(), page.locator("#agreement summary").bounding_box()
    assert 0 <= box["x"] < box["x"] + box["width"] <= 390
    assert box["y"] + box["height"] <= summary["y"] <= 844 - summary["height"]
    assert serious(page) == []
    page.reload()  # on a phone it begins closed
    ready(page)
    panel.wait_for()
    assert not page.evaluate("agreement.open")


@pytest.mark.parametrize("candidates", [2, 3])
def test_the_question_fits_any_window(page: Any, candidates: int) -> None:
    begin(page, "zoe", candidates)
    page.keyboard.press("a" if candidates == 2 else "s")
    page.evaluate("agreement.hidden = false")  # where there are answers
    saved(page)
    page.context.set_offline(True)
    page.keyboard.press("s")
    page.get_by_text("1 not sent yet").wait_for()  # the longest that it says
    for width, height in ((360, 640), (390, 844), (844, 390), (1280, 800), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(50)
        boxes = page.evaluate(
            "[...document.querySelectorAll("
            "'.frame img, .candidate:not([hidden]), .tools button, #help, #saved, #agreement')]"
            ".map((each) => each.getBoundingClientRect().toJSON())"
        )
        assert len(boxes) == 2 * candidates + 6
        for box in boxes:
            assert 0 <= box["left"] < box["right"] <= width + 0.5, (width, box)
            assert 0 <= box["top"] < box["bottom"] <= height + 0.5, (width, box)
            assert box["height"] >= 18, (width, box)
        assert not page.evaluate("document.documentElement.scrollHeight > innerHeight + 1")
    page.context.set_offline(False)
    saved(page)

"""The report page: what it shows, that it stands alone, and that texts of users stay texts."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.reports.charts import COLOURS, colour_of, interval_chart, line_chart, reference_map, weight_map
from lookalike.reports.content import Content, Mistake, Picture, Place, Standing
from lookalike.reports.page import render_page, write_page

VOID = {"meta", "img", "br", "image", "rect", "line", "circle", "path"}
NASTY = '<img src=x onerror="alert(1)">&'


class Balanced(HTMLParser):
    """Counts tags, and checks that they are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def standing(model: str, accuracy: float, **more: Any) -> Standing:
    return replace(Standing(model, "encoder", accuracy, accuracy - 0.02, accuracy + 0.02, None), **more)


def content(name: str = "gate") -> Content:
    rng = np.random.default_rng(0)
    pictures = [Picture(f"{name}-{number}.jpg", b"jpeg" if number else b"") for number in range(9)]
    places = [
        Place(*rng.normal(size=2), picture, name if number % 2 else "global", {name: 0.75, "global": 0.25})
        for number, picture in enumerate(pictures)
    ]
    contexts = {"ocean": (0.81, 40), name: (0.7, 60)}
    return Content(
        f"Report of {name}",
        [("judgments", f"100 about {name}")],
        [
            standing(name, 0.8, by_context=contexts),
            standing("global", 0.7, behind=(0.1, 0.05, 0.15, 0.0004), by_context={"ocean": (0.9, 40)}, seen=0.25),
            Standing(
                "one", "encoder", 0.6, float("nan"), float("nan"), (0.2, float("nan"), float("nan"), float("nan"))
            ),
        ],
        0.93,
        0.5,
        places,
        {name: [{"member": 0, "epoch": n, "loss": 1 / n, "validation_loss": 2 / n} for n in (1, 2, 3)]},
        [Mistake(*pictures[1:4], votes_a=1, votes_b=4, probability_a=0.9)],
    )


def parsed(page: str) -> Balanced:
    found = Balanced()
    found.feed(page)
    found.close()
    assert found.open == []
    return found


def test_the_page_stands_alone() -> None:
    page = render_page(content())
    tags = parsed(page).seen
    assert {tag for tag, _ in tags} >= {"svg", "table", "figure", "title"}
    assert not [tag for tag, _ in tags if tag in ("script", "link", "iframe")]
    addresses = [value for _, attributes in tags for key, value in attributes.items() if key in ("src", "href")]
    assert addresses
    assert all(str(value).startswith("data:image/jpeg;base64,") for value in addresses)
    assert "url(" not in page
    assert "nan" not in page


def test_what_people_named_stays_text() -> None:
    page = render_page(content(NASTY))
    assert "<img src=x" not in page
    assert not [tag for tag, attributes in parsed(page).seen if "onerror" in attributes]
    assert page.count("&lt;img src=x") > 10


def test_numbers_are_where_they_belong() -> None:
    page = re.sub(r"\s+", " ", render_page(content()))
    assert "<td>80.0</td><td>78.0 to 82.0</td>" in page
    assert "<td>10.0 (5.0 to 15.0)</td><td>0.0004</td><td" in page
    assert '<td class="warn">25%</td>' in page
    assert '<td class="best">90.0</td>' in page
    assert "The model says <b>A</b>, 90% sure; 4 of 5 say <b>B</b>." in page


def test_parts_without_content_are_left_out() -> None:
    bare = render_page(Content("t", [], [standing("one", 0.6)], None, 0.5))
    assert re.findall("<h2>(.*?)</h2>", bare) == ["Leaderboard"]
    assert "ceiling" not in bare
    full = re.findall("<h2>(.*?)</h2>", render_page(content()))
    assert len(full) == 6


def test_points_stand_where_their_numbers_say() -> None:
    chart = interval_chart([standing("one", 0.9), standing("two", 0.6)], 0.95, 0.5)
    dots = [float(x) for x in re.findall(r'circle class="dot" cx="([\d.]+)"', chart)]
    [chance, ceiling] = [float(x) for x in re.findall(r'line class="rule" x1="([\d.]+)"', chart)]
    assert chance < dots[1] < dots[0] < ceiling
    assert (dots[0] - chance) / (ceiling - chance) == pytest.approx(0.4 / 0.45, abs=1e-3)


def test_pictures_do_not_hide_each_other() -> None:
    near = [Place(x, 0.0, Picture(str(x), b"j"), "one") for x in (0.0, 0.001, 5.0, 10.0)]
    drawn = reference_map(near, {"one": "#000"})
    assert (drawn.count("<image"), drawn.count("<circle")) == (3, 1)
    one = reference_map(near[:1], {"one": "#000"})
    assert "nan" not in one


def test_a_larger_weight_is_a_larger_dot() -> None:
    places = [Place(x, x, Picture(str(x), b""), "one", {"one": w}) for x, w in ((0.0, 0.1), (1.0, 0.9))]
    radii = [float(r) for r in re.findall(r' r="([\d.]+)"', weight_map(places, "one", "#000", 0.5))]
    assert radii[0] < radii[1]


def test_lines_per_member_and_colours_that_last() -> None:
    history = [
        {"member": m, "epoch": n, "loss": 1 / n, "validation_loss": None if m else 0.5} for m in (0, 1) for n in (1, 2)
    ]
    assert line_chart(history, "#000").count("<path") == 3
    assert "nan" not in line_chart([{"member": 0, "epoch": 1, "loss": 1.0}], "#000")
    many = colour_of([str(number) for number in range(15)])
    assert many["13"] == COLOURS[1]


def test_it_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "report.html"
    write_page(file, content())
    before = file.read_text(encoding="utf-8")
    assert before.startswith("<!doctype html>")
    monkeypatch.setattr("lookalike.reports.page.render_page", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_page(file, content())
    assert file.read_text(encoding="utf-8") == before
    assert list(tmp_path.iterdir()) == [file]

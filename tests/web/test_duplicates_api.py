"""Duplicates over the API: groups with a suggestion, lists, a dry run, the trash and back; removing is for admins."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

API = "/api/v1/duplicates"


def ready(site: Any, **query: Any) -> dict[str, Any]:
    """Ask until the groups have been found."""
    end = time.monotonic() + 60
    while not (found := site.client.get(API, params=query).raise_for_status().json())["ready"]:
        assert time.monotonic() < end
        assert found["groups"] == []
        time.sleep(0.05)
    return dict(found)


@pytest.fixture
def copies(site: Any, eventually: Any) -> Iterator[dict[str, list[str]]]:
    """Copies of two photographs: one smaller, one recompressed; the collection as it was afterwards."""
    for name, size, quality in (("a/04 small.jpg", (48, 36), 90), ("b/05 again.jpg", (96, 72), 70)):
        with Image.open(site.photos / f"{name[:4]}.jpg") as picture:
            picture.resize(size).save(site.photos / name, quality=quality)
    site.collection.sync()
    yield {"a/04.jpg": ["a/04 small.jpg"], "b/05.jpg": ["b/05 again.jpg"]}
    for name in ("a/04 small.jpg", "b/05 again.jpg"):
        (site.photos / name).unlink(missing_ok=True)
    site.collection.sync()
    assert eventually(lambda: site.client.get("/api/v1/health").json()["images"] == 13)


def test_groups_begin_with_the_one_to_keep(site: Any, copies: dict[str, list[str]]) -> None:
    found = ready(site, threshold=0.2)
    groups = {group[0]["image"]: group for group in found["groups"]}
    assert {first: [one["image"] for one in group[1:]] for first, group in groups.items()} == copies
    assert (found["group_count"], found["copies"], found["threshold"]) == (2, 2, 0.2)
    assert 0 < found["usual"] < 1
    small = groups["a/04.jpg"][1]
    assert (small["width"], small["height"], small["mark"]) == (48, 36, "remove")
    assert small["bytes"] == (site.photos / "a/04 small.jpg").stat().st_size
    assert all(group[0]["mark"] == "keep" for group in found["groups"])
    assert found["bytes"] == sum(group[1]["bytes"] for group in found["groups"])
    second = ready(site, threshold=0.2, offset=1, limit=1)
    assert second["groups"] == found["groups"][1:]
    assert ready(site, threshold=0)["group_count"] == 0
    assert site.client.get(API, params={"threshold": 3}).status_code == 422


def test_lists_follow_the_suggestion_and_what_people_say(site: Any, copies: dict[str, list[str]]) -> None:
    ready(site, threshold=0.2)
    body = {"threshold": 0.2, "keep": ["a/04 small.jpg"], "remove": ["a/04.jpg"]}
    answer = site.client.post(f"{API}/list", json=body)
    assert answer.headers["content-disposition"] == 'attachment; filename="duplicates.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["group"], row["mark"], row["image"]) for row in rows] == [
        ("1", "remove", "a/04.jpg"),
        ("1", "keep", "a/04 small.jpg"),
        ("2", "keep", "b/05.jpg"),
        ("2", "remove", "b/05 again.jpg"),
    ]
    lists = site.client.post(f"{API}/list", json={"threshold": 0.2, "format": "json"}).json()
    assert lists == {"keep": ["a/04.jpg", "b/05.jpg"], "remove": ["a/04 small.jpg", "b/05 again.jpg"]}


def test_files_go_after_a_dry_run_and_come_back(site: Any, copies: dict[str, list[str]], eventually: Any) -> None:
    going = ["a/04 small.jpg", "b/05 again.jpg"]
    sizes = {name: (site.photos / name).stat().st_size for name in going}
    planned = site.client.post(f"{API}/trash", json={"images": going}).json()
    assert {one["image"]: one["bytes"] for one in planned["files"]} == sizes
    assert planned["bytes"] == sum(sizes.values())
    assert all((site.photos / name).exists() for name in going)
    wrong = site.client.post(f"{API}/trash", json={"images": going[:1], "confirm": planned["confirm"]})
    assert wrong.status_code == 422
    gone = site.client.post(f"{API}/trash", json={"images": going, "confirm": planned["confirm"]}).json()
    assert not any((site.photos / name).exists() for name in going)
    assert eventually(lambda: site.client.get("/api/v1/health").json()["images"] == 13)
    (removal,) = site.client.get(f"{API}/trash").json()["removals"]
    assert (removal["id"], len(removal["files"])) == (gone["id"], 2)
    back = site.client.post(f"{API}/trash/back", json={"id": gone["id"]})
    assert back.json() == {"images": going}
    assert {name: (site.photos / name).stat().st_size for name in going} == sizes
    assert eventually(lambda: site.client.get("/api/v1/health").json()["images"] == 15)
    assert site.client.post(f"{API}/trash/back", json={"id": gone["id"]}).status_code == 422


def test_what_is_not_of_the_collection_stays(site: Any) -> None:
    answer = site.client.post(f"{API}/trash", json={"images": ["../.lookalike/workspace.json", "a/02.jpg"]}).json()
    assert answer["confirm"] is None
    assert answer["refused"] == [
        {"image": "../.lookalike/workspace.json", "reason": "the collection holds no such image"}
    ]


def test_only_an_admin_removes(closed: Any) -> None:
    body = {"images": ["05.jpg"]}
    for who, status in (("reader", 403), ("annotator", 403), ("admin", 200), (None, 401)):
        assert closed.ask("POST", f"{API}/trash", who, json=body).status_code == status
        assert closed.ask("GET", f"{API}/trash", who).status_code == status
    assert closed.ask("POST", f"{API}/trash/back", "annotator", json={"id": "x"}).status_code == 403
    assert closed.ask("GET", API, "reader").status_code == 200

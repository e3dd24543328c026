"""Searching by models and ensembles over HTTP: the command line's answers, prepared once, and nothing at a path."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.jobs import live_models
from lookalike.jobs.queries import Query
from lookalike.jobs.search import Wanted
from lookalike.jobs.search_by_model import search_collection_by_model

API = "/api/v1"


def search(site: Any, **asked: Any) -> Any:
    response = site.client.post(f"{API}/search", json=asked)
    for _ in range(50):
        if response.status_code != 503:
            break
        response = site.client.post(f"{API}/search", json=asked)
    assert response.status_code == 200, response.text
    return response.json()


def same(hits: list[dict[str, Any]], expected: Any) -> None:
    assert [hit["image"] for hit in hits] == [hit.image for hit in expected]
    np.testing.assert_allclose([hit["distance"] for hit in hits], [hit.distance for hit in expected], atol=1e-6)


def test_what_there_is_to_search_by(taught: Any) -> None:
    (encoder, *models) = taught.client.get(f"{API}/models").json()["models"]
    assert (encoder["name"], encoder["kind"], encoder["searches"]) == ("compact", "encoder", True)
    found = {one["name"]: (one["kind"], one["form"], one["searches"]) for one in models}
    assert found == {
        "gate": ("ensemble", "gate", True),
        "half": ("model", "selected", True),
        "vote": ("ensemble", "vote", False),
        "whole": ("model", "identity", True),
    }
    card = taught.collection.workspace.models_folder / "torn.json"
    card.write_text("{")
    card.with_suffix(".safetensors").write_bytes(b"")
    torn = next(one for one in taught.client.get(f"{API}/models").json()["models"] if one["name"] == "torn")
    card.unlink()
    card.with_suffix(".safetensors").unlink()
    assert torn["searches"] is False
    assert "damaged" in torn["why_not"]


@pytest.mark.parametrize("by", ["gate", "half", "whole"])
def test_it_finds_what_the_command_line_finds(taught: Any, by: str) -> None:
    photo = taught.photos / "b" / "05.jpg"
    (expected,) = search_collection_by_model(taught.collection.workspace.path, [Query(photo)], by, Wanted(13))
    answer = search(taught, image="b/05.jpg", by=by, k=13)
    same(answer["results"], expected.hits)
    assert set(answer) == {"query", "results"}
    files = {"image": ("mine.jpg", photo.read_bytes())}
    response = taught.client.post(f"{API}/search", files=files, data={"by": by, "k": 13})
    same(response.json()["results"], expected.hits)
    assert response.json()["query"] == "mine.jpg"


def test_pages_filters_and_several_pictures(taught: Any) -> None:
    path = lambda name: taught.photos / name  # noqa: E731
    query = Query(path("b/05.jpg"), (path("a/02.jpg"),), (path("a/04.jpg"),))
    wanted = Wanted(3, 2, "folder = 'a'")
    (expected,) = search_collection_by_model(taught.collection.workspace.path, [query], "gate", wanted)
    asked = {"image": "b/05.jpg", "like": ["a/02.jpg"], "unlike": ["a/04.jpg"], "where": "folder = 'a'"}
    same(search(taught, **asked, by="gate", k=3, offset=2)["results"], expected.hits)


def test_why_is_what_the_command_line_explains(taught: Any) -> None:
    photo = taught.photos / "b" / "05.jpg"
    wanted = Wanted(5, explain=True)
    (expected,) = search_collection_by_model(taught.collection.workspace.path, [Query(photo)], "gate", wanted)
    answer = search(taught, image="b/05.jpg", by="gate", k=5, explain=True)
    assert answer["weights"] == pytest.approx(expected.weights)
    for hit, shares in zip(answer["results"], expected.shares, strict=True):
        assert hit["shares"] == pytest.approx(shares, abs=1e-6)


@pytest.mark.parametrize(
    ("asked", "status", "line"),
    [
        ({"by": "gat"}, 422, "there is no model 'gat': did you mean gate?"),
        ({"by": "../models/gate"}, 422, "there is no model '../models/gate'"),
        ({"by": "gate.safetensors"}, 422, "there is no model 'gate.safetensors'"),
        ({"by": "/etc/passwd"}, 422, "there is no model '/etc/passwd'"),
        ({"by": "vote"}, 422, "'vote' is a vote"),
        ({"by": 7}, 422, "by is the name of a model or an ensemble"),
        ({"explain": True}, 422, "give by as well"),
        ({"by": "gate", "explain": "perhaps"}, 422, "explain is true or false"),
        ({"by": "gate", "image": "a/99.jpg"}, 404, "a/99.jpg"),
        ({"by": "gate", "where": "colour = 1"}, 422, "colour"),
    ],
)
def test_what_cannot_be_searched_by_is_refused(taught: Any, asked: dict[str, Any], status: int, line: str) -> None:
    search(taught, image="b/05.jpg", by="gate")
    response = taught.client.post(f"{API}/search", json={"image": "b/05.jpg", **asked})
    assert response.status_code == status
    assert line in response.json()["error"]


def test_a_file_outside_of_the_workspace_is_never_read(taught: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = taught.collection.workspace.models_folder
    monkeypatch.setattr(live_models, "open_model", lambda *_: pytest.fail("read"))
    for name in (str(folder / "half.safetensors"), "half.safetensors", "..", "."):
        assert taught.client.post(f"{API}/search", json={"image": "b/05.jpg", "by": name}).status_code == 422


def test_who_asks_first_is_told_to_ask_again(taught: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = taught.collection.workspace.models_folder
    for suffix in (".safetensors", ".json"):
        shutil.copy(folder / f"half{suffix}", folder / f"late{suffix}")
    filled, fill = threading.Event(), live_models._filled

    def slow(*given: Any) -> Any:
        given[-1](live_models.Progress("encoding", 5, 13))
        filled.wait(20)
        return fill(*given)

    monkeypatch.setattr(live_models, "_filled", slow)
    monkeypatch.setattr(live_models, "PATIENCE_SECONDS", 0.2)
    asked = {"image": "b/05.jpg", "by": "late", "k": 3}
    response = taught.client.post(f"{API}/search", json=asked)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "2"
    line = "'late' is being prepared for this collection (5 of 13 images): ask again in a moment"
    assert response.json()["error"] == line
    filled.set()
    assert len(search(taught, **asked)["results"]) == 3


def test_a_model_that_was_trained_anew_answers(taught: Any, eventually: Callable[..., bool]) -> None:
    folder = taught.collection.workspace.models_folder
    first, second = (search(taught, image="b/05.jpg", by=by, k=13)["results"] for by in ("half", "whole"))
    assert first != second
    for one in ("half", "whole"):
        for suffix in (".json", ".safetensors"):
            shutil.copy(folder / f"{one}{suffix}", folder / f"changing{suffix}")
        expected = {"half": first, "whole": second}[one]
        assert eventually(lambda: search(taught, image="b/05.jpg", by="changing", k=13)["results"] == expected)  # noqa: B023


def test_new_images_are_found_and_those_that_are_gone_are_not(
    taught: Any, make_photo: Callable[..., Path], eventually: Callable[..., bool]
) -> None:
    before = search(taught, image="b/05.jpg", by="gate", k=50)["results"]
    new = make_photo(taught.photos / "new" / "99.jpg", 99)
    taught.collection.sync()

    def images() -> list[str]:
        return [hit["image"] for hit in search(taught, image="b/05.jpg", by="gate", k=50)["results"]]

    assert eventually(lambda: "new/99.jpg" in images(), seconds=10)
    assert search(taught, image="new/99.jpg", by="gate", k=1)["results"][0]["image"] == "new/99.jpg"
    new.unlink()
    taught.collection.sync()
    assert eventually(lambda: images() == [hit["image"] for hit in before], seconds=10)


def test_in_trouble_what_was_made_before_answers(
    taught: Any, make_photo: Callable[..., Path], eventually: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> list[dict[str, Any]]:
        return search(taught, image="b/05.jpg", by="gate", k=13)["results"]

    assert eventually(lambda: len(found()) == 13, seconds=10)  # what the test before took away is forgotten
    before, tried = found(), list[int]()

    def full(*_: Any) -> Any:
        tried.append(1)
        raise live_models.InputError("the disk is full")

    monkeypatch.setattr(live_models, "_filled", full)
    new = make_photo(taught.photos / "new" / "98.jpg", 98)
    taught.collection.sync()
    assert eventually(lambda: bool(found() and tried), seconds=10)
    assert [found() for _ in range(3)] == [before] * 3
    assert tried == [1]
    new.unlink()
    taught.collection.sync()

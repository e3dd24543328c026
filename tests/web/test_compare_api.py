"""Comparing over HTTP by models: what the command line says, stored images and uploads alike, and all at once."""

from __future__ import annotations

from typing import Any

import pytest

from lookalike.jobs.compare_by_model import compare_by_model

API = "/api/v1"
STORED = {"reference": "b/05.jpg", "a": "a/02.jpg", "b": "a/04.jpg"}
FOUR = {"closer", "probability_a", "distance_a", "distance_b"}


def compare(site: Any, **asked: Any) -> Any:
    response = site.client.post(f"{API}/compare", json={**STORED, **asked})
    assert response.status_code == 200, response.text
    return response.json()


def uploads(site: Any) -> dict[str, bytes]:
    return {name: (site.photos / path).read_bytes() for name, path in STORED.items()}


@pytest.mark.parametrize("by", ["gate", "half", "vote", "whole"])
def test_a_model_says_what_the_command_line_says(taught: Any, by: str) -> None:
    photos = [taught.photos / path for path in STORED.values()]
    expected = compare_by_model(*photos, by, taught.collection.workspace.path)
    answer = compare(taught, by=by)
    assert set(answer) == FOUR
    assert answer["closer"] == expected.closer
    for name in FOUR - {"closer"}:
        assert answer[name] == pytest.approx(getattr(expected, name), abs=1e-5)
    uploaded = taught.client.post(f"{API}/compare", files=uploads(taught), data={"by": by}).json()
    assert uploaded == pytest.approx(answer, abs=1e-5)


def test_stored_images_and_uploads_may_stand_side_by_side(taught: Any) -> None:
    whole = compare(taught)
    files = uploads(taught)
    parts = {"reference": (None, "b/05.jpg"), "a": ("a.jpg", files["a"]), "b": (None, "a/04.jpg")}
    mixed = taught.client.post(f"{API}/compare", files=parts).json()
    assert set(mixed) == FOUR
    assert mixed == pytest.approx(whole, abs=1e-4)


def test_all_say_what_each_says_alone(taught: Any) -> None:
    answer = compare(taught, every=True)
    (encoder, *models) = answer["verdicts"]
    assert (encoder["by"], encoder["kind"]) == ("compact", "encoder")
    assert [one["by"] for one in models] == ["gate", "half", "vote", "whole"]
    assert {name: answer[name] for name in FOUR} == {name: encoder[name] for name in FOUR}
    for one in models:
        alone = compare(taught, by=one["by"])
        assert {name: one[name] for name in FOUR} == alone


def test_one_that_cannot_be_used_says_so_and_stops_no_other(taught: Any) -> None:
    torn = taught.collection.workspace.models_folder / "torn"
    torn.with_suffix(".json").write_text("{}")
    torn.with_suffix(".safetensors").write_bytes(b"")
    verdicts = {one["by"]: one for one in compare(taught, every=True)["verdicts"]}
    torn.with_suffix(".json").unlink()
    torn.with_suffix(".safetensors").unlink()
    assert "is not the card of a model" in verdicts["torn"]["trouble"]
    assert "closer" not in verdicts["torn"]
    assert "closer" in verdicts["gate"]


@pytest.mark.parametrize(
    ("asked", "status", "line"),
    [
        ({"a": "../secret.jpg"}, 404, "holds no image ../secret.jpg"),
        ({"reference": ""}, 422, "reference: upload a picture, or give the path"),
        ({"b": 7}, 422, "b: upload a picture, or give the path"),
        ({"by": "/etc/passwd"}, 422, "there is no model"),
        ({"by": ["gate"]}, 422, "by is the name"),
        ({"every": "perhaps"}, 422, "every is true or false"),
    ],
)
def test_what_cannot_be_compared_is_refused(taught: Any, asked: dict[str, Any], status: int, line: str) -> None:
    response = taught.client.post(f"{API}/compare", json={**STORED, **asked})
    assert response.status_code == status
    assert line in response.json()["error"]

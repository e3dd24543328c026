"""Why an image was found: shares add up, maps are a plain loop over covered pictures; and parts of pictures."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.jobs.models import open_model
from lookalike.web.limits import cost

API = "/api/v1"


def explain(site: Any, **asked: Any) -> Any:
    response = site.client.post(f"{API}/explain", json=asked)
    assert response.status_code == 200, response.text
    return response.json()


def photo(site: Any, name: str) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(site.photos / name).convert("RGB"))


def unit(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def by_loop(site: Any, name: str, other: str, apart: Any) -> np.ndarray[Any, Any]:
    """How far the distance of `other` rises as each of 7 x 7 cells of a photograph is covered."""
    encode, pixels = load_encoder("compact").encode, photo(site, name)
    height, width = pixels.shape[:2]
    still = unit(encode([photo(site, other)]))[0]
    base = apart(unit(encode([pixels]))[0], still)
    rises = np.zeros((7, 7))
    for row in range(7):
        for column in range(7):
            down, across = (np.rint(np.linspace(0, side, 8)).astype(int) for side in (height, width))
            copy = pixels.copy()
            copy[down[row] : down[row + 1], across[column] : across[column + 1]] = np.rint(pixels.mean(axis=(0, 1)))
            rises[row, column] = apart(unit(encode([copy]))[0], still) - base
    return rises


def test_maps_of_the_encoder_are_a_plain_loop(taught: Any) -> None:
    answer = explain(taught, image="b/05.jpg", found="a/02.jpg", maps=True)
    apart = lambda one, other: 1 - one @ other  # noqa: E731
    np.testing.assert_allclose(answer["query_map"], by_loop(taught, "b/05.jpg", "a/02.jpg", apart), atol=1e-5)
    np.testing.assert_allclose(answer["image_map"], by_loop(taught, "a/02.jpg", "b/05.jpg", apart), atol=1e-5)
    (part,) = answer["models"]
    assert (part["model"], part["weight"], part["share"]) == ("compact", 1, 1)
    assert part["distance"] == pytest.approx(answer["distance"])
    body = {"image": "b/05.jpg", "k": 13}
    found = {hit["image"]: hit["distance"] for hit in taught.client.post(f"{API}/search", json=body).json()["results"]}
    assert answer["distance"] == pytest.approx(found["a/02.jpg"], abs=1e-4)


def test_maps_of_an_ensemble_hold_its_weights_at_the_query(taught: Any) -> None:
    answer = explain(taught, image="b/05.jpg", found="a/02.jpg", by="gate", maps=True)
    named = open_model(Workspace(taught.collection.workspace.path), "gate")
    weights = named.model.weights(unit(load_encoder("compact").encode([photo(taught, "b/05.jpg")])))[0]  # type: ignore[union-attr]
    counted = weights * named.model.calibration_  # type: ignore[union-attr]

    def apart(one: Any, other: Any) -> float:
        half = len(one) // 2
        return float(counted @ [1 - one @ other, 1 - unit(one[:half]) @ unit(other[:half])])

    np.testing.assert_allclose(answer["image_map"], by_loop(taught, "a/02.jpg", "b/05.jpg", apart), atol=1e-5)
    np.testing.assert_allclose(answer["query_map"], by_loop(taught, "b/05.jpg", "a/02.jpg", apart), atol=1e-5)
    assert {part["model"]: part["weight"] for part in answer["models"]} == pytest.approx(
        dict(zip(("whole", "half"), weights.tolist(), strict=True)), abs=1e-5
    )
    assert sum(part["share"] for part in answer["models"]) == pytest.approx(1)
    summed = counted @ [part["distance"] for part in answer["models"]]
    assert answer["distance"] == pytest.approx(summed, abs=1e-6)


def test_how_likely_it_is_closer_than_another(taught: Any) -> None:
    one = explain(taught, image="b/05.jpg", found="a/02.jpg", than="a/04.jpg", by="gate")
    other = explain(taught, image="b/05.jpg", found="a/04.jpg", than="a/02.jpg", by="gate")
    assert one["than"]["distance"] == pytest.approx(other["distance"])
    assert one["than"]["probability"] == pytest.approx(1 - other["than"]["probability"])
    assert (one["than"]["probability"] > 0.5) == (one["distance"] < other["distance"])
    # Nobody has measured this model on judgments.
    assert (
        explain(taught, image="b/05.jpg", found="a/02.jpg", than="a/04.jpg", by="half")["than"]["probability"] is None
    )
    assert one["query_map"] is None


def test_an_upload_and_several_pictures(taught: Any) -> None:
    stored = explain(taught, image="b/05.jpg", found="a/02.jpg")
    files = {"image": ("mine.jpg", (taught.photos / "b/05.jpg").read_bytes())}
    response = taught.client.post(f"{API}/explain", files=files, data={"found": "a/02.jpg"})
    assert response.json() == stored
    several = explain(taught, image="b/05.jpg", like=["a/04.jpg"], unlike=["a/06.jpg"], found="a/02.jpg", maps=True)
    assert several["query_map"] is None
    assert len(several["image_map"]) == 7
    body = {"image": "b/05.jpg", "like": ["a/04.jpg"], "unlike": ["a/06.jpg"], "k": 13}
    found = {hit["image"]: hit["distance"] for hit in taught.client.post(f"{API}/search", json=body).json()["results"]}
    assert several["distance"] == pytest.approx(found["a/02.jpg"], abs=1e-4)


@pytest.mark.parametrize(
    ("asked", "status", "line"),
    [
        ({}, 422, "found: give the path"),
        ({"found": "../x.jpg"}, 404, "holds no image ../x.jpg"),
        ({"found": "a/02.jpg", "than": "/etc/passwd"}, 404, "holds no image /etc/passwd"),
        ({"found": "a/02.jpg", "by": "vote"}, 422, "vote has no weights"),
        ({"found": "a/02.jpg", "by": "none"}, 422, "there is no model"),
        ({"found": "a/02.jpg", "maps": 7}, 422, "maps is true or false"),
        ({"found": "a/02.jpg", "box": "0,0,2,2"}, 422, "a box is left,top,right,bottom"),
        ({"found": 7}, 422, "found is the path"),
    ],
)
def test_what_cannot_be_explained_is_refused(taught: Any, asked: dict[str, Any], status: int, line: str) -> None:
    response = taught.client.post(f"{API}/explain", json={"image": "b/05.jpg", **asked})
    assert response.status_code == status
    assert line in response.json()["error"]


def test_it_costs_more_than_a_search() -> None:
    assert cost(f"{API}/explain", "POST") > cost(f"{API}/search", "POST")


@pytest.mark.parametrize("by", [None, "gate"])
def test_a_part_is_searched_for_as_if_it_were_a_picture_of_its_own(taught: Any, by: str | None) -> None:
    picture = Image.open(taught.photos / "b/05.jpg").convert("RGB")
    part = io.BytesIO()
    picture.crop((24, 0, 72, 36)).save(part, "PNG")
    more = {"k": 13} if by is None else {"k": 13, "by": by}
    expected = taught.client.post(f"{API}/search", files={"image": part.getvalue()}, data=more).json()["results"]
    box = {"box": "0.25,0,0.75,0.5"}
    files = {"image": (taught.photos / "b/05.jpg").read_bytes()}
    of_upload = taught.client.post(f"{API}/search", files=files, data={**more, **box}).json()["results"]
    of_stored = taught.client.post(f"{API}/search", json={"image": "b/05.jpg", **more, **box}).json()["results"]
    assert of_upload == of_stored == expected
    whole = taught.client.post(f"{API}/search", json={"image": "b/05.jpg", **more}).json()["results"]
    assert whole != expected
    explained = explain(taught, image="b/05.jpg", found="a/02.jpg", **box, **({"by": by} if by else {}))
    distances = {hit["image"]: hit["distance"] for hit in expected}
    assert explained["distance"] == pytest.approx(distances["a/02.jpg"], abs=5e-4)


def test_a_file_in_the_place_of_an_image_is_not_read(taught: Any, tmp_path: Any) -> None:
    photo = taught.photos / "b" / "07.jpg"
    before = photo.read_bytes(), photo.stat()
    body = {"image": "b/07.jpg", "box": "0,0,1,1", "k": 1}
    other = tmp_path / "secret.jpg"
    Image.new("RGB", (96, 72), (250, 0, 0)).save(other)
    photo.unlink()
    photo.symlink_to(other)
    try:
        (hit,) = taught.client.post(f"{API}/search", json=body).json()["results"]
    finally:
        photo.unlink()
        photo.write_bytes(before[0])
        os.utime(photo, ns=(before[1].st_atime_ns, before[1].st_mtime_ns))
    assert hit["image"] == "b/07.jpg"  # by its thumbnail
    assert hit["distance"] < 0.1


@pytest.mark.parametrize("box", ["", "1,2", "0,0,0,0", "0.2,0.2,0.1,0.1", "nan,nan,nan,nan", "-1,0,1,1", "0;0;1;1"])
def test_what_is_no_box_is_refused(taught: Any, box: str) -> None:
    response = taught.client.post(f"{API}/search", json={"image": "b/05.jpg", "box": box, "k": 1})
    assert response.status_code == (200 if box == "" else 422)

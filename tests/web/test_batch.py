"""Several pictures at once: the same vectors and answers as one by one; and an annotator's key is nobody else's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

API = "/api/v1"
IMAGES = ["a/02.jpg", "b/05.jpg", "a/04.jpg"]


def test_vectors_are_those_of_the_collection_and_of_the_files(site: Any) -> None:
    by_path = site.client.post(f"{API}/embed", json={"images": IMAGES}).json()
    assert (by_path["encoder"], by_path["images"]) == ("compact", IMAGES)
    vectors = np.array(by_path["vectors"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    files = [("images", (name, (site.photos / name).read_bytes())) for name in IMAGES]
    by_file = site.client.post(f"{API}/embed", files=files).json()
    assert by_file["images"] == IMAGES
    # The table keeps halves of the precision that an encoder gives.
    np.testing.assert_allclose(by_file["vectors"], vectors, atol=2e-3)
    expected = site.collection.encoder.vector(site.photos / IMAGES[1])
    np.testing.assert_allclose(by_file["vectors"][1], expected, atol=1e-6)


def test_a_batch_answers_as_single_searches_do(site: Any) -> None:
    asked = {"k": 4, "where": "folder = 'a'", "offset": 1}
    batch = site.client.post(f"{API}/search/batch", json={"images": IMAGES, **asked}).json()["answers"]
    single = [site.client.post(f"{API}/search", json={"image": image, **asked}).json() for image in IMAGES]
    assert [answer["query"] for answer in batch] == IMAGES
    for one, other in zip(batch, single, strict=True):
        assert [hit["image"] for hit in one["results"]] == [hit["image"] for hit in other["results"]]
        distances = [[hit["distance"] for hit in answer["results"]] for answer in (one, other)]
        assert distances[0] == pytest.approx(distances[1], abs=1e-6)
    parts = [("images", (name, (site.photos / name).read_bytes())) for name in IMAGES]
    by_file = site.client.post(f"{API}/search/batch", files=parts, data={"k": 1}).json()["answers"]
    assert [answer["results"][0]["image"] for answer in by_file] == IMAGES
    mixed = [("images", (None, "a/02.jpg")), parts[1]]
    assert len(site.client.post(f"{API}/search/batch", files=mixed).json()["answers"]) == 2


@pytest.mark.parametrize("route", ["embed", "search/batch"])
@pytest.mark.parametrize(
    ("images", "status", "line"),
    [
        ([], 422, "images: give a list of paths"),
        (None, 422, "images: give a list of paths"),
        ("a/02.jpg", 422, "images: give a list of paths"),
        ([3], 422, "images: each is the path"),
        (["a/02.jpg"] * 101, 422, "images: at most 100, not 101"),
        (["a/02.jpg", "../secret"], 404, "the collection holds no image ../secret"),
    ],
)
def test_what_cannot_be_answered_is_refused(site: Any, route: str, images: Any, status: int, line: str) -> None:
    answer = site.client.post(f"{API}/{route}", json={"images": images})
    assert answer.status_code == status
    assert line in answer.json()["error"]


def test_uploads_have_limits(site: Any) -> None:
    good = (site.photos / IMAGES[0]).read_bytes()
    many = [("images", (f"{number}.jpg", good)) for number in range(17)]
    assert site.client.post(f"{API}/embed", files=many).status_code == 400
    assert len(site.client.post(f"{API}/embed", files=many[:16]).json()["vectors"]) == 16
    torn = [("images", ("good.jpg", good)), ("images", ("torn.jpg", b"Dear diary,"))]
    refused = site.client.post(f"{API}/embed", files=torn)
    assert refused.status_code == 422
    assert refused.json()["error"].startswith("torn.jpg: ")
    assert site.client.post(f"{API}/embed", data={"other": "x"}).status_code == 422
    for k in (0, 201, "many"):
        refused = site.client.post(f"{API}/search/batch", json={"images": IMAGES, "k": k})
        assert refused.status_code == 422
        assert refused.json()["error"].startswith("k: ")


def test_an_annotators_key_answers_under_its_own_name_alone(closed: Any) -> None:
    def answer(annotator: str, who: str, number: int) -> int:
        said = {"kind": "judgment", "reference": "00.jpg", "a": "01.jpg", "b": "02.jpg", "choice": "a"}
        body = {"annotator": annotator, "answers": [{**said, "id": f"answer-{number:04}"}]}
        return int(closed.ask("POST", f"{API}/label/answers", who, json=body).status_code)

    assert answer("annotator", "annotator", 1) == 200
    assert answer("somebody", "annotator", 2) == 403
    assert answer("somebody", "admin", 3) == 200
    undo = {"annotator": "somebody", "ids": ["answer-0003"]}
    assert closed.ask("POST", f"{API}/label/undo", "annotator", json=undo).status_code == 403
    refused = closed.ask("GET", f"{API}/label/progress?annotator=somebody", "annotator")
    assert refused.status_code == 403
    assert refused.json()["error"] == (
        "this is the key of annotator: answers of others take their own key, or an admin's"
    )
    assert closed.ask("GET", f"{API}/label/progress?annotator=somebody", "admin").json()["answers"] == 1

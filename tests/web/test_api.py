"""The REST API, over a socket: answers, refusals, and that nothing outside the collection can be had."""

import io
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from PIL import Image, ImageOps

from lookalike.web import bodies

API = "/api/v1"
GREEN = "it's 100% #green?.png"
COMPARE = ("reference", "a", "b")


def refused(response: httpx.Response, status: int) -> str:
    """Check that a response is one JSON line with this status, and return the line."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error"}
    assert "\n" not in body["error"]
    return str(body["error"])


def jpeg(colour: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(file, "JPEG")
    return file.getvalue()


def test_a_picture_finds_itself_first_and_distances_ascend(site: Any) -> None:
    content = (site.photos / "a" / "04.jpg").read_bytes()
    answer = site.client.post(f"{API}/search", files={"image": ("my photo.jpg", content)}, data={"k": 5}).json()
    assert set(answer) == {"query", "results"}
    assert (answer["query"], len(answer["results"])) == ("my photo.jpg", 5)
    assert answer["results"][0]["image"] == "a/04.jpg"
    assert answer["results"][0]["distance"] == pytest.approx(0, abs=1e-5)
    distances = [hit["distance"] for hit in answer["results"]]
    assert distances == sorted(distances)
    assert all(set(hit) == {"image", "distance", "similarity"} for hit in answer["results"])
    assert all(hit["distance"] + hit["similarity"] == pytest.approx(1, abs=1e-5) for hit in answer["results"])


def test_an_upload_is_turned_upright_once_as_the_same_file_in_the_collection_is(site: Any) -> None:
    picture = Image.open(site.photos / "a" / "02.jpg")
    picture.getexif()[0x0112] = 6
    picture.save(site.photos / "turned.jpg", exif=picture.getexif(), quality=95)
    content = (site.photos / "turned.jpg").read_bytes()
    (site.photos / "turned.jpg").unlink()
    found = site.client.post(f"{API}/search", files={"image": ("t.jpg", content)}, data={"k": 13}).json()["results"]
    file = site.photos.parent / "turned.jpg"
    file.write_bytes(content)
    expected = site.collection.search(file, 13)
    assert [hit["distance"] for hit in found] == pytest.approx([hit.distance for hit in expected], abs=1e-6)


def test_a_path_is_searched_as_form_field_urlencoded_or_json_alike(site: Any) -> None:
    asked = {"image": "b/05.jpg", "k": 4}
    as_json = site.client.post(f"{API}/search", json=asked).json()
    as_form = site.client.post(f"{API}/search", data=asked).json()
    as_parts = site.client.post(f"{API}/search", files={"image": (None, "b/05.jpg"), "k": (None, "4")}).json()
    assert as_json == as_form == as_parts
    assert (as_json["query"], as_json["results"][0]["image"]) == ("b/05.jpg", "b/05.jpg")
    assert len(as_json["results"]) == 4


def test_k_is_ten_unless_given_and_at_most_what_there_is(site: Any) -> None:
    assert len(site.client.post(f"{API}/search", json={"image": "b/05.jpg"}).json()["results"]) == 10
    assert len(site.client.post(f"{API}/search", json={"image": "b/05.jpg", "k": 200}).json()["results"]) == 13


@pytest.mark.parametrize("k", [0, 201, -1, 1.5, True, None, "ten", "", "9" * 30, [1]])
def test_k_out_of_range_is_422(site: Any, k: object) -> None:
    assert "k must be a whole number from 1 to 200" in refused(
        site.client.post(f"{API}/search", json={"image": "b/05.jpg", "k": k}), 422
    )


def test_pages_of_a_search_go_on_where_the_last_one_ended(site: Any) -> None:
    asked = {"image": "b/05.jpg", "k": 13}
    whole = site.client.post(f"{API}/search", json=asked).json()["results"]
    pages = [
        site.client.post(f"{API}/search", json={**asked, "k": 4, "offset": offset}).json()["results"]
        for offset in (0, 4, 8, 12, 16)
    ]
    assert [hit for page in pages for hit in page] == whole
    assert pages[-1] == []


def test_a_filter_holds_for_every_hit(site: Any) -> None:
    asked = {"image": "b/05.jpg", "k": 13, "where": "folder = 'a'"}
    found = site.client.post(f"{API}/search", json=asked).json()["results"]
    assert sorted(hit["image"] for hit in found) == [f"a/{number:02}.jpg" for number in range(0, 12, 2)]
    assert site.client.post(f"{API}/search", data=asked).json()["results"] == found
    line = refused(site.client.post(f"{API}/search", json={**asked, "where": "colour = 'red'"}), 422)
    assert "colour" in line


def test_like_these_and_not_those(site: Any) -> None:
    asked = {"image": "b/05.jpg", "like": ["a/02.jpg"], "unlike": ["a/04.jpg"], "k": 13}
    found = site.client.post(f"{API}/search", json=asked).json()["results"]
    like, unlike = ([site.photos / path for path in paths] for paths in (["b/05.jpg", "a/02.jpg"], ["a/04.jpg"]))
    expected = site.collection.search_like(like, unlike, 13)
    assert [hit["image"] for hit in found] == [hit.image for hit in expected]
    assert [hit["distance"] for hit in found] == pytest.approx([hit.distance for hit in expected], abs=1e-4)
    parts = [("image", (None, "b/05.jpg")), ("like", (None, "a/02.jpg")), ("unlike", (None, "a/04.jpg"))]
    by_form = site.client.post(f"{API}/search", files=[*parts, ("k", (None, "13"))]).json()["results"]
    assert by_form == found


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"like": "a/02.jpg"}, "like: give paths of images of the collection"),
        ({"unlike": [3]}, "unlike: give paths of images of the collection"),
        ({"like": ["a/02.jpg"] * 21}, "like: at most 20 images, not 21"),
        ({"where": 7}, "where is a text, such as: width > 1000 and folder = 'x'"),
        ({"offset": -1}, "offset must be a whole number from 0 to 10000, not -1"),
    ],
)
def test_what_more_is_asked_is_checked(site: Any, more: dict[str, Any], line: str) -> None:
    assert line in refused(site.client.post(f"{API}/search", json={"image": "b/05.jpg", **more}), 422)


def test_further_pictures_must_be_of_the_collection(site: Any) -> None:
    body = {"image": "b/05.jpg", "unlike": ["a/99.jpg"]}
    assert "a/99.jpg" in refused(site.client.post(f"{API}/search", json=body), 404)


@pytest.mark.parametrize("content", [b"", b"Dear diary,", jpeg((9, 9, 9))[:150], b"\xff\xd8\xff" + bytes(300)])
def test_an_unreadable_upload_is_422_and_named(site: Any, content: bytes) -> None:
    response = site.client.post(f"{API}/search", files={"image": ("torn.jpg", content)})
    assert refused(response, 422).startswith("torn.jpg: ")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{}", "application/json", 422),
        (b'{"image": 7}', "application/json", 422),
        (b"", "application/x-www-form-urlencoded", 422),
        (b"", "text/plain", 422),
        (b"no boundary", "multipart/form-data", 400),
        (b"nonsense", "multipart/form-data; boundary=x", 400),
    ],
)
def test_a_body_that_makes_no_sense_is_refused(site: Any, body: bytes, kind: str, status: int) -> None:
    refused(site.client.post(f"{API}/search", content=body, headers={"content-type": kind}), status)


@pytest.mark.parametrize(
    "image", ["a/99.jpg", "../.lookalike/workspace.json", "/etc/passwd", "A/04.JPG", "a", "' OR 1=1"]
)
def test_only_images_of_the_collection_can_be_had(site: Any, image: str) -> None:
    assert image in refused(site.client.post(f"{API}/search", json={"image": image}), 404)
    response = site.client.get(f"{API}/thumbnails/{quote(image, safe='')}")
    assert image in refused(response, 404)


def test_a_file_beside_the_collection_is_never_served(site: Any) -> None:
    secret = site.photos / "secret.jpg"
    secret.write_bytes(jpeg((1, 2, 3)))
    try:
        refused(site.client.get(f"{API}/thumbnails/secret.jpg"), 404)
        refused(site.client.get("/../app.py"), 404)
        refused(site.client.get("/%2e%2e/app.py"), 404)
    finally:
        secret.unlink()


def test_an_upload_is_refused_before_it_has_been_read(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_IMAGE_BYTES", 2**20)
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
        while sent < 500:
            sent += 1
            yield bytes(2**18)

    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = site.client.post(f"{API}/search", content=endless(), headers=headers)
    assert refused(response, 413) == "the upload is too large: the limit is 2 MB"
    assert sent < 400
    response = site.client.post(f"{API}/search", files={"image": ("large.jpg", bytes(3 * 2**20))})
    refused(response, 413)
    # Within what the form may have altogether, but not what one picture may.
    response = site.client.post(f"{API}/search", files={"image": ("large.jpg", bytes(2**20 + 1))})
    assert refused(response, 413) == "the upload is too large: the limit is 1 MB"
    files = {"reference": bytes(2**20 + 1), "a": jpeg((9, 9, 9)), "b": jpeg((9, 9, 9))}
    assert refused(site.client.post(f"{API}/compare", files=files), 413).endswith("1 MB")
    refused(site.client.post(f"{API}/search", json={"image": "a" * 2**20}), 413)


def test_compare_says_which_is_closer(site: Any) -> None:
    files = {"reference": jpeg((200, 0, 0)), "a": jpeg((0, 60, 200)), "b": jpeg((210, 30, 30))}
    answer = site.client.post(f"{API}/compare", files=files).json()
    assert set(answer) == {"closer", "probability_a", "distance_a", "distance_b"}
    assert answer["closer"] == "b"
    assert answer["probability_a"] < 0.5
    assert answer["distance_a"] > answer["distance_b"]
    files["a"], files["b"] = files["b"], files["a"]
    mirrored = site.client.post(f"{API}/compare", files=files).json()
    assert mirrored["closer"] == "a"
    assert mirrored["probability_a"] == pytest.approx(1 - answer["probability_a"])


@pytest.mark.parametrize("field", COMPARE)
def test_compare_names_the_picture_that_is_missing_or_torn(site: Any, field: str) -> None:
    files = dict.fromkeys(COMPARE, jpeg((200, 0, 0)))
    torn = files | {field: (f"{field}.jpg", b"Dear diary,")}
    assert refused(site.client.post(f"{API}/compare", files=torn), 422).startswith(f"{field}.jpg: ")
    files.pop(field)
    assert refused(site.client.post(f"{API}/compare", files=files), 422).startswith(f"{field}: ")


def test_images_are_listed_page_by_page_in_a_stable_order(site: Any) -> None:
    whole = site.client.get(f"{API}/images").json()
    assert whole["total"] == len(whole["images"]) == 13
    assert whole["images"] == sorted(whole["images"])
    pages, after = [], ""
    while page := site.client.get(f"{API}/images", params={"after": after, "limit": 5}).json()["images"]:
        pages.append(page)
        after = page[-1]
    assert [len(page) for page in pages] == [5, 5, 3]
    assert [image for page in pages for image in page] == whole["images"]
    refused(site.client.get(f"{API}/images", params={"limit": 0}), 422)
    refused(site.client.get(f"{API}/images", params={"limit": "many"}), 422)


def test_thumbnails_are_jpegs_and_are_not_sent_twice(site: Any) -> None:
    for image in site.client.get(f"{API}/images").json()["images"]:
        response = site.client.get(f"{API}/thumbnails/{quote(image)}")
        assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
        with Image.open(io.BytesIO(response.content)) as picture:
            assert picture.size == ((40, 30) if image == GREEN else (96, 72))
    again = site.client.get(f"{API}/thumbnails/{quote(GREEN)}", headers={"if-none-match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_pictures_are_large_enough_to_look_at(site: Any) -> None:
    response = site.client.get(f"{API}/pictures/b/05.jpg")
    assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
    refused(site.client.get(f"{API}/pictures/b/99.jpg"), 404)
    refused(site.client.get(f"{API}/pictures/{quote('../.lookalike/workspace.json', safe='')}"), 404)


def test_what_another_process_writes_is_found(
    site: Any, make_photo: Callable[..., Any], eventually: Callable[..., bool]
) -> None:
    new = make_photo(site.photos / "new" / "99.jpg", 99)

    def found() -> str:
        files = {"image": new_bytes}
        return str(site.client.post(f"{API}/search", files=files, data={"k": 1}).json()["results"][0]["image"])

    new_bytes = new.read_bytes()
    assert found() != "new/99.jpg"
    site.collection.sync()
    assert eventually(lambda: found() == "new/99.jpg", seconds=2)
    assert site.client.get(f"{API}/thumbnails/new/99.jpg").status_code == 200
    new.unlink()
    site.collection.sync()
    assert eventually(lambda: site.client.get(f"{API}/health").json()["images"] == 13, seconds=2)
    refused(site.client.get(f"{API}/thumbnails/new/99.jpg"), 404)


def test_health_and_the_schema(site: Any) -> None:
    health = site.client.get(f"{API}/health").json()
    assert (health["status"], health["images"], health["encoder"]) == ("ok", 13, "compact")
    schema = site.client.get(f"{API}/openapi.json").json()
    names = (
        "search",
        "search/batch",
        "embed",
        "explain",
        "models",
        "compare",
        "images",
        "thumbnails/{image}",
        "pictures/{image}",
        "health",
        "session",
    )
    paths = {f"{API}/{name}" for name in names}
    paths |= {
        f"{API}/label/{name}"
        for name in ("questions", "answers", "undo", "progress", "judgments.csv", "pictures/{image}")
    }
    assert set(schema["paths"]) >= paths
    assert "multipart/form-data" in schema["paths"][f"{API}/compare"]["post"]["requestBody"]["content"]
    for page in ("/docs", "/redoc", f"{API}/nothing"):
        refused(site.client.get(page), 404)
    refused(site.client.get(f"{API}/search"), 405)


def test_a_sheet_holds_the_middle_of_each_thumbnail_and_says_what_is_absent(site: Any) -> None:
    images = [f"{'ab'[number % 2]}/{number:02}.jpg" for number in range(9)]
    response = site.client.post("/api/v1/sheet", json={"images": [*images, "a/99.jpg"], "side": 32})
    assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
    assert response.headers["x-absent"] == "9"
    whole = Image.open(io.BytesIO(response.content))
    assert whole.size == (8 * 32, 2 * 32)
    for number, image in enumerate(images):
        stored = Image.open(io.BytesIO(site.client.get(f"/api/v1/thumbnails/{image}").content)).convert("RGB")
        cell = ImageOps.fit(stored, (32, 32))
        left, top = number % 8 * 32, number // 8 * 32
        found = np.asarray(whole.crop((left, top, left + 32, top + 32)), float)
        assert np.abs(found - np.asarray(cell, float)).mean() < 12, image
    again = site.client.post("/api/v1/sheet", json={"images": images[:1]})
    assert Image.open(io.BytesIO(again.content)).size == (96, 96)
    assert "x-absent" not in again.headers


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"images": []},
        {"images": ["a/00.jpg"] * 65},
        {"images": ["a/00.jpg"], "side": 8},
        {"images": ["a/00.jpg"], "side": 4000},
        {"images": ["a/00.jpg"], "side": "large"},
        {"images": [""]},
        {"images": ["a/00.jpg"], "path": "/etc/passwd"},
    ],
)
def test_a_sheet_has_limits(site: Any, body: dict[str, Any]) -> None:
    response = site.client.post("/api/v1/sheet", json=body)
    assert response.status_code == 422
    assert set(response.json()) == {"error"}

"""Attacked from outside: every hostile upload is refused with one line, nothing is written, the server goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the corpus lies beside
import hostile

API = "/api/v1"
SECONDS = 20.0
"""What one upload may take, on a busy machine; alone they take a tenth of it."""

MEGABYTES = 900
"""What a server may take at most: itself, and the limit of decoding (480 MB)."""


def line(answer: httpx.Response, *statuses: int) -> str:
    """Check that an answer is a refusal in one line, and return that."""
    assert answer.status_code in statuses, answer.text[:300]
    assert set(answer.json()) == {"error"}
    found = str(answer.json()["error"])
    assert found
    assert "\n" not in found
    assert "Traceback" not in found
    return found


def everything(folder: Path) -> set[tuple[str, int]]:
    """List all files of a folder, with their sizes."""
    return {(str(path), path.stat().st_size) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, make_photo: Callable[..., Path]) -> Iterator[Any]:
    """A server in a process of its own: a client, its folder, and how much memory it ever took."""
    from lookalike.embedding.collection import Collection

    folder = tmp_path_factory.mktemp("attacked")
    for number in range(6):
        make_photo(folder / "photos" / f"{number:02}.jpg", number)
    Collection.create(folder / ".lookalike", folder / "photos").sync()
    (folder / "secret.txt").write_text("secret")
    command = [sys.executable, "-m", "lookalike", "serve", "--port", "0", "--json", "--workspace", ".lookalike"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder, text=True) as process:
        assert process.stdout is not None
        import json

        url = json.loads(process.stdout.readline())["url"]
        afresh = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=url, trust_env=False, timeout=60, limits=afresh) as client:
            client.post(f"{API}/search", json={"image": "00.jpg"})
            client.get(f"{API}/label/pictures/00.jpg")
            yield client, folder, process.pid
        process.terminate()


@pytest.fixture(autouse=True)
def _unharmed(served: Any) -> Iterator[None]:
    """After every attack: nothing written, and the server answers."""
    client, folder, _ = served
    before = everything(folder)
    yield
    assert everything(folder) == before
    assert client.get(f"{API}/health").json()["images"] == 6


def test_what_is_no_picture_is_refused(served: Any) -> None:
    client, _, _ = served
    for name, content in hostile.refused():
        started = time.perf_counter()
        answer = client.post(f"{API}/search", files={"image": (name, content, "image/jpeg")})
        assert line(answer, 422).startswith(f"{name}: ")
        assert time.perf_counter() - started < SECONDS, name


def test_what_is_a_picture_and_more_does_no_harm(served: Any) -> None:
    client, _, _ = served
    for name, content in hostile.handled():
        started = time.perf_counter()
        answer = client.post(f"{API}/search", files={"image": (name, content)}, data={"k": 1})
        if answer.status_code != 200:
            assert line(answer, 422).startswith(f"{name}: ")
        assert time.perf_counter() - started < SECONDS, name


def test_comparing_takes_them_no_better(served: Any) -> None:
    client, _, _ = served
    for name, content in (("empty.jpg", b""), ("drawing.svg", b"<svg/>"), ("liar.png", hostile.liar())):
        files = dict.fromkeys(("reference", "a", "b"), (name, content))
        assert line(client.post(f"{API}/compare", files=files), 422).startswith(f"{name}: ")


@pytest.mark.parametrize("name", hostile.NAMES)
def test_a_name_is_only_a_name(served: Any, name: str) -> None:
    client, _, _ = served
    line(client.post(f"{API}/search", json={"image": name}), 404, 422)
    for route in ("thumbnails", "label/pictures"):
        answer = client.get(f"{API}/{route}/{quote(name, safe='')}")
        assert "secret" not in answer.text
        line(answer, 404)
    answer = client.post(f"{API}/search", files={"image": (name, b"Dear diary,")})
    line(answer, 400, 404, 422)  # without a name it is no file but a field: the path of an image
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..\\secret.txt",
        "//etc/passwd",
        "/%00",
        "/style.css%00.html",
        "/api/v1/thumbnails/../../../secret.txt",
        "/api/v1/thumbnails/..%2f..%2fsecret.txt",
        "/api/v1/thumbnails/%2Fetc%2Fpasswd",
        "/api/v1/thumbnails/%ff%fe",
        "/api/v1/label/pictures/..%2fsecret.txt",
        "/" + "a" * 5000,
    ],
)
def test_no_path_leads_out(served: Any, path: str) -> None:
    client, _, _ = served
    request = client.build_request("GET", "/")
    request.url = request.url.copy_with(raw_path=path.encode())
    line(client.send(request), 400, 404)


@pytest.mark.skipif(os.name != "posix", reason="links need a permission elsewhere")
def test_a_link_that_took_the_place_of_a_photo_shows_nothing_new(served: Any) -> None:
    client, folder, _ = served
    photo, other = folder / "photos" / "03.jpg", folder / "other.jpg"
    other.write_bytes(hostile.saved(hostile.photo().resize((1200, 900)), "JPEG"))
    kept = folder / "photos" / "kept"
    photo.rename(kept)
    photo.symlink_to(other)
    try:
        shown = client.get(f"{API}/label/pictures/03.jpg").content
        assert shown == client.get(f"{API}/thumbnails/03.jpg").content
    finally:
        photo.unlink()
        kept.rename(photo)
        other.unlink()


def test_wrong_content_types(served: Any) -> None:
    client, _, _ = served
    picture = hostile.saved(hostile.photo(), "JPEG")
    for kind in ("image/jpeg", "application/octet-stream", "text/html", "", "multipart/mixed; boundary=x", "\xff"):
        headers = {"content-type": kind.encode("latin-1")}
        line(client.post(f"{API}/search", content=picture, headers=headers), 400, 415, 422)
        line(client.post(f"{API}/compare", content=picture, headers=headers), 400, 415, 422)
        line(client.post(f"{API}/label/answers", content=picture, headers=headers), 400, 415, 422)


def test_many_parts(served: Any) -> None:
    client, _, _ = served
    part = b'--x\r\nContent-Disposition: form-data; name="like"\r\n\r\n00.jpg\r\n'
    file = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\nx\r\n'
    headers = {"content-type": "multipart/form-data; boundary=x"}
    for body in (
        part * 100_000,
        file * 100_000,
        part[:-2] * 2,
        b"--x\r\n" * 100_000,
        b"--x\r\n" + b"A: b\r\n" * 200_000,
    ):
        line(client.post(f"{API}/search", content=body + b"--x--\r\n", headers=headers), 400, 413, 422)
    odd = b"--x\r\nContent-Disposition: form-data; name=\"image\"; filename*=utf-16''%ff%fe%00\r\n\r\nx\r\n--x--\r\n"
    line(client.post(f"{API}/search", content=odd, headers=headers), 400, 404, 422)


def test_deep_and_large_json(served: Any) -> None:
    client, _, _ = served
    for body in (b"[" * 10**5, b'{"a":' * 10**5, b'{"image": ' + b"9" * 10**5 + b"}", b'{"image": "\\ud800"}', b"NaN"):
        for route in ("search", "label/answers", "label/undo", "session"):
            answer = client.post(f"{API}/{route}", content=body, headers={"content-type": "application/json"})
            line(answer, 400, 404, 413, 422)


def test_an_endless_upload_that_says_no_length_ends(served: Any) -> None:
    client, _, _ = served

    def endless() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
        while True:
            yield bytes(2**20)

    headers = {"content-type": "multipart/form-data; boundary=x"}
    line(client.post(f"{API}/search", content=endless(), headers=headers), 413)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads what Linux says of a process")
def test_and_all_that_in_bounded_memory(served: Any) -> None:
    _, _, number = served
    status = Path(f"/proc/{number}/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
    assert peak < MEGABYTES, f"{peak} MB"

"""The client against a real server, and the page about it: every command and every line of it is run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from lookalike.client import Client
from lookalike.core.errors import InputError, ServerError
from lookalike.embedding.collection import Collection
from lookalike.jobs.keys import KeyRing, Role, add_key
from lookalike.jobs.labelling import Labelling
from lookalike.jobs.live import LiveCollection
from lookalike.web.app import create_app
from lookalike.web.server import listen, url_of

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.S)


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, make_photo: Callable[..., Path]
) -> Iterator[tuple[str, str, Path]]:
    """A server's address, the key of ann, and a folder with pictures to ask about."""
    folder = tmp_path_factory.mktemp("asked")
    for number in range(1, 9):
        make_photo(folder / "photos" / ("sea", "city")[number > 4] / f"{(number - 1) % 4 + 1}.jpg", number)
    for number, name in enumerate(("query", "other", "a", "b")):
        make_photo(folder / f"{name}.jpg", number)
    workspace = Collection.create(folder / ".lookalike", folder / "photos").workspace.path
    Collection.open(workspace).sync()
    key = add_key(workspace, "ann", Role.ANNOTATOR)
    with listen("127.0.0.1", 0) as listener:
        app = create_app(LiveCollection(workspace), Labelling(workspace), None, KeyRing(workspace))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield url_of(listener), key, folder
        server.should_exit = True
        thread.join(10)


def typed(command: list[str], served: tuple[str, str, Path]) -> str:
    url, key, folder = served
    given = {**os.environ, "LOOKALIKE_URL": url, "LOOKALIKE_KEY": key, "no_proxy": "127.0.0.1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=given, check=False)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="needs curl and bash")
def test_every_curl_command_of_the_page_works(served: tuple[str, str, Path]) -> None:
    commands = [block for block in blocks("bash") if "curl" in block]
    assert sum(block.count("curl ") for block in commands) >= 16
    (set_up,) = [block for block in blocks("bash") if "curl" not in block]
    assert re.findall(r"export (\w+)", set_up) == ["LOOKALIKE_URL", "LOOKALIKE_KEY"]
    out = typed(["bash", "-ec", "\n".join(commands)], served)
    assert '"closer":' in out
    assert "lookalike_requests_total" in out


def test_every_python_line_of_the_page_works(served: tuple[str, str, Path]) -> None:
    check = """
import sys
assert len(likes) == 8 and len(many) == 2 and closer in "ab" and vectors.shape[0] == 2 and len(everything) == 8
assert not {"fastapi", "lancedb", "PIL", "sklearn", "torch", "pyarrow"} & set(sys.modules)
"""
    lines = typed([sys.executable, "-c", "\n".join([*blocks("python"), check])], served).splitlines()
    assert len(lines) == 8
    assert int(lines[-3]) in (1, 2)  # curl may have given one before
    assert lines[-2:] == [
        "the collection holds no image no/such.jpg",
        "401 this key does not open this server, or not any more",
    ]


def test_what_it_returns(served: tuple[str, str, Path]) -> None:
    url, key, folder = served
    client = Client(url + "/", key)
    assert client.health()["images"] == 8
    assert client.session() == {"keys_wanted": True, "name": "ann", "role": "annotator"}
    found = client.search(folder / "photos" / "sea" / "3.jpg", k=3)
    assert (found[0].image, len(found)) == ("sea/3.jpg", 3)
    assert found[0].distance == pytest.approx(0, abs=1e-4)
    content = (folder / "photos" / "sea" / "3.jpg").read_bytes()
    assert client.search(content, k=3) == found
    assert [one.image for one in client.search("sea/3.jpg", k=3, offset=1)] == [
        one.image for one in client.search("sea/3.jpg", k=4)[1:]
    ]
    np.testing.assert_allclose(np.linalg.norm(client.embed([content, content]), axis=1), 1, atol=1e-5)
    assert client.thumbnail("sea/3.jpg")[:2] == b"\xff\xd8"
    reference, a, b = (folder / f"{name}.jpg" for name in ("query", "query", "b"))
    assert client.compare(reference, a, b).closer == "a"


def test_refusals_are_errors_of_the_tree(served: tuple[str, str, Path], tmp_path: Path) -> None:
    url, key, folder = served
    client = Client(url, key)
    with pytest.raises(InputError, match="k must be a whole number"):
        client.search("sea/1.jpg", k=1000)
    (folder / "torn.jpg").write_bytes(b"Dear diary,")
    with pytest.raises(InputError, match=r"torn\.jpg: "):
        client.search(folder / "torn.jpg")
    with pytest.raises(InputError, match="cannot read"):
        client.search(tmp_path / "none.jpg")
    with pytest.raises(ServerError, match="answers of others") as caught:
        client.progress("bob")
    assert caught.value.status == 403
    with pytest.raises(ServerError, match="does not answer") as caught:
        Client("http://127.0.0.1:9", timeout=2).health()
    assert caught.value.status == 0
    for url in ("ftp://x", "localhost:8000", "", "http://"):
        with pytest.raises(InputError, match="is no address of a server"):
            Client(url)


def test_odd_names_stay_in_their_header(served: tuple[str, str, Path], make_photo: Callable[..., Path]) -> None:
    url, key, folder = served
    odd = folder / 'a "quoted"\r\nname: é.jpg'
    make_photo(odd, 3)
    assert Client(url, key).search(odd, k=1)


class Shy(BaseHTTPRequestHandler):
    """Wants a pause twice, then answers, and hangs up after every answer without saying so."""

    protocol_version = "HTTP/1.1"
    asked = 0

    def do_GET(self) -> None:
        Shy.asked += 1
        content = b'{"error": "wait"}' if Shy.asked < 3 else b'{"status": "ok"}'
        self.send_response(429 if Shy.asked < 3 else 200)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


def test_pauses_are_made_and_lost_connections_opened_again() -> None:
    with HTTPServer(("127.0.0.1", 0), Shy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        client = Client(f"http://127.0.0.1:{server.server_address[1]}")
        assert client.health() == {"status": "ok"}
        assert client.health() == {"status": "ok"}
        assert Shy.asked == 4
        server.shutdown()
        thread.join()

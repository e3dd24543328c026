"""Weights from the folder, from a server, and from nowhere."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lookalike.core.errors import EncoderError
from lookalike.encoders.sources import WeightSource, find, hub_url, obtain, weights_folder

CONTENT = bytes(range(256)) * 9000
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()


class Publisher(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.endswith("/moved.pth"):
            self.send_response(302)
            self.send_header("Location", "/net.pth")
            self.end_headers()
        elif self.path.endswith(("/net.pth", "/torn.pth")):
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT if self.path.endswith("net.pth") else CONTENT[:1000])
        else:
            self.send_error(404)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Publisher) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path / "weights"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("LOOKALIKE_OFFLINE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "weights"


@pytest.mark.parametrize("file", ["net.pth", "moved.pth"])
@pytest.mark.parametrize("checksum", [None, CHECKSUM, CHECKSUM[:8].upper()])
def test_a_download_is_checked_kept_and_not_repeated(
    server: str, folder: Path, file: str, checksum: str | None
) -> None:
    source = WeightSource("net.pth", f"{server}/{file}", checksum)
    assert find(source) is None
    path = obtain(source)
    assert path == folder / "net.pth" == find(source)
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in folder.iterdir()] == ["net.pth"]
    assert obtain(WeightSource("net.pth", "http://127.0.0.1:9/gone")) == path


@pytest.mark.parametrize(
    ("file", "checksum", "reason"),
    [
        ("torn.pth", None, "broke off after 1,000 of 2,304,000 bytes"),
        ("net.pth", "00ff00ff", f"another checksum: {CHECKSUM[:16]}, not 00ff00ff"),
        ("gone.pth", None, "the download failed: Not Found"),
    ],
)
def test_a_failed_download_is_one_line_and_leaves_nothing(
    server: str, folder: Path, file: str, checksum: str | None, reason: str
) -> None:
    with pytest.raises(EncoderError) as caught:
        obtain(WeightSource("net.pth", f"{server}/{file}", checksum))
    message = str(caught.value)
    assert reason in message
    assert f"fetch {server}/{file} and put it into {folder} under that name, or give weights=PATH" in message
    assert "\n" not in message
    assert not list(folder.iterdir())


def test_offline_nothing_is_asked_for(server: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_OFFLINE", "1")
    with pytest.raises(EncoderError, match=r"net.pth are not on this machine: working offline; fetch http"):
        obtain(WeightSource("net.pth", f"{server}/net.pth"))
    assert not folder.exists()
    monkeypatch.setenv("LOOKALIKE_OFFLINE", "0")
    assert obtain(WeightSource("net.pth", f"{server}/net.pth")).is_file()


def test_what_no_server_has_says_how_to_get_it(folder: Path) -> None:
    with pytest.raises(EncoderError, match="are not on this machine: ask the authors for it and put it into") as caught:
        obtain(WeightSource("net.pth", how="ask the authors for it."))
    assert str(folder) in str(caught.value)
    with pytest.raises(EncoderError, match="there are no weights to download"):
        obtain(WeightSource(""))
    with pytest.raises(EncoderError, match="not a web address"):
        obtain(WeightSource("net.pth", "file:///etc/hostname"))


def test_a_server_that_does_not_answer_is_one_line() -> None:
    with pytest.raises(EncoderError, match=r"the download failed: .*refused") as caught:
        obtain(WeightSource("net.pth", "http://127.0.0.1:9/net.pth"))
    assert "\n" not in str(caught.value)


def test_the_hub_can_be_a_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub_url("timm/a", "m.bin") == "https://huggingface.co/timm/a/resolve/main/m.bin"
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror/")
    assert hub_url("timm/a", "m.bin") == "http://mirror/timm/a/resolve/main/m.bin"


def test_the_folder_is_the_platforms_unless_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOKALIKE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert weights_folder() == tmp_path / "lookalike" / "weights"
    monkeypatch.setattr("sys.platform", "darwin")
    assert weights_folder() == Path.home() / "Library" / "Caches" / "lookalike" / "weights"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert weights_folder() == tmp_path / "lookalike" / "weights"

"""``lookalike encoders list``, ``fetch`` and ``--offline``: without a network, and without torch."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]
BIT = "timm--resnetv2_50x1_bit.goog_in21k.safetensors"


class Hub(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if "resnetv2_50x1" not in self.path:
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"weights")

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with HTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield
        server.shutdown()


@pytest.fixture(autouse=True)
def weights_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder of weights."""
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path / "weights"))
    monkeypatch.setenv("LOOKALIKE_OFFLINE", "0")  # so that what --offline sets is undone
    monkeypatch.delenv("HF_ENDPOINT", raising=False)


def test_the_set_as_json_says_where_every_file_is(lookalike: Run, tmp_path: Path) -> None:
    code, out, err = lookalike("encoders", "list", "--set", "tll37", "--json")
    answer = json.loads(out)
    entries = {entry["label"]: entry for entry in answer["encoders"]}
    assert (code, err, answer["set"], len(entries), len(answer["encoders"])) == (0, "", "tll37", 37, 37)
    rn50x4 = entries["clip_rn50x4"]
    assert rn50x4["name"] == "openclip:RN50x4/openai[layer1,layer2,layer3,layer4,attnpool]"
    assert (rn50x4["dim"], rn50x4["taps"][-1], rn50x4["status"]) == (5440, "attnpool", "download")
    assert rn50x4["state"] == f"to be downloaded from huggingface.co ({rn50x4['file']})"
    assert entries["resnet18"]["url"] == "https://download.pytorch.org/models/resnet18-f37072fd.pth"
    facenet = entries["facenet"]
    assert (facenet["status"], facenet["taps"], facenet["url"]) == ("not installable", ["block8"], None)
    assert facenet["state"].startswith("not installable: facenet-pytorch 2.6.0")
    assert facenet["state"].endswith("use onnx:PATH")
    assert {entry["status"] for entry in entries.values()} == {"download", "not installable"}

    for entry in entries.values():
        (tmp_path / "weights").mkdir(exist_ok=True)
        (tmp_path / "weights" / entry["file"]).touch()
    answer = json.loads(lookalike("encoders", "list", "--set", "tll37", "--json")[1])
    assert {entry["status"] for entry in answer["encoders"]} == {"found"}
    assert answer["encoders"][4]["state"] == f"weights found: {tmp_path / 'weights' / 'resnet18-f37072fd.pth'}"


def test_the_set_as_a_table_has_a_line_each(lookalike: Run) -> None:
    code, out, _ = lookalike("encoders", "list", "--set", "tll37")
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 38)
    assert lines[0].split() == ["label", "encoder", "dims", "state"]
    (ssl,) = [line.split() for line in lines if line.startswith("resnext101_32x8d_ssl")]
    assert ssl[1:3] == ["ssl:resnext101_32x16d[layer1,layer2,layer3,layer4]", "3840"]
    page = (Path(__file__).parents[2] / "docs" / "encoders.md").read_text(encoding="utf-8")
    assert "\n".join(line.rstrip() for line in lines) in page
    code, out, _ = lookalike("encoders", "list", "BiT*", "--set", "tll37")
    assert len(out.splitlines()) == 7
    code, _, err = lookalike("encoders", "list", "--set", "tll38")
    assert (code, "there is no set of encoders 'tll38': did you mean tll37?" in err) == (2, True)


def test_the_set_is_listed_without_torch_and_without_a_network(tmp_path: Path) -> None:
    code = (
        "import socket, sys; socket.socket.connect = None; socket.getaddrinfo = None; "
        "from lookalike.cli.main import run; code = run(['encoders', 'list', '--set', 'tll37', '--json']); "
        "sys.exit(code or any(name in sys.modules for name in ('torch', 'timm', 'open_clip', 'torchvision')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["encoders"]) == 37


def test_families_and_names_by_pattern(lookalike: Run) -> None:
    pytest.importorskip("torch")
    code, out, _ = lookalike("encoders", "list")
    lines = out.splitlines()
    assert code == 0
    assert {"classic", "onnx:PATH", "timm:MODEL", "dino:vitb16", "places365:resnet18", "cvnet:R50"} <= set(lines)
    assert any(line.startswith("facenet:vggface2 (from an .onnx file: ") for line in lines)
    code, out, _ = lookalike("encoders", "list", "bit:*x1", "--json")
    assert json.loads(out) == {"encoders": ["bit:R101x1", "bit:R50x1"], "indexed": []}


def test_fetching_what_is_there_what_is_served_and_what_is_not(lookalike: Run, hub: None, tmp_path: Path) -> None:
    code, out, _ = lookalike("encoders", "fetch", "bit:R50x1[norm]", "--json")
    assert (code, json.loads(out)["rejected"]) == (0, [])
    (fetched,) = json.loads(out)["fetched"]
    assert fetched == {"name": "bit:R50x1[norm]", "file": str(tmp_path / "weights" / BIT), "downloaded": True}
    assert (tmp_path / "weights" / BIT).read_bytes() == b"weights"
    code, out, _ = lookalike("encoders", "fetch", "bit:R50x1", "bit:R50x3", "cvnet:R50", "--json")
    answer = json.loads(out)
    assert code == 1
    assert [(entry["name"], entry["downloaded"]) for entry in answer["fetched"]] == [("bit:R50x1", False)]
    assert [entry["name"] for entry in answer["rejected"]] == ["bit:R50x3", "cvnet:R50"]
    assert "the download failed" in answer["rejected"][0]["reason"]
    assert "drive.google.com" in answer["rejected"][1]["reason"]
    code, out, err = lookalike("encoders", "fetch", "bit:R50x1", "cvnet:R50", "--quiet")
    assert (code, err) == (1, "")
    assert f"bit:R50x1: {tmp_path / 'weights' / BIT} (was there)" in out


def test_a_set_is_fetched_as_far_as_it_goes(lookalike: Run, tmp_path: Path) -> None:
    entries = json.loads(lookalike("encoders", "list", "--set", "tll37", "--json")[1])["encoders"]
    (tmp_path / "weights").mkdir()
    for entry in entries[:2]:
        (tmp_path / "weights" / entry["file"]).touch()
    code, out, _ = lookalike("encoders", "fetch", "--set", "tll37", "--offline", "--json")
    answer = json.loads(out)
    assert (code, len(answer["fetched"]), len(answer["rejected"])) == (1, 2, 35)
    assert all("put it into" in entry["reason"] and "\n" not in entry["reason"] for entry in answer["rejected"])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "name an encoder to fetch"),
        (("classic",), "classic: has no weights to fetch"),
        (("cvnet:R50@net.pyth",), "has no weights to fetch"),
        (("dino:vitb17",), "did you mean vitb16"),
        (("dinosaur:b",), "there is no encoder 'dinosaur:b'"),
        (("facenet:vggface2",), "export its layer block8"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(lookalike: Run, names: tuple[str, ...], message: str) -> None:
    code, out, err = lookalike("encoders", "fetch", *names, "--quiet")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_offline_ends_in_a_line_that_says_what_to_do(lookalike: Run, photos: Path) -> None:
    pytest.importorskip("torch")
    picture = photos / "a" / "000.jpg"
    commands = (
        ("index", photos, "--encoder", "swsl:resnet18"),
        ("compare", picture, picture, picture, "--encoder", "swsl:resnet18"),
        ("encoders", "show", "swsl:resnet18"),
        ("encoders", "export", "swsl:resnet18", "--output", "net.onnx"),
        ("encoders", "fetch", "swsl:resnet18"),
    )
    for command in commands:
        os.environ["LOOKALIKE_OFFLINE"] = "0"
        code, out, err = lookalike(*command, "--offline", "--quiet")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "working offline; fetch https://dl.fbaipublicfiles.com/" in err
        assert os.environ["LOOKALIKE_OFFLINE"] == "1"
    for command in (("search", picture), ("duplicates",), ("serve",), ("evaluate",)):
        os.environ["LOOKALIKE_OFFLINE"] = "0"
        assert lookalike(*command, "--offline", "--quiet")[0] == 2  # there is no workspace here
        assert os.environ["LOOKALIKE_OFFLINE"] == "1"

"""`lookalike serve` as a process: how it starts, what it says, how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from lookalike.cli.main import run
from lookalike.core.errors import InputError
from lookalike.embedding.collection import Collection
from lookalike.web.server import is_loopback, listen, url_of


@pytest.fixture
def workspace(tmp_path: Path, make_photo: Callable[..., Path]) -> Path:
    make_photo(tmp_path / "photos" / "one.jpg", 1)
    Collection.create(tmp_path / ".lookalike", tmp_path / "photos").sync()
    return tmp_path / ".lookalike"


@pytest.mark.skipif(os.name != "posix", reason="sends the signals that a terminal and a service manager send")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(workspace: Path, ending: signal.Signals) -> None:
    command = [sys.executable, "-m", "lookalike", "serve", "--port", "0", "--json", "--workspace", str(workspace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["images"] == 1
        with httpx.Client(base_url=ready["url"], trust_env=False) as client:
            assert client.get("/api/v1/health").json()["images"] == 1
            # The connection is still open when the signal comes.
            process.send_signal(ending)
            out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")


def test_without_a_workspace_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--port", "0", "--workspace", str(tmp_path / "none")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "run `lookalike index PHOTOS` first" in err
    assert len(err.splitlines()) == 1


def test_a_port_in_use_is_one_clear_line(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert run(["serve", "--port", str(port), "--workspace", str(workspace)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"lookalike: cannot listen on 127.0.0.1 port {port}: the port is in use: choose another with --port\n"


@pytest.mark.parametrize("host", ["no such host", "192.0.2.1", "a" * 80])
def test_a_host_that_is_not_here_is_refused(host: str) -> None:
    with pytest.raises(InputError, match=f"cannot listen on {host}"):
        listen(host, 0).close()


@pytest.mark.parametrize(("host", "loopback"), [("127.0.0.1", True), ("localhost", True), ("0.0.0.0", False)])
def test_whoever_listens_beyond_this_machine_needs_keys(
    host: str, loopback: bool, workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Any] = []
    monkeypatch.setattr("lookalike.web.server.run", lambda *given: served.append(given))
    command = ["serve", "--host", host, "--port", "0", "--quiet", "--workspace", str(workspace)]
    if not loopback:
        assert run(command) == 2
        assert capsys.readouterr().err == (
            f"lookalike: {host} lets other machines in, and there are no keys: make one with "
            "`lookalike keys add NAME --role annotator`\n"
        )
        assert run(["keys", "add", "ann", "--role", "annotator", "--workspace", str(workspace)]) == 0
        assert capsys.readouterr().out.startswith("lk-")
    assert run(command) == 0
    assert capsys.readouterr().out.startswith("1 images at http://")
    assert len(served) == 1
    assert (served[0][-2] is None) == loopback
    assert run([*command, "--keys"]) == (2 if loopback else 0)


def test_keys_by_command(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = ["--workspace", str(workspace)]
    assert run(["keys", "list", *there]) == 0
    assert capsys.readouterr().out == "no keys yet: lookalike keys add NAME --role reader makes one\n"
    assert run(["keys", "add", "bob", "--role", "king", *there]) == 2
    assert "king" in capsys.readouterr().err
    assert run(["keys", "add", "bob", "--json", *there]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["name"], made["role"]) == ("bob", "reader")
    assert run(["keys", "list", *there]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith("bob  reader, since 20")
    assert made["key"] not in listed
    assert run(["keys", "revoke", "bob", *there]) == 0
    assert run(["keys", "revoke", "bob", *there]) == 2


def test_addresses() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert is_loopback(listener)
    if socket.has_ipv6:
        try:
            listener = listen("::1", 0)
        except InputError:
            pytest.skip("this machine has no IPv6 loopback")
        with listener:
            assert url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"
            assert is_loopback(listener)

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
def test_whoever_listens_beyond_this_machine_is_warned(
    host: str, loopback: bool, workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Any] = []
    monkeypatch.setattr("lookalike.web.server.run", lambda *given: served.append(given))
    assert run(["serve", "--host", host, "--port", "0", "--quiet", "--workspace", str(workspace)]) == 0
    out, err = capsys.readouterr()
    assert len(served) == 1
    assert out.startswith("1 images at http://")
    assert ("there is no authentication yet" in err) != loopback
    assert len(err.splitlines()) == (0 if loopback else 1)


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

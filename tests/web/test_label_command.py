"""`lookalike label`: the same server, opened on its labelling page."""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookalike.cli import serving
from lookalike.cli.main import run
from lookalike.embedding.collection import Collection


@pytest.fixture
def workspace(tmp_path: Path, make_photo: Callable[..., Path]) -> Path:
    for number in range(4):
        make_photo(tmp_path / "photos" / f"{number}.jpg", number)
    Collection.create(tmp_path / ".lookalike", tmp_path / "photos").sync()
    return tmp_path / ".lookalike"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    monkeypatch.setattr("lookalike.web.server.run", lambda *given: calls.append(given))
    return calls


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    urls: list[str] = []
    monkeypatch.setattr("webbrowser.open", urls.append)
    monkeypatch.setenv("DISPLAY", ":0")
    return urls


def test_it_prints_the_address_and_opens_it(
    workspace: Path, served: list[Any], shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["label", "--annotator", "ann & bob", "--port", "0", "--quiet", "--workspace", str(workspace)]) == 0
    for thread in threading.enumerate():
        if thread.daemon and thread.name.endswith("(open)"):
            thread.join(5)
    out, err = capsys.readouterr()
    assert out.startswith("4 images at http://127.0.0.1:")
    assert "/label?annotator=ann+%26+bob (Ctrl-C to stop)" in out
    assert err == ""
    assert shown == [out.split()[3]]
    labelling, host = served[0][2], served[0][4]
    assert (labelling.strategy, labelling.context, host) == ("informative", "", "127.0.0.1")


@pytest.mark.parametrize("quietly", [["--no-browser"], ["--json"]])
def test_no_browser_where_none_is_wanted(
    workspace: Path, served: list[Any], shown: list[str], quietly: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--strategy", "random", "--context", "sea", "--port", "0", *quietly]
    assert run(["label", *options, "--workspace", str(workspace)]) == 0
    assert shown == []
    assert (served[0][2].strategy, served[0][2].context) == ("random", "sea")
    out = capsys.readouterr().out
    if "--json" in quietly:
        assert json.loads(out)["url"].endswith("/label")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these always have a screen")
def test_without_a_screen_no_browser_takes_the_terminal(monkeypatch: pytest.MonkeyPatch, shown: list[str]) -> None:
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    serving.open_browser("http://127.0.0.1/label")
    assert shown == []


def test_an_unknown_strategy_is_one_clear_line(
    workspace: Path, served: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["label", "--strategy", "randm", "--port", "0", "--workspace", str(workspace)]) == 2
    assert served == []
    assert "did you mean random?" in capsys.readouterr().err

"""`lookalike serve --workers`: one collection, one socket, several processes, and none of them is missed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from lookalike.embedding.collection import Collection
from lookalike.judgments.store import JudgmentStore

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes as Linux shows them")
API = "/api/v1"


def alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def workers_of(parent: int) -> set[int]:
    """Return the processes that a server has started to answer."""
    found = set()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            status = (folder / "stat").read_text().rpartition(")")[2].split()
            started = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(status[1]) == parent and status[0] not in "ZX" and b"spawn_main" in started:
            found.add(int(folder.name))
    return found


@pytest.fixture
def served(tmp_path: Path, make_photo: Callable[..., Path]) -> Iterator[tuple[str, Any, Path]]:
    for number in range(12):
        make_photo(tmp_path / "photos" / f"{number:02}.jpg", number)
    Collection.create(tmp_path / ".lookalike", tmp_path / "photos").sync()
    command = [sys.executable, "-m", "lookalike", "serve", "--workers", "2", "--port", "0", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, start_new_session=True
    ) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        try:
            yield url, process, tmp_path
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def ask(url: str, method: str, path: str, **given: Any) -> httpx.Response:
    """Ask over a connection of its own: whichever worker takes it."""
    return httpx.request(method, url + path, trust_env=False, timeout=60, **given)


def answer(url: str, annotator: str) -> set[tuple[str, ...]]:
    """Answer 30 questions in six batches; return them."""
    asked: set[tuple[str, ...]] = set()
    for batch in range(6):
        path = f"{API}/label/questions?annotator={annotator}&count=5"
        questions = ask(url, "GET", path).json()["questions"]
        assert len(questions) == 5
        for number, one in enumerate(questions):
            key = (one["reference"], *sorted(one["candidates"]), one["trial"])
            assert key not in asked, "asked twice"
            asked.add(key)
            a, b = one["candidates"]
            said = {"kind": "judgment", "reference": one["reference"], "a": a, "b": b, "choice": "a"}
            said |= {"trial": one["trial"], "id": f"{annotator}-{batch:04}-{number:04}"}
            for _ in range(2):  # sent twice, to either
                body = {"annotator": annotator, "answers": [said]}
                assert ask(url, "POST", f"{API}/label/answers", json=body).status_code == 200
    return asked


def test_workers_answer_as_one(served: tuple[str, Any, Path], eventually: Callable[..., bool]) -> None:
    url, process, folder = served
    assert eventually(lambda: len(workers_of(process.pid)) == 2, seconds=60)
    with ThreadPoolExecutor(4) as people:
        asked = list(people.map(lambda name: answer(url, name), ["ann", "bob", "cee", "dan"]))
    store = JudgmentStore(folder / ".lookalike" / "judgments.sqlite")
    assert store.count() == sum(map(len, asked)) == 120
    page = ask(url, "GET", "/metrics").text
    (line,) = [one for one in page.splitlines() if 'total{method="POST",route="/api/v1/label/answers"' in one]
    assert line.endswith(" 240.0")  # of both together
    assert "lookalike_images 12.0" in page

    one = min(workers_of(process.pid))
    os.kill(one, signal.SIGKILL)
    assert eventually(lambda: len(workers_of(process.pid) - {one}) == 2, seconds=60)
    for _ in range(20):
        assert ask(url, "POST", f"{API}/search", json={"image": "03.jpg", "k": 3}).status_code == 200

    left = workers_of(process.pid)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")
    assert not any(map(alive, left))


def test_workers_end_with_a_server_that_was_killed(
    served: tuple[str, Any, Path], eventually: Callable[..., bool]
) -> None:
    url, process, _ = served
    assert eventually(lambda: len(workers_of(process.pid)) == 2, seconds=60)
    assert ask(url, "GET", f"{API}/health").json()["images"] == 12
    left = workers_of(process.pid)
    process.kill()
    process.wait(20)
    assert eventually(lambda: not any(map(alive, left)), seconds=60)

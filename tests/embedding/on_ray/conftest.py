"""A Ray cluster of this machine, one for all tests of this folder: to start one takes seconds."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from lookalike.embedding.fill import Filled
from lookalike.embedding.on_ray import run as running
from lookalike.embedding.on_ray.cluster import connected
from lookalike.images.folder import ImageFile
from lookalike.images.sources.base import ImageSource


def worker_processes(driver: int) -> list[int]:
    """Return the processes of the workers of the Ray that a process has started on this machine."""
    parents: dict[int, int] = {}
    workers = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if (folder / "cmdline").read_bytes().startswith(b"ray::Worker"):
                workers.append(int(folder.name))
        except OSError:  # it has ended meanwhile
            continue
    return [pid for pid in workers if parents.get(parents.get(pid, 0)) == driver]


@pytest.fixture(scope="session")
def ray_workers() -> Callable[[int], list[int]]:
    """Return `worker_processes`."""
    return worker_processes


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """Keep a cluster for the tests: a `RayFilling` uses the connection that there is."""
    if find_spec("ray") is None:
        pytest.skip("needs Ray: pip install 'lookalike[ray]'")
    if not sys.platform.startswith("linux"):
        pytest.skip("finds workers by /proc")
    # Workers import what this process imports.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parents[3] / "src"), os.environ.get("PYTHONPATH", "")]
    )
    with connected("ray"):
        yield


@pytest.fixture
def killed(ray_workers: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Workers that are killed as a run goes on: one after every few chunks, at a random moment."""
    monkeypatch.setattr(running, "CHUNK_IMAGES", 8)
    results, moments = running.Run.results, random.Random(0)
    pids: list[int] = []
    timers: list[threading.Timer] = []

    def kill() -> None:
        alive = [pid for pid in ray_workers(os.getpid()) if pid not in pids]
        if alive:
            pids.append(moments.choice(alive))
            os.kill(pids[-1], signal.SIGKILL)

    def disturbed(self: running.Run, source: ImageSource, files: Sequence[ImageFile]) -> Iterator[Filled]:
        for number, filled in enumerate(results(self, source, files)):
            if number % 5 == 0:
                timers.append(threading.Timer(moments.uniform(0, 0.1), kill))
                timers[-1].start()
            yield filled

    monkeypatch.setattr(running.Run, "results", disturbed)
    yield pids
    for timer in timers:
        timer.join()

"""A Ray cluster of this machine, one for all tests of this folder: to start one takes seconds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from lookalike.embedding.on_ray.cluster import connected


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

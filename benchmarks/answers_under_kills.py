"""Answers of many annotators at once while the server is killed again and again. Writes docs/results/answers.md.

    python benchmarks/answers_under_kills.py [--answers 10000] [--annotators 20] [--kills 3] [--workers 1 2]

Every annotator sends one to four answers at a time over loopback, every third time twice, and sends again whatever was
not acknowledged. When a fair share of the answers has been acknowledged, the server is killed (SIGKILL) and started
again on the same port. What was acknowledged by then must be in the file at once; in the end every answer must be there
as it was given, once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from _report import machine, write_result

from lookalike.embedding.collection import Collection
from lookalike.images.samples import draw_scenes, write_samples
from lookalike.judgments.store import JudgmentStore
from lookalike.judgments.store_file import transact

PHOTOS = 40
ANSWERS = "/api/v1/label/answers"


@dataclass
class Told:
    """What happened."""

    acknowledged: set[str] = field(default_factory=set)
    seconds: list[float] = field(default_factory=list)
    lost: int = 0
    gaps: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=10_000)
    parser.add_argument("--annotators", type=int, default=20)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--no-report", action="store_true", help="print, and write nothing")
    options = parser.parse_args()
    lines = [measured(options, workers) for workers in options.workers]
    head = ["workers", "answers", "acknowledged", "lost", "there twice", "per second", "p50, ms", "p99, ms", "away, s"]
    table = [f"| {' | '.join(head)} |", f"|{' ---: |' * len(head)}", *lines]
    if options.no_report:
        print("\n".join(table))
        return
    text = (
        f"{options.annotators} annotators send {options.answers:,} answers at once over loopback, one to four at a "
        f"time, a third of them twice; the server is killed {options.kills} times (SIGKILL of the process that was "
        "started; its workers end with it) and started again on the same port. *Lost* are answers that had been "
        "acknowledged and were not in the file, looked at after every kill and at the end; *there twice*, those stored "
        "more often than once; every stored answer was compared with the one that was given. Times are those of a "
        "request of one to four answers, from sending until it was acknowledged, without those that a kill cut off; "
        "*away* is from a kill until the next answer was acknowledged, the longest. The people run on the same machine "
        f"as the server. {machine('uvicorn', 'fastapi')}"
    )
    write_result("answers.md", "Answers while the server is killed", text, table)


def measured(options: argparse.Namespace, workers: int) -> str:
    """Return a line of the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_samples(folder / "photos", draw_scenes(PHOTOS, seed=0), size=96)
        collection = Collection.create(folder / ".lookalike", folder / "photos")
        collection.sync()
        images = sorted(str(path.relative_to(folder / "photos")) for path in (folder / "photos").glob("*/*.jpg"))
        share = options.answers // options.annotators
        given = {f"person {number}": answers(images, number, share) for number in range(options.annotators)}
        store = JudgmentStore(collection.workspace.judgments_file)
        started = time.perf_counter()
        told = asyncio.run(answered(folder, given, store, workers, options.kills))
        seconds = time.perf_counter() - started
        stored = kept(store)
    sent = {one["id"]: (person, one) for person, several in given.items() for one in several}
    lost = told.lost + len(told.acknowledged - {row[0] for row in stored})
    expected = {(id, person, one["reference"], one["a"], one["b"], one["choice"]) for id, (person, one) in sent.items()}
    if set(stored) != expected:
        raise SystemExit(f"with {workers} workers, {len(expected ^ set(stored))} answers are not as they were given")
    p50, p99 = 1000 * np.quantile(told.seconds, [0.5, 0.99])
    cells = [
        f"{workers}",
        f"{len(sent):,}",
        f"{len(told.acknowledged):,}",
        f"{lost}",
        f"{len(stored) - len(set(stored))}",
        f"{len(sent) / seconds:.0f}",
        f"{p50:.0f}",
        f"{p99:.0f}",
        f"{max(told.gaps, default=0):.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def answers(images: list[str], seed: int, count: int) -> list[dict[str, Any]]:
    """Return what one annotator will send."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        reference, a, b = rng.sample(images, 3)
        told = {"reference": reference, "a": a, "b": b, "choice": rng.choice("ab"), "response_seconds": rng.random()}
        found.append({"kind": "judgment", "id": uuid.UUID(int=rng.getrandbits(128)).hex, **told})
    return found


async def answered(
    folder: Path, given: dict[str, list[dict[str, Any]]], store: JudgmentStore, workers: int, kills: int
) -> Told:
    """Have everybody answer, and kill the server meanwhile."""
    told, total = Told(), sum(map(len, given.values()))
    server, url = await asyncio.to_thread(start, folder, 0, workers)
    try:
        people = [asyncio.create_task(annotator(url, person, several, told)) for person, several in given.items()]
        for kill in range(1, kills + 1):
            while len(told.acknowledged) < total * kill / (kills + 1):
                await asyncio.sleep(0.005)
            server.send_signal(signal.SIGKILL)
            killed, known = time.perf_counter(), set(told.acknowledged)
            server.communicate()
            told.lost += len(known - {row[0] for row in await asyncio.to_thread(kept, store)})
            before = len(told.acknowledged)
            server, _ = await asyncio.to_thread(start, folder, int(url.rpartition(":")[2]), workers)
            while len(told.acknowledged) == before:
                await asyncio.sleep(0.005)
            told.gaps.append(time.perf_counter() - killed)
        await asyncio.gather(*people)
    finally:
        server.kill()
        server.communicate()
    return told


async def annotator(url: str, person: str, several: list[dict[str, Any]], told: Told) -> None:
    """Send answers until all of them are acknowledged."""
    rng, left = random.Random(person), list(several)
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        while left:
            batch = left[: rng.randint(1, 4)]
            body = {"annotator": person, "answers": batch}
            try:
                for _ in range(rng.choice((1, 1, 2))):
                    started = time.perf_counter()
                    response = await client.post(ANSWERS, json=body)
                    response.raise_for_status()
                    told.seconds.append(time.perf_counter() - started)
            except httpx.TransportError:
                await asyncio.sleep(0.1)
                continue
            told.acknowledged.update(answer["id"] for answer in batch)
            left = left[len(batch) :]


def start(folder: Path, port: int, workers: int) -> tuple[subprocess.Popen[str], str]:
    """Start `lookalike serve`, and wait until it says where."""
    command = [sys.executable, "-m", "lookalike", "serve", "--json", "--port", str(port), "--workers", str(workers)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder, text=True)
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise SystemExit(f"the server does not start on port {port}")
    return process, json.loads(line)["url"]


def kept(store: JudgmentStore) -> list[tuple[str, ...]]:
    """Look into the file itself: what is stored under which key."""
    query = (
        "SELECT key, p.name, r.name, a.name, b.name, CASE WHEN votes_a > votes_b THEN 'a' ELSE 'b' END FROM answers"
        " JOIN labels p ON p.id = annotator JOIN images r ON r.id = reference"
        " JOIN images a ON a.id = candidate_a JOIN images b ON b.id = candidate_b"
    )
    return transact(store.path, lambda db: db.execute(query).fetchall(), write=False)


if __name__ == "__main__":
    main()

"""The service under load, and its pages in a browser. Writes docs/results/service.md.

    python benchmarks/service.py [--images 100000] [--clients 50] [--seconds 60] [--workers 1] [--cache DIR]

A collection of so many images (vectors of 256 numbers around some thousand centres, the smallest of thumbnails) is
made once and kept in the cache folder. Then so many clients search by stored images over loopback, each as fast as it
is answered, from one process of its own; the memory of the server is read before and after. Page times are those of
Chromium, driven by Playwright, while nobody else asks.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from _report import machine, write_result
from PIL import Image

from lookalike.core.workspace import Workspace, WorkspaceConfig
from lookalike.embedding.collection import Collection
from lookalike.embedding.encoder import load_encoder
from lookalike.search.image_rows import ImageRow, vector_column
from lookalike.search.store import ImageTable

SEARCH, HEALTH = "/api/v1/search", "/api/v1/health"
BATCH, CENTRES, SPREAD, WAIT = 8192, 2000, 0.6, 600.0
TARGETS = {"p99": 250, "first page": 1000, "search answer": 300, "next question": 100}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "lookalike-service")
    parser.add_argument("--no-pages", action="store_true", help="leave the browser out")
    parser.add_argument("--no-report", action="store_true", help="print, and write nothing")
    options = parser.parse_args()
    folder = collection(options.cache, options.images)
    with served(folder, options.workers) as (url, process):
        before = memory(process)
        load = under_load(url, options)
        after = memory(process)
        pages = {} if options.no_pages else page_times(url)
    table = [*load_table(load, before, after), "", *page_table(pages)]
    if options.no_report:
        print("\n".join(table))
        return
    text = (
        f"{options.images:,} images; {options.clients} clients search by stored images, ten results each, for "
        f"{options.seconds:.0f} seconds; {options.workers} worker{'s' if options.workers > 1 else ''}. The clients run "
        f"on the same machine as the server. {machine('uvicorn', 'fastapi', 'faiss-cpu')}"
    )
    write_result("service.md", "The service under load", text, table)


def collection(cache: Path, images: int) -> Path:
    """Make the collection, or take the one that is there; return its folder."""
    folder = cache / str(images)
    if (folder / "made").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "photos").mkdir(parents=True)
    encoder = load_encoder("compact")
    column = vector_column(encoder.name, encoder.spec.fingerprint)
    workspace = Workspace(folder / ".lookalike")
    table = ImageTable.create(workspace.collection_uri)
    workspace.configure(WorkspaceConfig(str(folder / "photos"), encoder.name, (encoder.name,)))
    table.ensure_column(column, encoder.dim)
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CENTRES, encoder.dim))
    thumbnails = [thumbnail(rng) for _ in range(64)]
    for start in range(0, images, BATCH):
        count = min(BATCH, images - start)
        noise = SPREAD * rng.normal(size=(count, encoder.dim))
        vectors = centres[rng.integers(CENTRES, size=count)] + noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        rows = [row(start + number, vectors[number], thumbnails) for number in range(count)]
        table.append(column, rows)
    Collection.open(folder / ".lookalike").searchable()
    (folder / "made").touch()
    return folder


def row(number: int, vector: np.ndarray, thumbnails: list[bytes]) -> ImageRow:
    return ImageRow(
        path=name_of(number),
        hash=f"{number:032x}",
        size=1000,
        mtime_ns=1,
        width=40,
        height=30,
        format="JPEG",
        thumbnail=thumbnails[number % len(thumbnails)],
        vector=vector.astype(np.float32),
    )


def name_of(number: int) -> str:
    return f"{number // 1000:04}/{number:08}.jpg"


def thumbnail(rng: np.random.Generator) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (3, 4, 3), np.uint8)).resize((40, 30)).save(file, "JPEG", quality=60)
    return file.getvalue()


@contextmanager
def served(folder: Path, workers: int) -> Any:
    """Start `lookalike serve`, and stop it when the block ends."""
    command = [sys.executable, "-m", "lookalike", "serve", "--port", "0", "--json", "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder, text=True) as process:
        try:
            url = json.loads(process.stdout.readline())["url"]
            httpx.post(url + SEARCH, json={"image": name_of(0)}, timeout=WAIT, trust_env=False).raise_for_status()
            yield url, process.pid
        finally:
            process.terminate()


def memory(parent: int) -> int:
    """Return the memory of a server and its workers in MB, without what they share with others."""
    total = 0
    for folder in Path("/proc").iterdir():
        try:
            number = int(folder.name)
            above = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in (number, above):
                lines = (folder / "smaps_rollup").read_text().splitlines()
                total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (ValueError, OSError):
            continue
    return total // 1024


def under_load(url: str, options: argparse.Namespace) -> dict[str, Any]:
    """Have clients search from a process of their own; return their times, and what went wrong."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(clients, (url, options.images, options.clients, options.seconds))


def clients(url: str, images: int, count: int, seconds: float) -> dict[str, Any]:
    return asyncio.run(_clients(url, images, count, seconds))


async def _clients(url: str, images: int, count: int, seconds: float) -> dict[str, Any]:
    times: list[float] = []
    wrong: list[str] = []

    async def one(number: int) -> None:
        rng = np.random.default_rng(number)
        async with httpx.AsyncClient(base_url=url, timeout=WAIT, trust_env=False) as client:
            await client.get(HEALTH)
            while time.perf_counter() < end:
                image = name_of(int(rng.integers(images)))
                started = time.perf_counter()
                try:
                    answer = await client.post(SEARCH, json={"image": image})
                    times.append(time.perf_counter() - started)
                    if answer.status_code != 200 or answer.json()["results"][0]["image"] != image:
                        wrong.append(f"{answer.status_code} {answer.text[:200]}")
                except httpx.HTTPError as error:
                    wrong.append(repr(error))

    end = time.perf_counter() + seconds
    await asyncio.gather(*map(one, range(count)))
    return {"times": times, "wrong": wrong, "seconds": seconds}


def load_table(load: dict[str, Any], before: int, after: int) -> list[str]:
    times = 1000 * np.array(load["times"])
    taken = np.quantile(times, [0.5, 0.95, 0.99, 1])
    if load["wrong"]:
        print("\n".join(load["wrong"][:5]), file=sys.stderr)
    found = {
        "searches": f"{len(times):,}",
        "per second": f"{len(times) / load['seconds']:.0f}",
        "errors": f"{len(load['wrong'])}",
        **{
            name: f"{time:.0f}"
            for name, time in zip(["p50, ms", "p95, ms", "p99, ms", "slowest, ms"], taken, strict=True)
        },
        "memory before, MB": f"{before:,}",
        "after, MB": f"{after:,}",
    }
    return [f"| {' | '.join(cells)} |" for cells in (found, ["---:"] * len(found), found.values())]


def page_times(url: str) -> dict[str, list[float]]:
    """Return times in ms: until the first page has its pictures, an answer is drawn, the next question shows."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as session:
        browser = session.chromium.launch(executable_path=path, args=["--no-sandbox"])
        context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 800})
        context.set_default_timeout(WAIT * 100)
        times = {
            "first page": first_pages(context),
            "search answer": answers(context),
            "next question": questions(context),
        }
        browser.close()
    return times


def first_pages(context: Any) -> list[float]:
    """Return how long it takes until the pictures of the start page are drawn, from the beginning of the navigation."""
    found = []
    for _ in range(5):
        page = context.new_page()
        page.goto("/")
        page.locator("#grid li").first.wait_for()
        entry = "performance.getEntriesByType('resource').filter((one) => one.name.includes('thumbnails'))"
        found.append(page.evaluate(f"Math.max(...{entry}.map((one) => one.responseEnd))"))
        page.close()
    return found


def answers(context: Any) -> list[float]:
    """Return how long it takes from a click on a picture until the answer to it is drawn."""
    page = context.new_page()
    page.goto("/")
    page.locator("#grid li").nth(9).wait_for()
    found = []
    for number in range(12):
        shown = page.locator("#grid a").nth(3 + number % 5).get_attribute("data-image")
        script = """([image, place]) => new Promise((resolve) => {
          const list = document.getElementById("grid");
          const start = performance.now();
          new MutationObserver(function () {
            if (!list.children.length || document.body.dataset.view !== "results") return;
            this.disconnect();
            requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
          }).observe(list, {childList: true});
          document.querySelector(`#grid a[data-image="${image}"]`).click();
        })"""
        found.append(page.evaluate(script, [shown, number]))
        page.locator("body:not(.busy) #grid li").nth(9).wait_for()
    page.close()
    return found


def questions(context: Any) -> list[float]:
    """Return how long it takes from a key until the next question is drawn, as the page measures it."""
    page = context.new_page()
    page.goto("/label")
    page.get_by_label("Your name").fill("bench")
    page.get_by_role("button", name="Begin").click()
    page.locator("#b img").wait_for()
    for number in range(30):
        page.wait_for_timeout(400)
        page.keyboard.press("ab"[number % 2])
    page.wait_for_timeout(500)
    found = page.evaluate("performance.getEntriesByName('next question').map((one) => one.duration)")
    page.close()
    return found[1:]


def page_table(pages: dict[str, list[float]]) -> list[str]:
    lines = [
        f"| {name} | {np.median(times):.0f} | {max(times):.0f} | {TARGETS[name]} | {len(times)} |"
        for name, times in pages.items()
        if times
    ]
    return [
        "| in Chromium | median, ms | slowest, ms | wanted, ms | times |",
        "| :--- | ---: | ---: | ---: | ---: |",
        *lines,
    ]


if __name__ == "__main__":
    main()

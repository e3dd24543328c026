"""How long `import lookalike` and a cold `lookalike compare` take, as whole processes.

    python benchmarks/cold_start.py [--runs 15]

Writes docs/results/cold-start.md.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _report import machine, write_result

from lookalike.images.samples import draw_scenes, write_samples


def seconds(command: list[str], runs: int) -> list[float]:
    """Time a command several times, after one run that warms the disk cache."""
    taken = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - started)
    return sorted(taken[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        pictures = [str(path) for path in write_samples(Path(folder), draw_scenes(3, seed=0), size=640)]
        python = [sys.executable, "-c"]
        sides = {
            "python -c pass": [*python, "pass"],
            "import lookalike": [*python, "import lookalike"],
            "import numpy (for scale)": [*python, "import numpy"],
            "lookalike --version": [sys.executable, "-m", "lookalike", "--version"],
            "lookalike compare R A B": [sys.executable, "-m", "lookalike", "compare", *pictures, "--json"],
        }
        timings = {name: seconds(command, runs) for name, command in sides.items()}
    floor = statistics.median(timings["python -c pass"])
    rows = [
        f"| `{name}` | {min(t):.3f} | {statistics.median(t):.3f} | {max(t):.3f} | {statistics.median(t) - floor:.3f} |"
        for name, t in timings.items()
    ]
    table = [
        "| command | min s | median s | max s | median above bare Python |",
        "| --- | --- | --- | --- | --- |",
        *rows,
    ]
    write_result(
        "cold-start.md",
        "Cold start",
        f"Whole processes, {runs} runs each after one to warm the disk cache; pictures of 640 pixels. {machine()}",
        table,
    )


if __name__ == "__main__":
    main()

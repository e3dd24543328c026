"""Ask an index that `vector_search.py` built with its care set by hand: recall and speed of a batch. Prints a table.

    python benchmarks/beams.py FOLDER --dials 96 128 160 192 224

The folder is that of one set in the cache of `vector_search.py`, such as ``fused-1000000``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from lookalike.search.approximate import ApproximateIndex

K, ROUNDS = 10, 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", default="ours-fused")
    parser.add_argument("--dials", type=int, nargs="+", required=True)
    given = parser.parse_args()
    index = ApproximateIndex.load(given.folder / f"{given.engine}.index")
    queries, truth = (np.load(given.folder / f"{name}.npy") for name in ("queries", "truth"))
    index.search(queries, K)
    print(f"| beam, its own is {index.dial} | recall@{K} | batch queries/s |\n|---:|---:|---:|")
    for dial in (*given.dials, index.dial):
        seconds = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            rows, _ = index.search(queries, K, dial=dial)
            seconds.append(time.perf_counter() - started)
        right = np.mean([len({*found} & {*nearest}) / K for found, nearest in zip(rows, truth[:, :K], strict=True)])
        print(f"| {dial} | {right:.4f} | {len(queries) / np.median(seconds):,.0f} |", flush=True)


if __name__ == "__main__":
    main()

"""Ask indexes that `vector_search.py` built with their care set by hand, in turn: recall and speed. Prints a table.

    python benchmarks/beams.py FOLDER --ask ours-fused:0,128,160,192,240 --ask faiss-hnsw:192,256

The folder is that of one set in the cache of `vector_search.py`, such as ``fused-1000000``. 0 is what our index takes
by itself. All are asked for all queries at once, one after the other, in every round; the table gives medians.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from engines import ENGINES, SHARES_FILE

K, ROUNDS = 10, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ask", action="append", required=True, metavar="ENGINE:DIAL,DIAL")
    given = parser.parse_args()
    queries, truth = (np.load(given.folder / f"{name}.npy") for name in ("queries", "truth"))
    asked = []
    for wish in given.ask:
        name, _, dials = wish.partition(":")
        label, make = ENGINES[name]
        engine = make()
        engine.open(given.folder / f"{SHARES_FILE.get(name, name)}.index")
        asked += [(label, engine, int(dial)) for dial in dials.split(",")]
    found = [engine.search(queries, K, dial) for _, engine, dial in asked]  # and what is read first is at hand
    seconds = np.empty((ROUNDS, len(asked)))
    for row in seconds:
        for column, (_, engine, dial) in enumerate(asked):
            started = time.perf_counter()
            engine.search(queries, K, dial)
            row[column] = time.perf_counter() - started
    print(f"| engine | beam | recall@{K} | batch queries/s |\n|---|---:|---:|---:|")
    for (label, _, dial), rows, took in zip(asked, found, np.median(seconds, axis=0), strict=True):
        right = np.mean([len({*own} & {*nearest}) / K for own, nearest in zip(rows, truth[:, :K], strict=True)])
        print(f"| {label} | {dial or 'its own'} | {right:.4f} | {len(queries) / took:,.0f} |")


if __name__ == "__main__":
    main()

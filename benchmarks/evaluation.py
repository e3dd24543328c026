"""How fast a leaderboard is computed: 10,002 triplets, 8 models of 768 dimensions, 20,000 images, beside a plain loop.

    python benchmarks/evaluation.py [--rounds 5]

Both sides run in turn in every round, on the same vectors. Writes docs/results/evaluation.md.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from _report import machine, write_result

from lookalike.core.vectors import triplet_distances, unit_rows

TRIPLETS, MODELS, DIM, IMAGES = 10_002, 8, 768, 20_000


def plain(models: list[np.ndarray], triplets: np.ndarray) -> np.ndarray:
    """Answer row by row, as a notebook would."""
    answers = np.empty((len(models), len(triplets)), bool)
    for m, vectors in enumerate(models):
        for i, (reference, a, b) in enumerate(triplets):
            distance_a = 1 - np.dot(vectors[reference], vectors[a])
            distance_b = 1 - np.dot(vectors[reference], vectors[b])
            answers[m, i] = distance_a < distance_b
    return answers


def ours(models: list[np.ndarray], triplets: np.ndarray) -> np.ndarray:
    """Answer by the function that `lookalike evaluate` calls."""
    columns = triplets.T.copy()
    found = [triplet_distances(vectors, *columns) for vectors in models]
    return np.stack([distance_a < distance_b for distance_a, distance_b in found])


def timed(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    started = time.perf_counter()
    answers = work()
    return time.perf_counter() - started, answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rng = np.random.default_rng(0)
    models = [unit_rows(rng.standard_normal((IMAGES, DIM), np.float32)) for _ in range(MODELS)]
    # As in the published test set: about ten questions to a reference, and its rows together.
    references = np.repeat(rng.permutation(IMAGES)[: TRIPLETS // 10 + 1], 10)[:TRIPLETS]
    triplets = np.stack([references, *rng.integers(0, IMAGES, (2, TRIPLETS))], axis=1)
    rounds = []
    for _ in range(parser.parse_args().rounds):
        slow, expected = timed(lambda: plain(models, triplets))
        fast, answers = timed(lambda: ours(models, triplets))
        rounds.append((slow, fast, int((expected != answers).sum())))
    slow, fast = (statistics.median(r[side] for r in rounds) for side in (0, 1))
    ratio = statistics.median(r[0] / r[1] for r in rounds)
    write_result(
        "evaluation.md",
        "Evaluating eight models",
        f"{TRIPLETS:,} triplets, {MODELS} models of {DIM} dimensions over {IMAGES:,} images; medians of "
        f"{len(rounds)} rounds. {machine('numpy')}",
        [
            "| side | seconds | times faster | answers that differ |",
            "| --- | --- | --- | --- |",
            f"| row by row | {slow:.3f} | 1 | |",
            f"| lookalike | {fast:.3f} | {ratio:.1f} | {max(r[2] for r in rounds)} of {TRIPLETS * MODELS:,} |",
        ],
    )


if __name__ == "__main__":
    main()

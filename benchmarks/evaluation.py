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
    """Answer row by row by the cosine distance of saved embeddings, as the published programs do."""
    answers = np.empty((len(models), len(triplets)), bool)
    for m, vectors in enumerate(models):
        for i, (reference, a, b) in enumerate(triplets):
            answers[m, i] = cosine(vectors[reference], vectors[a]) < cosine(vectors[reference], vectors[b])
    return answers


def cosine(left: np.ndarray, right: np.ndarray) -> float:
    """Return the cosine distance of two embeddings."""
    return 1 - np.dot(left, right) / (np.linalg.norm(left) * np.linalg.norm(right))


def plain_unit(models: list[np.ndarray], triplets: np.ndarray) -> np.ndarray:
    """Do the same with vectors that have norm 1 already."""
    answers = np.empty((len(models), len(triplets)), bool)
    for m, vectors in enumerate(models):
        for i, (reference, a, b) in enumerate(triplets):
            answers[m, i] = 1 - np.dot(vectors[reference], vectors[a]) < 1 - np.dot(vectors[reference], vectors[b])
    return answers


def ours(models: list[np.ndarray], triplets: np.ndarray) -> np.ndarray:
    """Answer by the function that `lookalike evaluate` calls, on the unit vectors that it keeps."""
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
    sides = {
        "row by row, cosine": plain,
        "row by row, unit vectors": plain_unit,
        "lookalike": ours,
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    differ = dict.fromkeys(sides, 0)
    for _ in range(parser.parse_args().rounds):
        expected = None
        for name, work in sides.items():
            taken, answers = timed(lambda work=work: work(models, triplets))
            expected = answers if expected is None else expected
            seconds[name].append(taken)
            differ[name] = max(differ[name], int((expected != answers).sum()))
    rows = [
        f"| {name} | {statistics.median(taken):.3f} "
        f"| {statistics.median(a / b for a, b in zip(taken, seconds['lookalike'], strict=True)):.1f} "
        f"| {differ[name]} of {TRIPLETS * MODELS:,} |"
        for name, taken in seconds.items()
    ]
    write_result(
        "evaluation.md",
        "Evaluating eight models",
        f"{TRIPLETS:,} triplets, {MODELS} models of {DIM} dimensions over {IMAGES:,} images; medians of "
        f"{len(seconds['lookalike'])} rounds, ratios within a round. {machine('numpy')}",
        ["| side | seconds | lookalike = 1 | answers that differ |", "| --- | --- | --- | --- |", *rows],
    )


if __name__ == "__main__":
    main()

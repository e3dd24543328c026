"""How long a cluster bootstrap interval takes: 10,000 answers about 1,000 references, 10,000 resamples.

    python benchmarks/bootstrap.py [--runs 11]

Compared with scipy.stats.bootstrap (where SciPy is installed) and with a loop over resamples.
Writes docs/results/bootstrap.md.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from _report import machine, write_result
from numpy.typing import NDArray

from lookalike.metrics.intervals import bootstrap_ratio, bootstrap_ratios

ROWS, REFERENCES, RESAMPLES = 10_000, 1_000, 10_000
LOOPED = 500
MODELS = 8

Floats = NDArray[np.float64]
Ends = tuple[float, float]


class Answers(NamedTuple):
    """Votes that agree and all votes per row, and the reference of each."""

    agreeing: Floats
    votes: Floats
    references: NDArray[np.int64]


def simulate(seed: int = 0) -> Answers:
    """One to five votes a row; the chance to agree depends on the reference."""
    rng = np.random.default_rng(seed)
    references = rng.integers(REFERENCES, size=ROWS)
    chance = rng.beta(6, 2, REFERENCES)[references]
    votes = rng.integers(1, 6, ROWS)
    return Answers(rng.binomial(votes, chance).astype(float), votes.astype(float), references)


def ours(answers: Answers, method: str, clustered: bool = True) -> Ends:
    labels = answers.references if clustered else None
    found = bootstrap_ratio(answers.agreeing, answers.votes, labels, resamples=RESAMPLES, method=method)
    return found.low, found.high


def several(answers: Answers) -> Ends:
    """Eight models on the same draws; the ends shown are those of the first."""
    rng = np.random.default_rng(1)
    noise = rng.random((ROWS, MODELS)) < np.linspace(0, 0.3, MODELS)
    columns = np.where(noise, (answers.votes - answers.agreeing)[:, None], answers.agreeing[:, None])
    found = bootstrap_ratios(columns, answers.votes, answers.references, resamples=RESAMPLES)[0]
    return found.low, found.high


def scipys(answers: Answers, method: str) -> Ends:
    """SciPy knows no clusters: it is given the sums of each, and draws those in pairs, as arrays."""
    from scipy.stats import bootstrap

    sums = tuple(np.bincount(answers.references, column) for column in (answers.agreeing, answers.votes))
    found = bootstrap(
        sums,
        lambda top, bottom, axis=-1: top.sum(axis=axis) / bottom.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=1000,
        method=method,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def looped(answers: Answers) -> Ends:
    """Do what scripts do: draw references, gather their rows, compute the accuracy; again and again."""
    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(answers.references == reference) for reference in np.unique(answers.references)]
    ratios = []
    for _ in range(LOOPED):
        drawn = np.concatenate([rows[place] for place in rng.integers(len(rows), size=len(rows))])
        ratios.append(answers.agreeing[drawn].sum() / answers.votes[drawn].sum())
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


def measure(call: Callable[[], Ends]) -> tuple[float, float]:
    """Return wall and processor seconds of one run."""
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - processor


def peak_of(call: Callable[[], Ends]) -> tuple[float, Ends]:
    """Return the peak of memory in MB, and the ends."""
    tracemalloc.start()
    ends = call()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak, ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=11)
    runs = parser.parse_args().runs
    answers = simulate()
    sides: dict[str, tuple[Callable[[], Ends], float]] = {
        "ours, percentile": (lambda: ours(answers, "percentile"), 1),
        "ours, BCa": (lambda: ours(answers, "bca"), 1),
        f"ours, percentile, {MODELS} models on the same draws": (lambda: several(answers), 1),
        "ours, percentile, every row its own cluster": (lambda: ours(answers, "percentile", clustered=False), 1),
    }
    packages = ["numpy"]
    if find_spec("scipy"):
        packages.append("scipy")
        sides["scipy.stats.bootstrap on cluster sums, percentile"] = lambda: scipys(answers, "percentile"), 1
        sides["scipy.stats.bootstrap on cluster sums, BCa"] = lambda: scipys(answers, "BCa"), 1
    sides[f"a loop over resamples (from {LOOPED})"] = lambda: looped(answers), RESAMPLES / LOOPED
    table = [
        "| way | min s | median s | max s | processor s | peak MB | low | high |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    found = {name: peak_of(call) for name, (call, _) in sides.items()}
    # In turns, so that a busy moment of the machine falls on all.
    rounds = [{name: measure(call) for name, (call, _) in sides.items()} for _ in range(runs)]
    for name, (_, scale) in sides.items():
        walls, processors = (sorted(scale * turn[name][clock] for turn in rounds) for clock in (0, 1))
        times = walls[0], statistics.median(walls), walls[-1], statistics.median(processors)
        cells = " | ".join(f"{seconds:.3f}" for seconds in times)
        peak, (low, high) = found[name]
        table.append(f"| {name} | {cells} | {peak:.1f} | {low:.5f} | {high:.5f} |")
    write_result(
        "bootstrap.md",
        "Cluster bootstrap",
        f"{ROWS:,} rows of one to five votes about {REFERENCES:,} references, simulated; {RESAMPLES:,} resamples; 95% "
        f"intervals of accuracy; {runs} runs each, in turns, after one to warm up. Processor seconds add up all "
        f"threads. Rows drawn as if they were independent give an interval that is too short. {machine(*packages)}",
        table,
    )


if __name__ == "__main__":
    main()

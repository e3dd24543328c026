"""How fast an adaptation function trains, beside the loop that people write: docs/results/adaptation-speed.md.

    python benchmarks/adaptation_speed.py [--runs 3] [--epochs 150] [--quick]

4,199 pairs of 256 numbers with mirrored views, 25% held out, `original` (256 to 1,024): the size of the published
experiment. The pictures are not on hand, so the numbers are drawn: a latent that both sides of a pair share, and a
larger nuisance that they do not. The plain loop is full batch, autograd, Adam, without any metric inside. Runs of both
take turns in one process.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from _report import machine, write_result

from lookalike import AdaptationModel, Features, Pairs
from lookalike.metrics.asymmetric import match_ranks_of_vectors
from lookalike.metrics.intervals import bootstrap_ratio

PAIRS, DIM, LATENT, WIDTH, SCALE = 4199, 256, 24, 1024, 15.0
OURS = {"ours, the same algorithm (full batch)": 0, "ours, batches of 512": 512}


def drawn(pairs: int) -> tuple[Features, Features]:
    """Draw pictures and their mirrored views."""
    rng = np.random.default_rng(0)
    latent, mixing = rng.normal(size=(pairs, LATENT)), rng.normal(size=(LATENT, DIM)) / np.sqrt(LATENT)
    spread = np.geomspace(4, 2, DIM)
    nuisance = (rng.normal(size=(2 * pairs, DIM)) * spread) @ np.linalg.qr(rng.normal(size=(DIM, DIM)))[0]
    rows = np.concatenate([latent, latent]) @ mixing + nuisance
    ids = [f"{side}{number}" for side in "lr" for number in range(pairs)]
    views = [rows + 0.3 * rng.normal(size=rows.shape) for _ in range(2)]
    return Features(ids, views[0]), Features(ids, views[1])


def plain(views: list[np.ndarray], train: np.ndarray, epochs: int, seed: int) -> np.ndarray:
    """Train as in a notebook, and return the map."""
    torch.manual_seed(seed)
    sides = [[torch.from_numpy(view[rows]) for rows in (train, train + len(view) // 2)] for view in views]
    network = torch.nn.Sequential(torch.nn.Linear(DIM, WIDTH, bias=False), torch.nn.ReLU())
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    target = torch.arange(len(train))
    for _ in range(epochs):
        loss = torch.zeros(())
        for left, right in sides:
            one, other = (torch.nn.functional.normalize(network(side)) for side in (left, right))
            similar = SCALE * (one @ other.T)
            cross_entropy = torch.nn.functional.cross_entropy
            loss = loss + (cross_entropy(similar, target) + cross_entropy(similar.T, target)) / 4
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network[0].weight.detach().numpy()


def hits(rows: np.ndarray, test: np.ndarray) -> np.ndarray:
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return match_ranks_of_vectors(unit[test], unit[test + len(rows) // 2]).hits(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the pairs and epochs, and no report is written"
    )
    options = parser.parse_args()
    pairs_count, epochs = (PAIRS // 10, options.epochs // 10) if options.quick else (PAIRS, options.epochs)
    features, flipped = drawn(pairs_count)
    pairs = Pairs.from_ids(features.ids[:pairs_count].tolist(), features.ids[pairs_count:].tolist())
    # Scaled as the model scales them: the same numbers go into both loops.
    gain = 1 / np.mean([np.linalg.norm(view.vectors, axis=1).mean() for view in (features, flipped)])
    views = [np.float32(gain) * view.vectors for view in (features, flipped)]
    seconds: dict[str, list[float]] = {name: [] for name in ("plain PyTorch", *OURS)}
    found: dict[str, np.ndarray] = {name: np.zeros((2, pairs_count)) for name in ("identity", *seconds)}
    for run in range(options.runs):
        order = np.random.default_rng(run).permutation(pairs_count)
        test, train = np.sort(order[: pairs_count // 4]), np.sort(order[pairs_count // 4 :])
        found["identity"][:, test] += np.stack([hits(views[0], test), np.ones(len(test))])
        started = time.perf_counter()
        weights = plain(views, train, epochs, run)
        seconds["plain PyTorch"].append(time.perf_counter() - started)
        adapted = np.maximum(views[0] @ weights.T, 0)
        found["plain PyTorch"][:, test] += np.stack([hits(adapted, test), np.ones(len(test))])
        for name, batch in OURS.items():
            started = time.perf_counter()
            model = AdaptationModel("original", reduce=0, epochs=epochs, batch=batch, seed=run)
            model.fit(pairs.take(train), features, flipped)
            seconds[name].append(time.perf_counter() - started)
            found[name][:, test] += np.stack([hits(model.transform(features), test), np.ones(len(test))])
        print({name: round(times[-1], 1) for name, times in seconds.items()}, flush=True)
    base = np.median(seconds["plain PyTorch"])
    lines = [
        f"{pairs_count:,} pairs, {epochs} passes, runs: {options.runs}.",
        "",
        "| loop | seconds a run (median) | times faster | test aR@1 | 95% interval over pairs |",
        "|---|---:|---:|---:|---|",
    ]
    for name, (top, times) in found.items():
        estimate = bootstrap_ratio(top[times > 0], times[times > 0])
        took = np.median(seconds[name]) if name in seconds else float("nan")
        cells = f"{took:.1f} | {base / took:.2f}" if name in seconds else " | "
        lines.append(f"| {name} | {cells} | {estimate.value:.3f} | {estimate.low:.3f} to {estimate.high:.3f} |")
    print("\n".join(lines))
    if not options.quick:
        write_result("adaptation-speed.md", "Training adaptation functions", machine("torch", "numpy"), lines)


if __name__ == "__main__":
    main()

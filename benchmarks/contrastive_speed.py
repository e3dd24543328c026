"""How fast heads for matching train on frozen features, beside the plain loop: docs/results/contrastive-speed.md.

    python benchmarks/contrastive_speed.py [--images 10000] [--runs 3] [--quick]

Features of 10,000 images and 8 views of each, 1,000 numbers, kept in memory; they are drawn, as time does not depend on
what they show. An epoch is a pass in which every image comes up once, with two pictures of it: 20,000 rows through the
head, in batches of 512 images. The plain loop is what people write: ``nn.Sequential``, ``F.normalize``,
``F.cross_entropy`` on masked logits, the same optimiser. Runs of all loops take turns in one process. The memory of one
step at 4,096 images (8,192 rows) is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from _report import machine, write_result

from lookalike.core.lanes import cores
from lookalike.losses.contrastive import nt_xent, paired_targets
from lookalike.similarity.projection_settings import resolve_projection
from lookalike.similarity.projections import PROJECTIONS, Sizes
from lookalike.training.contrastive import HeldThings, train_contrastive
from lookalike.training.objectives import NTXent
from lookalike.training.plan import untold
from lookalike.training.things import Things

IMAGES, VIEWS, DIM, BATCH, TEMPERATURE, EPOCHS = 10_000, 8, 1_000, 512, 0.05, 2


def drawn(images: int) -> tuple[np.ndarray, Things]:
    """Draw features of images and their views, of length 1."""
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.standard_normal((images, DIM), np.float32), VIEWS + 1, axis=0)
    rows += rng.standard_normal(rows.shape, np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    thing = np.repeat(np.arange(images), VIEWS + 1)
    every = np.arange(len(rows))
    views = every[every % (VIEWS + 1) > 0]
    return rows, Things.of(views - views % (VIEWS + 1), views, thing)


def ours(head: str, rows: np.ndarray, things: Things) -> Callable[[], None]:
    """Return what trains a head by our loop, early stopping on a tenth of the things included."""
    settings = resolve_projection({"mode": "corrected", "epochs": EPOCHS, "batch": BATCH, "temperature": TEMPERATURE})
    order = np.random.default_rng(1).permutation(len(things))
    plan = settings.plan(np.sort(order[len(things) // 10 :]), np.sort(order[: len(things) // 10]))
    projection = PROJECTIONS[head]
    start = projection.start(Sizes(DIM, DIM, DIM), np.random.default_rng(0))

    def train() -> None:
        held = HeldThings(rows, things, plan)
        train_contrastive(projection.formula, start, rows, things, NTXent(TEMPERATURE), plan, held, untold)

    return train


def plain(head: str, rows: np.ndarray, things: Things) -> Callable[[], None]:
    """Return what trains the same head as in a notebook, on as many images, with no measure inside."""
    nn, functional = torch.nn, torch.nn.functional
    features = torch.from_numpy(rows).view(-1, VIEWS + 1, DIM)[len(things) // 10 :]

    def train() -> None:
        layers = [nn.Linear(DIM, DIM), nn.ReLU(), nn.Linear(DIM, DIM)] if head == "mlp" else [
            nn.Linear(DIM, DIM, bias=False)
        ]  # fmt: skip
        network = nn.Sequential(*layers)
        optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
        for _ in range(EPOCHS):
            order = torch.randperm(len(features))
            for some in order.split(BATCH):
                first, second = (torch.randint(0, VIEWS + 1, (len(some),)) for _ in range(2))
                batch = torch.cat([features[some, first], features[some, second]])
                z = functional.normalize(network(batch))
                logits = z @ z.T / TEMPERATURE
                logits = logits.masked_fill(torch.eye(len(z), dtype=torch.bool), float("-inf"))
                target = torch.arange(len(z)).roll(len(some))
                loss = functional.cross_entropy(logits, target)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()

    return train


def peak(way: str, pairs: int) -> float:
    """Return the memory in MiB that one step of the loss takes in a process of its own, beyond that of its rows."""
    code = (
        f"import sys; sys.path.insert(0, {str(sys.path[0])!r}); import contrastive_speed as b; b.step({way!r}, {pairs})"
    )
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def step(way: str, pairs: int) -> None:
    """Take the loss and the gradient of a batch, and print by how much the peak of memory rose."""
    torch.manual_seed(0)
    rows = torch.nn.functional.normalize(torch.randn(2 * pairs, DIM)).requires_grad_()
    (rows @ torch.ones(DIM, 1)).sum().backward()  # loads what products and gradients need
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of what came before
    before = resident("VmRSS")
    if way == "ours":
        loss = nt_xent(rows, paired_targets(pairs), TEMPERATURE)
    else:
        logits = (rows @ rows.T / TEMPERATURE).masked_fill(torch.eye(len(rows), dtype=torch.bool), float("-inf"))
        loss = torch.nn.functional.cross_entropy(logits, paired_targets(pairs))
    loss.backward()
    print((resident("VmHWM") - before) / 1024)


def resident(name: str) -> int:
    """Return a line of Linux' account of this process' memory, in KiB: what it has, or the most that it had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="500 images, one run, and no report is written")
    options = parser.parse_args()
    images, runs = (500, 1) if options.quick else (options.images, options.runs)
    rows, things = drawn(images)
    loops = {
        (head, name): make(head, rows, things)
        for head in ("linear", "mlp")
        for name, make in (("ours", ours), ("plain PyTorch", plain))
    }
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in loops}
    for run in range(runs):
        for key, train in loops.items():
            started = time.perf_counter()
            train()
            seconds[key].append((time.perf_counter() - started) / EPOCHS)
        print(run, {key: round(times[-1], 2) for key, times in seconds.items()}, flush=True)
    lines = ["| head | loop | seconds an epoch (median) | times faster |", "|---|---|---:|---:|"]
    for (head, name), times in seconds.items():
        base = np.median(seconds[head, "plain PyTorch"])
        lines.append(f"| {head} | {name} | {np.median(times):.2f} | {base / np.median(times):.2f} |")
    pairs = 256 if options.quick else 4096
    lines += ["", f"| loss of a batch of {pairs:,} images x {DIM:,} | peak memory beyond its rows |", "|---|---:|"]
    for name in ("ours", "plain"):
        lines.append(f"| {name} | {peak(name, pairs):,.0f} MiB |")
    print("\n".join(lines))
    if not options.quick:
        text = (
            f"{images:,} images, {VIEWS} views of each, {DIM:,} numbers, batches of {BATCH}, runs: {runs}, "
            f"{cores()} threads; ours holds a tenth of the images out and searches for these after every "
            f"epoch, which is in its time. {machine('torch', 'numpy')}"
        )
        write_result("contrastive-speed.md", "Training heads for matching", text, lines)


if __name__ == "__main__":
    main()

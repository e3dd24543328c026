"""How fast a context model trains on frozen features, beside the loop that people write: docs/results/context-speed.md.

    python benchmarks/context_speed.py [--runs 3] [--quick]

25,000 judgments about 5,000 images with 2,000 numbers each. The numbers are drawn: what people look at is a few
directions among many, and one answer in ten is by chance. The plain loop is the same model by hand: components by
scikit-learn, a module, autograd, Adam, batches of the same size, two members one after the other, and as many passes as
ours found to be best; it is told that number, and does not look for it. Runs of both take turns in one process.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from _report import machine, write_result
from sklearn.decomposition import PCA

from lookalike import ContextModel, Features, IdentityModel, Judgments, two_afc_accuracy
from lookalike.metrics.two_afc import Accuracy

JUDGMENTS, IMAGES, NEW, DIM, LATENT = 25_000, 5_000, 1_000, 2_000, 12
CHANCE = 0.1


def drawn(judgments: int, images: int, seed: int = 0) -> tuple[Judgments, Judgments, Features]:
    """Draw answers about images to learn from, answers about others, and the features of all."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(images + NEW, LATENT))
    attention = np.geomspace(1, 0.02, LATENT)
    spread = np.geomspace(3, 0.05, DIM)
    turned = rng.normal(size=(images + NEW, DIM)) * spread
    rows = latent @ rng.normal(size=(LATENT, DIM)) / np.sqrt(LATENT) + turned[:, rng.permutation(DIM)]
    ids = np.array([f"{number:05}" for number in range(images + NEW)])

    def ask(count: int, low: int, high: int) -> Judgments:
        r, a, b = np.array([rng.choice(high - low, 3, replace=False) + low for _ in range(count)]).T
        far_a, far_b = (((latent[r] - latent[one]) ** 2 * attention).sum(axis=1) for one in (a, b))
        closer = np.where(rng.random(count) < CHANCE, rng.random(count) < 0.5, far_a < far_b)
        return Judgments.from_ids(ids[r], ids[a], ids[b], closer, ~closer)

    return ask(judgments, 0, images), ask(5_000, images, images + NEW), Features(ids, rows)


class Plain(torch.nn.Module):
    """The map and the head."""

    def __init__(self, dim: int, width: int, dropout: float) -> None:
        super().__init__()
        self.inner, self.outer = torch.nn.Linear(dim, width), torch.nn.Linear(width, dim, bias=False)
        self.drop, self.head = torch.nn.Dropout(dropout), torch.nn.Parameter(torch.ones(dim))
        self.log_scale = torch.nn.Parameter(torch.tensor(5.0).log())
        torch.nn.init.zeros_(self.outer.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Embed rows (n, dim) as unit rows."""
        return torch.nn.functional.normalize(x + self.outer(self.drop(torch.relu(self.inner(x)))))


def plain(judgments: Judgments, features: Features, settings: dict, seed: int) -> np.ndarray:
    """Train as in a notebook, and return the embeddings of all images."""
    torch.manual_seed(seed)
    r, a, b = (features.rows(ids) for ids in (judgments.references, judgments.candidates_a, judgments.candidates_b))
    known = np.unique(np.concatenate([r, a, b]))
    pca = PCA(settings["reduce"]).fit(features.vectors[known])
    reduced = pca.transform(features.vectors).astype(np.float32)
    x = torch.from_numpy(reduced / np.linalg.norm(reduced[known], axis=1).mean())
    triplets, order = torch.tensor(np.stack([r, a, b])), torch.tensor(judgments.votes_b > 0).long()
    found = []
    for _ in range(settings["members"]):
        model = Plain(settings["reduce"], settings["width"], settings["dropout"])
        optimiser = torch.optim.Adam(model.parameters(), lr=settings["learning_rate"])
        for _ in range(settings["epochs"]):
            for rows in torch.randperm(len(order)).split(settings["batch"]):
                z_r, z_a, z_b = (model(x[column]) for column in triplets[:, rows])
                logits = torch.stack([(model.head * z_r * z).sum(1) for z in (z_a, z_b)], dim=1)
                entropy = torch.nn.functional.cross_entropy(model.log_scale.exp() * logits, order[rows])
                gap = ((z_r - z_a) ** 2).sum(1) - ((z_r - z_b) ** 2).sum(1)
                loss = entropy + 0.1 * torch.relu(0.2 - (2 * order[rows] - 1) * gap).mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        with torch.no_grad():
            found.append(model.eval()(x).numpy())
    return np.concatenate(found, axis=1)


def accuracy(model: ContextModel | IdentityModel, judgments: Judgments, features: Features) -> Accuracy:
    distances = model.distances(judgments, features)
    return two_afc_accuracy(*distances, judgments.votes_a, judgments.votes_b, clusters=judgments.reference)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the judgments, and no report is written")
    options = parser.parse_args()
    known, new, features = drawn(JUDGMENTS // 10 if options.quick else JUDGMENTS, IMAGES)
    names = ("plain PyTorch", "ours", "ours, started from it, on 3,000 of the judgments")
    seconds: dict[str, list[float]] = {name: [] for name in names}
    found = {"features as they are": accuracy(IdentityModel.of(DIM), new, features)}
    epochs = 0
    for run in range(options.runs):
        started = time.perf_counter()
        ours = ContextModel(seed=run).fit(known, features)
        seconds["ours"].append(time.perf_counter() - started)
        started = time.perf_counter()
        embedded = plain(known, features, ours.settings_, run)
        seconds["plain PyTorch"].append(time.perf_counter() - started)
        started = time.perf_counter()
        part = ContextModel(start=ours, seed=run).fit(known.take(np.arange(min(3_000, len(known)))), features)
        seconds[names[2]].append(time.perf_counter() - started)
        by_hand = Features(features.ids, embedded)
        found |= {
            "plain PyTorch": accuracy(IdentityModel.of(embedded.shape[1]), new, by_hand),
            "ours": accuracy(ours, new, features),
            names[2]: accuracy(part, new, features),
        }
        epochs = ours.settings_["epochs"]
        print({name: round(times[-1], 1) for name, times in seconds.items()}, flush=True)
    lines = [
        f"{len(known):,} judgments about {IMAGES:,} images, {DIM:,} numbers each; {options.runs} runs, {epochs} passes "
        "in the last one. Ours includes finding out how many passes are best. Accuracy on 5,000 answers about 1,000 "
        "other images, of the last run.",
        "",
        "| training | seconds (median) | slowest | accuracy % | 95% interval |",
        "|---|---:|---:|---:|---|",
    ]
    for name, value in found.items():
        times = seconds.get(name)
        took = f"{np.median(times):.1f} | {max(times):.1f}" if times else " | "
        interval = f"{100 * value.low:.1f} to {100 * value.high:.1f}"
        lines.append(f"| {name} | {took} | {100 * value.value:.1f} | {interval} |")
    print("\n".join(lines))
    if not options.quick:
        write_result("context-speed.md", "Training context models", machine("torch", "numpy", "scikit-learn"), lines)


if __name__ == "__main__":
    main()

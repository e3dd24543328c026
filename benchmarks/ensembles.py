"""How fast ensembles are fitted and evaluated at the size of CoSIS, beside the published program as plain loops.

    python benchmarks/ensembles.py --shared FOLDER [--rounds 3]

The real labels (12,009 to fit on, 10,002 to evaluate on) and synthetic vectors: 8 models over 20,000 images, 768
dimensions. Both sides run in turn in every round, on the same vectors. Writes docs/results/ensembles-speed.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _report import machine, write_result

from lookalike import (
    Features,
    GateEnsemble,
    GridEnsemble,
    IdentityModel,
    Judgments,
    MLPEnsemble,
    SelectedModel,
    VoteEnsemble,
    read_judgments,
    two_afc_accuracy,
)
from lookalike.core.vectors import unit_rows
from lookalike.ensembles.members import member_distances

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "ensembles"))
import published_loop as loop

MODELS, DIM, IMAGES, SEED = 8, 768, 20_000, 0
ROWS = 8_016, 12_009
"""Judgments about the eight clusters, then those to fit on; the others are those to evaluate on."""

PCA_REFERENCES, MLP_DIM = 320, 8
PARTS = ("distances", "vote", "grid", "mlp")


class World(NamedTuple):
    """Labels, vectors of every model, vectors that place the references, and the images that the axes are fitted to."""

    fitted: Judgments
    tested: Judgments
    features: Features
    models: list[SelectedModel]
    pca_ids: list[str]

    @property
    def place_columns(self) -> tuple[int, int]:
        """Where the vectors that place the references stand."""
        return MODELS * DIM, (MODELS + 1) * DIM


def synthetic(folder: Path) -> World:
    """Draw vectors such that each model knows something, and most of it about references near a place of its own."""
    every = read_judgments("cosis", folder, mode="published")
    clusters, fitted, tested = (every.take(rows) for rows in np.split(np.arange(len(every)), np.cumsum(ROWS)))
    others = [f"never asked about {number}" for number in range(IMAGES - len(every.ids))]
    ids, rng = np.array([*every.ids, *others]), np.random.default_rng(SEED)
    places = rng.normal(size=(len(ids), 3)).astype(np.float32)
    vectors = np.empty((len(ids), (MODELS + 1) * DIM), np.float32)
    vectors[:, MODELS * DIM :] = places @ rng.standard_normal((3, DIM), np.float32)
    vectors[:, MODELS * DIM :] += 0.5 * rng.standard_normal((len(ids), DIM), np.float32)
    for number in range(MODELS):
        own = unit_rows(rng.standard_normal((len(ids), DIM), np.float32))
        near = np.exp(-((places - 1.5 * rng.normal(size=3)) ** 2).sum(axis=1) / 3)
        made = own.copy()
        for judgments in (fitted, tested):
            closer = np.where(judgments.closer_a, judgments.candidate_a, judgments.candidate_b)
            np.add.at(made, closer, (0.02 + 0.06 * near[judgments.reference])[:, None] * own[judgments.reference])
        vectors[:, number * DIM : (number + 1) * DIM] = unit_rows(made)
    spans = [(number * DIM, (number + 1) * DIM) for number in range(MODELS)]
    models = [SelectedModel.over(IdentityModel.of(DIM), span, vectors.shape[1]) for span in spans]
    some = [*np.unique(fitted.references)[:PCA_REFERENCES], *np.unique(clusters.references)]
    return World(fitted, tested, Features(ids, vectors), models, [str(image) for image in some])


class Plain:
    """The published program, one question after the other."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.order = world.fitted.votes_b.astype(int).tolist()
        self.references = world.fitted.reference.tolist(), world.tested.reference.tolist()

    def distances(self) -> None:
        """Compute those of both sets, by every model."""
        blocks = [self.world.features.vectors[:, n * DIM : (n + 1) * DIM] for n in range(MODELS)]
        self.found = [
            [[[cosine(block[r], block[c]) for r, c in pairs] for block in blocks] for pairs in self._pairs(judgments)]
            for judgments in (self.world.fitted, self.world.tested)
        ]

    def _pairs(self, judgments: Judgments) -> list[list[tuple[int, int]]]:
        reference = judgments.reference.tolist()
        sides = (judgments.candidate_a.tolist(), judgments.candidate_b.tolist())
        return [list(zip(reference, side, strict=True)) for side in sides]

    def vote(self) -> list[int]:
        """Answer 1 where more than half do; the published description has no rule for 4 against 4."""
        return [int(votes > MODELS / 2) for votes in loop.majority(self.found[1])]

    def grid(self) -> list[int]:
        """Weigh by the window around the reference."""
        points, accuracy = self._places(2)
        weights = loop.grid(None, points, accuracy, "thres", self.references[1])
        return loop.predict(weights, self.found[1], self.references[1])

    def mlp(self) -> list[int]:
        """Weigh by predicted accuracies."""
        points, accuracy = self._places(MLP_DIM)
        weights = loop.mlp(points, accuracy, SEED, self.references[1])
        return loop.predict(weights, self.found[1], self.references[1])

    def _places(self, dim: int) -> tuple[Any, Any]:
        features = self.world.features
        rows = features.vectors[:, slice(*self.world.place_columns)]
        points = loop.principal(rows, features.rows(self.world.pca_ids), dim)
        return points, loop.accuracy_by_reference(self.found[0], self.order, self.references[0])


class Ours:
    """The same by lookalike; `mode` is that of grid and mlp."""

    def __init__(self, world: World, mode: str) -> None:
        self.world, self.mode = world, mode
        self.where: dict[str, Any] = {"columns": world.place_columns, "pca_ids": world.pca_ids}

    def distances(self) -> None:
        """Compute those of both sets, by every model."""
        asked = (self.world.fitted, self.world.tested)
        self.found = [member_distances(self.world.models, judgments, self.world.features) for judgments in asked]

    def vote(self) -> list[int]:
        """Ask every model once."""
        return self._judge(VoteEnsemble(self.world.models))

    def grid(self) -> list[int]:
        """Weigh by the window around the reference."""
        return self._judge(GridEnsemble(self.world.models, self.mode, **self.where))

    def mlp(self) -> list[int]:
        """Weigh by predicted accuracies."""
        return self._judge(MLPEnsemble(self.world.models, self.mode, seed=SEED, **self.where))

    def gate(self) -> list[int]:
        """Weigh by a network trained on the judgments' likelihood."""
        return self._judge(GateEnsemble(self.world.models))

    def _judge(self, ensemble: Any) -> list[int]:
        """Fit and evaluate, with the interval clustered by reference that a leaderboard shows."""
        ensemble.fit(self.world.fitted, self.world.features, self.found[0])
        asked = self.world.tested
        a, b = ensemble.distances(asked, self.world.features, self.found[1])
        self.accuracy = two_afc_accuracy(a, b, asked.votes_a, asked.votes_b, asked.reference)
        return (a > b).astype(int).tolist()


def cosine(left: np.ndarray, right: np.ndarray) -> float:
    """Return the cosine distance of two embeddings."""
    return float(1 - np.dot(left, right) / (np.linalg.norm(left) * np.linalg.norm(right)))


def timed(work: Callable[[], Any]) -> tuple[np.ndarray, Any]:
    """Return wall and processor seconds, the latter of all threads together, and what came out."""
    started = np.array([time.perf_counter(), time.process_time()])
    found = work()
    return np.array([time.perf_counter(), time.process_time()]) - started, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    world = synthetic(options.shared / "data" / "cosis")
    sides: dict[str, Any] = {
        "plain": Plain(world),
        "published": Ours(world, "published"),
        "corrected": Ours(world, "corrected"),
    }
    seconds: dict[tuple[str, str], list[np.ndarray]] = {}
    answers: dict[tuple[str, str], Any] = {}
    for _ in range(options.rounds):
        for name, side in sides.items():
            for part in (*PARTS, "gate") if name == "corrected" else PARTS:
                taken, answers[name, part] = timed(getattr(side, part))
                seconds.setdefault((name, part), []).append(taken)
    asked = world.tested
    accuracies = {key: np.mean(found == asked.votes_b) for key, found in answers.items() if found is not None}
    differ = {part: int(np.not_equal(answers["plain", part], answers["published", part]).sum()) for part in PARTS[1:]}
    write_result(
        "ensembles-speed.md",
        "Fitting and evaluating ensembles",
        text(options.rounds, differ, world),
        table(seconds, accuracies),
    )


def text(rounds: int, differ: dict[str, int], world: World) -> str:
    asked = world.tested
    alone = [np.mean((a > b) == asked.votes_b) for a, b in (m.distances(asked, world.features) for m in world.models)]
    return (
        f"Real labels of CoSIS ({len(world.fitted):,} to fit on, {len(asked):,} to evaluate on), synthetic vectors: "
        f"{MODELS} models of {DIM} dimensions over {len(world.features):,} images, each {min(alone):.1%} to "
        f"{max(alone):.1%} right alone. Seconds by the clock / processor seconds of all threads, medians of {rounds} "
        "rounds; and the share of the answers that are right. Distances are computed once, for all ensembles; "
        "principal components, intervals by reference and everything else are within the parts. The grid weighs by "
        f"`thres`, the mlp has {MLP_DIM} coordinates as published, 16 "
        "corrected; the gate places references by the vectors of all models.\n\n"
        f"Answers that differ between the plain loop and the published mode, of {len(asked):,}: "
        f"{', '.join(f'{part} {count}' for part, count in differ.items())}. (Of 4 votes against 4 both sides make an "
        f"a here.)\n\n{machine('numpy', 'scipy', 'scikit-learn')}"
    )


def table(seconds: dict[tuple[str, str], list[np.ndarray]], accuracies: dict[tuple[str, str], Any]) -> list[str]:
    names = ("plain", "published", "corrected")

    def cell(name: str, part: str) -> str:
        shown = both(seconds[name, part])
        return shown + (f" ({accuracies[name, part]:.1%})" if (name, part) in accuracies else "")

    whole = [both(np.sum([seconds[name, part] for part in PARTS], axis=0)) for name in names]
    return [
        "| part | published, as plain loops | lookalike, published | lookalike, corrected |",
        "| --- | --- | --- | --- |",
        *(f"| {part} | {' | '.join(cell(name, part) for name in names)} |" for part in PARTS),
        f"| **together** | {' | '.join(f'**{value}**' for value in whole)} |",
        f"| gate | | | {cell('corrected', 'gate')} |",
    ]


def both(rounds: Any) -> str:
    wall, processor = np.median(rounds, axis=0)
    return f"{wall:.2f} / {processor:.2f}"


if __name__ == "__main__":
    main()

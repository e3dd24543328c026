"""Worlds where context matters: rendered photographs, simulated people; docs/results/worlds.md.

    python benchmarks/worlds.py [--cache FOLDER] [--seeds 5] [--photos 1600] [--encoder classic]

Every world is drawn anew: photographs, people, questions. Five eighths of the photographs of each context are known:
models are fitted on answers about them, at three noise levels and three label budgets. The others are new: all is
measured on answers about them. What was measured is kept in the cache: a run that was cut off continues.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from _report import machine, write_result

from lookalike import ContextModel, Features, Judgments, load_encoder
from lookalike.core.lanes import cores, in_lanes
from lookalike.core.workspace import Workspace
from lookalike.embedding.feature_cache import unit_features
from lookalike.ensembles.crossfit import out_of_fold
from lookalike.ensembles.kinds import ENSEMBLES
from lookalike.ensembles.members import member_distances
from lookalike.images.samples import CONTEXTS, Scene, draw_scenes, simulated_observers, write_samples
from lookalike.jobs.simulate import simulated_judgments
from lookalike.metrics.probabilities import expected_calibration_error
from lookalike.metrics.two_afc import Difference, compare_accuracy, two_afc_accuracy
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.model import SimilarityModel

NOISES = {"none": 0.0, "some": 0.05, "much": 0.15}
BUDGETS = (100, 300, 1000)
"""Answers per context."""
TEST, PEOPLE, SIZE = 400, 10, 160
KINDS = ("vote", "grid", "mlp", "gate")


@dataclass(frozen=True)
class World:
    """Photographs, as scenes and as features."""

    seed: int
    scenes: Mapping[str, Scene]
    features: Features

    def judgments(self, noise: float, budget: int, known: bool) -> Judgments:
        """Ask people about photographs that are known, or new."""
        some = {image: scene for image, scene in self.scenes.items() if (_number(image) % 8 < 5) == known}
        people = simulated_observers(PEOPLE, self.seed, noise)
        return simulated_judgments(some, people, budget if known else TEST, self.seed + (0 if known else 7919))


def _number(image: str) -> int:
    return int(Path(image).stem)


def draw_world(seed: int, photos: int, encoder: str, cache: Path) -> World:
    scenes = draw_scenes(photos, seed=1000 + seed)
    folder = cache / f"photos-{seed}-{photos}"
    paths = write_samples(folder, scenes, size=SIZE)
    names = [path.relative_to(folder).as_posix() for path in paths]
    features = unit_features(
        Workspace(cache / "workspace"), load_encoder(encoder), dict(zip(names, paths, strict=True))
    )
    return World(seed, dict(zip(names, scenes, strict=True)), features)


def measure(world: World, noise: float, budget: int) -> dict[str, list[list[float]]]:
    """Return the distances of the test answers, by model; and the probabilities of ensembles as ``P:name``."""
    known, new = world.judgments(noise, budget, True), world.judgments(noise, budget, False)
    context = known.context.values()
    whole = ContextModel(seed=world.seed).fit(known, world.features)
    jobs = {name: known.take(context == name) for name in CONTEXTS}

    def fit(name: str) -> tuple[str, SimilarityModel]:
        return name, ContextModel(start=whole, seed=world.seed).fit(jobs[name], world.features)

    fitted: dict[str, SimilarityModel] = dict(in_lanes(fit, CONTEXTS, cores()))
    models = {"features": IdentityModel.of(world.features.vectors.shape[1]), "global": whole,
              **{name: fitted[name] for name in CONTEXTS}}  # fmt: skip
    learned = np.stack([model.was_asked(known) for model in models.values()])
    found = member_distances(list(models.values()), new, world.features)
    told: dict[str, np.ndarray] = {name: found[:, number] for number, name in enumerate(models)}
    inside = out_of_fold(list(models.values()), known, world.features, learned, seed=world.seed)
    for kind in KINDS:
        ensemble = ENSEMBLES[kind](list(models.values())).fit(known, world.features, inside)
        both = ensemble.distances(new, world.features, found)
        told[kind] = np.stack(both)
        told[f"P:{kind}"] = ensemble.probability(*both)[None]
    return {name: np.asarray(value, np.float64).tolist() for name, value in told.items()}


def cached(world: World, noise: str, budget: int, cache: Path) -> dict[str, np.ndarray]:
    path = cache / "measured" / f"{world.seed}-{len(world.scenes)}-{noise}-{budget}.json"
    if not path.exists():
        started = time.perf_counter()
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(measure(world, NOISES[noise], budget))
        path.write_text(text)
        sys.stderr.write(f"{path.stem}: {time.perf_counter() - started:.0f} s\n")
    return {name: np.array(value) for name, value in json.loads(path.read_text()).items()}


@dataclass(frozen=True)
class Pool:
    """The test answers of all worlds of one kind, one after the other; references of different worlds are different."""

    votes: tuple[np.ndarray, np.ndarray]
    reference: np.ndarray
    context: np.ndarray
    told: dict[str, np.ndarray]

    def difference(self, left: str, right: str, context: str | None = None) -> Difference:
        """Compare two models, in one context or everywhere."""
        rows = np.ones(len(self.reference), bool) if context is None else self.context == context
        sides = [(self.told[name][0, rows], self.told[name][1, rows]) for name in (left, right)]
        return compare_accuracy(*sides, self.votes[0][rows], self.votes[1][rows], clusters=self.reference[rows])

    def accuracy(self, name: str, context: str | None = None) -> float:
        """Return how far a model agrees, in % of answers."""
        rows = np.ones(len(self.reference), bool) if context is None else self.context == context
        told = self.told[name][:, rows]
        votes = self.votes[0][rows], self.votes[1][rows]
        return 100 * two_afc_accuracy(told[0], told[1], *votes, clusters=self.reference[rows]).value


def pool(worlds: list[World], noise: str, budget: int, cache: Path) -> Pool:
    told: dict[str, list[np.ndarray]] = {}
    columns: list[tuple[np.ndarray, ...]] = []
    for world in worlds:
        new = world.judgments(NOISES[noise], budget, False)
        columns.append((new.votes_a, new.votes_b, new.reference + 1_000_000 * world.seed, new.context.values()))
        for name, value in cached(world, noise, budget, cache).items():
            told.setdefault(name, []).append(value)
    a, b, reference, context = (np.concatenate(column) for column in zip(*columns, strict=True))
    return Pool((a, b), reference, context, {name: np.concatenate(value, axis=-1) for name, value in told.items()})


def signed(found: Difference) -> str:
    return f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def overall(pools: Mapping[tuple[str, int], Pool]) -> list[str]:
    """One row per noise and budget: accuracies, and what the best model alone, vote, mlp are short of."""
    lines = [
        "| noise | answers per context | features | global | best context model | vote | grid | mlp | gate | "
        "gate over the best alone | mlp over the best alone | gate over vote | gate over mlp | error of P, gate |",
        "|---|---:|" + "---:|" * 12,
    ]
    for (noise, budget), one in pools.items():
        alone = ["features", "global", *CONTEXTS]
        best = max(alone, key=one.accuracy)
        context = max(CONTEXTS, key=one.accuracy)
        cells = [f"{one.accuracy(name):.1f}" for name in ("features", "global", context, *KINDS)]
        gains = [one.difference("gate", best), one.difference("mlp", best), one.difference("gate", "vote"),
                 one.difference("gate", "mlp")]  # fmt: skip
        off = expected_calibration_error(one.told["P:gate"][0], *one.votes)
        lines.append(f"| {noise} | {budget:,} | {' | '.join([*cells, *map(signed, gains)])} | {100 * off:.1f} |")
    return lines


def by_context(pools: Mapping[tuple[str, int], Pool]) -> list[str]:
    """One row per noise and budget: what a context model gains on the global one in its own context."""
    lines = [
        f"| noise | answers per context | {' | '.join(CONTEXTS)} | mean |",
        "|---|---:|" + "---:|" * (len(CONTEXTS) + 1),
    ]
    for (noise, budget), one in pools.items():
        gains = [one.difference(name, "global", name) for name in CONTEXTS]
        mean = np.mean([gain.value for gain in gains])
        lines.append(f"| {noise} | {budget:,} | {' | '.join(map(signed, gains))} | {100 * mean:+.1f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "lookalike-worlds")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--photos", type=int, default=1600)
    parser.add_argument("--encoder", default="classic")
    given = parser.parse_args()
    worlds = [draw_world(seed, given.photos, given.encoder, given.cache) for seed in range(given.seeds)]
    pools = {(noise, budget): pool(worlds, noise, budget, given.cache) for budget, noise in product(BUDGETS, NOISES)}
    text = (
        f"{given.seeds} worlds of {given.photos:,} photographs, {PEOPLE} people each; features of `{given.encoder}`. "
        f"Context models start from the global one. Measured on {TEST:,} answers per context and world about "
        "photographs that no model has seen; accuracy in % of answers (one each, so noise lowers the ceiling), "
        f"differences in points, paired, with 95% intervals clustered by reference. {machine('torch')}"
    )
    table = [
        *overall(pools),
        "",
        "## Context models beside the global one, each in its own context",
        "",
        *by_context(pools),
    ]
    write_result("worlds.md", "Rendered worlds: contexts, and ensembles of context models", text, table)


if __name__ == "__main__":
    main()

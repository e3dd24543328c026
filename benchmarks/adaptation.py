"""Adaptation functions on real pairs and judgments, from five small networks: docs/results/adaptation.md.

    python benchmarks/adaptation.py --shared FOLDER [--cache FOLDER] [--only tll food-taste material]

Every network of the maintainers' folder alone, and all of them side by side; identity, principal components, Peterson's
weights, the published function, and ours. What was measured is kept in the cache: a run that was cut off continues.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from _adaptation_sets import default_cache, encoders, features
from _report import machine, write_result

from lookalike import AdaptationModel, Features, IdentityModel, Judgments, Pairs, read_judgments, read_pairs
from lookalike.core.lanes import cores, in_lanes
from lookalike.embedding.lens import Mirrored
from lookalike.metrics.asymmetric import asymmetric_recall_chance, match_ranks_of_vectors
from lookalike.metrics.ceilings import ceiling
from lookalike.metrics.intervals import bootstrap_ratio
from lookalike.metrics.two_afc import compare_accuracy, majority_accuracy, two_afc_accuracy
from lookalike.similarity.model import SimilarityModel
from lookalike.similarity.reduction import Reduction

RUNS, TEST, SEED, KS = 20, 0.25, 0, (1, 3, 5)
KEPT = 1024
FORMS = ("identity", "components", "peterson", "original", "residual", "within")
SHORT = {"epochs": 30, "batch": 128}  # as good as 150 passes over all pairs at once, see the row of that name
QUESTIONS = {"food-taste": "triplets.csv", "material": "answers.csv"}


@dataclass(frozen=True)
class Study:
    """Judgments and how they are divided."""

    name: str
    by: str
    folds: int


STUDIES = (Study("food-taste", "image", 5), Study("material", "question", 5), Study("material", "image", 3))


def pair_model(form: str, run: int) -> tuple[int, SimilarityModel]:
    """Return how many principal components a form gets, 0 for the features as they are, and its model."""
    if form == "identity":
        return 0, IdentityModel()
    if form == "within":
        return KEPT, AdaptationModel("within", reduce=0)
    if form == "components":
        return 256, IdentityModel()
    if form == "published settings":
        return 256, AdaptationModel("original", reduce=0, seed=run)
    if form == "original":
        return 256, AdaptationModel("original", reduce=0, seed=run, **SHORT)
    if form == "residual":
        return 256, AdaptationModel("residual", reduce=0, scale=15.0, epochs=15, batch=128, members=2, seed=run)
    return 256, AdaptationModel(form, reduce=0, epochs=30, batch=128, seed=run)


def reduced(views: list[Features], rows: np.ndarray, wanted: int) -> list[Features]:
    """Return the leading components, fitted on some rows of the first view."""
    found = Reduction(wanted).fit(views[0].vectors[rows])
    return [Features(view.ids, found.transform(view.vectors)) for view in views]


def pair_hits(pairs: Pairs, views: list[Features], forms: tuple[str, ...]) -> Mapping[str, np.ndarray]:
    """Return, per form, what every pair scored as a test pair over all runs, and how often it was one (4, n)."""

    def work(run: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        order = np.random.default_rng([SEED, run]).permutation(len(pairs))
        count = int(TEST * len(pairs))
        test, train = order[:count], pairs.take(np.sort(order[count:]))
        rows = views[0].rows(np.concatenate([train.left, train.right]))
        components = reduced(views, rows, KEPT)
        found = {}
        for form in forms:
            wanted, model = pair_model(form, run)
            given = [Features(v.ids, v.vectors[:, :wanted]) for v in components] if wanted else views
            vectors = model.fit(train, *given).transform(given[0])
            sides = [vectors[given[0].rows(side[test])] for side in (pairs.left, pairs.right)]
            ranks = match_ranks_of_vectors(*sides)
            found[form] = np.stack([*(ranks.hits(k) for k in KS), np.ones(count)])
        return test, found

    totals = {form: np.zeros((len(KS) + 1, len(pairs))) for form in forms}
    for test, found in in_lanes(work, range(RUNS), cores()):
        for form, scores in found.items():
            totals[form][:, test] += scores
    return totals


def judged_model(form: str, fold: int) -> SimilarityModel:
    if form == "identity":
        return IdentityModel()
    if form == "components":
        return AdaptationModel("identity", reduce=256)
    steps = {} if form == "residual" else {"epochs": 10, "batch": 2048}  # the published ones are for pairs
    return AdaptationModel(form, reduce=256, seed=fold, **steps)


def judged_distances(study: Study, judgments: Judgments, given: Features, form: str) -> np.ndarray:
    """Return distances of a and b as held-out rows, NaN where a row is in no test side (2, n)."""
    parts = judgments.split(study.by, study.folds, SEED)

    def work(fold: int) -> tuple[np.ndarray, np.ndarray]:
        model = judged_model(form, fold).fit(parts[fold].train, given)
        return parts[fold].test_rows, np.stack(model.distances(parts[fold].test, given))

    found = np.full((2, len(judgments)), np.nan)
    for test, distances in in_lanes(work, range(len(parts)), cores()):
        found[:, test] = distances
    return found


def kept(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Read what an earlier run measured, or measure and keep it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path.with_suffix(".part.npy"), make())
        path.with_suffix(".part.npy").rename(path)
    return np.load(path)


def tll(shared: Path, cache: Path, names: Mapping[str, str]) -> list[str]:
    pairs = read_pairs("tll", shared / "data" / "tll")
    views = [features(names, pairs.images, cache, lens) for lens in (None, Mirrored())]
    lines = [
        "## tll",
        "",
        f"{len(pairs):,} pairs; {RUNS} seeded runs, {int(TEST * len(pairs))} pairs held out in each, mirrored views "
        "for training; aR@k among the held-out half-set, intervals by bootstrap over pairs. Chance at k = 1: "
        f"{100 * asymmetric_recall_chance(int(TEST * len(pairs)), 1):.2f}%.",
        "",
        "| features | form | aR@1 % | 95% interval | aR@3 % | aR@5 % | above identity | times identity |",
        "|---|---|---:|---|---:|---:|---|---:|",
    ]
    for network in views[0]:
        forms = (*FORMS, "published settings") if network.startswith("all") else FORMS
        folder = cache / "measured" / "tll" / network
        missing = tuple(form for form in forms if not (folder / f"{form}.npy").exists())
        if missing:
            for form, totals in pair_hits(pairs, [view[network] for view in views], missing).items():
                kept(folder / f"{form}.npy", lambda totals=totals: totals)
        base = np.load(folder / "identity.npy")
        for form in forms:
            lines.append(pair_row(network, form, np.load(folder / f"{form}.npy"), base))
            print(lines[-1], flush=True)
    return [*lines, ""]


def pair_row(network: str, form: str, totals: np.ndarray, base: np.ndarray) -> str:
    times = totals[-1]
    values = [bootstrap_ratio(totals[row], times) for row in range(len(KS))]
    gain = bootstrap_ratio(totals[0] - base[0], times)
    above = "" if form == "identity" else f"{100 * gain.value:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    ratio = values[0].value / (base[0].sum() / base[-1].sum())
    return (
        f"| {network} | {form} | {100 * values[0].value:.1f} | {100 * values[0].low:.1f} to {100 * values[0].high:.1f} "
        f"| {100 * values[1].value:.1f} | {100 * values[2].value:.1f} | {above} | {ratio:.2f} |"
    )


def judged(study: Study, shared: Path, cache: Path, names: Mapping[str, str]) -> list[str]:
    folder = shared / "data" / study.name
    judgments = read_judgments("csv", folder / QUESTIONS[study.name], images=folder / "images")
    given = features(names, judgments.images, cache)
    place = cache / "measured" / f"{study.name}-{study.by}"
    forms = [form for form in FORMS if form != "within"]
    found = {
        (network, form): kept(
            place / network / f"{form}.npy", lambda n=network, f=form: judged_distances(study, judgments, given[n], f)
        )
        for network, form in product(given, forms)
    }
    tested = np.isfinite(next(iter(found.values()))[0])
    some = judgments.take(tested)
    votes, clusters = (some.votes_a, some.votes_b), some.reference
    distances = {key: tuple(both[:, tested]) for key, both in found.items()}
    accuracies = {key: two_afc_accuracy(*pair, *votes, clusters=clusters) for key, pair in distances.items()}
    alone = max(
        (key for key in accuracies if key[1] == "identity" and key[0] in names), key=lambda k: accuracies[k].value
    )
    lines = [
        f"## {study.name}, by {study.by}",
        "",
        f"{study.folds} folds by {study.by}: {len(some):,} held-out judgments of {len(set(clusters.tolist())):,} "
        f"references; ceiling {100 * ceiling(*votes, clusters=clusters).value:.1f}% of votes. The best network alone "
        f"is {alone[0]}; differences to it are paired, on the same judgments, intervals clustered by reference.",
        "",
        "| features | form | % of votes | 95% interval | % of majorities | above the best network alone | p |",
        "|---|---|---:|---|---:|---|---:|",
    ]
    for key, pair in distances.items():
        value = accuracies[key]
        majority = majority_accuracy(*pair, *votes, clusters=clusters)
        above = "|"
        if key != alone:
            gain = compare_accuracy(pair, distances[alone], *votes, clusters=clusters)
            above = f"{100 * gain.value:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f}) | {gain.p:.4f}"
        lines.append(
            f"| {key[0]} | {key[1]} | {100 * value.value:.1f} | {100 * value.low:.1f} to {100 * value.high:.1f} "
            f"| {100 * majority.value:.1f} | {above} |"
        )
        print(lines[-1], flush=True)
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--only", nargs="+", choices=("tll", *QUESTIONS), default=("tll", *QUESTIONS))
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    names = encoders(options.shared / "weights", options.cache)
    lines = []
    for study in STUDIES:
        if study.name in options.only:
            lines += judged(study, options.shared, options.cache, names)
    if "tll" in options.only:
        lines += tll(options.shared, options.cache, names)
    if set(options.only) == {"tll", *QUESTIONS}:
        text = (
            "What a small map over frozen features gains, on answers that were held out. Settings were chosen on "
            "validation folds inside training sides; no test side was looked at for them. "
            f"{machine('numpy', 'torch', 'onnxruntime')}"
        )
        write_result("adaptation.md", "Adaptation functions on real pairs and judgments", text, lines)


if __name__ == "__main__":
    main()

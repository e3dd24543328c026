"""The shipped encoder or another student against its teachers, on pictures it never saw: docs/results/compact.md.

    python benchmarks/compact.py --shared FOLDER [--cache FOLDER] [--encoder NAME ...] [--only PART ...]

`compact_pictures.py` says what it was taught with. Features stay in the cache: a run that was cut off goes on.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from _adaptation_sets import default_cache, encoders, tell
from _report import machine, write_result
from _thresholds import copy_distances, question_temperature, random_distances
from adaptation import QUESTIONS, Study, judged_distances, pair_hits
from compact_pictures import QUERIES, TEACHERS, measured_scenes
from matching import SEED, linked, percent, photographs, signed

from lookalike import Features, load_encoder, read_judgments, read_pairs
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding.feature_cache import cached_features
from lookalike.embedding.lens import Mirrored
from lookalike.encoders.compact import FILE
from lookalike.jobs.edit_bench import edit_bench
from lookalike.metrics.asymmetric import match_ranks_of_vectors
from lookalike.metrics.intervals import bootstrap_ratio
from lookalike.metrics.two_afc import compare_accuracy, paired_difference, two_afc_accuracy

ALL = "all teachers"
STUDIES = (Study("food-taste", "image", 5), Study("material", "question", 5))
PARTS = ("judged", "adapted", "scenes", "matching", "thresholds", "speed")
ROUNDS, TIMED = 5, 600
COPIED, REACH = 1000, 0.993
"""Photographs that plain copies are made of, and the share of copies that is within `copy_distance`."""


def features(names: Mapping[str, str], images: Mapping[str, Path], cache: Path, lens: Mirrored | None = None):
    """Return unit features by label, and those of all teachers side by side."""
    workspace, found = Workspace(cache / "workspace"), {}
    for label, name in names.items():
        raw = cached_features(workspace, load_encoder(name), images, tell, lens)
        found[label] = Features(raw.ids, unit_rows(np.asarray(raw.vectors)))
    return {**found, ALL: Features.concatenate([found[teacher] for teacher in TEACHERS])}


def gain(found) -> str:
    return f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def judged(shared: Path, cache: Path, names: Mapping[str, str]) -> Iterator[str]:
    """As they are: agreement with people, and pairs found."""
    yield from ["## As they are", "", "| features | set | value, % | above `classic` | below all teachers |"]
    yield "|---|---|---|---|---|"
    for study in STUDIES:
        folder = shared / "data" / study.name
        judgments = read_judgments("csv", folder / QUESTIONS[study.name], images=folder / "images")
        votes, clusters = (judgments.votes_a, judgments.votes_b), judgments.reference
        given = features(names, judgments.images, cache)
        distances = {label: cosines(judgments, one) for label, one in given.items()}
        for label, both in distances.items():
            value = two_afc_accuracy(*both, *votes, clusters=clusters)
            over, under = (
                compare_accuracy(*pair, *votes, clusters=clusters)
                for pair in ((both, distances["classic"]), (distances[ALL], both))
            )
            yield f"| {label} | {study.name} | {percent(value)} | {gain(over)} | {gain(under)} |"
    pairs = read_pairs("tll", shared / "data" / "tll")
    hits = {}
    for label, one in features(names, pairs.images, cache).items():
        vectors = unit_rows(one.vectors)
        sides = [vectors[one.rows(side)] for side in (pairs.left, pairs.right)]
        hits[label] = match_ranks_of_vectors(*sides).hits(1)
    ones = np.ones(len(pairs))
    for label, hit in hits.items():
        value = bootstrap_ratio(hit, ones)
        told = f"{100 * value.value:.1f} ({100 * value.low:.1f} to {100 * value.high:.1f})"
        over, under = paired_difference(hit, hits["classic"], ones), paired_difference(hits[ALL], hit, ones)
        yield f"| {label} | tll, aR@1 of {len(pairs):,} | {told} | {gain(over)} | {gain(under)} |"
    yield ""


def cosines(judgments, given: Features) -> tuple[np.ndarray, np.ndarray]:
    vectors = unit_rows(given.vectors)[given.rows(judgments.ids)]
    reference = vectors[judgments.reference]
    a, b = ((reference * vectors[side]).sum(1) for side in (judgments.candidate_a, judgments.candidate_b))
    return 1 - a, 1 - b


def adapted(shared: Path, cache: Path, names: Mapping[str, str]) -> Iterator[str]:
    """With the shipped adaptation: the student's taps against all teachers."""
    asked = [label for label in names if label not in TEACHERS and label != "classic"]
    yield from ["## With an adaptation learned on other answers", ""]
    yield from ["| features | set | held out, % | of all teachers |", "|---|---|---|---:|"]
    for study in STUDIES:
        folder = shared / "data" / study.name
        judgments = read_judgments("csv", folder / QUESTIONS[study.name], images=folder / "images")
        given = features(names, judgments.images, cache)
        found = {label: judged_distances(study, judgments, given[label], "residual") for label in (ALL, *asked)}
        tested = np.isfinite(found[ALL][0])
        some = judgments.take(tested)
        values = {
            label: two_afc_accuracy(*both[:, tested], some.votes_a, some.votes_b, clusters=some.reference)
            for label, both in found.items()
        }
        for label, value in values.items():
            share = value.value / values[ALL].value
            yield f"| {label} | {study.name}, by {study.by} | {percent(value)} | {share:.1%} |"
    pairs = read_pairs("tll", shared / "data" / "tll")
    views = [features(names, pairs.images, cache, lens) for lens in (None, Mirrored())]
    totals = {
        label: pair_hits(pairs, [view[label] for view in views], ("residual",))["residual"] for label in (ALL, *asked)
    }
    whole = totals[ALL][0].sum() / totals[ALL][-1].sum()
    for label, total in totals.items():
        value = bootstrap_ratio(total[0], total[-1])
        told = f"{100 * value.value:.1f} ({100 * value.low:.1f} to {100 * value.high:.1f})"
        yield f"| {label} | tll, aR@1 of 750 | {told} | {value.value / whole:.1%} |"
    yield ""


def scenes(shared: Path, cache: Path, names: Mapping[str, str]) -> Iterator[str]:
    """Classify by the nearest other picture, among scenes that it was not taught with."""
    files = measured_scenes(photographs(shared))
    classes = np.unique([Path(name).parts[1] for name in files], return_inverse=True)[1]
    right, ones = {}, np.ones(len(files))
    for label, one in features(names, files, cache).items():
        similar = (vectors := unit_rows(one.vectors)) @ vectors.T
        np.fill_diagonal(similar, -np.inf)
        right[label] = (classes[similar.argmax(1)] == classes).astype(float)
    best = max(TEACHERS, key=lambda label: right[label].mean())
    yield from [f"## Kinds of scenes: the nearest of {len(files):,} others", ""]
    yield "| features | right, % | of the best teacher | less than it |"
    yield "|---|---|---:|---|"
    for label, hit in right.items():
        value, share = bootstrap_ratio(hit, ones), hit.mean() / right[best].mean()
        told = f"{100 * value.value:.1f} ({100 * value.low:.1f} to {100 * value.high:.1f})"
        yield f"| {label} | {told} | {share:.1%} | {gain(paired_difference(right[best], hit, ones))} |"
    yield ""


def matching(shared: Path, cache: Path, names: Mapping[str, str]) -> Iterator[str]:
    """Edited copies among all photographs: those of `matching.py`, which has measured the teachers on them."""
    photos = linked(cache / "matching" / "gallery", photographs(shared))
    place = cache / "matching" / "workspace"
    names = {label: name for label, name in names.items() if label not in TEACHERS}
    bench = edit_bench(place, photos, encoders=[*names.values()], queries=QUERIES, seed=SEED, on_progress=tell)
    labels = {load_encoder(name).name: label for label, name in names.items()}
    yield from [f"## {bench.queries:,} edited copies among {bench.gallery:,} photographs", ""]
    yield from ["The same copies as in [matching](matching.md), which has the teachers.", ""]
    yield "| features | recall@1, middle | behind the best | weak | strong |"
    yield "|---|---|---|---:|---:|"
    for row in bench.rows:
        at = {strength: row.by_strength[strength].recalls[1] for strength in ("weak", "middle", "strong")}
        ends = [f"{100 * at[one].value:.1f}" for one in ("weak", "strong")]
        yield (
            f"| {labels[row.model]} | {percent(at['middle'])} | {signed(row.behind_by_strength['middle'])} "
            f"| {' | '.join(ends)} |"
        )
    yield ""


def thresholds(shared: Path, cache: Path, names: Mapping[str, str]) -> Iterator[str]:
    """Find what the card says: the likeliest temperature of questions, and how far nearly all copies are."""
    asked = {label: name for label, name in names.items() if label not in TEACHERS}
    temperatures: dict[str, list[str]] = {label: [] for label in asked}
    for study in STUDIES:
        folder = shared / "data" / study.name
        judgments = read_judgments("csv", folder / QUESTIONS[study.name], images=folder / "images")
        for label, name in asked.items():
            one = features({label: name, **{t: names[t] for t in TEACHERS}}, judgments.images, cache)[label]
            both = np.stack(cosines(judgments, one))
            temperatures[label].append(f"{question_temperature(both, judgments.votes_a, judgments.votes_b):.3f}")
    files = [*photographs(shared).values()]
    files = files[:: len(files) // COPIED][:COPIED]
    yield from [f"## Distances: {len(files):,} photographs, five plain copies of each", ""]
    likeliest = " | ".join(f"temperature, {study.name}" for study in STUDIES)
    yield f"| encoder | {likeliest} | {REACH:.1%} of copies within | random pairs within |"
    yield "|---|---:|---:|---:|---:|"
    for label, name in asked.items():
        encoder = load_encoder(name)
        reach = np.quantile(copy_distances(encoder, files, SEED), REACH)
        near = (random_distances(encoder, files) < reach).mean()
        yield f"| {label} | {' | '.join(temperatures[label])} | {reach:.3f} | {near:.2%} |"
    yield ""


def speed(shared: Path, cache: Path, names: Mapping[str, str]) -> Iterator[str]:  # noqa: ARG001 as the others
    """Photographs a second, from files to vectors, taken in turn."""
    files = [*photographs(shared).values()]
    files = files[:: len(files) // TIMED][:TIMED]
    loaded = {label: load_encoder(name) for label, name in names.items()}
    seconds = {label: [] for label in loaded}
    for _ in range(ROUNDS):
        for label, encoder in loaded.items():
            started = time.perf_counter()
            encoder.encode(files)
            seconds[label].append(time.perf_counter() - started)
    rates = {label: len(files) / np.median(taken) for label, taken in seconds.items()}
    fastest = max(rates[label] for label in TEACHERS)
    yield from [f"## Speed, {len(files)} photographs, median of {ROUNDS} rounds in turn", ""]
    yield from ["| encoder | photographs a second | times the fastest teacher | MB |", "|---|---:|---:|---:|"]
    for label, rate in rates.items():
        shipped = label.startswith("compact:") or label == "compact"
        path = FILE if shipped else Path(loaded[label].name.removeprefix("onnx:").partition("[")[0])
        size = f"{path.stat().st_size / 1e6:.1f}" if path.is_file() else ""
        yield f"| {label} | {rate:.0f} | {rate / fastest:.2f} | {size} |"
    yield ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument(
        "--encoder", nargs="+", default=["compact", "compact:taps"], help="or onnx:FILE, onnx:FILE[taps]"
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    given = parser.parse_args()
    known = encoders(given.shared / "weights", given.cache)
    names = {"classic": "classic", **{label: known[label] for label in TEACHERS}}
    names |= {Path(name).name: name for name in given.encoder}
    lines = []
    for part in (judged, adapted, scenes, matching, thresholds, speed):
        if part.__name__ in given.only:
            for line in part(given.shared.resolve(), given.cache, names):
                print(line, flush=True)
                lines.append(line)
    sys.stderr.write("\n")
    text = f"On pictures that it was not taught with. {machine('onnxruntime')}"
    if left := [part for part in PARTS if part not in given.only]:
        text += f" Not measured yet: {', '.join(left)}."
    write_result("compact.md", "The shipped encoder", text, lines)


if __name__ == "__main__":
    main()

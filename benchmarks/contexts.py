"""Context models and ensembles on real judgments, from five small networks: docs/results/contexts.md.

    python benchmarks/contexts.py --shared FOLDER [--cache FOLDER] [--only food-taste material]

Neither data set names contexts: they are discovered on every training side anew. Members are the networks as they are,
one by one and side by side, an adaptation function, a global context model and one model per context. What was measured
is kept in the cache, fold by fold: a run that was cut off continues.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from _adaptation_sets import default_cache, encoders, features
from _report import machine, write_result

from lookalike import AdaptationModel, ContextModel, Features, IdentityModel, Judgments, SelectedModel, read_judgments
from lookalike.core.lanes import cores, in_lanes
from lookalike.ensembles.crossfit import out_of_fold
from lookalike.ensembles.kinds import ENSEMBLES
from lookalike.ensembles.members import member_distances
from lookalike.judgments.splits import By, Split
from lookalike.metrics.ceilings import ceiling
from lookalike.metrics.probabilities import expected_calibration_error
from lookalike.metrics.two_afc import compare_accuracy, majority_accuracy, two_afc_accuracy
from lookalike.similarity.contexts import discover_contexts
from lookalike.similarity.model import SimilarityModel
from lookalike.similarity.reduction import Reduction

QUESTIONS = {"food-taste": "triplets.csv", "material": "answers.csv"}
KINDS = ("vote", "grid", "mlp", "gate")
COMPONENTS, SEED, INNER = 256, 0, 3


@dataclass(frozen=True)
class Study:
    """Judgments and how they are divided."""

    name: str
    by: By
    folds: int


STUDIES = (Study("food-taste", "image", 5), Study("material", "question", 5), Study("material", "image", 3))


def one_fold(part: Split, given: Mapping[str, Features], inner: By) -> dict[str, np.ndarray]:
    """Fit everything on the training side; return distances of the test side by name, and of ensembles P (1, n)."""
    train, test = part.train, part.test
    *alone, together = given.values()
    rows = together.rows(np.unique(np.concatenate([train.references, train.candidates_a, train.candidates_b])))
    reduction = Reduction(COMPONENTS).fit(together.vectors[rows])
    reduced = Features(together.ids, reduction.transform(together.vectors))
    wide = Features(together.ids, np.concatenate([together.vectors, reduced.vectors], axis=1))
    spans = _spans([*(one.vectors.shape[1] for one in (*alone, reduced))])
    own, width = spans[-1], wide.vectors.shape[1]
    found = discover_contexts(train, reduced, seed=SEED)
    group = found.of(reduced.vectors[reduced.rows(train.references)])
    whole = ContextModel(seed=SEED).fit(train, reduced)
    made: dict[str, SimilarityModel] = {
        "adaptation": AdaptationModel("residual", reduce=0).fit(train, reduced),
        "global": whole,
    }

    def fit(number: int) -> tuple[int, SimilarityModel]:
        return number, ContextModel(start=whole, seed=SEED).fit(train.take(group == number), reduced)

    if len(found) > 1:
        contexts = dict(in_lanes(fit, range(len(found)), cores()))
        made |= {f"context {number + 1}": contexts[number] for number in sorted(contexts)}
    models = {name: SelectedModel.over(IdentityModel.of(stop - start), (start, stop), width)
              for name, (start, stop) in zip(given, [*spans[:-1], (0, own[0])], strict=True)}  # fmt: skip
    models |= {name: SelectedModel.over(model, own, width) for name, model in made.items()}
    members = list(models.values())
    told = np.stack([model.was_asked(train) for model in members])
    inside = out_of_fold(members, train, wide, told, folds=INNER, by=inner, seed=SEED)
    both = member_distances(members, test, wide)
    said = {name: both[:, number].astype(np.float64) for number, name in enumerate(models)}
    for kind in KINDS:
        ensemble = ENSEMBLES[kind](members).fit(train, wide, inside)
        said[kind] = np.stack(ensemble.distances(test, wide, both))
        said[f"P:{kind}"] = ensemble.probability(*said[kind])[None]
    return said


def _spans(widths: Sequence[int]) -> list[tuple[int, int]]:
    ends = np.cumsum([0, *widths]).tolist()
    return list(pairwise(ends))


def kept(study: Study, fold: int, part: Split, given: Mapping[str, Features], cache: Path) -> dict[str, np.ndarray]:
    """Read what an earlier run measured, or measure and keep it."""
    path = cache / "contexts" / f"{study.name}-{study.by}-{fold}.json"
    if not path.exists():
        started = time.perf_counter()
        said = one_fold(part, given, "question" if study.by == "question" else "reference")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({name: values.tolist() for name, values in said.items()}))
        sys.stderr.write(f"{path.stem}: {time.perf_counter() - started:.0f} s\n")
    return {name: np.array(values) for name, values in json.loads(path.read_text()).items()}


def table(study: Study, judgments: Judgments, given: Mapping[str, Features], cache: Path) -> list[str]:
    parts = judgments.split(study.by, study.folds, SEED)
    folds = [kept(study, fold, part, given, cache) for fold, part in enumerate(parts)]
    counts = [sum(name.startswith("context ") for name in one) or 1 for one in folds]
    held = judgments.take(np.concatenate([part.test_rows for part in parts]))
    names = [name for name in folds[0] if not name.startswith("context ")]  # their number differs from fold to fold
    said = {name: np.concatenate([one[name] for one in folds], axis=1) for name in names}
    votes = held.votes_a, held.votes_b, held.reference
    plain = max(list(given)[:-1], key=lambda name: two_afc_accuracy(*said[name], *votes).value)
    members = [name for name in names if name not in KINDS and not name.startswith("P:")]
    best = max(members, key=lambda name: two_afc_accuracy(*said[name], *votes).value)
    lines = [
        f"## {study.name}, by {study.by}",
        "",
        f"{study.folds} folds by {study.by}: {len(held):,} held-out judgments of {len(np.unique(held.reference)):,} "
        f"references; ceiling {100 * ceiling(*votes).value:.1f}% of votes; contexts discovered on each training side: "
        f"{', '.join(map(str, counts))}. The best network alone is {plain}, the best member {best}.",
        "",
        "| model | % of votes | 95% interval | % of majorities | above the best network | above the best member | "
        "error of P |",
        "|---|---:|---|---:|---|---|---:|",
    ]
    for name in [*members, *KINDS]:
        a = two_afc_accuracy(*said[name], *votes)
        top = majority_accuracy(*said[name], *votes)
        gains = [
            compare_accuracy(tuple(said[name]), tuple(said[other]), *votes) if other != name else None
            for other in (plain, best)
        ]
        cells = [
            "" if g is None else f"{100 * g.value:+.1f} ({100 * g.low:+.1f} to {100 * g.high:+.1f})" for g in gains
        ]
        off = f"{100 * expected_calibration_error(said[f'P:{name}'][0], *votes[:2]):.1f}" if name in KINDS else ""
        lines.append(
            f"| {name} | {100 * a.value:.1f} | {100 * a.low:.1f} to {100 * a.high:.1f} | {100 * top.value:.1f} | "
            f"{' | '.join(cells)} | {off} |"
        )
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--only", nargs="+", default=list(QUESTIONS), choices=list(QUESTIONS))
    given = parser.parse_args()
    names = encoders(given.shared / "weights", given.cache)
    lines: list[str] = []
    for study in STUDIES:
        if study.name in given.only:
            folder = given.shared / "data" / study.name
            judgments = read_judgments("csv", folder / QUESTIONS[study.name], images=folder / "images")
            lines += table(study, judgments, features(names, judgments.images, given.cache), given.cache)
    text = (
        "Members: five networks as they are, all side by side, and on 256 principal components of these (fitted on the "
        "training side) an adaptation function, a global context model, and context models started from it. Ensembles "
        f"are fitted on what members say about judgments they were not told. {machine('torch')}"
    )
    write_result("contexts.md", "Context models and ensembles on real judgments", text, lines)


if __name__ == "__main__":
    main()

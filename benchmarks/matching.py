"""Edited copies among 14,000 photographs: hashes, networks and trained matchers side by side: docs/results/matching.md.

    python benchmarks/matching.py --shared FOLDER [--cache FOLDER] [--queries 1000] [--train 1500] [--views 6]

The gallery is all photographs of five collections. Copies are made of 1,000 of them; matchers learn from views of 1,500
others, so that no photograph that is searched for was learned from. Features stay in the cache: a run that was cut off
goes on.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from _adaptation_sets import default_cache, encoders, tell
from _report import machine, write_result

from lookalike.core.workspace import Workspace
from lookalike.embedding.feature_sets import define
from lookalike.images.edits import STRENGTHS
from lookalike.jobs.bench_gallery import gallery_of
from lookalike.jobs.bench_tables import EditBench
from lookalike.jobs.edit_bench import edit_bench
from lookalike.jobs.things_to_learn import WhatThings
from lookalike.jobs.train_classifier import train_classifier
from lookalike.jobs.train_contrastive import train_contrastive
from lookalike.jobs.train_quantizer import train_quantizer
from lookalike.metrics.two_afc import Accuracy, Difference

COLLECTIONS = ("objects", "animals", "scenes", "flowers", "textures")
HASHES = ("hash:ahash", "hash:dhash", "hash:phash", "hash:whash", "hash:crop-resistant")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
SEED = 0


def linked(folder: Path, files: dict[str, Path]) -> Path:
    """Fill a folder with links to files, and with nothing else; links that are right stay as they are."""
    for old in [*folder.rglob("*")] if folder.exists() else []:
        if old.is_symlink() and old.readlink() != files.get(old.relative_to(folder).as_posix()):
            old.unlink()
    for name, path in files.items():
        link = folder / name
        if link.is_symlink():
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    return folder


def photographs(shared: Path) -> dict[str, Path]:
    found = {}
    for collection in COLLECTIONS:
        folder = shared / "data" / collection
        for root, _, names in os.walk(folder, followlinks=True):
            paths = [Path(root) / name for name in names if name.lower().endswith(SUFFIXES)]
            found |= {f"{collection}/{path.relative_to(folder)}": path for path in paths}
    return dict(sorted(found.items()))


def shuffled(files: dict[str, Path], count: int, without: Sequence[str]) -> dict[str, Path]:
    """Return some of the files that no copy is made of, as many of each collection."""
    left = [name for name in files if name not in set(without)]
    lanes = [[name for name in left if name.startswith(f"{one}/")] for one in COLLECTIONS]
    spread = [lane[:: max(1, len(lane) // count)] for lane in lanes]
    dealt = [name for some in zip_longest(*spread) for name in some if name is not None]
    return {name: files[name] for name in dealt[:count]}


def train(workspace: Workspace, names: dict[str, str], photos: Path, views: int) -> list[str]:
    """Train every matcher that an earlier run did not, and return the models' names."""

    def missing(name: str) -> bool:
        return not (workspace.path / "models" / f"{name}.safetensors").exists()

    def what(augmentation: str) -> WhatThings:
        return WhatThings(photos=photos, views=views, augmentation=augmentation)

    def given(name: str, augmentation: str, loss: str, encoder: str | None) -> str:
        chosen = {"encoders": [encoder]} if encoder else {"feature_set": "all"}
        parameters = {"loss": loss, "seed": SEED}
        if missing(name):
            train_contrastive(
                workspace.path, name, what(augmentation), parameters=parameters, measure=False, on_progress=tell,
                **chosen,
            )  # fmt: skip
        return name

    made = [given(f"nt-xent-{network}", "copies", "nt-xent", encoder) for network, encoder in names.items()]
    made += [given("nt-xent-all", "copies", "nt-xent", None)]
    made += [given("nt-xent-all-simclr", "corrected", "nt-xent", None)]
    made += [given("semi-hard-all", "copies", "semi-hard", None), given("curriculum-all", "copies", "curriculum", None)]
    if missing("classifier-all"):
        train_classifier(workspace.path, "classifier-all", what("copies"), feature_set="all", on_progress=tell)
    if missing("quantizer-all"):
        train_quantizer(
            workspace.path, "quantizer-all", what("copies"), feature_set="all", measure=False, on_progress=tell
        )
    return [*made, "classifier-all", "quantizer-all"]


def percent(found: Accuracy) -> str:
    return f"{100 * found.value:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})"


def table(bench: EditBench) -> Iterator[str]:
    yield "| matcher | middle: recall@1 | @15 | mAP | behind the best at middle | weak @1 | strong @1 |"
    yield "|---|---|---:|---:|---|---:|---:|"
    for row in bench.rows:
        middle = row.by_strength["middle"]
        cells = [row.label, percent(middle.recalls[1]), f"{100 * middle.recalls[15].value:.1f}",
                 f"{100 * middle.precision.value:.1f}", signed(row.behind_by_strength["middle"])]  # fmt: skip
        cells += [f"{100 * row.by_strength[one].recalls[1].value:.1f}" for one in ("weak", "strong")]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield "## recall@1 by edit, weak / middle / strong, %"
    yield ""
    yield f"| matcher | {' | '.join(bench.edits)} |"
    yield "|---|" + "---|" * len(bench.edits)
    for row in bench.rows:
        cells = [" / ".join(f"{100 * row.cells[edit][one].value:.0f}" for one in STRENGTHS) for edit in bench.edits]
        yield f"| {row.label} | {' | '.join(cells)} |"


def against_singles(bench: EditBench) -> str:
    """Say how far NT-Xent on all networks is ahead of the best one alone, from a bench of these matchers."""
    best, *others = sorted(bench.rows, key=lambda row: -row.by_strength["middle"].recalls[1].value)
    lead = others[0].behind_by_strength["middle"]
    return f"Among matchers by NT-Xent, {best.label} finds {signed(lead)} points more at middle than {others[0].label}."


def signed(behind: Difference | None) -> str:
    if behind is None:
        return ""
    return f"{100 * behind.value:.1f} ({100 * behind.low:.1f} to {100 * behind.high:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--train", type=int, default=1500)
    parser.add_argument("--views", type=int, default=6)
    given = parser.parse_args()
    files = photographs(given.shared.resolve())
    photos = linked(given.cache / "matching" / "gallery", files)
    drawn = gallery_of(photos).draw(given.queries, SEED)
    learned = linked(given.cache / "matching" / "learned", shuffled(files, given.train, drawn))
    names = encoders(given.shared / "weights", given.cache)
    workspace = Workspace(given.cache / "matching" / "workspace")
    define(workspace, "all", list(names.values()), replace=True)
    models = train(workspace, names, learned, given.views)
    bench = edit_bench(
        workspace.path, photos, encoders=["classic", *HASHES, *names.values()], sets=["all"], models=models,
        queries=given.queries, seed=SEED, sheet=given.cache / "matching" / "copies.png", on_progress=tell,
    )  # fmt: skip
    singles = edit_bench(
        workspace.path, photos, models=[*(f"nt-xent-{network}" for network in names), "nt-xent-all"],
        queries=given.queries, seed=SEED, on_progress=tell,
    )  # fmt: skip
    sys.stderr.write("\n")
    text = (
        f"{bench.queries:,} edited copies of {bench.photographs:,} photographs, searched among {bench.gallery:,} "
        f"originals ({', '.join(COLLECTIONS)}); {bench.copies:,} byte-identical files count once. Trained matchers "
        f"learned from {given.views} views each of {given.train:,} other photographs, `copies` views by the edits of "
        "this bench, `simclr` views by SimCLR's augmentation; `all` is the five networks side by side under one head. "
        "Recall in %, intervals clustered by photograph, differences paired. "
        f"{against_singles(singles)} {machine('torch')}"
    )
    write_result("matching.md", "Matching edited copies", text, list(table(bench)))


if __name__ == "__main__":
    main()

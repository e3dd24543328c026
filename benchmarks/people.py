"""How far encoders agree with people: `classic` and five small networks, on two sets of human judgments.

    python benchmarks/people.py --shared FOLDER [--cache FOLDER]

`--shared` is the maintainers' folder with `data/food-taste`, `data/material` and `weights`. The three networks that
come as PyTorch weights are exported to ONNX first (extra `train`). Nothing is fitted here, so no split is needed.
Writes docs/results/people.md and a plot per data set.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from _report import RESULTS, machine, write_result

from lookalike.core.progress import Progress
from lookalike.jobs.evaluate import evaluate_workspace
from lookalike.jobs.import_judgments import import_judgments
from lookalike.jobs.leaderboard import Evaluation

SETS = {
    "food-taste": ("triplets.csv", "does the dish taste closer to A or to B"),
    "material": ("answers.csv", "does the material look closer to A or to B"),
}


def networks(weights: Path, cache: Path) -> list[str]:
    """Return the names of the five networks as encoders, exported where they are not ONNX yet."""
    cards = json.loads((weights / "weights.json").read_text())
    names = []
    for file, card in cards.items():
        path = weights / file
        if path.suffix != ".onnx":
            path = cache / f"{path.stem}.onnx"
            if not path.exists():
                from _torch import export, load_shared

                export(load_shared(file, weights), path, {key: card[key] for key in ("input_size", "mean", "std")})
        names.append(f"onnx:{path}")
    return names


def table(name: str, found: Evaluation) -> list[str]:
    """Write one data set's leaderboard."""
    lines = [
        f"## {name}",
        "",
        f"{found.judgments:,} judgments of {found.references:,} references: {SETS[name][1]}? Ceiling "
        f"{100 * found.ceiling.value:.1f}, chance {100 * found.chance:.0f}.",
        "",
        f"![Leaderboard](people-{name}.png)",
        "",
        "| encoder | accuracy % of votes | 95% interval | behind the best | p |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in found.rows:
        a, b = row.accuracy, row.behind
        behind = "" if b is None else f"{100 * b.value:.1f} ({100 * b.low:.1f} to {100 * b.high:.1f})"
        p = "" if b is None else f"{b.p:.4f}"
        lines.append(
            f"| {row.label.removeprefix('onnx:').removesuffix('.onnx')} | {100 * a.value:.1f} "
            f"| {100 * a.low:.1f} to {100 * a.high:.1f} | {behind} | {p} |"
        )
    return [*lines, ""]


def tell(step: Progress) -> None:
    sys.stderr.write(f"\r{step.stage[-60:]} {step.done}/{step.total}   ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "lookalike-people")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    encoders = ["classic", *networks(arguments.shared / "weights", arguments.cache)]
    lines: list[str] = []
    for name, (file, _) in SETS.items():
        folder = arguments.shared / "data" / name
        workspace = arguments.cache / name
        import_judgments(workspace, "csv", folder / file, folder / "images")
        plot = RESULTS / f"people-{name}.png"
        lines += table(name, evaluate_workspace(workspace, encoders, plot=plot, on_progress=tell))
    write_result(
        "people.md",
        "Encoders against people",
        "Global vectors as they come, cosine distance, nothing fitted. Intervals by 10,000 bootstrap resamples of "
        f"references; differences are paired, on the same questions. {machine('onnxruntime', 'numpy')}",
        lines,
    )


if __name__ == "__main__":
    main()

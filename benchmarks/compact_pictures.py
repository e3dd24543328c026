"""The pictures that the shipped encoder `compact` is taught with, and those that it must never see.

    python benchmarks/compact_pictures.py --shared FOLDER [--cache FOLDER]

Links are laid into ``compact/pictures`` of the cache: photographs of five collections, as `matching.py` searches them;
photographs of small objects and grey ones; the photographs of `food-taste` that carry no judgment; and renderings of
materials. ``compact/apart`` takes what is measured: the 1,000 photographs that `matching.py` makes copies of, every
fifth of the scenes, and all photographs of `food-taste` that can carry judgments. Then the command that teaches is
printed; `material` and `tll` are kept apart too, by their content.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from _adaptation_sets import default_cache, encoders
from _rendered_materials import render_materials
from matching import SEED, linked, photographs

from lookalike.jobs.bench_gallery import gallery_of

TEACHERS = (
    "squeezenet1_1_imagenet",
    "mobilenetv2_100_tf2_imagenet_ptq",
    "efficientnet_b4_cut_imagenet",
    "mobilenetv2_gluon_imagenet",
)
"""Those that a student is compared with: their licences allow to ship what is made of them."""

SLOW = "efficientnet_b4_cut_imagenet"
"""Takes more time than the others together: it does not teach in the first stage. MIT; where its repository has the
weights from is not stated."""

STAGES = (
    ("first", 112, False, "--set views=1 --set cooldown=2 --epochs 7 --save-weights first.safetensors"),
    ("second", 112, True, "--set views=1 --set cooldown=2 --epochs 12 --weights first.safetensors"),
    ("third", 144, True, "--set views=2 --set cooldown=3 --epochs 18 --weights second.safetensors"),
    (
        "compact",
        160,
        True,
        "--set learns=summit --set views=2 --set copies=3 --set copied=0.12 --set contrast=0.05 --set batch=512 "
        "--set learning_rate=0.001 --set cooldown=11 --epochs 12 --weights third.safetensors "
        "--onward .lookalike/encoders/third.onnx",
    ),
)
"""Of the teaching: the model's name, the pixels that the student sees, whether all teach, and further options. In the
last one the network stays, and what lies above its taps learns to know edited copies again."""

BETWEEN = "python benchmarks/compact_weights.py --pictures {pictures} --network {network} --output {name}.safetensors"
"""After the second and the third stage: their files are all that was kept of them."""

QUERIES = 1000
JUDGED = ("material", "tll")
VARIETY = ("tiny-objects", "scenes-grey")
FIRST_UNJUDGED = 5000
"""Photographs of `food-taste` from this number on carry no judgment."""

RENDERED = 2000


def student(side: int = 112) -> str:
    """Return the name of the network that is taught on pictures of so many pixels."""
    return f"timm:mobilenetv4_conv_small[blocks.1,blocks.2,blocks.3,blocks.4,size={side}]"


def measured_scenes(files: dict[str, Path]) -> dict[str, Path]:
    """Return every fifth of the scenes: a nearest neighbour is looked for among them alone."""
    scenes = [name for name in files if name.startswith("scenes/")]
    return {name: files[name] for name in scenes[::5]}


def teaching_pictures(shared: Path, cache: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the pictures to teach with, and the dishes that people judged."""
    found = photographs(shared)
    for collection in VARIETY:
        folder = shared / "data" / collection
        found |= {f"{collection}/{path.relative_to(folder)}": path for path in sorted(folder.rglob("*.jpg"))}
    dishes = {f"dishes/{path.name}": path for path in sorted((shared / "data" / "food-taste" / "images").iterdir())}
    judged = {name: path for name, path in dishes.items() if int(path.stem) < FIRST_UNJUDGED}
    found |= {name: path for name, path in dishes.items() if name not in judged}
    return found | render_materials(cache / "compact" / "rendered", RENDERED, SEED), judged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=default_cache())
    given = parser.parse_args()
    shared = given.shared.resolve()
    files = photographs(shared)
    photos = linked(given.cache / "matching" / "gallery", files)
    drawn = gallery_of(photos).draw(QUERIES, SEED)
    pictures, judged = teaching_pictures(shared, given.cache)
    teaching = linked(given.cache / "compact" / "pictures", pictures)
    held = {name: files[name] for name in drawn} | measured_scenes(files) | judged
    apart = [linked(given.cache / "compact" / "apart", held), *(shared / "data" / name for name in JUDGED)]
    names = encoders(shared / "weights", given.cache)
    print(f"{len(pictures):,} pictures, {len(held):,} measured ones kept apart; teach with\n")
    for number, (name, side, slow, more) in enumerate(STAGES):
        before = STAGES[number - 1][0]
        if f"--weights {before}." in more and "--save-weights" not in STAGES[number - 1][3]:
            network = f".lookalike/encoders/{before}.onnx"
            print(BETWEEN.format(pictures=teaching, network=network, name=before) + "\n")
        command = [f"lookalike train distill {teaching} --name {name} --student '{student(side)}'"]
        command += [f"--teacher {names[teacher]}" for teacher in TEACHERS if slow or teacher != SLOW]
        command += [f"--apart {folder}" for folder in apart] + [more if "batch=" in more else f"--set batch=64 {more}"]
        print(" \\\n  ".join(command) + "\n")


if __name__ == "__main__":
    main()

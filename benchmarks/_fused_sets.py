"""Fused vectors to measure search with: eight models' of real photographs, each seen in many cuts.

The models are what a workspace really holds: the four taps of `compact` and its global vector, and adaptations learned
on people's answers about dishes and materials, and on pairs that look alike. All come from one look of one network at
a picture, so that a million of them take half an hour.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from _adaptation_sets import features
from adaptation import QUESTIONS
from numpy.typing import NDArray
from vector_sets import between

from lookalike import AdaptationModel, Features, read_judgments, read_pairs
from lookalike.core.vectors import unit_rows
from lookalike.encoders.compact import FILE
from lookalike.search.fused import FusedLayout, fuse, fused_query
from lookalike.search.fused_reduction import fit_layout

TAPS = {"blocks 1": 64, "blocks 2": 96, "blocks 3": 128, "blocks 4": 960}
MAPPED = 96
"""Numbers of a learned model."""

FOLDERS = ("animals", "flowers", "food-taste", "material", "objects", "scenes", "textures", "tll")
QUERIES = 1000
AT_ONCE, ROWS = 64, 20_000
LARGEST = 320
"""Pixels of the longer side that a photograph is held at while it is cut."""

SHARE = (0.3, 0.9)
"""Of a photograph's area that a cut takes."""


@dataclass(frozen=True, slots=True, eq=False)
class FusedSet:
    """Vectors to index, their layout, and what each model says of queries that are not among them."""

    vectors: NDArray[np.float16]
    layout: FusedLayout
    queries: dict[str, NDArray[np.float32]]


def photographs(shared: Path) -> list[Path]:
    """Return all photographs, in an order that is the same everywhere."""
    folders = [shared / "data" / name for name in FOLDERS]
    found = [path for one in folders for path in one.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"}]
    found.sort()
    return [found[place] for place in np.random.default_rng(0).permutation(len(found))]


def cuts(
    photo: NDArray[np.uint8], count: int, size: tuple[int, int], rng: np.random.Generator
) -> Iterator[NDArray[np.uint8]]:
    """Give cuts of a photograph at random, (height, width), half of them mirrored, lighter or darker."""
    height, width = photo.shape[:2]
    for _ in range(count):
        side = np.sqrt(rng.uniform(*SHARE))
        high, wide = max(8, int(height * side)), max(8, int(width * side))
        top, left = int(rng.integers(height - high + 1)), int(rng.integers(width - wide + 1))
        cut = cv2.resize(photo[top : top + high, left : left + wide], size[::-1], interpolation=cv2.INTER_AREA)
        cut = cv2.convertScaleAbs(cut, alpha=rng.uniform(0.8, 1.2), beta=rng.uniform(-20, 20))
        yield cut[:, ::-1] if rng.random() < 0.5 else cut


def looks(shared: Path, folder: Path, count: int) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Return global vectors and taps of `count` cuts and then of the queries; goes on where it was cut off.

    Queries are cuts of photographs of which no other cut is there.
    """
    files, card = photographs(shared), json.loads(FILE.with_suffix(".json").read_text())
    asked, held = files[:QUERIES], files[QUERIES:]
    each = -(-count // len(held))
    plan = [(path, each) for path in held] + [(path, 1) for path in asked]
    rows = sum(number for _, number in plan)
    paths = [folder / f"{name}-{count}.npy" for name in ("global", "taps")]
    kept = folder / f"looks-{count}.json"
    mode = "r+" if kept.exists() else "w+"
    if mode == "w+":
        wide = {"dtype": np.float16, "mode": mode}
        arrays = [np.lib.format.open_memmap(paths[0], shape=(rows, 256), **wide)]
        arrays.append(np.lib.format.open_memmap(paths[1], shape=(rows, sum(TAPS.values())), **wide))
    else:
        arrays = [np.load(path, mmap_mode=mode) for path in paths]
    first, row = json.loads(kept.read_text()) if kept.exists() else (0, 0)
    session = onnxruntime.InferenceSession(str(FILE), providers=["CPUExecutionProvider"])
    mean, std = (np.asarray(card[name], np.float32) for name in ("mean", "std"))
    while first < len(plan):
        last = min(first + AT_ONCE // 8, len(plan))
        pixels = []
        for number in range(first, last):
            path, each = plan[number]
            pixels += cuts(_photo(path), each, card["input_size"], np.random.default_rng([1, number]))
        for start in range(0, len(pixels), AT_ONCE):
            batch = np.stack(pixels[start : start + AT_ONCE]).astype(np.float32) / 255
            batch = np.ascontiguousarray(((batch - mean) / std).transpose(0, 3, 1, 2))
            for array, found in zip(
                arrays, session.run(["global", "taps"], {session.get_inputs()[0].name: batch}), strict=True
            ):
                array[row : row + len(batch)] = found
            row += len(batch)
        first = last
        if first % 400 < AT_ONCE // 8:
            for array in arrays:
                array.flush()
            kept.write_text(json.dumps([first, row]))
            sys.stderr.write(f"\r{row:,} of {rows:,} looks   ")
    kept.write_text(json.dumps([first, row]))
    return arrays[0], arrays[1]


def _photo(path: Path) -> NDArray[np.uint8]:
    photo = cv2.imread(str(path), cv2.IMREAD_COLOR)
    scale = LARGEST / max(photo.shape[:2])
    if scale < 1:
        photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(photo, cv2.COLOR_BGR2RGB)


def learned(shared: Path, cache: Path) -> dict[str, AdaptationModel]:
    """Fit adaptations on people's answers about each set, and on pairs."""
    found = {}
    for name, file in QUESTIONS.items():
        folder = shared / "data" / name
        judgments = read_judgments("csv", folder / file, images=folder / "images")
        given = features({"taps": "compact:taps"}, judgments.images, cache)["taps"]
        found[name] = AdaptationModel(form="residual", reduce=MAPPED, epochs=20, seed=0).fit(judgments, given)
    pairs = read_pairs("tll", shared / "data" / "tll")
    given = features({"taps": "compact:taps"}, pairs.images, cache)["taps"]
    return {**found, "tll": AdaptationModel(form="within", reduce=MAPPED).fit(pairs, given)}


def spoken(
    whole: NDArray[np.float16], taps: NDArray[np.float16], models: Mapping[str, AdaptationModel]
) -> dict[str, NDArray[np.float32]]:
    """Return what every model says of looks."""
    ends = np.cumsum([0, *TAPS.values()])
    said = {"whole": np.asarray(whole, np.float32)}
    for name, start, end in zip(TAPS, ends, ends[1:], strict=False):
        said[name] = np.asarray(taps[:, start:end], np.float32)
    seen = Features([str(number) for number in range(len(taps))], unit_rows(np.asarray(taps, np.float32)))
    return {**said, **{name: model.transform(seen) for name, model in models.items()}}


def fused_photographs(shared: Path, cache: Path, folder: Path, count: int) -> FusedSet:
    """Return `count` fused vectors of photographs, and queries by model; made once, then read."""
    whole, taps = looks(shared, folder, count)
    models = learned(shared, cache)
    rows = len(whole) - QUERIES
    sample = np.sort(np.random.default_rng(0).permutation(rows)[:8192])
    layout = fit_layout(spoken(whole[sample], taps[sample], models))
    path = folder / f"fused-{count}.npy"
    if not path.exists():
        order = np.random.default_rng(2).permutation(rows)[:count]  # a table is not sorted by photograph
        half = path.with_suffix(".half.npy")
        vectors = np.lib.format.open_memmap(half, "w+", np.float16, (count, layout.width))
        for start in range(0, rows, ROWS):
            place = np.flatnonzero((order >= start) & (order < start + ROWS))
            some = slice(start, min(start + ROWS, rows))
            vectors[place] = fuse(layout, spoken(whole[some], taps[some], models))[order[place] - start]
            sys.stderr.write(f"\rfusing {start:,} of {rows:,}   ")
        vectors.flush()
        half.rename(path)
    return FusedSet(np.load(path, mmap_mode="r"), layout, spoken(whole[rows:], taps[rows:], models))


def weighted(given: FusedSet, weightings: int, seed: int = 3) -> NDArray[np.float32]:
    """Return the queries under weights that differ strongly from block to block; the first block is even."""
    rng, models = np.random.default_rng(seed), len(given.queries)
    draws = [rng.dirichlet(np.full(models, scale)) for scale in np.geomspace(0.2, 3, weightings - 1)]
    weights = np.repeat([np.full(models, 1 / models), *draws], -(-QUERIES // weightings), axis=0)[:QUERIES]
    return fused_query(given.layout, given.queries, weights)[0]


def grown(given: FusedSet, count: int, seed: int = 4) -> NDArray[np.float16]:
    """Return `count` rows: those of photographs, and rows between each and its neighbours."""
    if count <= len(given.vectors):
        return given.vectors[:count]

    def scaled(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        for part in given.layout.spans:
            rows[:, part] = unit_rows(rows[:, part])
        return rows

    rng, real = np.random.default_rng(seed), np.asarray(given.vectors)
    more = between(real.astype(np.float32), count - len(real), rng, scaled)
    return np.concatenate([real, more])[rng.permutation(count)]

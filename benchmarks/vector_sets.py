"""Vectors to measure search with: rendered from a seed, or real embeddings of photographs grown to any size."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

DIM = 256
QUERIES = 1000
PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png"}
CROP_AREA = (0.5, 0.9)
GROUP = 5_000
NEIGHBOURS = 24
STEP = 1.3  # of the distance to the neighbours


@dataclass(frozen=True, slots=True)
class VectorSet:
    """Vectors to index, queries that are not among them, and where both came from."""

    vectors: NDArray[np.float16]
    queries: Floats
    about: str


def unit(rows: Floats) -> Floats:
    """Scale rows to norm 1."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def seeded(count: int, seed: int = 0) -> VectorSet:
    """Clusters on a curved manifold with a power-law spectrum; no file is needed.

    The constants give what 31,559 photographs gave under MobileNetV2: an intrinsic dimension of 22, and a mean
    cosine of 0.68 to the nearest of 31,000 neighbours.
    """
    rng = np.random.default_rng(seed)
    latent, hidden, clusters, within = 64, 512, 2000, 0.7
    scale = np.arange(1, latent + 1, dtype=np.float32) ** -0.3
    spectrum = np.arange(1, DIM + 1, dtype=np.float32) ** -0.4
    centres = np.sqrt(1 - within**2) * rng.standard_normal((clusters, latent), dtype=np.float32)
    bend = rng.standard_normal((latent, hidden), dtype=np.float32)
    bend *= 1.5 * scale[:, None] / np.linalg.norm(scale)
    spread = rng.standard_normal((hidden, DIM), dtype=np.float32) * spectrum / np.sqrt(hidden)
    rows = np.empty((count + QUERIES, DIM), dtype=np.float16)
    for start in range(0, len(rows), 65_536):
        size = min(65_536, len(rows) - start)
        point = centres[rng.integers(clusters, size=size)]
        point += within * rng.standard_normal((size, latent), dtype=np.float32)
        noise = 0.05 * spectrum * rng.standard_normal((size, DIM), dtype=np.float32)
        rows[start : start + size] = unit(np.tanh(point @ bend) @ spread + noise)
    about = f"seeded manifold: {clusters:,} clusters, {latent} latent dimensions, power-law spectrum; seed {seed}"
    return VectorSet(rows[QUERIES:], rows[:QUERIES].astype(np.float32), about)


def photographs(folder: Path, network: Path, cache: Path, count: int, views: int, seed: int = 0) -> VectorSet:
    """Embed the photographs under `folder`, reduce to 256 dimensions by PCA, grow to `count` rows.

    Queries are whole photographs of which no view is in the index. A row beyond the real ones is a real row moved
    at random along the directions to 24 of its neighbours: new points, spread as the real ones are around there.
    """
    features = _embed_views(folder, network, cache, views)
    photos = len(features[0])
    rng = np.random.default_rng(seed)
    order = rng.permutation(photos)
    held_out, kept = order[:QUERIES], order[QUERIES:]
    mean, axes = _principal_axes(features[0][kept].astype(np.float32))
    queries = unit((features[0][held_out].astype(np.float32) - mean) @ axes)
    real = np.concatenate([unit((view[kept].astype(np.float32) - mean) @ axes) for view in features])
    real = real[rng.permutation(len(real))[:count]]
    rows = np.concatenate([real.astype(np.float16), between(real, count - len(real), rng)])
    about = (
        f"{photos:,} photographs in {views} views ({network.stem}, PCA to {DIM}): {len(real):,} real rows, "
        f"{len(rows) - len(real):,} between near neighbours; intrinsic dimension of the real rows "
        f"{intrinsic_dimension(real, rng):.1f}"
    )
    return VectorSet(rows[rng.permutation(len(rows))], queries, about)


def intrinsic_dimension(rows: NDArray[np.floating], rng: np.random.Generator, k: int = 20) -> float:
    """Levina and Bickel's maximum-likelihood estimate, averaged as MacKay and Ghahramani say.

    Neighbours are sought for 500 rows among all; exact duplicates are left out.
    """
    sample = rng.choice(len(rows), size=min(500, len(rows)), replace=False)
    points = unit(rows[sample].astype(np.float32))
    nearest = np.full((len(points), k + 1), np.inf, dtype=np.float32)
    for start in range(0, len(rows), 50_000):
        block = unit(rows[start : start + 50_000].astype(np.float32))
        squared = np.maximum(2 - 2 * points @ block.T, 0)
        squared[squared < 1e-5] = np.inf  # the row itself, and copies of it
        nearest = np.sort(np.concatenate([nearest, np.partition(squared, k, axis=1)[:, : k + 1]], axis=1), axis=1)
        nearest = nearest[:, : k + 1]
    radii = np.sqrt(nearest[:, :k])
    inverse = np.log(radii[:, -1:] / radii[:, :-1]).mean(axis=1)
    return float(1 / inverse.mean())


def between(
    real: Floats, count: int, rng: np.random.Generator, scaled: Callable[[Floats], Floats] = unit
) -> NDArray[np.float16]:
    """Draw around each real row along the directions to its neighbours in a random group (local covariance)."""
    grown = np.empty((max(count, 0), real.shape[1]), dtype=np.float16)
    groups = np.array_split(rng.permutation(len(real)), max(1, len(real) // GROUP))
    done = 0
    while done < count:
        for group in groups:
            rows = real[group]
            similar = rows @ rows.T
            near = np.argpartition(-similar, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
            for start in range(0, len(rows), 2000):
                home, around = rows[start : start + 2000], rows[near[start : start + 2000]]
                draw = rng.standard_normal((len(home), 1, NEIGHBOURS), dtype=np.float32)
                moved = (draw @ (around - home[:, None]))[:, 0] * (STEP / np.sqrt(NEIGHBOURS))
                part = scaled(home + moved)[: count - done]
                grown[done : done + len(part)] = part
                done += len(part)
    return grown


def _principal_axes(rows: Floats) -> tuple[Floats, Floats]:
    mean = rows.mean(axis=0)
    centred = rows - mean
    _, vectors = np.linalg.eigh(centred.T @ centred / len(rows))
    return mean, np.ascontiguousarray(vectors[:, ::-1][:, :DIM])


def _embed_views(folder: Path, network: Path, cache: Path, views: int) -> list[NDArray[np.float16]]:
    """Features of every photograph, one array per view, kept in `cache` between runs."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
    if len(files) <= 2 * QUERIES:
        raise SystemExit(f"{folder}: {len(files)} photographs; {2 * QUERIES} are needed for the held-out queries")
    cache.mkdir(parents=True, exist_ok=True)
    found: list[NDArray[np.float16]] = []
    for view in range(views):
        kept = cache / f"{network.stem}-{len(files)}-view{view}.npy"
        if not kept.is_file():
            features = _embed(files, network, view)
            aside = kept.with_suffix(".part.npy")
            np.save(aside, features)
            aside.replace(kept)
        found.append(np.load(kept))
    return found


def _embed(files: list[Path], network: Path, view: int) -> NDArray[np.float16]:
    import onnxruntime

    card = json.loads((network.parent / "weights.json").read_text(encoding="utf-8"))[network.name]
    mean, std = (np.asarray(card[key], dtype=np.float32) for key in ("mean", "std"))
    session = onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    rng = np.random.default_rng(view)
    features: list[NDArray[np.float16]] = []
    for start in range(0, len(files), 32):
        pixels = np.stack([_pixels(path, view, rng) for path in files[start : start + 32]])
        batch = ((pixels - mean) / std).transpose(0, 3, 1, 2)
        features.append(session.run(None, {name: np.ascontiguousarray(batch)})[0].astype(np.float16))
        print(f"\rembedding view {view}: {start + len(pixels):,} of {len(files):,}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return np.concatenate(features)


def _pixels(path: Path, view: int, rng: np.random.Generator) -> Floats:
    """View 0 is the whole photograph; the others are random crops, every second one mirrored."""
    from PIL import Image

    with Image.open(path) as opened:
        photo = opened.convert("RGB")
    box = None
    if view:
        scale = float(np.sqrt(rng.uniform(*CROP_AREA)))
        width, height = photo.width * scale, photo.height * scale
        left, top = rng.uniform(0, photo.width - width), rng.uniform(0, photo.height - height)
        box = (left, top, left + width, top + height)
    photo = photo.resize((224, 224), Image.Resampling.BILINEAR, box=box)
    pixels = np.asarray(photo, dtype=np.float32) / 255
    return pixels[:, ::-1] if view % 2 else pixels

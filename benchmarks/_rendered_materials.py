"""Renderings of materials: a ball on relief, lit by rooms of chance; pictures to teach with, not to measure on.

Photographs hold few surfaces of which nothing differs but the material. Here shape, light and material are all drawn by
chance: diffuse colour, colour and sharpness of what is mirrored, grain.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

__all__ = ["render_materials"]

SIZE = 160
SHARPNESS = (0.0, 1.0, 2.5, 6.0, 14.0)
"""Blur of the mirrored room, in its pixels, from polished to dull."""

ROOM = (64, 128)
Array = NDArray[np.float32]


def render_materials(folder: Path, count: int, seed: int) -> dict[str, Path]:
    """Render pictures into a folder, those that are missing, and return them by name."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"rendered/{number:05}.jpg": folder / f"{number:05}.jpg" for number in range(count)}
    for number, path in enumerate(files.values()):
        if not path.exists():
            Image.fromarray(_rendered(np.random.default_rng([seed, number]))).save(path, quality=92)
    return files


def _rendered(rng: np.random.Generator) -> NDArray[np.uint8]:
    normals, shade = _relief(rng)
    room = _room(rng)
    grain = gaussian_filter(rng.normal(size=(SIZE, SIZE)), rng.uniform(0.3, 4))
    grain = 1 + rng.choice([0, 0.05, 0.3]) * (grain / grain.std()).clip(-2, 2)
    tint = rng.uniform(0.02, 1, 3) ** rng.uniform(0.5, 2)
    metal = rng.random() < 0.4
    diffuse = 0.0 if metal else tint
    edge = (1 - normals[..., 2].clip(0, 1)) ** 5
    base = tint if metal else np.full(3, rng.choice([0.0, 0.04, 0.1]))
    mirrored = base + (1 - base) * edge[..., None] * (0.9 if metal else rng.uniform(0, 0.8))
    bounced = 2 * normals[..., 2:] * normals - np.array([0, 0, 1])
    light = diffuse * _seen(gaussian_filter(room, (10, 20, 0), mode=("nearest", "wrap", "wrap")), normals)
    blur = rng.choice(SHARPNESS)
    light = light + mirrored * _seen(gaussian_filter(room, (blur, blur, 0), mode=("nearest", "wrap", "wrap")), bounced)
    picture = light * (shade * grain)[..., None] * rng.uniform(0.7, 1.6)
    return np.asarray(255 * (picture.clip(0, 1) ** (1 / 2.2)), np.uint8)


def _relief(rng: np.random.Generator) -> tuple[Array, Array]:
    """Return normals (H, W, 3) of a ball on waves, and how dark the hollows are (H, W)."""
    across, down = np.meshgrid(*[np.linspace(-1, 1, SIZE, dtype=np.float32)] * 2)
    far, turn = np.hypot(across, down), np.arctan2(down, across)
    height = np.zeros_like(across)
    for _ in range(rng.integers(0, 4)):
        if rng.random() < 0.5:
            wave = np.sin(rng.uniform(4, 30) * far + rng.integers(0, 24) * turn + rng.uniform(0, 6))
        else:
            way = rng.normal(0, 14, 2)
            wave = np.sin(way[0] * across + way[1] * down + rng.uniform(0, 6))
        height += rng.uniform(0.3, 1) * wave * rng.uniform(0.02, 0.06)
    rise = np.gradient(height, 2 / SIZE)
    normals = np.stack([-rise[1], rise[0], np.ones_like(height)], -1)
    shade = 1 + (height - gaussian_filter(height, 6)).clip(-0.1, 0) * 6
    if rng.random() < 0.7:
        middle, radius = rng.uniform(-0.3, 0.3, 2), rng.uniform(0.25, 0.8)
        x, y = (across - middle[0]) / radius, (down - middle[1]) / radius
        inside = x**2 + y**2 < 1
        ball = np.stack([x, -y, np.sqrt((1 - x**2 - y**2).clip(0))], -1)
        near = np.hypot(x, y)
        shade = np.where(inside, 1, shade * (1 - 0.5 * np.exp(-3 * (near - 1).clip(0))))
        normals = np.where(inside[..., None], ball, normals)
    return normals / np.linalg.norm(normals, axis=-1, keepdims=True), shade


def _room(rng: np.random.Generator) -> Array:
    """Return light by direction (64, 128, 3): sky over ground, windows and lamps."""
    rows = np.linspace(1, 0, ROOM[0])[:, None, None]
    room = rng.uniform(0.05, 0.6, 3) * rows + rng.uniform(0.02, 0.3, 3) * (1 - rows) + np.zeros((*ROOM, 1))
    for _ in range(rng.integers(1, 7)):
        top, left = rng.integers(0, 48), rng.integers(0, 120)
        tall, wide = rng.integers(2, 18), rng.integers(2, 24)
        room[top : top + tall, left : left + wide] += rng.uniform(0.5, 5) * rng.uniform(0.7, 1, 3)
    return room.astype(np.float32)


def _seen(room: Array, ways: Array) -> Array:
    """Return the light from some directions (H, W, 3)."""
    rows = (np.arccos(ways[..., 1].clip(-1, 1)) / np.pi) * (ROOM[0] - 1)
    columns = (np.arctan2(ways[..., 0], ways[..., 2]) / (2 * np.pi) + 0.5) * (ROOM[1] - 1)
    parts = [map_coordinates(room[..., one], [rows, columns], order=1, mode="nearest") for one in range(3)]
    return np.stack(parts, -1)

"""Buildings along a street: which face each pixel sees, and what it looks like there.

Faces are drawn as plain ids, far to near; then every pixel is shaded at once from the exact point of its face,
so windows keep their perspective at any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.images.samples.frame import Frame
from lookalike.images.samples.noise import Plane
from lookalike.images.samples.paint import Picture, fade, filtered, mix, rgb, spread, wash, wheel
from lookalike.images.samples.sky import Sky

__all__ = ["Face", "View", "build_street", "draw_faces", "shade_faces"]

_STONE = [
    (0.78, 0.50, 0.34),
    (0.82, 0.70, 0.46),
    (0.54, 0.62, 0.46),
    (0.42, 0.58, 0.66),
    (0.54, 0.50, 0.70),
    (0.76, 0.42, 0.42),
]
_FRONT, _SIDE, _ROOF = 0, 1, 2


@dataclass(frozen=True, slots=True)
class View:
    """A level camera in the middle of a street: its height, the v of the horizon, the u of the vanishing point."""

    height: float
    horizon: float
    vanish: float

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Project world points (x, y, z), float64 (P, 3), to (u, v)."""
        x, y, z = points.T
        return np.column_stack([self.vanish + x / z, self.horizon + (self.height - y) / z])


@dataclass(frozen=True, slots=True)
class Face:
    """One wall or roof: its kind, corners (x, y, z), where its plane lies, and what it is made of."""

    kind: int
    corners: NDArray[np.float64]
    plane: float
    top: float
    color: NDArray[np.float32]
    pitch: tuple[float, float]
    glass: float
    building: int


def build_street(frame: Frame) -> list[Face]:
    """Raise the buildings of both sides and the towers behind them; the faces come far to near."""
    faces: list[tuple[float, list[Face]]] = []
    for rank, (inner, share) in enumerate(((1.5, 0.35 + 0.75 * frame.density), (3.6, 0.10 + 0.95 * frame.density))):
        for side in (-1.0, 1.0):
            rng = frame.rng(f"street{rank}{side}")
            z = 0.55 + 0.5 * rng.random()
            for k in range(13):
                length, tall, tone, turn = rng.random(4)
                deep = (0.75 + 0.9 * length) * (0.65 + 0.75 * frame.scale) * (1 + rank)
                if turn <= share:
                    faces.append(
                        (
                            z,
                            _building(
                                frame,
                                side,
                                inner,
                                (z, z + deep * 0.97),
                                tall,
                                tone,
                                rank,
                                40 * rank + k + int(20 * (side > 0)),
                            ),
                        )
                    )
                z += deep
                if z > 16.0:
                    break
    faces.sort(key=lambda item: -item[0])
    return [face for _, group in faces for face in group]


def _building(
    frame: Frame, side: float, inner: float, z: tuple[float, float], tall: float, tone: float, rank: int, number: int
) -> list[Face]:
    """Give the faces of one building that can be seen: its front, its wall on the street, its roof."""
    shape, size = frame.shape, 0.7 + 0.6 * frame.scale
    height = (1.15 + 0.5 * tall + (0.5 + 4.2 * tall**1.5) * shape**1.4 + 1.1 * rank * (0.5 + tall) * (0.3 + shape)) * (
        0.8 + 0.35 * frame.scale
    )
    stone = mix(wheel(_STONE, frame.palette), wheel(_STONE, frame.palette + 0.34 * (tone - 0.5)), 1.0) * np.float32(
        0.62 + 0.55 * tall
    )
    glass = float(np.clip(0.30 + 0.65 * shape * (0.5 + tone), 0.25, 0.92))
    cool = rgb(0.36, 0.42, 0.48)
    color = mix(np.asarray(stone, np.float32), cool, max(0.0, 0.65 * shape * (tone - 0.2)))
    pitch = (0.20 * size * (1.0 - 0.3 * shape), 0.30 * size * (1.0 - 0.25 * shape))
    x0, x1, (z0, z1) = side * inner, side * (inner + 2.2), z
    pitched = max(0.0, 1.0 - 2.2 * shape) * 0.75 * (1 - rank)
    xr = (x0 + x1) / 2 if pitched else x0
    front = [(x0, 0, z0), (x0, height, z0), (xr, height + pitched, z0), (x1, height, z0), (x1, 0, z0)]
    wall = [(x0, 0, z0), (x0, height, z0), (x0, height, z1), (x0, 0, z1)]
    roof = [(x0, height, z0), (xr, height + pitched, z0), (xr, height + pitched, z1), (x0, height, z1)]
    tiles = np.asarray(mix(wheel(_STONE, frame.palette + 0.5), rgb(0.45, 0.22, 0.15), 0.6) * 0.75, np.float32)
    built = [
        Face(_FRONT, np.array(front, float), z0, height, color, pitch, glass, number),
        Face(_SIDE, np.array(wall, float), x0, height, color, pitch, glass, number),
    ]
    if pitched:
        built.append(Face(_ROOF, np.array(roof, float), x0, height + pitched, tiles, pitch, 0.0, number))
    return built


def draw_faces(size: int, view: View, faces: list[Face]) -> NDArray[np.int32]:
    """Give the index of the face that each pixel sees, int32 (size, size); -1 for none."""
    ids = np.full((size, size), -1.0, np.float32)
    for index, face in enumerate(faces):
        corners = np.clip(view.project(face.corners), -40.0, 40.0)
        pixels = np.round((corners * size - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(ids, [pixels], float(index), cv2.LINE_8, 4)
    return ids.astype(np.int32)


def shade_faces(frame: Frame, view: View, sky: Sky, faces: list[Face], ids: NDArray[np.int32]) -> Picture:
    """Colour every pixel that sees a face: stone, windows by cell, some lit, light from the sky, air in between."""
    at = np.maximum(ids, 0)
    kind = np.array([face.kind for face in faces])[at]
    plane = np.array([face.plane for face in faces], np.float32)[at]
    across = frame.u - np.float32(view.vanish)
    across = np.where(np.abs(across) < 1e-4, np.float32(1e-4), across)
    z = np.clip(np.where(kind == _FRONT, plane, plane / across), 0.2, 40.0)
    along = np.where(kind == _FRONT, across * z, z)
    y = np.float32(view.height) + (np.float32(view.horizon) - frame.v) * z
    stone = np.array([face.color for face in faces], np.float32)[at]
    grime = frame.noise("grime", "rough", along * 0.5, y * 0.3, 2.0)
    brick = frame.noise("brick", "rough", along * 2.2, y * 3.0, 6.0) * np.exp(-z * 0.25)
    window, lit, reflect = _windows(frame, sky, faces, at, along, y, z)
    window = (window * (kind != _ROOF)).astype(np.float32)
    side = np.float32(1.0 if sky.sun[0] > view.vanish else -1.0)
    facing = np.where(kind == _FRONT, np.float32(0.55), np.where(plane * side < 0, np.float32(1.06), np.float32(0.66)))
    soft = facing * (0.60 + 0.40 * np.clip(y / 1.2, 0.0, 1.0))
    worn = soft * (1.0 + (0.03 + 0.17 * frame.texture) * (grime + brick))
    color = filtered(stone, mix(sky.ambient, sky.sun_color, 0.25 * (1 - sky.night))) * spread(worn.astype(np.float32))
    color += (reflect - color) * spread(window)
    color += wash(lit * window, rgb(1.0, 0.74, 0.40))
    air = np.float32(1.0) - np.exp(-np.maximum(z - 0.8, 0.0) * np.float32(0.015 + 0.095 * frame.haze))
    return fade(color, mix(sky.low, sky.ambient, 0.1), air)


def _windows(
    frame: Frame, sky: Sky, faces: list[Face], at: NDArray[np.int32], along: Plane, y: Plane, z: Plane
) -> tuple[Plane, Plane, Picture]:
    """Give how far a pixel is window, how bright it is lit from inside, and what its glass shows."""
    wide = np.array([face.pitch[0] for face in faces], np.float32)[at]
    tall = np.array([face.pitch[1] for face in faces], np.float32)[at]
    glass = np.array([face.glass for face in faces], np.float32)[at]
    number = np.array([face.building for face in faces], np.uint32)[at]
    top = np.array([face.top for face in faces], np.float32)[at]
    a, b = along / wide + np.float32(0.3), y / tall + np.float32(0.12)
    column, row = np.floor(a), np.floor(b)
    pixel = z * np.float32(1.0 / frame.size)
    inside = _pane(a - column, glass, pixel / wide) * _pane(b - row, glass * 0.86 + 0.06, pixel / tall)
    inside = inside * (y < top - 0.10) * (y > 0.06)
    chance = _hash(column.astype(np.int32).astype(np.uint32), row.astype(np.int32).astype(np.uint32), number)
    wanted = np.float32((0.10 + 0.70 * frame.density) * max(0.0, 1.1 - 1.35 * frame.light))
    lit = np.where(
        chance < wanted, np.float32(0.45) + chance / np.maximum(wanted, 1e-3) * np.float32(0.75), np.float32(0.0)
    ) * np.float32(min(1.0, max(0.0, 1.5 - 1.9 * frame.light)))
    height = np.clip(y / 4.0 + (chance - 0.5) * 0.25, 0.0, 1.0)
    sheen = 0.35 + 0.50 * glass + 0.2 * (chance - 0.5)
    reflect = wash(sheen * (1.0 - height), sky.low * np.float32(0.62)) + wash(
        sheen * height, sky.zenith * np.float32(0.9)
    )
    return np.asarray(inside, np.float32), np.asarray(lit, np.float32), np.asarray(reflect, np.float32)


def _pane(at: Plane, share: Plane, pixel: Plane) -> Plane:
    """Antialias a pane that covers the middle `share` of its cell; where cells are finer than pixels, the mean."""
    soft = np.clip(
        (share * np.float32(0.5) - np.abs(at - np.float32(0.5))) / np.maximum(pixel, 1e-5) + np.float32(0.5), 0.0, 1.0
    )
    coarse = np.clip(pixel * np.float32(2.2) - np.float32(0.6), 0.0, 1.0)
    return np.asarray(soft + (share - soft) * coarse, np.float32)


def _hash(a: NDArray[np.uint32], b: NDArray[np.uint32], c: NDArray[np.uint32]) -> Plane:
    """Give each cell of each building its own number in [0, 1)."""
    x = (a * np.uint32(0x9E3779B1)) ^ (b * np.uint32(0x85EBCA77)) ^ (c * np.uint32(0xC2B2AE3D))
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x2C1B3C6D)
    x ^= x >> np.uint32(12)
    return np.asarray((x >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24), np.float32)

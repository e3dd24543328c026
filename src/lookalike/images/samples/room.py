"""A room and boxes in it, seen by casting one ray per pixel; the rays are straight lines, so all of it is exact."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.images.samples.frame import Frame
from lookalike.images.samples.noise import Plane
from lookalike.images.samples.paint import Color

__all__ = ["BACK", "CEILING", "FLOOR", "LEFT", "RIGHT", "Box", "Room", "Seen", "cast", "superellipse"]

FLOOR, CEILING, LEFT, RIGHT, BACK = 0, 1, 2, 3, 4
_NORMALS = np.array([[0, 1, 0], [0, -1, 0], [1, 0, 0], [-1, 0, 0], [0, 0, -1]], np.float32)


@dataclass(frozen=True, slots=True)
class Room:
    """Sizes in metres and the camera: half width, height, depth; eye height; vanishing point; spread of the lens."""

    half: float
    tall: float
    deep: float
    eye: float
    vanish: tuple[float, float]
    spread: float

    def project(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Give (u, v) of a point of the room."""
        return self.vanish[0] + x / (z * self.spread), self.vanish[1] + (self.eye - y) / (z * self.spread)


@dataclass(frozen=True, slots=True)
class Box:
    """A thing with straight sides: corners, colour, a material name, and how soft its edges are (0 to 1)."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    color: Color
    material: str = "plain"
    soft: float = 0.0


@dataclass(slots=True)
class Seen:
    """What each pixel sees: `what` is a wall (0 to 4) or 5 plus the index of a box; the point; the normal."""

    what: NDArray[np.int32]
    x: Plane
    y: Plane
    z: Plane
    normal: NDArray[np.float32]


def cast(frame: Frame, room: Room, boxes: list[Box]) -> Seen:
    """Cast a ray through every pixel at the walls, then at each box inside the rectangle that it can cover."""
    dx = (frame.u - np.float32(room.vanish[0])) * np.float32(room.spread)
    dy = (np.float32(room.vanish[1]) - frame.v) * np.float32(room.spread)
    safe_x = np.where(np.abs(dx) < 1e-5, np.float32(1e-5), dx)
    safe_y = np.where(np.abs(dy) < 1e-5, np.float32(1e-5), dy)
    side = np.float32(room.half) / np.abs(safe_x)
    upright = np.where(safe_y > 0, np.float32(room.tall - room.eye) / safe_y, np.float32(-room.eye) / safe_y)
    z = np.minimum(np.minimum(side, upright), np.float32(room.deep))
    what = np.where(
        z == upright, np.where(safe_y > 0, CEILING, FLOOR), np.where(z == side, np.where(safe_x > 0, RIGHT, LEFT), BACK)
    )
    normal = _NORMALS[what]
    seen = Seen(what.astype(np.int32), np.empty_like(z), np.empty_like(z), z.astype(np.float32), normal)
    for index, box in enumerate(boxes):
        _hit(frame, room, seen, box, index, safe_x, safe_y)
    seen.x, seen.y = dx * seen.z, np.float32(room.eye) + dy * seen.z
    return seen


def _hit(frame: Frame, room: Room, seen: Seen, box: Box, index: int, dx: Plane, dy: Plane) -> None:
    corners = [
        room.project(x, y, max(z, 0.4))
        for x in (box.low[0], box.high[0])
        for y in (box.low[1], box.high[1])
        for z in (box.low[2], box.high[2])
    ]
    us, vs = zip(*corners, strict=True)
    size = frame.size
    cols = slice(max(int(min(us) * size) - 1, 0), max(int(max(us) * size) + 2, 0))
    rows = slice(max(int(min(vs) * size) - 1, 0), max(int(max(vs) * size) + 2, 0))
    ray_x, ray_y = dx[:, cols], dy[rows]
    if ray_x.size == 0 or ray_y.size == 0:
        return
    x_a, x_b = np.float32(box.low[0]) / ray_x, np.float32(box.high[0]) / ray_x
    y_a, y_b = np.float32(box.low[1] - room.eye) / ray_y, np.float32(box.high[1] - room.eye) / ray_y
    enter_x, enter_y = np.minimum(x_a, x_b), np.minimum(y_a, y_b)
    enter = np.maximum(np.maximum(enter_x, enter_y), np.float32(box.low[2]))
    leave = np.minimum(np.minimum(np.maximum(x_a, x_b), np.maximum(y_a, y_b)), np.float32(box.high[2]))
    hit = (enter <= leave) & (enter < seen.z[rows, cols]) & (enter > 0.3)
    if not hit.any():
        return
    facing = np.zeros((*hit.shape, 3), np.float32)
    on_x, on_y = (enter == enter_x) & hit, (enter == enter_y) & hit
    facing[..., 2] = np.where(on_x | on_y, 0.0, -1.0)
    facing[..., 0] = np.where(on_x, -np.sign(ray_x), 0.0)
    facing[..., 1] = np.where(on_y & ~on_x, -np.sign(ray_y), 0.0)
    if box.soft > 0.0:
        facing += _bulge(room, box, enter, ray_x, ray_y) * np.float32(box.soft)
        facing /= np.linalg.norm(facing, axis=2, keepdims=True) + np.float32(1e-6)
    seen.what[rows, cols][hit] = 5 + index
    seen.z[rows, cols][hit] = enter[hit]
    seen.normal[rows, cols][hit] = facing[hit]


def _bulge(room: Room, box: Box, z: Plane, dx: Plane, dy: Plane) -> NDArray[np.float32]:
    """Bend normals outwards towards the edges, as a cushion's are."""
    centre = [(a + b) / 2 for a, b in zip(box.low, box.high, strict=True)]
    half = [max((b - a) / 2, 1e-3) for a, b in zip(box.low, box.high, strict=True)]
    point = (dx * z, np.float32(room.eye) + dy * z, z)
    bent = [np.clip((p - np.float32(c)) / np.float32(h), -1, 1) for p, c, h in zip(point, centre, half, strict=True)]
    return np.stack([b**3 for b in bent], axis=-1).astype(np.float32)


def superellipse(x: Plane, y: Plane, round_off: float) -> Plane:
    """Give a radius that is 1 on a unit square (`round_off` 0) or on a circle (1), or on a form between the two.

    Examples
    --------
    >>> one = np.ones((1, 1), np.float32)
    >>> round(float(superellipse(one, one, 1.0)[0, 0]), 2)
    1.41
    """
    power = np.float32(2.0 + 14.0 * (1.0 - round_off) ** 2)
    a, b = np.minimum(np.abs(x), np.float32(8.0)), np.minimum(np.abs(y), np.float32(8.0))
    return np.asarray(cv2.pow(cv2.pow(a, float(power)) + cv2.pow(b, float(power)), 1.0 / float(power)), np.float32)

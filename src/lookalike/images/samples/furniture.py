"""What stands in the room: sofa, tables, shelves, chairs, cushions, as boxes."""

from __future__ import annotations

import numpy as np

from lookalike.images.samples.frame import Frame
from lookalike.images.samples.paint import Color, mix, rgb, wheel
from lookalike.images.samples.room import Box, Room

__all__ = ["FABRICS", "furnish"]

FABRICS = [
    (0.72, 0.34, 0.24),
    (0.78, 0.58, 0.26),
    (0.40, 0.50, 0.32),
    (0.20, 0.46, 0.48),
    (0.26, 0.34, 0.54),
    (0.58, 0.32, 0.46),
]
_WOOD = np.array([0.46, 0.30, 0.18], np.float32)


def furnish(frame: Frame, room: Room, lean: float) -> list[Box]:
    """Choose the furniture: density says how much, scale how large, shape how soft; `lean` is the sofa's x."""
    size = 0.78 + 0.42 * frame.scale
    cloth = wheel(FABRICS, frame.palette + 0.42)
    boxes = _sofa(frame, room, lean, size, cloth)
    boxes += _table(room, lean, size)
    rng = frame.rng("furniture")
    far = -1.0 if lean > 0 else 1.0
    if frame.density > 0.18:
        boxes += _shelves(frame, room, far, size)
    if frame.density > 0.38:
        boxes += _pouf(room, lean - far * (1.25 + 0.2 * rng.random()), size, wheel(FABRICS, frame.palette + 0.1))
    if frame.density > 0.58:
        boxes += _sideboard(room, -far, size)
    boxes += _things(frame, room, lean, size)
    if frame.density > 0.76:
        boxes += _chair(far * (room.half - 0.75), 2.15, size)
    return boxes


def _sofa(frame: Frame, room: Room, x: float, size: float, cloth: Color) -> list[Box]:
    wide, deep = 1.02 * size, 0.82 * size
    z1 = room.deep - 0.08
    z0 = z1 - deep
    soft = 0.25 + 0.6 * frame.shape
    arm, seat, back = 0.17 * size, 0.42 * size, 0.80 * size
    shade = np.asarray(cloth * 0.9, np.float32)
    built = [
        Box((x - wide, 0.07, z0), (x + wide, 0.26 * size, z1), shade, "cloth", soft * 0.4),
        Box((x - wide, 0.07, z1 - 0.24 * size), (x + wide, back, z1), cloth, "cloth", soft * 0.7),
        Box((x - wide - arm, 0.05, z0 - 0.02), (x - wide, 0.58 * size, z1), cloth, "cloth", soft),
        Box((x + wide, 0.05, z0 - 0.02), (x + wide + arm, 0.58 * size, z1), cloth, "cloth", soft),
    ]
    for k in range(2):
        a, b = x - wide + k * wide + 0.01, x - wide + (k + 1) * wide - 0.01
        built.append(Box((a, 0.26 * size, z0 - 0.03), (b, seat, z1 - 0.22 * size), cloth, "cloth", soft))
    rng = frame.rng("cushions")
    for k in range(4):
        place, tone, turn = rng.random(3)
        if turn > 0.15 + frame.density:
            continue
        at = x - wide * 0.8 + wide * 1.6 * (k + 0.5 * place) / 4
        color = mix(wheel(FABRICS, frame.palette + 0.8 * tone), rgb(0.9, 0.86, 0.78), 0.35)
        built.append(
            Box(
                (at, seat, z1 - 0.46 * size),
                (at + 0.38 * size, seat + 0.34 * size, z1 - 0.26 * size),
                color,
                "cloth",
                0.9,
            )
        )
    return built


def _table(room: Room, x: float, size: float) -> list[Box]:
    """Legs of the low table; its top is a plane that the painter adds, so that it can be round."""
    z, w, d, h = room.deep - 1.75 * size, 0.42 * size, 0.24 * size, 0.36 * size
    return [
        Box((x + dx - 0.02, 0.0, z + dz - 0.02), (x + dx + 0.02, h, z + dz + 0.02), _WOOD, "wood")
        for dx in (-w, w)
        for dz in (-d, d)
    ]


def _shelves(frame: Frame, room: Room, side: float, size: float) -> list[Box]:
    """Put a case against the back wall in a corner: sides, boards, a back; the books are painted on its inside."""
    wide, tall, deep = 0.80 * size, 1.15 + 0.85 * size, 0.30
    x0 = side * (room.half - 0.12) - (wide if side > 0 else 0.0)
    z1, z0 = room.deep, room.deep - deep
    tone = mix(_WOOD, rgb(0.86, 0.83, 0.78), 0.5 * float(frame.rng("case").random()))
    built = [
        Box((x0, 0, z0), (x0 + 0.035, tall, z1), tone, "wood"),
        Box((x0 + wide, 0, z0), (x0 + wide + 0.035, tall, z1), tone, "wood"),
        Box((x0, 0, z1 - 0.16), (x0 + wide, tall, z1), tone, "books"),
    ]
    boards = 6
    for k in range(boards + 1):
        y = tall * k / boards
        built.append(Box((x0, y - 0.015, z0), (x0 + wide, y + 0.02, z1), tone, "wood"))
    return built


def _pouf(room: Room, x: float, size: float, color: Color) -> list[Box]:
    z = room.deep - 1.9 * size
    r = 0.27 * size
    return [Box((x - r, 0.02, z - r), (x + r, 0.40 * size, z + r), color, "cloth", 0.95)]


def _sideboard(room: Room, side: float, size: float) -> list[Box]:
    """Put a long cabinet along a side wall."""
    x1 = side * room.half
    x0 = x1 - side * 0.42
    z0, z1, h = 1.9, 1.9 + 1.5 * size, 0.72 * size
    low, high = min(x0, x1), max(x0, x1)
    return [
        Box((low, 0.10, z0), (high, h, z1), np.asarray(_WOOD * 0.9, np.float32), "wood"),
        Box(
            (low - 0.02, h, z0 - 0.02), (high + 0.02, h + 0.035, z1 + 0.02), np.asarray(_WOOD * 1.1, np.float32), "wood"
        ),
    ]


def _things(frame: Frame, room: Room, x: float, size: float) -> list[Box]:
    """Books and boxes on the low table; each grows in as density passes its turn."""
    rng = frame.rng("things")
    z, y = room.deep - 1.75 * size, 0.38 * size
    built = []
    for k in range(5):
        place, wide, tall, tone = rng.random(4)
        grown = float(np.clip(frame.density * 7.0 - 1.0 - k, 0.0, 1.0))
        at, half = x + (k - 2 + 0.6 * (place - 0.5)) * 0.19 * size, (0.05 + 0.05 * wide) * size
        top = y + (0.03 + 0.22 * tall**2) * size * grown
        if grown > 0.0:
            color = wheel(FABRICS, frame.palette + 0.7 * tone)
            built.append(Box((at - half, y, z - 0.08), (at + half, top, z + 0.06), color, "plain", 0.4))
    return built


def _chair(x: float, z: float, size: float) -> list[Box]:
    r, seat = 0.23 * size, 0.46 * size
    legs = [
        Box((x + dx - 0.018, 0, z + dz - 0.018), (x + dx + 0.018, seat, z + dz + 0.018), _WOOD, "wood")
        for dx in (-r, r)
        for dz in (-r, r)
    ]
    legs.append(
        Box(
            (x - r - 0.02, seat, z - r - 0.02),
            (x + r + 0.02, seat + 0.05, z + r + 0.02),
            np.asarray(_WOOD * 1.15, np.float32),
            "wood",
        )
    )
    legs += [
        Box(
            (x - r, seat + 0.16 + 0.15 * k, z + r - 0.02), (x + r, seat + 0.24 + 0.15 * k, z + r + 0.015), _WOOD, "wood"
        )
        for k in range(3)
    ]
    return legs

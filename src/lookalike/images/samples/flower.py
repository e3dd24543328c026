"""Flower: blossoms close up, petal over petal, before a blurred garden."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lookalike.images.samples.frame import Frame
from lookalike.images.samples.noise import Plane
from lookalike.images.samples.paint import (
    Color,
    Picture,
    blend,
    blur,
    fixed,
    mix,
    polygons,
    ramp,
    rgb,
    spread,
    step,
    wash,
    wheel,
)

__all__ = ["paint_flower"]

_PETAL = [
    (0.93, 0.22, 0.30),
    (0.98, 0.56, 0.16),
    (0.98, 0.86, 0.30),
    (0.95, 0.94, 0.90),
    (0.48, 0.42, 0.90),
    (0.90, 0.42, 0.76),
]
_HEART = [
    (0.30, 0.16, 0.10),
    (0.28, 0.12, 0.06),
    (0.44, 0.24, 0.06),
    (0.92, 0.72, 0.14),
    (0.94, 0.80, 0.26),
    (0.90, 0.74, 0.28),
]
_GARDEN = [
    (0.0, (0.03, 0.05, 0.07)),
    (0.3, (0.10, 0.17, 0.11)),
    (0.6, (0.24, 0.38, 0.16)),
    (0.85, (0.50, 0.62, 0.36)),
    (1.0, (0.80, 0.86, 0.70)),
]


@dataclass(frozen=True, slots=True)
class _Blossom:
    """Where a blossom stands, its radius, how far it leans back, its turn, and how far out of focus it is."""

    x: float
    y: float
    radius: float
    tilt: float
    turn: float
    soft: float
    hue: float


def paint_flower(frame: Frame) -> Picture:
    """Paint the blossoms. Shape goes from many narrow petals to few broad ones, density adds blossoms behind."""
    power = 0.34 + 0.76 * frame.light
    image = _garden(frame)
    blossoms = _arrange(frame)
    _stems(frame, image, blossoms, power)
    for blossom in blossoms:
        _paint_blossom(frame, image, blossom, power)
    return image


def _garden(frame: Frame) -> Picture:
    """Out-of-focus green: broad patches, then discs of light."""
    base = ramp(_GARDEN, frame.light)
    accent = wheel(_PETAL, frame.palette + 0.08) * (0.15 + 0.75 * frame.light)
    image = np.asarray(base * (1.12 - 0.5 * frame.v[..., None]) + np.zeros((1, frame.size, 1), np.float32), np.float32)
    patch = frame.flat("patch", "smooth", 0.55)
    blend(image, np.asarray(base * 0.34, np.float32), step(-0.3, 1.4, patch) * np.float32(0.8))
    blend(
        image,
        np.asarray(accent, np.float32),
        step(0.5, 1.9, frame.flat("accent", "smooth", 0.5)) * np.float32(0.25 + 0.35 * frame.density),
    )
    rng = frame.rng("bokeh")
    discs = np.zeros((frame.size, frame.size, 3), np.uint8)
    layer = np.zeros_like(discs)
    for _ in range(34):
        u, v, size, hue = rng.random(4)
        spot = fixed(np.array([u, v * 0.9]), frame.size)
        tone = mix(
            np.asarray(base * 1.5 + 0.12, np.float32),
            np.asarray(accent, np.float32),
            0.55 if hue < 0.3 + 0.4 * frame.density else 0.0,
        )
        layer[:] = 0
        radius = (0.012 + 0.045 * size) * (0.6 + 0.9 * frame.scale)
        cv2.circle(
            layer,
            (int(spot[0]), int(spot[1])),
            int(radius * frame.size * 16),
            (np.clip(tone * (0.25 + 0.35 * hue), 0, 1) * 255).tolist(),
            -1,
            cv2.LINE_AA,
            4,
        )
        cv2.add(discs, layer, dst=discs)
    image += blur(discs.astype(np.float32) / 255.0, frame.size * 0.006) * np.float32(0.65)
    return image


def _arrange(frame: Frame) -> list[_Blossom]:
    """Place the main blossom by layout and the others around it, blurred; far to near."""
    rng = frame.rng("arrange")
    big = 0.20 + 0.21 * frame.scale
    main = _Blossom(
        0.32 + 0.36 * frame.layout,
        0.58 - 0.20 * frame.layout,
        big,
        0.10 + 0.34 * rng.random(),
        float(6.3 * rng.random()),
        0.0,
        0.0,
    )
    others = []
    for k in range(9):
        angle, away, size, turn = rng.random(4)
        grown = float(np.clip(frame.density * 10.0 - 0.6 - k, 0.0, 1.0))
        if grown <= 0.05:
            continue
        angle = (k * 2.4 + angle) * 1.0
        reach = 0.36 + 0.30 * away
        deep = 0.25 + 0.75 * size
        others.append(
            _Blossom(
                main.x + reach * float(np.cos(angle)) * 1.1,
                main.y + reach * float(np.sin(angle)) * 0.85,
                big * (0.85 - 0.45 * deep) * grown,
                0.15 + 0.45 * turn,
                6.3 * turn,
                0.004 + 0.011 * deep,
                0.10 * (turn - 0.5),
            )
        )
    others.sort(key=lambda blossom: -blossom.soft)
    return [*others, main]


def _stems(frame: Frame, image: Picture, blossoms: list[_Blossom], power: float) -> None:
    """Stems and long leaves, bent, from each blossom down out of the picture."""
    rng = frame.rng("stems")
    green = rgb(0.20, 0.36, 0.12) * power
    for blossom in blossoms:
        lean, first, second = rng.random(3)
        t = np.linspace(0.0, 1.0, 10)
        x = blossom.x + (lean - 0.5) * 0.24 * t**1.6
        y = blossom.y + (1.12 - blossom.y) * t
        half = blossom.radius * 0.035
        shapes = [np.vstack([np.column_stack([x - half, y]), np.column_stack([x + half, y])[::-1]])]
        for side, start in ((-1.0, first), (1.0, second)):
            long, foot = blossom.radius * (1.1 + 0.5 * start), 0.45 + 0.4 * start
            px, py = float(np.interp(foot, t, x)), float(np.interp(foot, t, y))
            s = np.linspace(0.0, 1.0, 12)
            mid_x, mid_y = px + side * long * s, py - long * (0.9 * s - 0.75 * s**2)
            wide = long * 0.13 * np.sin(np.pi * s**0.8)
            shapes.append(
                np.vstack([np.column_stack([mid_x, mid_y - wide]), np.column_stack([mid_x, mid_y + wide])[::-1]])
            )
        sigma = frame.size * (blossom.soft + 0.0025)
        mask = blur(polygons(frame.size, shapes), sigma)
        vein = frame.noise("vein", "rough", frame.u * 1.5, frame.v * 1.5, 3.0)
        shade = 0.75 + 0.25 * np.roll(mask, frame.size // 60, 0) + (0.03 + 0.18 * frame.texture) * vein
        blend(image, wash(shade, green), mask)


def _paint_blossom(frame: Frame, image: Picture, blossom: _Blossom, power: float) -> None:
    """Paint one blossom: rings of petals from the outer to the inner, then the heart."""
    size, reach = frame.size, blossom.radius * 1.16 + 3.0 * blossom.soft
    rows = slice(max(int((blossom.y - reach) * size), 0), max(int((blossom.y + reach) * size) + 1, 0))
    cols = slice(max(int((blossom.x - reach) * size), 0), max(int((blossom.x + reach) * size) + 1, 0))
    part = image[rows, cols]
    if part.size == 0:
        return
    x = (frame.u[:, cols] - np.float32(blossom.x)) / np.float32(blossom.radius)
    y = (frame.v[rows] - np.float32(blossom.y)) / np.float32(blossom.radius * (1.0 - 0.45 * blossom.tilt))
    r = np.hypot(x, y)
    angle = np.arctan2(y, x) + np.float32(blossom.turn)
    work, cover = part.copy(), np.zeros(part.shape[:2], np.float32)
    if blossom.soft == 0.0:
        work *= spread(1.0 - 0.45 * step(1.25, 0.55, np.hypot(x - np.float32(0.10), y - np.float32(0.16))))
    rings = 2 + round(2.4 * frame.shape + 1.2 * frame.texture)
    for ring in range(rings):
        _ring(frame, work, cover, (r, angle), blossom, ring / max(rings - 1, 1), ring, power)
    _heart(frame, work, cover, (r, x, y), blossom, power)
    if blossom.soft > 0.0:
        sigma = size * blossom.soft
        edge = blur(cover, sigma)
        work = blur(np.asarray(work * spread(cover), np.float32), sigma)
        part *= spread(1.0 - edge)
        part += work
    else:
        part[:] = work


def _ring(
    frame: Frame,
    work: Picture,
    cover: Plane,
    polar: tuple[Plane, Plane],
    blossom: _Blossom,
    inward: float,
    ring: int,
    power: float,
) -> None:
    """One ring of petals; neighbours overlap, so each petal shades the next one's edge."""
    r, angle = polar
    shape = frame.shape
    count = max(5, round(21 - 30 * shape)) if shape < 0.5 else max(5, round(5 + 3 * (shape - 0.5) * inward))
    length = 1.0 - inward * (0.24 + 0.42 * shape)
    turned = (angle + np.float32(ring * np.pi / count + ring * 0.37)) * np.float32(count / (2 * np.pi))
    which = np.floor(turned)
    across = (turned - which) * 2.0 - 1.0
    jitter = np.sin(which * np.float32(12.9) + np.float32(blossom.turn * 7 + ring)) * np.float32(0.06)
    blunt = np.float32(1.6 + 2.6 * shape)
    tip = length * (1.0 + jitter) * (0.40 + 0.60 * shape + (0.60 - 0.60 * shape) * (1.0 - np.abs(across)) ** 0.6)
    outline = tip * np.maximum(1.0 - np.abs(across) ** blunt * (0.95 - 0.62 * shape), 0.02) ** 0.5
    ruffle = np.float32(0.012 + 0.05 * frame.texture) * np.sin(across * 9 + which * 5) * (0.3 + shape)
    inside = np.clip((outline + ruffle - r) * blossom.radius * frame.size * 0.8 + 0.5, 0.0, 1.0)
    base = wheel(_PETAL, frame.palette + blossom.hue)
    deep = np.asarray(base**1.5 * 0.62, np.float32)
    along = np.clip(r / length, 0.0, 1.2)
    vein = np.cos(across * np.float32(26.0)) * np.float32(0.03 + 0.10 * frame.texture) * along
    mottle = frame.noise("petal", "rough", angle * 0.5, r * 0.12, 2.0) * np.float32(0.02 + 0.07 * frame.texture)
    curve = 1.0 - 0.34 * across**2 - 0.22 * np.maximum(across, 0.0)
    light = (0.50 + 0.58 * along**0.8) * curve * (1.0 + vein + mottle) - 0.20 * np.exp(
        -np.maximum(outline - r, 0) * 26
    ) * (1 - shape)
    side = 1.0 + 0.20 * np.cos(angle - np.float32(blossom.turn) + 2.2)
    outer = np.clip(along * 1.25 - 0.12 * inward, 0.0, 1.0)
    bright = light * side * np.float32(1.16 * power)
    color = wash(bright * outer, base) + wash(bright * (1.0 - outer), deep)
    shadow = np.clip((outline + 0.10 - r) * 7.0, 0.0, 1.0) * np.float32(0.30)
    work *= spread(1.0 - shadow * cover)
    blend(work, np.asarray(color, np.float32), inside)
    np.maximum(cover, inside, out=cover)


def _heart(
    frame: Frame, work: Picture, cover: Plane, where: tuple[Plane, Plane, Plane], blossom: _Blossom, power: float
) -> None:
    """Paint the disc in the middle: florets on the golden spiral, a dome lit from above."""
    r, x, y = where
    wide = 0.30 - 0.17 * frame.shape
    color: Color = wheel(_HEART, frame.palette + blossom.hue)
    n = 150
    k = np.arange(n)
    spiral = k * 2.39996
    radius = wide * np.sqrt(k / n)
    dots = np.zeros(r.shape, np.float32)
    scale = blossom.radius * frame.size
    x0, y0 = float(x[0, 0]), float(y[0, 0])
    canvas = np.zeros(r.shape, np.uint8)
    squeeze = 1.0 - 0.45 * blossom.tilt
    for px, py, d in zip(radius * np.cos(spiral), radius * np.sin(spiral), radius, strict=True):
        at = (int((px - x0) * scale * 16), int((py - y0) * scale * squeeze * 16))
        cv2.circle(
            canvas,
            at,
            max(int((0.010 + 0.010 * d / wide) * scale * 16), 6),
            int(150 + 105 * d / wide),
            -1,
            cv2.LINE_AA,
            4,
        )
    dots = canvas.astype(np.float32) / 255.0
    inside = np.clip((wide * 1.06 - r) * scale * 0.8 + 0.5, 0.0, 1.0)
    dome = 0.55 + 0.35 * np.clip(1.0 - r / wide, 0, 1) - 0.35 * y / wide * 0.6
    tone = wash(dome * 0.62 + dots * (0.35 + 0.45 * frame.texture), color * np.float32(1.2 * power))
    work *= spread(1.0 - 0.40 * step(wide * 1.5, wide * 0.9, r) * (1.0 - inside))
    blend(work, np.asarray(np.maximum(tone, 0.0), np.float32), inside)
    np.maximum(cover, inside, out=cover)

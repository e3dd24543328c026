"""Abstract: one scalar field (marbling, ribbons, cells or rings, blended by shape) coloured and lit as a relief."""

from __future__ import annotations

import numpy as np

from lookalike.images.samples.frame import Frame
from lookalike.images.samples.noise import Plane
from lookalike.images.samples.paint import Picture, mix, ramp, rgb, step, wheel

__all__ = ["paint_abstract"]

_INK = [
    (0.92, 0.28, 0.22),
    (0.96, 0.62, 0.18),
    (0.34, 0.66, 0.36),
    (0.10, 0.60, 0.68),
    (0.22, 0.32, 0.80),
    (0.72, 0.26, 0.66),
]


def paint_abstract(frame: Frame) -> Picture:
    """Paint the field. Shape blends the four kinds, density adds bands, scale zooms, texture raises the relief."""
    x, y = _place(frame)
    field = _field(frame, x, y)
    grain = frame.noise("grain", "rough", x * 0.9, y * 0.9, 3.0)
    weave = frame.noise("weave", "cloud", x * 0.5, y * 0.5, 1.5)
    bands = np.float32(0.9 + 3.2 * frame.density)
    tone = field * bands + (0.01 + 0.11 * frame.texture**1.5) * grain
    image = _color(frame, tone, weave)
    _relief(frame, image, tone, grain)
    return image


def _place(frame: Frame) -> tuple[Plane, Plane]:
    """Give the coordinates of the field: zoomed by scale, centred and turned by layout, about 0 at the subject."""
    zoom = np.float32(2.6 - 1.9 * frame.scale)
    turn = np.float32(frame.layout * 1.5 - 0.35)
    u = (frame.u - np.float32(0.22 + 0.56 * frame.layout)) * zoom
    v = (frame.v - np.float32(0.62 - 0.24 * frame.layout)) * zoom
    c, s = np.cos(turn), np.sin(turn)
    return np.asarray(c * u - s * v, np.float32), np.asarray(s * u + c * v, np.float32)


def _field(frame: Frame, x: Plane, y: Plane) -> Plane:
    """Blend neighbouring kinds of field along shape, so that a small step of shape is a small change."""
    at = frame.shape * 3.0
    kinds = (_marble, _ribbons, _cells, _rings)
    low = min(int(at), 2)
    share = np.float32(at - low)
    share = share * share * (3 - 2 * share)
    first = kinds[low](frame, x, y) if share < 1.0 else np.float32(0.0)
    second = kinds[low + 1](frame, x, y) if share > 0.0 else np.float32(0.0)
    return np.asarray(first * (1 - share) + second * share, np.float32)


def _marble(frame: Frame, x: Plane, y: Plane) -> Plane:
    """Ink drawn twice through itself."""
    a = frame.noise("warp-a", "smooth", x * 0.30, y * 0.30, 0.6)
    b = frame.noise("warp-b", "smooth", x * 0.30, y * 0.30, 0.6)
    c = frame.noise("warp-c", "smooth", x * 0.3 + a * 0.09, y * 0.3 + b * 0.09, 0.9)
    d = frame.noise("warp-d", "smooth", x * 0.22 + c * 0.07, y * 0.22 - a * 0.06, 0.8)
    return np.asarray(0.36 * d + 0.22 * c + 0.25 * y, np.float32)


def _ribbons(frame: Frame, x: Plane, y: Plane) -> Plane:
    """Long folded ribbons."""
    rng = frame.rng("ribbons")
    p = (rng.random(4) * 6.3).astype(np.float32)
    bend = 0.34 * np.sin(x * 1.9 + p[0]) + 0.18 * np.sin(x * 4.1 + y * 1.2 + p[1])
    soft = frame.noise("ribbon", "smooth", x * 0.16, y * 0.3, 0.5)
    return np.asarray(0.85 * (y + bend) + 0.16 * soft + 0.12 * np.sin(x * 1.1 - y * 2.2 + p[2]), np.float32)


def _cells(frame: Frame, x: Plane, y: Plane) -> Plane:
    """Cells around scattered points: each is flat in the middle and falls at its seams."""
    rng = frame.rng("cells")
    spread = (rng.random((30, 2)) - 0.5) * 3.4
    level = rng.random(30).astype(np.float32)
    warp_x = x + 0.06 * frame.noise("cell-x", "smooth", x * 0.4, y * 0.4, 0.8)
    warp_y = y + 0.06 * frame.noise("cell-y", "smooth", x * 0.4, y * 0.4, 0.8)
    shape = np.broadcast_shapes(warp_x.shape, warp_y.shape)
    first, second = np.full(shape, 99.0, np.float32), np.full(shape, 99.0, np.float32)
    owner = np.zeros(shape, np.float32)
    for (px, py), own in zip(spread.astype(np.float32), level, strict=True):
        away = (warp_x - px) ** 2 + (warp_y - py) ** 2
        nearer = away < first
        second = np.where(nearer, first, np.minimum(second, away))
        owner = np.where(nearer, own, owner)
        first = np.minimum(first, away)
    seam = np.sqrt(second) - np.sqrt(first)
    return np.asarray(owner * 0.9 + 0.35 * step(0.0, 0.16, seam) + 0.25 * np.sqrt(first), np.float32)


def _rings(frame: Frame, x: Plane, y: Plane) -> Plane:
    """Rings that spread from three centres and cross."""
    rng = frame.rng("rings")
    centres = (rng.random((2, 2)) - 0.5) * 1.8
    total = np.hypot(x, y) * 1.1
    for px, py in centres.astype(np.float32):
        total = total + 0.22 * np.sin(np.hypot(x - px, y - py) * 5.0)
    return np.asarray(total, np.float32)


def _color(frame: Frame, tone: Plane, weave: Plane) -> Picture:
    """Run a colour ramp back and forth along the field: deep, ink, pale, accent."""
    ink, accent = wheel(_INK, frame.palette), wheel(_INK, frame.palette + 0.36)
    kin = wheel(_INK, frame.palette + 0.12)
    power = 0.30 + 0.85 * frame.light
    deep = np.asarray(mix(ink, rgb(0.03, 0.04, 0.10), 0.80), np.float32)
    pale = mix(kin, rgb(0.98, 0.94, 0.86), 0.35 + 0.5 * frame.light)
    stops = [deep, ink, pale, kin, accent, deep]
    phase = np.mod(tone * np.float32(0.5) + np.float32(0.03) * weave, 1.0)
    places = [0.0, 0.24, 0.46, 0.62, 0.80, 1.0]
    named = [(at, (float(c[0]), float(c[1]), float(c[2]))) for at, c in zip(places, stops, strict=True)]
    return np.asarray(ramp(named, phase) * np.float32(power), np.float32)


def _relief(frame: Frame, image: Picture, tone: Plane, grain: Plane) -> None:
    """Light the field from the upper left, with a gloss on the slopes that face it."""
    height = np.sin(tone * np.float32(np.pi)) + np.float32(0.35 * frame.texture) * grain * 0.3
    down, across = np.gradient(height)
    gain = np.float32(frame.size * (0.012 + 0.030 * frame.texture))
    slope = np.clip(-(across + down) * gain * 0.7, -1.6, 1.6)
    image *= np.clip(1.0 + 0.42 * slope, 0.35, 1.6)[..., None]
    image += (step(0.5, 1.5, slope) * np.float32(0.28 * (0.3 + frame.light)))[..., None]

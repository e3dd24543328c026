"""Forest: trunks that fade into mist row behind row, a canopy, shafts of light, a floor of leaves and ferns."""

from __future__ import annotations

import cv2
import numpy as np

from lookalike.images.samples.conifers import conifer
from lookalike.images.samples.frame import Frame
from lookalike.images.samples.paint import (
    Color,
    Picture,
    blend,
    blur,
    fade,
    filtered,
    mix,
    polygons,
    raised,
    ramp,
    rgb,
    spread,
    step,
    wash,
    wheel,
)

__all__ = ["paint_forest"]

_LEAF = [
    (0.30, 0.46, 0.12),
    (0.12, 0.38, 0.20),
    (0.16, 0.36, 0.36),
    (0.40, 0.34, 0.44),
    (0.66, 0.26, 0.12),
    (0.76, 0.52, 0.12),
]
_BARK = [
    (0.24, 0.19, 0.14),
    (0.20, 0.18, 0.15),
    (0.22, 0.23, 0.24),
    (0.26, 0.21, 0.23),
    (0.26, 0.18, 0.13),
    (0.40, 0.36, 0.31),
]
_LIGHT = [
    (0.0, (0.24, 0.36, 0.60)),
    (0.25, (0.52, 0.46, 0.60)),
    (0.45, (1.0, 0.76, 0.50)),
    (0.7, (1.0, 0.94, 0.76)),
    (1.0, (1.0, 1.0, 0.94)),
]
_ROWS = 5


def paint_forest(frame: Frame) -> Picture:
    """Paint the wood. Density and scale set the trunks, shape goes from leafy to coniferous, texture to rough bark."""
    light = ramp(_LIGHT, frame.light)
    power = 0.42 + 0.73 * frame.light
    leaf = wheel(_LEAF, frame.palette)
    glow = np.asarray(
        mix(np.asarray(leaf * 0.95 + 0.34, np.float32), light, 0.62) * light * min(power + 0.12, 1.12), np.float32
    )
    floor = 0.56 + 0.24 * frame.layout
    sun = (0.18 + 0.64 * frame.rng("sun").random(), 0.12 + 0.22 * frame.layout)
    image = _backdrop(frame, glow, leaf, sun, floor)
    for row in range(_ROWS):
        near = row / (_ROWS - 1)
        fog = (1.0 - near) ** 1.15 * (0.50 + 0.46 * frame.haze) + 0.06 * frame.haze
        foot = floor + 0.30 * near**1.7
        _floor_row(frame, image, row, foot, fog, glow, leaf, power)
        _trunks(frame, image, row, foot, fog, glow, light, power)
        if 0 < row < _ROWS - 1:
            _foliage(frame, image, row, fog, glow, leaf, power)
    _shafts(frame, image, light, sun, power)
    _canopy(frame, image, glow, leaf, power)
    return image


def _backdrop(frame: Frame, glow: Color, leaf: Color, sun: tuple[float, float], floor: float) -> Picture:
    """Paint the far wood, out of focus: a glow behind blurred leaves."""
    away = np.hypot(frame.u - np.float32(sun[0]), (frame.v - np.float32(sun[1])) * np.float32(0.8))
    halo = np.exp(-away / 0.28)[..., None]
    image = np.asarray(glow * (0.62 + 0.65 * halo), np.float32)
    mass = frame.flat("far", "cloud", 0.9, 0.8)
    dark = np.asarray(leaf * 0.55 * glow, np.float32)
    blend(image, dark, step(-0.4, 1.6, mass) * np.float32(0.62 * (1.0 - 0.6 * frame.haze)))
    gaps = frame.flat("gaps", "cloud", 1.6)
    blend(image, np.asarray(glow * 1.35, np.float32), step(0.9, 2.0, gaps) * 0.7 * step(floor, floor - 0.3, frame.v))
    return image


def _floor_row(
    frame: Frame, image: Picture, row: int, foot: float, fog: float, glow: Color, leaf: Color, power: float
) -> None:
    """One strip of ground, with an uneven edge, down to the bottom of the picture."""
    rise = (
        frame.noise(f"rise{row}", "cloud", frame.u * 0.5, np.zeros((1, 1), np.float32), 0.6)
        * 0.014
        * (1 + frame.texture)
    )
    cover = np.clip((frame.v - (foot - 0.03 + rise)) * frame.size * (0.12 if row == 0 else 0.35) + 0.5, 0.0, 1.0)
    near = (frame.v - np.float32(foot - 0.06)) + np.float32(0.05)
    litter = frame.noise(f"litter{row}", "rough", (frame.u - 0.5) * 0.9, 0.16 / near, 2.0)
    patch = frame.noise("patch", "cloud", frame.u * 0.7, frame.v * 1.6, 1.2)
    earth = mix(rgb(0.22, 0.16, 0.10), leaf, 0.55)
    fresh = np.asarray(leaf * 1.15, np.float32)
    green = step(-0.6, 1.0, patch)
    color: Picture = wash(green, fresh) + wash(1.0 - green, earth)
    color = filtered(color, glow * 1.05) * spread(0.72 + (0.14 + 0.30 * frame.texture) * litter)
    pools = step(0.55, 1.5, frame.noise("pools", "cloud", frame.u * 0.8, frame.v * 2.6, 1.5))
    color += wash(pools, glow * fresh * np.float32(0.55 * power * (1.0 - 0.7 * frame.haze)))
    color = fade(color, glow, np.full_like(pools, fog))
    blend(image, np.asarray(np.maximum(color, 0.0), np.float32), np.asarray(cover, np.float32))


def _trunks(
    frame: Frame, image: Picture, row: int, foot: float, fog: float, glow: Color, light: Color, power: float
) -> None:
    """One row of trunks, round by shading and rough by bark; spruces where shape says so."""
    rng = frame.rng(f"trunks{row}")
    near = row / (_ROWS - 1)
    most = round(30 - 24 * near**0.7)
    shapes, spruces = [], []
    for k in range(most):
        place, girth, lean, turn, kind = rng.random(5)
        child = int(rng.integers(2**31))
        grown = float(np.clip((0.07 + 1.05 * frame.density**1.4 - turn) * 6.0, 0.0, 1.0))
        x = (k + 0.15 + 0.7 * place) / most * 1.1 - 0.05
        wide = (0.006 + 0.045 * near**1.5) * (0.22 + 2.2 * frame.scale) * (0.6 + 0.8 * girth) * grown
        if wide < 0.0012:
            continue
        own = np.random.default_rng(child)
        base = foot + 0.012 * np.sin(k * 2.3) + 0.02 * near
        if 0.08 + 0.84 * kind < frame.shape and row < _ROWS - 1:
            tall = (0.30 + 0.55 * near) * (0.65 + 0.7 * girth) * (0.6 + 0.6 * frame.scale) * grown
            spruces.append(conifer(x, base, tall, own, 22))
        outline = _trunk(x, base, wide, (lean - 0.5) * 0.10 * (1.2 - frame.shape), own)
        shapes.append(outline)
    if not shapes:
        return
    mask = polygons(frame.size, shapes)
    bark = wheel(_BARK, frame.palette)
    grain = frame.noise(f"bark{row}", "rough", frame.u * (3.2 - 1.8 * near), frame.v * 0.55, 4.0)
    lit = cv2.GaussianBlur(mask, (0, 0), max(frame.size * (0.004 + 0.016 * near * (0.4 + frame.scale)), 0.6))
    rim = np.clip(np.roll(lit, -max(int(frame.size * 0.01), 1), 1) - lit + 0.25, 0.0, 1.0)
    tone = np.asarray(bark * light * np.float32((0.45 + 0.6 * power) * (1.0 - fog)), np.float32)
    color = wash(np.maximum(0.40 + (0.05 + 0.26 * frame.texture) * grain + 1.5 * rim * power, 0.0), tone)
    color = raised(color, glow * np.float32(fog))
    blend(image, np.asarray(np.maximum(color, 0.0), np.float32), mask)
    if spruces:
        needles = np.asarray(wheel(_LEAF, frame.palette) * 0.32 * light * (0.4 + 0.6 * power), np.float32)
        tuft = frame.noise(f"needles{row}", "rough", frame.u * 2.0, frame.v * 3.0, 4.0)
        green = wash(np.maximum(1.0 + 0.4 * tuft, 0.2), needles * np.float32(1.0 - fog)) + glow * np.float32(fog)
        blend(image, np.asarray(np.maximum(green, 0.0), np.float32), polygons(frame.size, spruces) * np.float32(0.95))


def _trunk(x: float, base: float, wide: float, lean: float, rng: np.random.Generator) -> np.ndarray:
    """Outline a trunk from its flared foot to above the picture, a little crooked."""
    v = np.linspace(base, -0.05, 9)
    t = (base - v) / (base + 0.05)
    bend = np.cumsum(rng.normal(0.0, 0.004, 9)) + lean * t
    half = wide * (0.5 - 0.22 * t) * (1.0 + 0.9 * np.exp(-t * 22))
    return np.vstack([np.column_stack([x + bend - half, v]), np.column_stack([x + bend + half, v])[::-1]])


def _foliage(frame: Frame, image: Picture, row: int, fog: float, glow: Color, leaf: Color, power: float) -> None:
    """Leaves hanging between the rows, and ferns above the ground: clumps with ragged edges."""
    clump = frame.flat(f"clump{row}", "cloud", 0.7 + 0.3 * row, 0.8)
    ragged = frame.flat(f"ragged{row}", "rough", 1.5)
    high = step(0.72, 0.0, frame.v) * (1.2 - 0.75 * frame.shape)
    edge = 2.3 - 1.75 * high - 0.35 * frame.density
    mask = step(0.0, 0.35, clump + (0.45 + 0.35 * frame.texture) * ragged - edge) * np.float32(0.85)
    back = np.maximum(0.55 + 0.30 * ragged + 0.35 * power * clump.clip(0, 2), 0.0)
    color = wash(back, leaf * glow * np.float32(1.15 * (1.0 - fog)))
    color = raised(color, glow * np.float32(fog))
    blend(image, np.asarray(np.maximum(color, 0.0), np.float32), np.asarray(mask, np.float32))


def _shafts(frame: Frame, image: Picture, light: Color, sun: tuple[float, float], power: float) -> None:
    """Beams that fan out from the sun through the gaps, strongest in mist."""
    angle = np.arctan2(frame.v - np.float32(sun[1] - 0.25), frame.u - np.float32(sun[0]))
    away = np.hypot(frame.u - np.float32(sun[0]), frame.v - np.float32(sun[1] - 0.25))
    beam = frame.noise("beams", "cloud", angle * np.float32(0.55), away * 0.02, 0.6)
    strength = step(0.1, 1.5, beam) * np.exp(-away / 0.55) * np.float32((0.25 + 0.75 * frame.haze) * power * 0.75)
    image += wash(strength + np.exp(-away / np.float32(0.20)) * np.float32(0.35 * power), light)


def _canopy(frame: Frame, image: Picture, glow: Color, leaf: Color, power: float) -> None:
    """Near leaves at the top, out of focus and partly lit through."""
    body = frame.flat("canopy", "cloud", 0.9)
    fine = frame.flat("leaves", "rough", 2.2)
    reach = (0.12 + 0.26 * (1.0 - frame.layout)) * (1.25 - 0.95 * frame.shape)
    edge = 0.2 + 5.0 * (frame.v - np.float32(reach * (0.5 + 0.5 * frame.density)))
    mask = blur(step(0.0, 0.7, body + 0.4 * fine - edge), frame.size * 0.004) * np.float32(0.92)
    color = wash(np.clip(0.34 + 0.30 * fine + 0.45 * power * step(0.2, 1.5, fine), 0.06, 1.4), leaf * glow)
    blend(image, np.asarray(color, np.float32), np.asarray(mask, np.float32))

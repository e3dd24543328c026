"""Ocean: waves in perspective that mirror the sky, a path of light, cliffs, sails and birds."""

from __future__ import annotations

import cv2
import numpy as np

from lookalike.images.samples.frame import Frame
from lookalike.images.samples.noise import Plane
from lookalike.images.samples.paint import (
    Color,
    Picture,
    blend,
    fade,
    fill,
    mix,
    polygons,
    rgb,
    spread,
    step,
    wash,
    wheel,
)
from lookalike.images.samples.sky import Sky, make_sky, paint_sky

__all__ = ["paint_ocean"]

_WATER = [
    (0.02, 0.30, 0.42),
    (0.03, 0.46, 0.47),
    (0.10, 0.38, 0.26),
    (0.30, 0.32, 0.30),
    (0.22, 0.20, 0.40),
    (0.04, 0.16, 0.42),
]


def paint_ocean(frame: Frame) -> Picture:
    """Paint the sea. Shape raises cliffs, density adds sails, birds and clouds, texture and scale make the waves."""
    horizon = 0.30 + 0.36 * frame.layout
    side = 1.0 if frame.rng("side").random() < 0.5 else -1.0
    sky = make_sky(frame, horizon, 0.5 + side * (0.30 - 0.34 * frame.layout), tint=0.38)
    image = paint_sky(frame, sky, clouds=0.12 + 0.62 * frame.density, disc=0.016 + 0.034 * frame.scale)
    cliffs = _cliffs(frame, image, sky, side)
    _sea(frame, image, sky, cliffs)
    _sails(frame, image, sky)
    _birds(frame, image, sky)
    return image


def _cliffs(frame: Frame, image: Picture, sky: Sky, side: float) -> Plane:
    """Raise headlands on the side away from the sun, the far ones paler; return their cover of the picture."""
    away = frame.u if side < 0 else 1.0 - frame.u
    cover = np.zeros((frame.size, frame.size), np.float32)
    for k, (reach, tall, air) in enumerate(((0.98, 0.09, 0.72), (0.72, 0.17, 0.45), (0.44, 0.30, 0.14))):
        grown = float(np.clip(frame.shape * 1.5 - 0.12 * k, 0.0, 1.0))
        if grown <= 0.0:
            continue
        crest = frame.noise(
            f"crest{k}", "ridged", frame.u * (0.5 + 0.4 * frame.texture), np.zeros((1, 1), np.float32), 0.8
        )
        body = step(reach, reach * 0.35, away + crest * 0.05) ** np.float32(0.7)
        height = tall * grown * body * (1.0 + (0.16 + 0.16 * frame.texture) * crest)
        top = np.float32(sky.horizon + 0.004 + 0.012 * k) - np.maximum(height, 0.0)
        inside = np.clip((frame.v - top) * frame.size + 0.5, 0.0, 1.0) * (frame.v < sky.horizon + 0.004 + 0.012 * k)
        inside = inside * step(0.0, 0.012, height)
        rock = frame.noise(f"rock{k}", "ridged", frame.u * 1.7, frame.v * 1.1 + crest * 0.04, 1.7)
        shade = np.clip(0.66 + (0.22 + 0.16 * frame.texture) * rock + 0.5 * (frame.v - top), 0.12, 1.5)
        green = step(0.05, 0.0, (frame.v - top) + 0.012 * rock)
        color: Picture = wash(shade * (1.0 - green), sky.ambient * rgb(0.36, 0.30, 0.26)) + wash(
            shade * green, sky.ambient * rgb(0.20, 0.30, 0.13)
        )
        color = fade(color, mix(sky.low, sky.ambient, 0.2), np.full_like(shade, air * (0.4 + 0.6 * frame.haze)))
        blend(image, np.asarray(color, np.float32), np.asarray(inside, np.float32))
        cover = np.maximum(cover, inside.astype(np.float32))
    return cover


def _waves(frame: Frame, below: Plane) -> tuple[Plane, Plane]:
    """Give the height of the waves and their slope towards the viewer, about -1 to 1 each."""
    span = np.float32(0.050 - 0.036 * frame.scale)
    near = below + np.float32(0.018)
    x = (frame.u - np.float32(0.5)) * (span * 1.1 / near)
    y = span * 2.0 / near
    reach = np.float32(0.012 + 0.010 * frame.scale)
    rough = np.float32(0.25 + 0.75 * frame.texture)
    height = frame.noise("swell", "smooth", x * 1.2, y * 2.0, 0.5)
    slope = frame.noise("swell", "smooth", x * 1.2, (y + reach) * 2.0, 0.5) - height
    chop = frame.noise("chop", "cloud", x * 2.6, y * 4.2, 2.0)
    slope = slope * 2.4 + rough * (frame.noise("chop", "cloud", x * 2.6, (y + reach * 0.5) * 4.2, 2.0) - chop) * 1.1
    return height + rough * 0.5 * chop, slope


def _sea(frame: Frame, image: Picture, sky: Sky, cliffs: Plane) -> None:
    below = np.maximum(frame.v - np.float32(sky.horizon), 0.0)
    height, slope = _waves(frame, below)
    bend = slope * (0.05 + 0.18 * frame.texture) * np.minimum(below * 6.0 + 0.12, 1.0)
    mirrored = np.clip(
        np.float32(2 * sky.horizon) - frame.v * 0.9 - 0.1 * sky.horizon - np.abs(bend) * 1.6 + bend * 0.4,
        -0.9,  # beyond the top of the picture the sky is reflected back into it
        sky.horizon - 0.004,
    )
    across = frame.u + bend * 0.25
    seen = cv2.remap(
        image,
        np.ascontiguousarray(
            np.broadcast_to(across * frame.size - 0.5, below.shape[:1] + frame.u.shape[1:]), np.float32
        ),
        np.ascontiguousarray(mirrored * frame.size - 0.5, np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    deep = wheel(_WATER, frame.palette) * (sky.ambient * 0.9 + 0.05)
    body = wash(0.45 + 0.9 * np.clip(0.5 + 0.28 * height, 0.0, 1.4), deep)
    fresnel = np.clip(0.16 + 0.62 * np.exp(-below * 5.5) - 0.30 * bend / 0.1 * 0.3, 0.04, 0.9)
    water = body + (seen * np.float32(0.9) - body) * spread(fresnel)
    water += wash(_glitter(frame, sky, slope, below), sky.sun_color)
    _foam(frame, water, sky, height, below)
    shore = step(0.004 + cliffs.max() * 0.002, 0.0, below) * 0.25
    blend(water, sky.low, shore)
    blend(image, np.asarray(water, np.float32), step(0.0, 1.5 / frame.size, below) * (1.0 - cliffs))


def _glitter(frame: Frame, sky: Sky, slope: Plane, below: Plane) -> Plane:
    """Give the broken path of light under the sun; it widens towards the viewer."""
    width = np.float32(0.028 + 0.05 * frame.scale) + below * np.float32(0.16 + 0.22 * frame.texture)
    path = np.exp(-(((frame.u - np.float32(sky.sun[0])) / width) ** 2))
    sparkle = step(-0.15, 0.85, slope) * 0.9 + 0.14
    low = np.float32(max(0.0, 1.15 - 1.3 * max(frame.light - 0.3, 0.0)))
    return np.asarray(path * sparkle * np.float32(sky.glow) * low * np.exp(-below * 1.2), np.float32)


def _foam(frame: Frame, water: Picture, sky: Sky, height: Plane, below: Plane) -> None:
    near = below + np.float32(0.018)
    span = np.float32(0.11 - 0.06 * frame.scale)
    lace = frame.noise("foam", "rough", (frame.u - np.float32(0.5)) * (span / near) * 2.0, span * 3.4 / near, 1.5)
    edge = 2.9 - 2.1 * frame.texture
    white = step(edge, edge + 0.9, height + 0.45 * lace) * np.minimum(below * 9.0, 1.0) * np.exp(-below * 2.2) * 0.85
    blend(water, np.asarray(sky.ambient * 0.92 + 0.05, np.float32), np.asarray(white, np.float32))


def _sails(frame: Frame, image: Picture, sky: Sky) -> None:
    """Set up to six sails on the water, the nearer ones larger; each grows in as density passes its turn."""
    rng = frame.rng("sails")
    canvas = (np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
    cloth: Color = np.asarray(sky.ambient * 0.95 + 0.03, np.float32)
    for k in range(6):
        u, down, lean, extra = rng.random(4)
        grown = float(np.clip(frame.density * 7.0 - 0.8 - k, 0.0, 1.0))
        if grown <= 0.0:
            continue
        down = 0.008 + 0.16 * down**2
        tall = (0.022 + 0.42 * down) * (0.75 + 0.7 * frame.scale) * grown
        x, y = 0.06 + 0.88 * u, sky.horizon + down
        slant = (lean - 0.5) * 0.2 * tall
        mast = np.array([x + slant, y - tall])
        fill(canvas, np.array([mast, [x + tall * 0.42, y - tall * 0.16], [x, y - tall * 0.14]]), cloth)
        fill(
            canvas,
            np.array([mast, [x - tall * 0.30, y - tall * 0.18], [x - tall * 0.04, y - tall * 0.14]]),
            np.asarray(cloth * 0.8, np.float32),
        )
        hull = np.array(
            [
                [x - tall * 0.34, y - tall * 0.10],
                [x + tall * 0.44, y - tall * 0.11],
                [x + tall * 0.33, y],
                [x - tall * 0.24, y],
            ]
        )
        fill(
            canvas,
            hull,
            np.asarray(wheel([(0.5, 0.1, 0.08), (0.12, 0.2, 0.42), (0.9, 0.9, 0.85)], extra) * sky.ambient, np.float32),
        )
        dim = polygons(
            frame.size,
            [np.array([[x - tall * 0.2, y], [x + tall * 0.35, y], [x + tall * 0.1 + slant, y + tall * 0.8]])],
        )
        canvas = (canvas * (1.0 - 0.22 * dim[..., None])).astype(np.uint8)
    image[:] = canvas.astype(np.float32) / 255.0


def _birds(frame: Frame, image: Picture, sky: Sky) -> None:
    rng = frame.rng("birds")
    wings = []
    for k in range(14):
        u, v, size, tilt = rng.random(4)
        grown = float(np.clip(frame.density * 16.0 - 4.0 - k, 0.0, 1.0))
        r = (0.008 + 0.012 * size) * grown * (0.7 + 0.6 * frame.scale)
        x, y = 0.05 + 0.9 * u, sky.horizon * (0.25 + 0.6 * v)
        if grown > 0.0:
            lift = r * (0.5 + 0.5 * tilt)
            wings.append(
                np.array(
                    [
                        [x - r, y - lift],
                        [x - r * 0.35, y - lift * 0.75],
                        [x, y],
                        [x + r * 0.4, y - lift * 0.8],
                        [x + r, y - lift * 0.7],
                        [x + r * 0.4, y - lift * 0.5],
                        [x, y + r * 0.22],
                        [x - r * 0.4, y - lift * 0.45],
                    ]
                )
            )
    blend(image, np.asarray(sky.ambient * 0.16, np.float32), polygons(frame.size, wings) * np.float32(0.85))

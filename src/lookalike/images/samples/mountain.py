"""Mountain: a marched height field with rock, snow, woods, a lake that mirrors it, and air in between."""

from __future__ import annotations

import cv2
import numpy as np

from lookalike.images.samples.conifers import conifer_stand
from lookalike.images.samples.frame import Frame
from lookalike.images.samples.noise import Plane, gradients, sample
from lookalike.images.samples.paint import Picture, blend, fade, mix, raised, rgb, spread, step, wash, wheel
from lookalike.images.samples.sky import Sky, make_sky, paint_sky
from lookalike.images.samples.terrain import Camera, Land, march

__all__ = ["paint_mountain"]

_ROCK = [
    (0.42, 0.39, 0.37),
    (0.52, 0.38, 0.28),
    (0.58, 0.46, 0.28),
    (0.36, 0.40, 0.32),
    (0.30, 0.36, 0.44),
    (0.42, 0.34, 0.44),
]
_GRASS = [
    (0.20, 0.32, 0.15),
    (0.42, 0.30, 0.12),
    (0.40, 0.40, 0.14),
    (0.16, 0.36, 0.16),
    (0.14, 0.30, 0.24),
    (0.32, 0.22, 0.26),
]


def paint_mountain(frame: Frame) -> Picture:
    """Paint the range. Shape sharpens the peaks, scale raises them, density grows the woods, texture the crags."""
    horizon = 0.78 - 0.26 * frame.layout
    sky = make_sky(frame, horizon, 0.24 + 0.52 * frame.rng("sun").random(), tint=0.3)
    image = paint_sky(frame, sky, clouds=0.18 + 0.35 * frame.haze, disc=0.018)
    relief, corner = _relief(frame), frame.rng("land").random(2).astype(np.float32)
    zoom = np.float32(0.105 - 0.05 * frame.scale)
    tall = np.float32(0.85 + 1.35 * frame.scale)

    def look(x: Plane, z: Plane) -> Picture:
        return sample(relief, x * zoom + corner[0], z * zoom + corner[1])

    def raise_land(x: Plane, z: Plane) -> Plane:
        return tall * _envelope(z) * (look(x, z)[..., 0] * np.float32(0.38) + np.float32(0.30)) + _floor(z)

    camera = Camera(height=0.34, horizon=horizon, near=0.55, far=16.0)
    land = march(frame, camera, raise_land)
    color = _ground(frame, sky, land, look(land.x, land.z), tall, zoom)
    blend(image, color, land.mask)
    _lake(frame, image, sky, camera, land, raise_land(land.x, land.z))
    conifer_stand(frame, image, sky, base=1.03, count=26, rows=2)
    return image


def _envelope(z: Plane) -> Plane:
    """Low in front, the range behind, a second range far away."""
    return np.asarray(step(1.6, 4.6, z) * (1.0 - 0.45 * step(6.0, 8.5, z)) + 0.9 * step(8.5, 13.0, z), np.float32)


def _floor(z: Plane) -> Plane:
    return np.asarray(-0.16 * step(4.2, 1.4, z) + 0.14 * step(1.15, 0.55, z), np.float32)


def _relief(frame: Frame) -> Picture:
    """Mix the height field and its slopes: round hills, sharp crests, and rough stone."""
    sharp, rough = np.float32(frame.shape), np.float32(0.05 + 0.22 * frame.texture)
    smooth = gradients("smooth") * (1.0 - 0.85 * sharp)
    return np.asarray(smooth + gradients("ridged") * (0.12 + 0.95 * sharp) + gradients("cloud") * rough, np.float32)


def _ground(frame: Frame, sky: Sky, land: Land, seen: Picture, tall: np.float32, zoom: np.float32) -> Picture:
    """Colour the land by height and slope, light it from the sun's side, and fade it into the air."""
    slope = seen[..., 1:] * (tall * zoom * np.float32(0.38))
    height = tall * _envelope(land.z) * (seen[..., 0] * np.float32(0.38) + np.float32(0.30))
    side = np.float32(1.0 if sky.sun[0] > 0.5 else -1.0)
    steep = np.sqrt(1.0 + (slope**2).sum(axis=2))
    facing = (0.62 - side * 0.75 * slope[..., 0] + 0.25 * slope[..., 1]) / steep
    speck = frame.noise("speck", "rough", land.x * 0.9, land.z * 0.9, 2.5)
    patch = frame.noise("woods", "cloud", land.x * 0.28, land.z * 0.28, 1.2)
    grown = step(0.9 - 1.9 * frame.density, 1.4 - 1.9 * frame.density, patch)
    green = wheel(_GRASS, frame.palette)
    color: Picture = wash((1.0 - grown) * (1.0 + 0.30 * speck), green) + wash(
        grown * (1.0 + 0.35 * speck), green * rgb(0.42, 0.50, 0.48)
    )
    high = step(0.16, 0.42, height / tall * 1.25 + 0.05 * speck + 0.10 * (steep - 1.0))
    stone = wash(1.0 + 0.22 * (0.4 + frame.texture) * speck, wheel(_ROCK, frame.palette))
    color += (stone - color) * spread(high)
    line = 0.62 - 0.24 * (1.0 - frame.warmth) - 0.05
    snow = step(line, line + 0.16, height / tall * 1.15 + 0.05 * speck - 0.10 * (steep - 1.25))
    color = fade(color, rgb(0.96, 0.98, 1.02), snow * np.float32(0.95))
    direct = mix(sky.ambient, sky.sun_color, 0.5 * (1.0 - sky.night)) * sky.ambient * np.float32(1.05)
    fill_in = mix(sky.zenith, sky.ambient, 0.45) * np.float32(0.42)
    lit = color * raised(wash(np.clip(facing, 0.0, 1.25), direct), fill_in)
    air = 1.0 - np.exp(-np.maximum(land.z - 1.0, 0.0) * np.float32(0.025 + 0.17 * frame.haze))
    mist = np.exp(-np.maximum(height, 0.0) * 2.6) * step(2.0, 6.0, land.z) * np.float32(0.65 * frame.haze)
    return fade(lit, mix(sky.low, sky.ambient, 0.15), np.clip(np.maximum(air, mist), 0.0, 0.96))


def _lake(frame: Frame, image: Picture, sky: Sky, camera: Camera, land: Land, height: Plane) -> None:
    """Flood what lies under the valley's level; far away, a mirror about eye level is a true reflection."""
    surface = np.float32(camera.height + 0.02) / np.maximum(frame.v - np.float32(camera.horizon), 1e-3)
    wet = step(0.01, -0.025, height) * land.mask * (frame.v > camera.horizon)
    ripple = frame.noise("ripple", "cloud", (frame.u - 0.5) * surface * 0.5, surface * 1.5, 2.0) * np.float32(
        0.004 + 0.02 * frame.texture
    )
    up = (np.float32(2 * camera.horizon) - frame.v + ripple + np.float32(0.02)) * frame.size - 0.5
    along = np.broadcast_to((frame.u + ripple * 0.3) * frame.size - 0.5, up.shape)
    mirror = cv2.remap(
        image,
        np.ascontiguousarray(along, np.float32),
        np.ascontiguousarray(up, np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    water = mirror * np.float32(0.80) + mix(sky.zenith, sky.ambient, 0.2) * np.float32(0.06)
    blend(image, np.asarray(water, np.float32), np.asarray(wet, np.float32))

"""The sky by time of day: gradient, sun or moon, stars, clouds in perspective; and the light it gives."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lookalike.images.samples.frame import Frame
from lookalike.images.samples.paint import Color, Picture, blend, fixed, mix, ramp, spread, step, wash, wheel

__all__ = ["Sky", "make_sky", "paint_sky"]

_ZENITH = [
    (0.0, (0.015, 0.025, 0.085)),
    (0.16, (0.05, 0.075, 0.22)),
    (0.32, (0.17, 0.20, 0.42)),
    (0.48, (0.25, 0.38, 0.62)),
    (0.7, (0.20, 0.43, 0.76)),
    (1.0, (0.14, 0.41, 0.82)),
]
_HORIZON = [
    (0.0, (0.05, 0.085, 0.18)),
    (0.16, (0.36, 0.27, 0.42)),
    (0.32, (0.99, 0.52, 0.28)),
    (0.48, (0.98, 0.74, 0.52)),
    (0.7, (0.84, 0.87, 0.88)),
    (1.0, (0.74, 0.88, 0.97)),
]
_SUN = [(0.0, (0.80, 0.87, 1.0)), (0.22, (1.0, 0.45, 0.22)), (0.45, (1.0, 0.78, 0.48)), (1.0, (1.0, 0.97, 0.9))]
_AMBIENT = [
    (0.0, (0.085, 0.115, 0.22)),
    (0.16, (0.20, 0.19, 0.31)),
    (0.32, (0.60, 0.44, 0.38)),
    (0.48, (0.93, 0.78, 0.60)),
    (0.7, (1.0, 0.95, 0.84)),
    (1.0, (1.06, 1.05, 1.0)),
]
_TINTS = [
    (1.0, 0.55, 0.42),
    (0.98, 0.75, 0.40),
    (0.70, 0.88, 0.62),
    (0.45, 0.86, 0.90),
    (0.52, 0.62, 1.0),
    (0.86, 0.52, 0.92),
]


@dataclass(frozen=True, slots=True)
class Sky:
    """Colours and geometry of the light outdoors.

    Attributes
    ----------
    zenith, low, sun_color, ambient : Color
        Of the sky overhead, of the sky at the horizon, of the sun or moon, and of what the ground receives.
    sun : tuple of float
        Where the sun or moon stands, (u, v).
    glow : float
        How strong it shines, 0 to 1.
    night : float
        1 at night, 0 by day.
    horizon : float
        v of the horizon.
    """

    zenith: Color
    low: Color
    sun_color: Color
    ambient: Color
    sun: tuple[float, float]
    glow: float
    night: float
    horizon: float


def make_sky(frame: Frame, horizon: float, sun_u: float, tint: float = 0.3) -> Sky:
    """Derive the light from the factors light and palette; `tint` says how far the palette colours the sky."""
    light = frame.light**0.8
    hue = wheel(_TINTS, frame.palette)
    tinted = [
        color * mix(np.ones(3, np.float32), hue * 1.25, tint) for color in (ramp(_ZENITH, light), ramp(_HORIZON, light))
    ]
    night = float(step(0.24, 0.1, np.array(light)))
    height = 0.02 + 0.72 * max(light - 0.26, 0.0) if night < 0.5 else 0.62 - 1.8 * light
    return Sky(
        zenith=tinted[0],
        low=tinted[1],
        sun_color=ramp(_SUN, light),
        ambient=ramp(_AMBIENT, light),
        sun=(sun_u, horizon - height * min(horizon, 0.9)),
        glow=float(0.45 * night + step(0.2, 0.34, np.array(light)) * (1.0 - 0.35 * light)),
        night=night,
        horizon=horizon,
    )


def paint_sky(frame: Frame, sky: Sky, clouds: float, disc: float = 0.022) -> Picture:
    """Paint the sky over the whole picture; `clouds` is the cover (0 to 1), `disc` the radius of the sun."""
    height = np.clip((np.float32(sky.horizon) - frame.v) / np.float32(max(sky.horizon, 0.35)), 0.0, 1.0)
    share = (height ** np.float32(0.62))[..., None]
    column = sky.low + (sky.zenith - sky.low) * share
    image = np.repeat(column.astype(np.float32), frame.size, axis=1)
    away = np.hypot(frame.u - np.float32(sky.sun[0]), frame.v - np.float32(sky.sun[1]))
    halo = np.exp(-away / np.float32(0.16)) * 0.55 + np.exp(-away / np.float32(0.5)) * 0.22
    image += wash(halo * np.float32(sky.glow * (0.45 if sky.night > 0.5 else 1.0)), sky.sun_color)
    if sky.night > 0.3:
        _stars(frame, image, sky)
    face = step(disc + 1.2 / frame.size, disc - 1.2 / frame.size, away)
    moon = mix(np.array([1.0, 0.97, 0.88], np.float32), sky.sun_color, 0.3) * 1.05
    blend(
        image,
        np.asarray(sky.sun_color * 1.5 + 0.25 if sky.night < 0.5 else moon, np.float32),
        face * np.float32(min(1.0, sky.glow * 1.8)),
    )
    _clouds(frame, image, sky, clouds)
    return image


def _stars(frame: Frame, image: Picture, sky: Sky) -> None:
    rng = frame.rng("stars")
    places, bright = rng.random((160, 2)), rng.random(160) ** 3
    layer = np.zeros((frame.size, frame.size), np.uint8)
    radius = max(frame.size * 0.0017, 0.55)
    for place, value in zip(fixed(places, frame.size), bright, strict=True):
        cv2.circle(layer, (int(place[0]), int(place[1])), int(radius * 16), int(60 + 195 * value), -1, cv2.LINE_AA, 4)
    fade = step(sky.horizon, sky.horizon - 0.35, frame.v) * np.float32(sky.night / 255.0)
    image += spread(layer * fade)


def _clouds(frame: Frame, image: Picture, sky: Sky, cover: float) -> None:
    """Spread a sheet of clouds above the viewer: near the horizon they shrink and pack together."""
    above = np.maximum(np.float32(sky.horizon) - frame.v, 0.0) + np.float32(0.11)
    span = np.float32(0.07 + 0.10 * frame.scale)
    y = span * 1.6 / above
    x = (frame.u - np.float32(0.5)) * (span * 1.35 / above) * np.float32(1.0)
    soft = frame.noise("clouds", "smooth", x, y, 0.6)
    detail = frame.noise("clouds", "cloud", x * 1.5, y * 1.5, 1.2)
    toward = np.float32(0.02)
    body = 0.6 * soft + 0.6 * detail
    lit = 0.6 * (detail - frame.noise("clouds", "cloud", x * 1.5, (y - toward) * 1.5, 1.2)) + 0.12 * soft
    edge = 1.35 - 2.2 * cover
    amount = step(edge, edge + 1.15, body) * step(sky.horizon + 0.01, sky.horizon - 0.08, frame.v) * np.float32(0.92)
    bright = np.clip(
        np.float32(0.58) + lit * np.float32(0.8) - np.maximum(body - edge - 0.8, 0.0) * np.float32(0.16), 0.0, 1.2
    )
    shadow = mix(sky.low, sky.ambient, 0.5) * np.float32(0.62)
    top = mix(sky.sun_color, sky.ambient, 0.45) * np.float32(1.02 - 0.72 * sky.night)
    blend(image, wash(bright, top) + wash(1.0 - bright, shadow), amount)

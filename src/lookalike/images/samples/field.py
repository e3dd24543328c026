"""Field: rolling farmland in rows to the horizon, hedges and trees, flowers in the grass, a wide sky."""

from __future__ import annotations

import numpy as np

from lookalike.images.samples.frame import Frame
from lookalike.images.samples.noise import Plane, sample, texture
from lookalike.images.samples.paint import Picture, blend, fade, mix, raised, spread, step, wash, wheel
from lookalike.images.samples.sky import Sky, make_sky, paint_sky
from lookalike.images.samples.terrain import Camera, Land, march
from lookalike.images.samples.trees import tree_line

__all__ = ["paint_field"]

_CROP = [
    (0.80, 0.62, 0.22),
    (0.42, 0.56, 0.16),
    (0.24, 0.50, 0.26),
    (0.40, 0.36, 0.66),
    (0.66, 0.34, 0.62),
    (0.82, 0.30, 0.24),
]
_SOIL = [
    (0.46, 0.34, 0.16),
    (0.20, 0.30, 0.10),
    (0.30, 0.24, 0.15),
    (0.26, 0.34, 0.16),
    (0.22, 0.32, 0.16),
    (0.18, 0.32, 0.12),
]


def paint_field(frame: Frame) -> Picture:
    """Paint the land. Shape makes it roll, scale widens the rows, density plants trees, texture roughens the crop."""
    horizon = 0.34 + 0.30 * frame.layout
    sky = make_sky(frame, horizon, 0.22 + 0.56 * frame.rng("sun").random(), tint=0.12)
    image = paint_sky(frame, sky, clouds=0.26 + 0.34 * frame.rng("cover").random(), disc=0.018)
    corner = frame.rng("land").random(2).astype(np.float32)
    swell = np.float32(0.02 + 0.80 * frame.shape**1.2)
    relief = texture("smooth", 1)

    def raise_land(x: Plane, z: Plane) -> Plane:
        wide = sample(relief, x * np.float32(0.055) + corner[0], z * np.float32(0.055) + corner[1])
        return (wide - np.float32(0.5)) * swell * step(0.3, 3.0, z) - np.float32(0.22 * frame.shape)

    camera = Camera(height=0.36, horizon=horizon, near=0.35, far=24.0, spread=1.2, steps=140)
    land = march(frame, camera, raise_land)
    slope = raise_land(land.x + np.float32(0.15), land.z) - raise_land(land.x - np.float32(0.15), land.z)
    blend(image, _ground(frame, sky, land, slope), land.mask)
    tree_line(frame, image, sky, _crest(land))
    return image


def _crest(land: Land) -> Plane:
    """Give, per column, the v of the skyline of the land."""
    size = land.mask.shape[0]
    return np.asarray(1.0 - land.mask.sum(axis=0) / size, np.float32)


def _ground(frame: Frame, sky: Sky, land: Land, slope: Plane) -> Picture:
    crop, soil = wheel(_CROP, frame.palette), wheel(_SOIL, frame.palette)
    parcel = _parcels(frame, land)
    other = wheel(_CROP, frame.palette + 0.17)
    base = wash(parcel, other) + wash(1.0 - parcel, crop)
    rows = _rows(frame, land, parcel)
    tuft = frame.noise("tuft", "rough", land.x * 1.6, land.z * 0.8, 5.0)
    broad = frame.noise("broad", "cloud", land.x * 0.25, land.z * 0.16, 1.0)
    color = base * spread(rows) + wash(1.0 - rows, soil)
    near = np.exp(-land.z * np.float32(0.10))
    color *= spread(1.0 + (0.03 + 0.50 * frame.texture) * tuft * near + 0.10 * broad)
    _petals(frame, color, land)
    side = np.float32(1.0 if sky.sun[0] > 0.5 else -1.0)
    facing = np.clip(0.86 - side * slope * 2.4, 0.3, 1.35)
    cloud_shade = 1.0 - 0.32 * step(0.2, 1.3, frame.noise("shade", "smooth", land.x * 0.05, land.z * 0.05, 0.6))
    light = mix(sky.ambient, sky.sun_color, 0.3 * (1.0 - sky.night)) * sky.ambient**0.5
    lit = color * raised(wash(facing * cloud_shade, light), sky.zenith * np.float32(0.14))
    back = np.exp(-(((frame.u - np.float32(sky.sun[0])) / 0.35) ** 2)) * np.float32(0.35 * sky.glow * (1 - frame.light))
    lit += wash(back * step(0.2, 9.0, land.z), sky.sun_color) * color
    air = 1.0 - np.exp(-land.z * np.float32(0.012 + 0.11 * frame.haze))
    return fade(lit, mix(sky.low, sky.ambient, 0.1), air * np.float32(0.96))


def _parcels(frame: Frame, land: Land) -> Plane:
    """Cut the distance into parcels of two crops; near the viewer there is one."""
    turn = np.float32(frame.rng("parcels").random() - 0.5)
    bands = np.sin((land.z * 0.9 + land.x * turn) * 1.3) * np.sin((land.x + land.z * 0.3 * turn) * 0.7 + 1.0)
    return np.asarray(step(0.0, 0.12, bands) * step(2.6, 4.0, land.z) * 0.85, np.float32)


def _rows(frame: Frame, land: Land, parcel: Plane) -> Plane:
    """Give the cover of the crop: ridges running away from the viewer, bent a little, fading where too fine."""
    rng = frame.rng("rows")
    lean = np.float32((frame.layout - 0.5) * 1.6 + 0.2 * (rng.random() - 0.5))
    pitch = np.float32(0.07 + 0.30 * frame.scale)
    bow = np.float32(0.45 * frame.shape) * np.sin(land.z * np.float32(0.9) + np.float32(6.3 * rng.random()))
    jag = frame.noise("jag", "rough", land.x * 1.2, land.z * 1.2, 4.0) * np.float32(0.01 + 0.15 * frame.texture)
    phase = (land.x + lean * land.z + bow + parcel * land.z * 0.8) / pitch + jag
    wave = np.float32(0.5) + np.float32(0.5) * np.sin(phase * np.float32(2 * np.pi))
    sharp = step(0.12, 0.62, wave)
    footprint = land.z * np.float32(1.2 / frame.size) / pitch * (1.0 + abs(lean))
    seen = step(0.55, 0.12, footprint)
    return np.asarray(0.68 + (sharp - 0.68) * seen * 0.92, np.float32)


def _petals(frame: Frame, color: Picture, land: Land) -> None:
    """Scatter flowers in the grass, in drifts; density says how many."""
    drift = frame.noise("drift", "cloud", land.x * 0.2, land.z * 0.2, 1.0)
    dots = frame.noise("dots", "rough", land.x * 3.1, land.z * 1.9, 9.0)
    edge = 3.0 - 2.2 * frame.density
    there = step(edge, edge + 0.5, dots + 0.55 * drift) * step(9.0, 1.5, land.z)
    hue = wheel([(0.95, 0.92, 0.80), (0.86, 0.16, 0.12), (0.98, 0.80, 0.16), (0.92, 0.88, 0.96)], frame.palette + 0.1)
    blend(color, hue, np.asarray(there, np.float32))

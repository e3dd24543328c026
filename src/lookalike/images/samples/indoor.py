"""Indoor: a furnished room with a window, daylight on the floor, a lamp for the evening, pictures on the wall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookalike.images.samples.frame import Frame
from lookalike.images.samples.furniture import FABRICS, furnish
from lookalike.images.samples.noise import Plane
from lookalike.images.samples.paint import Picture, blend, fade, fill, mix, raised, ramp, rgb, spread, step, wash, wheel
from lookalike.images.samples.room import BACK, CEILING, FLOOR, Box, Room, Seen, cast, superellipse

__all__ = ["paint_indoor"]

_WALLS = [
    (0.86, 0.66, 0.56),
    (0.90, 0.80, 0.58),
    (0.70, 0.78, 0.62),
    (0.60, 0.76, 0.78),
    (0.58, 0.66, 0.82),
    (0.80, 0.68, 0.78),
]
_DAY = [
    (0.0, (0.02, 0.035, 0.09)),
    (0.22, (0.24, 0.20, 0.36)),
    (0.42, (0.95, 0.60, 0.38)),
    (0.65, (0.95, 0.90, 0.80)),
    (1.0, (0.95, 1.0, 1.06)),
]
_LAMP = np.array([1.0, 0.72, 0.42], np.float32)


@dataclass(frozen=True, slots=True)
class _Setting:
    """Where the window (x, y, half width, half height), the sofa and the lamp (x, y, z) are."""

    window: tuple[float, float, float, float]
    sofa: float
    lamp: tuple[float, float, float]


def paint_indoor(frame: Frame) -> Picture:
    """Paint the room. Layout moves the window and the view, shape rounds things, density furnishes, scale enlarges."""
    room = Room(
        1.95, 2.55, 4.3, 1.30 + 0.25 * frame.layout, (0.34 + 0.32 * frame.layout, 0.43 + 0.06 * frame.layout), 1.12
    )
    swing = (0.5 - frame.layout) * 2.0
    window_x, size = 0.95 * swing, 0.78 + 0.42 * frame.scale
    setting = _Setting(
        (window_x, 1.55, 0.52 + 0.34 * frame.scale, 0.58 + 0.24 * frame.scale),
        -0.42 * swing,
        (-0.42 * swing - (1.42 * size if swing > 0 else -1.42 * size), 1.12 + 0.45 * size, room.deep - 0.45),
    )
    boxes = furnish(frame, room, setting.sofa)
    seen = cast(frame, room, boxes)
    albedo = _surfaces(frame, setting, seen, boxes)
    table = _table_top(frame, room, setting, seen, albedo)
    image = np.asarray(albedo * _light(frame, room, setting, seen, boxes, table), np.float32)
    _window(frame, image, room, setting, seen)
    _lamp(frame, image, room, setting)
    _plant(frame, image, room, setting)
    return image


def _surfaces(frame: Frame, setting: _Setting, seen: Seen, boxes: list[Box]) -> Picture:
    """Give the colour of everything in white light."""
    wall = mix(wheel(_WALLS, frame.palette), rgb(0.9, 0.88, 0.84), 0.12)
    colors = [np.zeros(3, np.float32), rgb(0.90, 0.89, 0.87), wall, wall, wall, *[box.color for box in boxes]]
    albedo = np.array(colors, np.float32)[seen.what]
    grain = frame.noise(
        "plaster", "cloud", (seen.x + seen.z) * 0.3, np.where(seen.what == CEILING, seen.z - seen.x, seen.y) * 0.3, 1.4
    )
    fibre = frame.noise("fibre", "rough", (seen.x + seen.z) * 1.7, seen.y * 1.7 + seen.z * 0.6, 5.0)
    cloth = np.array([0.0] * 5 + [1.0 if box.material == "cloth" else 0.35 for box in boxes], np.float32)[seen.what]
    albedo *= spread(1.0 + (0.01 + 0.075 * frame.texture) * grain + cloth * (0.02 + 0.17 * frame.texture) * fibre)
    on_floor = seen.what == FLOOR
    albedo[on_floor] = _floor(frame, seen, setting)[on_floor]
    _pictures(frame, setting, seen, albedo)
    for index, box in enumerate(boxes):
        if box.material == "books":
            _books(frame, seen, albedo, box, seen.what == 5 + index)
    skirting = (seen.y < 0.11) & (seen.what > CEILING) & (seen.what <= BACK)
    albedo[skirting] = rgb(0.88, 0.86, 0.82)
    return albedo


def _floor(frame: Frame, seen: Seen, setting: _Setting) -> Picture:
    """Planks, and a rug that goes from square to oval."""
    plank = np.floor(seen.x / np.float32(0.16))
    tone = np.sin(
        plank * np.float32(91.7) + np.floor(seen.z / 1.3 + np.sin(plank * np.float32(37.0))) * np.float32(17.3)
    )
    grain = frame.noise("wood", "rough", seen.x * 1.6 + plank * 0.37, seen.z * 0.16, 4.0)
    seam = step(0.03, 0.10, np.abs(np.mod(seen.x / np.float32(0.16), 1.0) - np.float32(0.5)) * -2.0 + 1.0)
    wood = rgb(0.52, 0.35, 0.21) * (0.80 + 0.24 * frame.rng("wood").random())
    color = wash(
        (1.0 + (0.04 + 0.13 * frame.texture) * tone + (0.03 + 0.17 * frame.texture) * grain) * (0.80 + 0.20 * seam),
        wood,
    )
    wide = 0.75 + 0.65 * frame.scale
    radius = superellipse(
        (seen.x - np.float32(setting.sofa)) / np.float32(wide * 1.25),
        (seen.z - np.float32(2.55)) / np.float32(wide * 0.85),
        frame.shape,
    )
    rug = wheel(FABRICS, frame.palette + 0.08)
    pale = mix(rug, rgb(0.92, 0.88, 0.80), 0.72)
    stripes = step(-0.2, 0.2, np.sin(radius * np.float32(6.0 + 26.0 * frame.density)))
    pile = frame.noise("pile", "rough", seen.x * 2.4, seen.z * 2.4, 6.0)
    woven = 1.0 + (0.03 + 0.22 * frame.texture) * pile
    cloth = wash(woven * stripes, pale) + wash(woven * (1.0 - stripes), rug)
    blend(color, np.asarray(cloth, np.float32), step(1.0, 0.985, radius))
    return np.asarray(color, np.float32)


def _pictures(frame: Frame, setting: _Setting, seen: Seen, albedo: Picture) -> None:
    """Hang up to five pictures on the back wall, beside the window."""
    rng = frame.rng("pictures")
    back = seen.what == BACK
    for k in range(5):
        place, tall, tone, turn = rng.random(4)
        if frame.density < 0.08 + 0.18 * k:
            continue
        wide = (0.15 + 0.10 * place) * (0.75 + 0.5 * frame.scale)
        high = wide * (0.8 + 0.6 * tall)
        away = -1.0 if setting.window[0] > 0 else 1.0
        x = setting.sofa + away * (-0.35 + 0.52 * k * (0.7 + 0.5 * frame.scale)) * 0.9
        if abs(x - setting.window[0]) < setting.window[2] + wide + 0.22:
            continue
        y = 1.62 + 0.12 * (turn - 0.5)
        radius = superellipse(
            (seen.x - np.float32(x)) / np.float32(wide), (seen.y - np.float32(y)) / np.float32(high), frame.shape
        )
        frame_color = mix(rgb(0.12, 0.10, 0.09), rgb(0.72, 0.55, 0.30), float(turn))
        blend(albedo, frame_color, step(1.02, 1.0, radius) * back)
        blend(albedo, rgb(0.93, 0.91, 0.87), step(0.90, 0.885, radius) * back)
        paint = frame.noise(f"art{k}", "smooth", seen.x * 0.9, seen.y * 0.9, 1.5)
        ink = wheel(FABRICS, frame.palette + 0.5 * tone)
        share = step(-0.6, 0.8, paint + 0.6 * np.sin(seen.y * 14.0 + 6.3 * tone))
        art = wash(share, ink) + wash(
            1.0 - share, mix(wheel(FABRICS, frame.palette + 0.5 * tone + 0.45), rgb(0.95, 0.9, 0.8), 0.5)
        )
        blend(albedo, art, step(0.70, 0.685, radius) * back)


def _books(frame: Frame, seen: Seen, albedo: Picture, box: Box, mask: np.ndarray) -> None:
    """Fill a case with rows of spines of uneven height and colour; texture and density fill the gaps."""
    x, y = seen.x[mask], seen.y[mask]
    pitch = (box.high[1] - box.low[1]) / 6
    row, column = np.floor(y / pitch), np.floor((x - box.low[0]) / 0.045)
    rng = frame.rng("books")
    table, tones = rng.random(997), rng.random((997, 3))
    key = (row * 31 + column * 7 + 3).astype(int) % 997
    tall = 0.55 + 0.38 * table[key]
    there = (y / pitch - row < tall) & (table[(key * 5) % 997] < 0.45 + 0.6 * frame.density)
    hue = np.array([wheel(FABRICS, frame.palette + 0.5 * t) for t in np.linspace(0, 1, 16)], np.float32)
    spine = hue[(tones[key, 0] * 15).astype(int)] * (0.55 + 0.75 * tones[key, 1:2]).astype(np.float32)
    albedo[mask] = np.where(there[:, None], spine, box.color * np.float32(0.42))


def _table_top(frame: Frame, room: Room, setting: _Setting, seen: Seen, albedo: Picture) -> Plane:
    """Lay the low table's top, square to round, over what is seen; return its shadow on the floor."""
    size = 0.78 + 0.42 * frame.scale
    z0, wide, deep, y = room.deep - 1.75 * size, 0.60 * size, 0.36 * size, 0.38 * size
    for height in (y - 0.025, y):
        z = np.float32(room.eye - height) / np.maximum(
            (frame.v - np.float32(room.vanish[1])) * np.float32(room.spread), 1e-3
        )
        x = (frame.u - np.float32(room.vanish[0])) * np.float32(room.spread) * z
        radius = superellipse(
            (x - np.float32(setting.sofa)) / np.float32(wide), (z - np.float32(z0)) / np.float32(deep), frame.shape
        )
        inside = (radius < 1.0) & (z < seen.z + 0.02)
        tone = rgb(0.50, 0.34, 0.21) * np.float32(1.15 if height == y else 0.55)
        grain = frame.noise("top", "rough", x * 0.25, z * 2.0, 4.0)
        albedo[inside] = np.outer(1.0 + 0.14 * frame.texture * grain[inside], tone)
        seen.what[inside] = 4  # not the floor: it gets no shadow of its own
        seen.z[inside], seen.x[inside], seen.y[inside] = np.broadcast_to(z, inside.shape)[inside], x[inside], height
        seen.normal[inside] = rgb(0.0, 1.0, 0.0)
    under = superellipse(
        (seen.x - np.float32(setting.sofa)) / np.float32(wide),
        (seen.z - np.float32(z0)) / np.float32(deep),
        frame.shape,
    )
    return np.asarray(np.float32(0.5) * step(1.35, 0.7, under) * (seen.what == FLOOR), np.float32)


def _light(frame: Frame, room: Room, setting: _Setting, seen: Seen, boxes: list[Box], table: Plane) -> Picture:
    """Add what reaches each point: bounce, the window's soft light, its patch of sun, the lamp; less in corners."""
    day = ramp(_DAY, frame.light)
    wx, wy, ww, _ = setting.window
    lx, ly, lz = wx - seen.x, wy - seen.y, np.float32(room.deep + 0.25) - seen.z
    far = np.sqrt(lx * lx + ly * ly + lz * lz)
    facing = (seen.normal[..., 0] * lx + seen.normal[..., 1] * ly + seen.normal[..., 2] * lz) / far
    soft = np.clip(facing * 0.75 + 0.32, 0.05, 1.0) / (0.55 + 0.32 * far * far) * np.float32(1.1 + 0.9 * ww)
    corner = np.ones_like(seen.z)
    for gap in (room.half - np.abs(seen.x), seen.y, room.tall - seen.y, room.deep - seen.z):
        corner = corner * (1.0 - 0.20 * np.exp(-np.maximum(gap, 0.0) / np.float32(0.22)))
    corner = corner * (1.0 - _contact(seen, boxes)) * (1.0 - table)
    power = np.float32(0.16 + 0.40 * frame.light)
    light = wash(power + soft, day)
    light += wash(_sun_patch(frame, room, setting, seen), mix(day, rgb(1.0, 0.86, 0.6), 0.5) * np.float32(1.5))
    evening = np.float32(max(0.0, 1.0 - 1.25 * frame.light))
    ax, ay, az = (np.float32(p) - q for p, q in zip(setting.lamp, (seen.x, seen.y, seen.z), strict=True))
    near = ax * ax + ay * ay + az * az
    turned = (seen.normal[..., 0] * ax + seen.normal[..., 1] * ay + seen.normal[..., 2] * az) / np.sqrt(near + 1e-4)
    warm = np.clip(0.4 + 0.6 * turned, 0.08, 1.0) / (0.5 + near * 0.5)
    light += wash(warm + np.float32(0.10), _LAMP * evening)
    light = raised(light, rgb(0.035, 0.04, 0.06))
    return light * spread(corner.astype(np.float32))


def _contact(seen: Seen, boxes: list[Box]) -> Plane:
    """Darken the floor close to what stands on it."""
    floor = seen.what == FLOOR
    x, z = seen.x[floor], seen.z[floor]
    free = np.ones_like(x)
    for box in boxes:
        if box.low[1] > 0.12 or box.high[0] - box.low[0] < 0.05:
            continue
        dx = np.maximum(np.maximum(box.low[0] - x, x - box.high[0]), 0.0)
        dz = np.maximum(np.maximum(box.low[2] - z, z - box.high[2]), 0.0)
        free = free * (1.0 - 0.5 * np.exp(-(dx + dz) / np.float32(0.20)))
    shade = np.zeros_like(seen.z)
    shade[floor] = np.minimum(1.0 - free, 0.75)
    return shade


def _pane(frame: Frame, setting: _Setting, x: Plane, y: Plane, soft: float) -> Plane:
    """Give 1 where the glass is: a form from square to arched, divided by bars."""
    wx, wy, ww, wh = setting.window
    a, b = (x - np.float32(wx)) / np.float32(ww), (y - np.float32(wy)) / np.float32(wh)
    inside = step(1.0 + soft, 1.0 - soft, superellipse(a, b, 0.85 * frame.shape))
    bars = step(0.02, 0.035 + soft, np.abs(a)) * step(0.02, 0.035 + soft, np.abs(b - np.float32(0.25)))
    return np.asarray(inside * bars, np.float32)


def _sun_patch(frame: Frame, room: Room, setting: _Setting, seen: Seen) -> Plane:
    """Follow the sun's ray back from each point to the wall of the window, and see whether it met the glass."""
    up = np.float32(0.42 + 0.75 * frame.light)
    aside = np.float32(0.30 * (1.0 if setting.window[0] < 0 else -1.0) + 0.35 * (frame.light - 0.6))
    run = np.float32(room.deep) - seen.z
    met = _pane(frame, setting, seen.x - aside * run, seen.y + up * run, 0.05)
    strength = float(np.clip((frame.light - 0.25) * 2.2, 0.0, 1.0)) * (1.0 - 0.75 * frame.haze)
    facing = np.clip(
        seen.normal[..., 1] * up - seen.normal[..., 0] * aside * 0.8 + seen.normal[..., 2] * 0.3 + 0.15, 0.0, 1.2
    )
    return np.asarray(met * facing * np.float32(strength) * (run > 0.05), np.float32)


def _window(frame: Frame, image: Picture, room: Room, setting: _Setting, seen: Seen) -> None:
    """Show the outside through the glass, with a painted casing and curtains."""
    wx, wy, ww, wh = setting.window
    back = (seen.what == BACK) & (seen.z > room.deep - 0.01)
    a, b = (seen.x - np.float32(wx)) / np.float32(ww), (seen.y - np.float32(wy)) / np.float32(wh)
    casing = step(1.13, 1.115, superellipse(a, b, 0.85 * frame.shape)) * back
    day = ramp(_DAY, frame.light)
    evening = max(0.0, 1.0 - 1.25 * frame.light)
    blend(
        image,
        np.asarray(rgb(0.9, 0.89, 0.86) * (0.20 + 0.5 * day) + 0.22 * evening * _LAMP, np.float32),
        casing,
    )
    trees = frame.noise("view", "cloud", seen.x * 0.5, seen.y * 0.35, 1.4)
    leaf = rgb(0.28, 0.40, 0.20) * day
    sky = wash(0.95 + 0.28 * np.clip(b, -1, 1), day) + np.float32(0.05)
    outside = fade(
        np.asarray(sky, np.float32),
        leaf,
        step(-0.15, 0.25, 0.35 * trees - b - 0.35) * np.float32(0.8 - 0.4 * frame.haze),
    )
    lights = step(1.6, 2.1, frame.noise("town", "rough", seen.x * 1.4, seen.y * 1.4, 3.0)) * step(0.1, -0.3, b)
    outside = outside + wash(lights, _LAMP * np.float32(evening))
    blend(
        image, np.asarray(outside * np.float32(1.12), np.float32), _pane(frame, setting, seen.x, seen.y, 0.012) * back
    )
    fold = 0.72 + 0.28 * np.sin(seen.x * np.float32(52.0) + np.sin(seen.y * 2.1))
    edge = np.abs(a) - np.float32(1.12) - 0.05 * np.sin(seen.y * 3.0)
    hung = step(0.0, 0.03, edge) * step(0.42, 0.39, edge) * (seen.y < wy + wh * 1.22) * (seen.y > 0.05) * back
    cloth = mix(wheel(FABRICS, frame.palette + 0.2), rgb(0.94, 0.92, 0.88), 0.55)
    blend(image, wash(fold, cloth * (0.30 + 0.62 * day + 0.35 * evening * _LAMP)), np.asarray(hung * 0.94, np.float32))


def _lamp(frame: Frame, image: Picture, room: Room, setting: _Setting) -> None:
    """Stand a lamp beside the sofa, glowing in the evening."""
    x, y, z = setting.lamp
    u, v = room.project(x, y, z)
    foot = room.project(x, 0.02, z)[1]
    unit = 1.0 / (z * room.spread)
    canvas = (np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
    dark = rgb(0.10, 0.09, 0.08) + 0.12 * ramp(_DAY, frame.light)
    w = 0.014 * unit
    fill(canvas, np.array([[u - w, v], [u + w, v], [u + w, foot], [u - w, foot]]), dark)
    fill(canvas, np.array([[u - 10 * w, foot], [u + 10 * w, foot], [u + 8 * w, foot - w], [u - 8 * w, foot - w]]), dark)
    image[:] = canvas.astype(np.float32) / 255.0
    evening = max(0.0, 1.0 - 1.25 * frame.light)
    size = (0.20 + 0.10 * frame.scale) * unit
    flare = np.float32(1.0) - np.float32(0.22 * (1 - frame.shape)) * (np.float32(v) - frame.v) / np.float32(size)
    radius = superellipse(
        (frame.u - np.float32(u)) / (np.float32(size) * flare),
        (frame.v - np.float32(v)) / np.float32(size * 0.85),
        frame.shape,
    )
    body = step(1.0 + 0.6 / frame.size / size, 1.0 - 0.6 / frame.size / size, radius)
    color = rgb(0.86, 0.80, 0.70) * ramp(_DAY, frame.light) * 0.62 + _LAMP * np.float32(1.45 * evening)
    blend(image, np.asarray(color, np.float32), body)
    away = np.hypot(frame.u - np.float32(u), frame.v - np.float32(v))
    image += wash(np.exp(-away / np.float32(0.12)) * np.float32(0.40 * evening), _LAMP)


def _plant(frame: Frame, image: Picture, room: Room, setting: _Setting) -> None:
    """Put a plant near the viewer, on the side of the window; roughness makes its leaves many."""
    if frame.density < 0.28:
        return
    rng = frame.rng("plant")
    side = 1.0 if setting.window[0] > 0 else -1.0
    z = 2.55
    u, foot = room.project(side * (room.half - 0.40), 0.0, z)
    unit = (0.75 + 0.5 * frame.scale) / (z * room.spread) * min(1.0, (frame.density - 0.24) * 6)
    canvas = (np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
    day = ramp(_DAY, frame.light)
    glow = np.asarray(0.16 + 0.62 * day + 0.28 * max(0.0, 1 - 1.3 * frame.light) * _LAMP, np.float32)
    pot = wheel(FABRICS, frame.palette + 0.15) * glow
    fill(
        canvas,
        np.array(
            [
                [u - 0.15 * unit, foot - 0.30 * unit],
                [u + 0.15 * unit, foot - 0.30 * unit],
                [u + 0.11 * unit, foot],
                [u - 0.11 * unit, foot],
            ]
        ),
        np.asarray(pot, np.float32),
    )
    for _ in range(26):
        turn, long, bend, tone = rng.random(4)
        s = np.linspace(0.0, 1.0, 9)
        angle = (turn - 0.5) * 2.3
        reach = (0.40 + 0.50 * long) * unit
        x = u + np.sin(angle) * reach * s + np.sign(angle) * 0.16 * bend * reach * s**2
        y = foot - 0.28 * unit - np.cos(angle * 0.7) * reach * s + 0.45 * bend * reach * s**2.2
        wide = (0.035 + 0.05 * frame.shape) * unit * np.sin(np.pi * s**0.8)
        leaf = np.vstack([np.column_stack([x - wide, y]), np.column_stack([x + wide, y + wide * 0.3])[::-1]])
        fill(canvas, leaf, np.asarray(rgb(0.16, 0.32, 0.14) * (0.55 + 0.8 * tone) * glow, np.float32))
    image[:] = canvas.astype(np.float32) / 255.0

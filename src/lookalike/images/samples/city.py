"""City: a street in perspective between facades, towers behind them, cars, lamps and a wet road."""

from __future__ import annotations

import cv2
import numpy as np

from lookalike.images.samples.facades import View, build_street, draw_faces, shade_faces
from lookalike.images.samples.frame import Frame
from lookalike.images.samples.noise import Plane
from lookalike.images.samples.paint import Picture, blend, fade, fill, fixed, mix, rgb, step, wash
from lookalike.images.samples.sky import Sky, make_sky, paint_sky
from lookalike.images.samples.trees import draw_tree, leaf_tones

__all__ = ["paint_city"]

_KERB = 1.05


def paint_city(frame: Frame) -> Picture:
    """Paint the street. Shape goes from gabled houses to towers of glass, density adds towers, lights and traffic."""
    rng = frame.rng("view")
    view = View(
        height=0.30 + 0.75 * frame.layout**2,
        horizon=0.70 - 0.20 * frame.layout,
        vanish=0.28 + 0.44 * frame.layout + 0.06 * (rng.random() - 0.5),
    )
    sky = make_sky(frame, view.horizon, view.vanish + 0.30 * (rng.random() - 0.5), tint=0.34)
    image = paint_sky(frame, sky, clouds=0.35, disc=0.022)
    _far_towers(frame, image, sky)
    faces = build_street(frame)
    ids = draw_faces(frame.size, view, faces)
    color = shade_faces(frame, view, sky, faces, ids)
    built = ids >= 0
    image[built] = color[built]
    _road(frame, image, sky, view, built)
    _street_trees(frame, image, sky, view)
    _traffic(frame, image, sky, view)
    _lamps(frame, image, sky, view)
    return image


def _far_towers(frame: Frame, image: Picture, sky: Sky) -> None:
    """Two ranks of distant towers, nearly the colour of the air, some windows lit at night."""
    rng = frame.rng("skyline")
    for rank in range(2):
        steps = 26 + 10 * rank
        heights = (0.04 + 0.30 * rng.random(steps) ** 2) * (0.35 + 0.95 * frame.shape) * (1.0 - 0.3 * rank)
        present = rng.random(steps) < 0.35 + 0.65 * frame.density
        cell = np.clip((frame.u[0] * steps).astype(int), 0, steps - 1)
        top = np.float32(sky.horizon) - (heights * present + 0.015)[cell].astype(np.float32)
        mask = (frame.v > top[None, :]).astype(np.float32)
        tone = mix(
            sky.low, np.asarray(sky.ambient * 0.42, np.float32), (0.26 + 0.26 * rank) * (1.25 - 0.7 * frame.haze)
        )
        blend(image, tone, mask * 0.96)
        dots = frame.noise(f"dots{rank}", "rough", frame.u * 4.0, frame.v * 5.0, 6.0)
        lit = step(1.5, 2.2, dots) * mask * np.float32(max(0.0, 0.9 - 1.9 * frame.light))
        image += wash(lit, rgb(1.0, 0.78, 0.45))


def _ground(frame: Frame, view: View) -> tuple[Plane, Plane]:
    """Give (x, z) of the street plane for each pixel; far away above the horizon."""
    z = np.float32(view.height) / np.maximum(frame.v - np.float32(view.horizon), 1e-3)
    return np.asarray((frame.u - np.float32(view.vanish)) * z, np.float32), np.asarray(z, np.float32)


def _road(frame: Frame, image: Picture, sky: Sky, view: View, built: np.ndarray) -> None:
    """Asphalt, lane marks and pavements; what stands above is mirrored in the wet."""
    x, z = _ground(frame, view)
    speck = frame.noise("asphalt", "rough", x * 0.9, z * 0.5, 3.0)
    broad = frame.noise("wet", "cloud", x * 0.35, z * 0.12, 1.0)
    grey = np.where(np.abs(x) < _KERB, np.float32(0.17), np.float32(0.34)) * (
        1.0 + (0.05 + 0.22 * frame.texture) * speck
    )
    kerb = step(0.06, 0.02, np.abs(np.abs(x) - np.float32(_KERB)))
    dash = (np.mod(z, np.float32(0.9)) < 0.42) * step(0.045, 0.02, np.abs(x)) + step(
        0.04, 0.02, np.abs(np.abs(x) - np.float32(0.95))
    )
    grey = grey + (0.12 * kerb + 0.42 * np.clip(dash, 0, 1)) * step(12.0, 4.0, z)
    color = wash(np.asarray(grey, np.float32), mix(sky.ambient, sky.low, 0.25))
    wobble = broad * 0.006 + speck * np.float32(0.004 + 0.01 * frame.texture)
    up = (2 * np.float32(view.horizon) - frame.v + 0.01 + wobble * 2.0) * frame.size - 0.5
    along = np.broadcast_to((frame.u + wobble) * frame.size - 0.5, up.shape)
    mirror = cv2.remap(
        image,
        np.ascontiguousarray(along, np.float32),
        np.ascontiguousarray(up, np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    mirror = cv2.blur(mirror, (1, max(int(frame.size * 0.03), 1)))
    wet = np.clip(0.22 + 0.30 * step(-0.6, 1.0, broad) + 0.28 * sky.night, 0.0, 0.75) * np.exp(-0.25 / z)
    blend(color, np.asarray(mirror, np.float32), np.asarray(wet, np.float32))
    color = fade(
        color, mix(sky.low, sky.ambient, 0.1), np.float32(1.0) - np.exp(-z * np.float32(0.012 + 0.06 * frame.haze))
    )
    blend(image, color, (step(0.0, 1.5 / frame.size, frame.v - np.float32(view.horizon)) * ~built).astype(np.float32))


def _street_trees(frame: Frame, image: Picture, sky: Sky, view: View) -> None:
    """Trees along the pavements, more of them and larger where the houses are low."""
    rng = frame.rng("avenue")
    canvas = (np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
    for z in (8.0, 6.2, 4.7, 3.3):
        for side in (-1.0, 1.0):
            turn, size = rng.random(2)
            child = int(rng.integers(2**31))
            grown = float(np.clip((1.15 - frame.shape - 0.8 * turn) * 4.0, 0.0, 1.0))
            tall = (0.75 + 0.5 * size) * (0.75 + 0.4 * frame.scale) * grown / z
            if tall > 0.01:
                foot = (view.vanish + side * 1.26 / z, view.horizon + view.height / z)
                own = np.random.default_rng(child)
                draw_tree(canvas, foot, tall, own, leaf_tones(frame, sky, 0.05 * z * (0.3 + frame.haze)), -side, 110)
    image[:] = canvas.astype(np.float32) / 255.0


def _traffic(frame: Frame, image: Picture, sky: Sky, view: View) -> None:
    """Cars from far to near: ours show tail lights on the right, the others head lights on the left."""
    rng = frame.rng("traffic")
    canvas = (np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
    lights = np.zeros((frame.size, frame.size, 3), np.uint8)
    for k in range(14):
        place, lane, tone, turn = rng.random(4)
        if turn > 0.06 + 1.05 * frame.density:
            continue
        z = 9.5 - 0.58 * k + 0.4 * place
        ours = lane < 0.5
        x = (0.34 + 0.36 * (k % 2)) * (1.0 if ours else -1.0)
        s = (0.75 + 0.5 * frame.scale) / z
        cx, ground = view.vanish + x / z, view.horizon + view.height / z
        body = mix(
            rgb(0.55, 0.56, 0.58),
            rgb(0.5, 0.12, 0.1) if tone < 0.4 else rgb(0.08, 0.1, 0.16),
            tone,
        )
        shell = np.array(
            [
                [-0.17, 0.03],
                [-0.175, 0.12],
                [-0.13, 0.15],
                [-0.10, 0.225],
                [0.10, 0.225],
                [0.13, 0.15],
                [0.175, 0.12],
                [0.17, 0.03],
            ]
        )
        pane = np.array([[-0.115, 0.15], [-0.09, 0.21], [0.09, 0.21], [0.115, 0.15]])
        at = np.array([cx, ground])
        flip = np.array([s, -s])
        fill(
            canvas,
            at + np.array([[-0.19, -0.012], [0.19, -0.012], [0.17, 0.05], [-0.17, 0.05]]) * flip,
            np.asarray(sky.ambient * 0.05, np.float32),
        )
        fill(canvas, at + shell * flip, np.asarray(body * (0.25 + 0.75 * sky.ambient), np.float32))
        fill(canvas, at + pane * flip, np.asarray(sky.low * 0.45 + 0.02, np.float32))
        glow = (255, 36, 20) if ours else (255, 240, 205)
        for dx in (-0.135, 0.135):
            spot = fixed(at + np.array([dx, 0.105]) * flip, frame.size)
            cv2.circle(
                lights,
                (int(spot[0]), int(spot[1])),
                max(int(0.026 * s * frame.size * 16), 10),
                glow,
                -1,
                cv2.LINE_AA,
                4,
            )
    image[:] = canvas.astype(np.float32) / 255.0
    _add_glow(frame, image, lights, 0.35 + 0.9 * max(0.0, 0.75 - frame.light))


def _lamps(frame: Frame, image: Picture, sky: Sky, view: View) -> None:
    """Street lamps on both kerbs, lit towards the night."""
    canvas = (np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
    lights = np.zeros((frame.size, frame.size, 3), np.uint8)
    pole = np.asarray(sky.ambient * 0.16, np.float32)
    tall = 1.0 + 0.25 * frame.scale
    for z in (7.2, 5.2, 3.6, 2.3):
        for side in (-1.0, 1.0):
            x, foot = view.vanish + side * 1.16 / z, view.horizon + view.height / z
            top, arm, w = view.horizon + (view.height - tall) / z, view.vanish + side * 0.92 / z, 0.007 / z
            fill(canvas, np.array([[x - w, foot], [x + w, foot], [x + w, top], [x - w, top]]), pole)
            fill(canvas, np.array([[x, top], [arm, top - 0.012 / z], [arm, top], [x, top + 0.016 / z]]), pole)
            spot = fixed(np.array([arm, top + 0.012 / z]), frame.size)
            cv2.circle(
                lights,
                (int(spot[0]), int(spot[1])),
                max(int(0.04 / z * frame.size * 16), 12),
                (255, 205, 130),
                -1,
                cv2.LINE_AA,
                4,
            )
    image[:] = canvas.astype(np.float32) / 255.0
    _add_glow(frame, image, lights, max(0.0, 1.15 - 2.0 * frame.light) * (0.45 + 0.55 * frame.density))


def _add_glow(frame: Frame, image: Picture, lights: np.ndarray, power: float) -> None:
    """Add lights and the halo that a lens gives them."""
    if power <= 0.0:
        return
    sharp = lights.astype(np.float32) * np.float32(power / 255.0)
    small = cv2.resize(sharp, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    halo = (
        cv2.GaussianBlur(small, (0, 0), frame.size * 0.006) * 2.2
        + cv2.GaussianBlur(small, (0, 0), frame.size * 0.02) * 3.5
    )
    image += sharp + cv2.resize(halo, (frame.size, frame.size), interpolation=cv2.INTER_LINEAR)

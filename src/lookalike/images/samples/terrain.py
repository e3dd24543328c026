"""Land in true perspective: a height field, seen from a point above it, resolved for every pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.images.samples.frame import Frame
from lookalike.images.samples.noise import Plane

__all__ = ["Camera", "Land", "march"]

Heights: TypeAlias = Callable[[Plane, Plane], Plane]
"""``heights(x, z)``: the ground's height above the level of the valley, at world positions."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A level camera.

    Attributes
    ----------
    height : float
        Above the valley, in world units.
    horizon : float
        v of eye level.
    near, far : float
        Distances between which the land is drawn.
    spread : float
        World units across the picture, per unit of distance.
    steps : int
        How many distances are looked at.
    """

    height: float
    horizon: float
    near: float
    far: float
    spread: float = 1.0
    steps: int = 160


@dataclass(frozen=True, slots=True)
class Land:
    """What each pixel sees.

    Attributes
    ----------
    mask : float32 (S, S)
        1 where there is land, 0 where there is sky.
    x, z : float32 (S, S)
        World position that is seen; `z` is the distance.
    """

    mask: Plane
    x: Plane
    z: Plane


def march(frame: Frame, camera: Camera, heights: Heights) -> Land:
    """Find, for every pixel, the nearest ground.

    Each column of the picture is one line over the land. Along it the running maximum of the projected height is
    sorted, so one binary search per pixel finds the first ground that reaches it.
    """
    z = np.geomspace(camera.near, camera.far, camera.steps).astype(np.float32)[:, None]
    spread = np.float32(camera.spread)
    x = (frame.u - np.float32(0.5)) * z * spread
    raised = (heights(x, z) - np.float32(camera.height)) / (z * spread)
    reached = np.maximum.accumulate(raised, axis=0)
    index = _first_reaching(reached, np.float32(camera.horizon) - frame.v[:, 0])
    hit = index < camera.steps
    at = np.minimum(index, camera.steps - 1)
    before = np.maximum(at - 1, 0)
    columns = np.broadcast_to(np.arange(frame.size)[None, :], at.shape)
    low, high = raised[before, columns], raised[at, columns]
    rise = np.where(np.abs(high - low) > 1e-6, high - low, np.float32(1.0))
    share = np.clip((np.float32(camera.horizon) - frame.v - low) / rise, 0.0, 1.0)
    depth = z[:, 0]
    seen_z = depth[before] + (depth[at] - depth[before]) * share
    seen_x = (frame.u - np.float32(0.5)) * seen_z * spread
    return Land(hit.astype(np.float32), np.asarray(seen_x, np.float32), np.asarray(seen_z, np.float32))


def _first_reaching(reached: Plane, rows: Plane) -> NDArray[np.int64]:
    """Give the first step, per pixel, whose running maximum is at least the row's height; `steps` for none.

    All columns are searched in one call: column `c` is shifted by ``4 c``, more than any projected height differs.
    """
    steps, columns = reached.shape
    lift = 4.0 * np.arange(columns)
    shelf = (np.clip(reached, -1.5, 1.5).T + lift[:, None]).ravel()
    wanted = (rows[None, :] + lift[:, None]).ravel()
    found = np.searchsorted(shelf, wanted, side="left").reshape(columns, -1)
    return np.asarray((found - steps * np.arange(columns)[:, None]).T, np.int64)

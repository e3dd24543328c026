"""The camera: white balance, haze, bloom, vignette, tone curve, grain."""

from __future__ import annotations

import cv2
import numpy as np

from lookalike.core.types import Pixels
from lookalike.images.samples.frame import Frame
from lookalike.images.samples.noise import Plane
from lookalike.images.samples.paint import Picture, blur, filtered, raised, spread

__all__ = ["finish"]

_GREY = np.array([0.299, 0.587, 0.114], np.float32)


def finish(frame: Frame, image: Picture, size: int) -> Pixels:
    """Develop a painted picture.

    Parameters
    ----------
    frame : Frame
        Gives warmth, haze, texture and the seed of the grain.
    image : float32 (S, S, 3)
        As painted; changed in place.
    size : int
        Side of the result; a larger painting is averaged down.

    Returns
    -------
    uint8 (size, size, 3)
    """
    if image.shape[0] != size:
        image = np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), np.float32)
    np.clip(image, 0.0, 2.0, out=image)
    image += blur(np.maximum(image - np.float32(0.72), 0.0), size * 0.03) * np.float32(0.5)
    image += (image - blur(image, size * 0.012)) * np.float32(0.9 * (frame.texture - 0.35))
    warm = np.float32(frame.warmth - 0.5)
    image = filtered(image, np.array([1.0 + 0.36 * warm, 1.0 + 0.04 * warm, 1.0 - 0.46 * warm], np.float32))
    image = _veil(image, frame.haze)
    image *= spread(_vignette(size))
    image = _tone(_expose(image))
    grain = np.random.default_rng([frame.seed, 5]).standard_normal((size, size), np.float32)
    image += spread(grain * np.float32(0.007 + 0.006 * frame.texture))
    return (np.clip(image, 0.0, 1.0) * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)


def _veil(image: Picture, haze: float) -> Picture:
    """Raise contrast and colour where it is clear; lift blacks towards the mean colour where it is hazy."""
    mean = np.array(cv2.mean(image)[:3], np.float32)
    veil = mean * np.float32(0.62) + np.float32(0.17)
    share = np.float32(0.32 * haze**1.3)
    grey = spread(np.asarray(cv2.transform(image, _GREY[None, :]), np.float32))
    image = grey + (image - grey) * np.float32(1.16 - 0.38 * haze)
    contrast = np.float32(1.10 - 0.2 * haze)
    # contrast about the mean, then the veil: one gain and one offset per channel
    offset = mean * (1 - contrast) * (1 - share) + veil * share
    image *= contrast * (1 - share)
    return raised(image, offset)


def _expose(image: Picture) -> Picture:
    """Open the aperture for a dark picture, as a camera does: half way to a usual mean, so that night stays night."""
    mean = max(sum(cv2.mean(image)[:3]) / 3.0, 1e-3)
    return np.asarray(image * np.float32(np.clip((0.40 / mean) ** 0.5, 0.9, 2.6)), np.float32)


def _vignette(size: int) -> Plane:
    at = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size) - np.float32(0.5)
    radius = at[:, None] ** 2 + at[None, :] ** 2
    return np.asarray(np.float32(1.03) - np.float32(0.42) * radius, np.float32)


def _tone(image: Picture) -> Picture:
    """Bend the tones to a gentle S: deeper shadows, and highlights that roll off towards white instead of clipping."""
    x = np.maximum(image, 0.0)
    knee = np.float32(0.72)
    over = np.maximum(x - knee, 0.0)
    x = np.minimum(x, knee) + over / (np.float32(1.0) + over * np.float32(2.2))
    return np.asarray(x - np.float32(0.24) * x * (np.float32(1.0) - x) * (np.float32(0.5) - x), np.float32)

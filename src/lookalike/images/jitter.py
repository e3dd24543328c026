"""Random changes of colour, to the last bit of meaning those of torchvision on float pictures, without torch.

Pictures are float32 (H, W, 3), meant for [0, 1]. As torchvision does, every change but that of the hue ends by clamping
to [0, 1], whatever the numbers were before; the published views depend on that.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Colours", "brightness", "contrast", "grey", "hue", "jittered", "saturation"]

Colours: TypeAlias = NDArray[np.float32]
"""(H, W, 3)."""

GREY = (0.2989, 0.587, 0.114)
"""torchvision's weights of red, green and blue; they add up to 0.9999."""


def jittered(
    pixels: Colours, amounts: tuple[float, float, float, float], rng: np.random.Generator, share: float = 1.0
) -> Colours:
    """Change brightness, contrast, saturation and hue at random, in random order (torchvision's ``ColorJitter``).

    The first three are multiplied by a factor drawn evenly from ``[max(0, 1 - amount), 1 + amount]``, the hue is turned
    by a part of the colour circle drawn evenly from ``[-amount, amount]``.

    Parameters
    ----------
    pixels : float32 (H, W, 3)
    amounts : tuple of four floats
        Of brightness, contrast, saturation and hue; not negative, that of the hue 0.5 at most.
    rng : numpy.random.Generator
    share : float
        Probability that anything is changed.

    Returns
    -------
    float32 (H, W, 3)

    Examples
    --------
    >>> jittered(np.full((1, 1, 3), 0.5, np.float32), (0.8, 0, 0, 0), np.random.default_rng(1))[0, 0].round(2)
    array([0.86, 0.86, 0.86], dtype=float32)
    """
    changed = rng.random() < share
    order = rng.permutation(4)
    factors = [rng.uniform(max(0.0, 1 - amount), 1 + amount) for amount in amounts[:3]]
    factors.append(rng.uniform(-amounts[3], amounts[3]))
    if not changed:
        return pixels
    for step in order.tolist():
        if amounts[step]:
            pixels = (brightness, contrast, saturation, hue)[step](pixels, factors[step])
    return pixels


def brightness(pixels: Colours, factor: float) -> Colours:
    """Multiply by a factor and clamp, float32 (H, W, 3).

    Examples
    --------
    >>> brightness(np.array([[[0.25, 0.5, -1.0]]], np.float32), 3.0).tolist()
    [[[0.75, 1.0, 0.0]]]
    """
    return np.asarray(np.clip(pixels * np.float32(factor), 0, 1))


def contrast(pixels: Colours, factor: float) -> Colours:
    """Multiply the distance from the mean grey of the picture by a factor and clamp, float32 (H, W, 3).

    Examples
    --------
    >>> contrast(np.array([[[0.2] * 3, [0.6] * 3]], np.float32), 0.0)[0].round(2)
    array([[0.4, 0.4, 0.4],
           [0.4, 0.4, 0.4]], dtype=float32)
    """
    return _blended(pixels, grey(pixels).mean(), factor)


def saturation(pixels: Colours, factor: float) -> Colours:
    """Multiply the distance of every pixel from its own grey by a factor and clamp, float32 (H, W, 3).

    Examples
    --------
    >>> saturation(np.array([[[1.0, 0.0, 0.0]]], np.float32), 0.5)[0, 0].round(2)
    array([0.65, 0.15, 0.15], dtype=float32)
    """
    return _blended(pixels, grey(pixels), factor)


def grey(pixels: Colours) -> Colours:
    """Return the grey of every pixel, float32 (H, W, 1).

    Examples
    --------
    >>> grey(np.ones((1, 1, 3), np.float32))[0, 0].round(4)
    array([0.9999], dtype=float32)
    """
    return (pixels @ np.array(GREY, np.float32))[..., None]


def hue(pixels: Colours, turn: float) -> Colours:
    """Turn the hue by a part of the colour circle in HSV (Smith 1978), float32 (H, W, 3).

    A pixel without colour stays; where numbers lie outside [0, 1], the greatest of a pixel stays as it is and the
    others are clamped, as in torchvision.

    Parameters
    ----------
    pixels : float32 (H, W, 3)
    turn : float
        In [-0.5, 0.5].

    Examples
    --------
    >>> hue(np.array([[[1.0, 0.0, 0.0]]], np.float32), 1 / 3)[0, 0].round(3)
    array([0., 1., 0.], dtype=float32)
    """
    red, green, blue = (np.ascontiguousarray(pixels[..., channel]) for channel in range(3))
    value = np.maximum(np.maximum(red, green), blue)
    spread = value - np.minimum(np.minimum(red, green), blue)
    divisor = np.where(spread == 0, np.float32(1), spread)
    six = np.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor)
    np.copyto(six, (green - blue) / divisor, where=value == red)
    six = six / 6 + np.float32(turn)
    six = 6 * (six - np.floor(six))  # six parts of the colour circle, in [0, 6)
    turned = np.empty_like(pixels)
    for channel, start in enumerate((5, 3, 1)):
        place = six + np.float32(start)
        place -= np.float32(6) * (place >= 6)
        weaker = value - spread * np.clip(np.minimum(place, 4 - place), 0, 1)
        turned[..., channel] = np.where(place >= 4, value, np.clip(weaker, 0, 1))
    return turned


def _blended(pixels: Colours, other: Colours | np.float32, factor: float) -> Colours:
    return np.clip(np.float32(factor) * pixels + np.float32(1 - factor) * other, 0, 1)

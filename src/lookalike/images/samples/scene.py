"""What a rendered photo shows, as numbers: the context, the latent factors, and the seed of the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError, UnknownNameError

__all__ = ["CONTEXTS", "FACTORS", "Scene", "draw_scenes", "factor_gaps"]

CONTEXTS: tuple[str, ...] = (
    "indoor",
    "city",
    "ocean",
    "field",
    "mountain",
    "forest",
    "flower",
    "abstract",
)
"""The kinds of picture, in the order of the rows of an observer's attention."""

FACTORS: tuple[str, ...] = (
    "palette",
    "warmth",
    "light",
    "haze",
    "density",
    "layout",
    "scale",
    "texture",
    "shape",
)
"""The latent factors, each in [0, 1], the same for every context.

========  =========================================================================
palette   family of colours; circular, so 0 and 1 are the same family
warmth    white balance, from cool to warm
light     time of day or brightness, from night to noon
haze      from clear and contrasty to soft and misty
density   how many things there are
layout    where the horizon and the subject sit
scale     how large the things are
texture   roughness of surfaces, from smooth to rough
shape     the main form: rounded or pointed, low or tall, open or closed
========  =========================================================================
"""

_CIRCULAR = FACTORS.index("palette")
_NEAR_SHARE = 0.35
_NEAR_SPREAD = 0.1


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture before it is rendered.

    Attributes
    ----------
    context : str
        One of `CONTEXTS`.
    factors : tuple of float
        One value in [0, 1] per name in `FACTORS`, in that order.
    seed : int
        Decides the incidental detail (which cloud, which branch) that observers ignore; 0 or more.

    Raises
    ------
    InputError
        The context is unknown, or a factor or the seed is out of range.

    Examples
    --------
    >>> Scene("ocean", (0.5,) * len(FACTORS), seed=3).context
    'ocean'
    """

    context: str
    factors: tuple[float, ...]
    seed: int

    def __post_init__(self) -> None:
        if self.context not in CONTEXTS:
            raise UnknownNameError("context", self.context, CONTEXTS)
        if len(self.factors) != len(FACTORS):
            raise InputError(f"a scene has {len(FACTORS)} factors, not {len(self.factors)}")
        for name, value in zip(FACTORS, self.factors, strict=True):
            if not (math.isfinite(value) and 0.0 <= value <= 1.0):
                raise InputError(f"the factor {name} must be in [0, 1], not {value}")
        if self.seed < 0:
            raise InputError(f"the seed of a scene must be 0 or more, not {self.seed}")


def draw_scenes(count: int, seed: int, contexts: Sequence[str] = CONTEXTS) -> list[Scene]:
    """Draw scenes, the contexts as even as possible, with both near and far neighbours among them.

    In each context about two thirds of the scenes are drawn at random from the whole cube of factors; each of the
    others is a small step (standard deviation 0.1 in every factor) away from one of these, so that many
    references have pictures that look much alike, and all have others that do not.

    Parameters
    ----------
    count : int
        How many; 0 or more.
    seed : int
        The same seed gives the same scenes.
    contexts : sequence of str
        Which contexts take turns.

    Returns
    -------
    list of Scene
        Scene `i` has the context ``contexts[i % len(contexts)]``.

    Raises
    ------
    InputError
        A negative count or seed, no context, or an unknown one.

    Examples
    --------
    >>> [scene.context for scene in draw_scenes(3, seed=0, contexts=["ocean", "city"])]
    ['ocean', 'city', 'ocean']
    """
    if count < 0 or seed < 0:
        raise InputError(f"the count and the seed of scenes must be 0 or more, not {count} and {seed}")
    if not contexts:
        raise InputError("scenes need at least one context")
    rng = np.random.default_rng(seed)
    anywhere: dict[str, list[NDArray[np.float64]]] = {context: [] for context in contexts}
    scenes = []
    for index in range(count):
        context = contexts[index % len(contexts)]
        values = _draw_factors(rng, anywhere[context])
        scenes.append(Scene(context, tuple(values.tolist()), int(rng.integers(2**31))))
    return scenes


def _draw_factors(rng: np.random.Generator, anywhere: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Draw one point of the cube: anywhere (then it is remembered), or near one of those."""
    if not anywhere or rng.random() > _NEAR_SHARE:
        anywhere.append(rng.random(len(FACTORS)).round(4))
        return anywhere[-1]
    centre = anywhere[int(rng.integers(len(anywhere)))]
    moved = centre + rng.normal(0.0, _NEAR_SPREAD, len(FACTORS))
    inside = 1.0 - np.abs(1.0 - np.abs(moved))  # reflected at both ends
    inside[_CIRCULAR] = moved[_CIRCULAR] % 1.0
    return np.clip(inside, 0.0, 1.0).round(4)


def factor_gaps(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Say how far apart two sets of factors are, factor by factor.

    Parameters
    ----------
    first, second : float64 (..., F)
        Factors in [0, 1]; ``F == len(FACTORS)``. Leading axes broadcast.

    Returns
    -------
    float64 (..., F)
        In [0, 1]: the absolute difference; for the circular palette, twice the shorter way round.

    Examples
    --------
    >>> zero = np.zeros(len(FACTORS))
    >>> factor_gaps(zero, zero + 0.75)[:2].round(2).tolist()
    [0.5, 0.75]
    """
    gaps = np.abs(np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64))
    way = gaps[..., _CIRCULAR]
    gaps[..., _CIRCULAR] = 2.0 * np.minimum(way, 1.0 - way)
    return gaps

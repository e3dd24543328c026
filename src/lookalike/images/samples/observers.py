"""Simulated people, whose idea of alike depends on what they look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.images.samples.scene import CONTEXTS, FACTORS, Scene, factor_gaps

__all__ = ["Observer", "simulated_observers"]

_SHARED: dict[str, dict[str, float]] = {
    "indoor": {"warmth": 0.40, "shape": 0.25, "density": 0.20},
    "city": {"density": 0.45, "layout": 0.40},
    "ocean": {"light": 0.50, "palette": 0.35},
    "field": {"palette": 0.35, "texture": 0.45},
    "mountain": {"shape": 0.50, "haze": 0.35},
    "forest": {"density": 0.40, "scale": 0.40},
    "flower": {"palette": 0.40, "shape": 0.45},
    "abstract": {"scale": 0.30, "texture": 0.30, "palette": 0.25},
}
"""What people in general attend to; the rest of each row is spread evenly over all factors."""

_AGREEMENT = 60.0
_CONTEXT_WEIGHT = 0.8


@dataclass(frozen=True, eq=False)
class Observer:
    """One simulated person.

    The distance of two scenes is ``sqrt(sum_f attention[c, f] * gap_f ** 2)``, where `c` is the context of the
    *reference*, plus `context_weight` where the other scene is of another context. So it is not symmetric: an ocean
    is compared by its light, and a city by its density, whatever the other picture is.

    Attributes
    ----------
    attention : float64 (8, F)
        A row per context and a column per factor; no entry is negative, each row sums to 1.
    noise : float
        Width of the psychometric function, in units of distance; 0 for someone who never errs.
    context_weight : float
        How much more distant a picture of another context looks; 0 or more.

    Raises
    ------
    InputError
        The attention has another shape, a negative entry or a row that does not sum to 1; or the noise or the
        context weight is negative.

    Examples
    --------
    >>> person = simulated_observers(1, seed=0, noise=0.0)[0]
    >>> calm, dark = Scene("ocean", (0.5,) * 9, 0), Scene("ocean", (0.5, 0.5, 0.1, *(0.5,) * 6), 0)
    >>> person.probability_a(calm, calm, dark)
    1.0
    """

    attention: NDArray[np.float64]
    noise: float = 0.0
    context_weight: float = _CONTEXT_WEIGHT

    def __post_init__(self) -> None:
        shape = (len(CONTEXTS), len(FACTORS))
        if self.attention.shape != shape:
            raise InputError(f"an observer's attention is {shape[0]} x {shape[1]}, not {self.attention.shape}")
        if not (np.all(self.attention >= 0.0) and np.allclose(self.attention.sum(axis=1), 1.0, atol=1e-6)):
            raise InputError("each row of an observer's attention must be 0 or more, and sum to 1")
        for name, value in (("noise", self.noise), ("context weight", self.context_weight)):
            if not (math.isfinite(value) and value >= 0.0):
                raise InputError(f"an observer's {name} must be 0 or more, not {value}")

    def distance(self, reference: Scene, other: Scene) -> float:
        """Say how far `other` looks from `reference`, 0 or more; with the attention of the reference's context."""
        return float(self.distances([reference], [other])[0])

    def distances(self, references: Sequence[Scene], others: Sequence[Scene]) -> NDArray[np.float64]:
        """Say how far each scene looks from its reference.

        Parameters
        ----------
        references, others : sequences of Scene
            Of the same length, n.

        Returns
        -------
        float64 (n,)

        Raises
        ------
        InputError
            The lengths differ.
        """
        if len(references) != len(others):
            raise InputError(f"{len(references)} references do not pair with {len(others)} other scenes")
        rows = np.array([CONTEXTS.index(scene.context) for scene in references], dtype=np.int64)
        columns = np.array([CONTEXTS.index(scene.context) for scene in others], dtype=np.int64)
        gaps = factor_gaps(_factors(references), _factors(others))
        within = np.sqrt((self.attention[rows] * gaps**2).sum(axis=1))
        return np.asarray(within + self.context_weight * (rows != columns), np.float64)

    def probability_a(self, reference: Scene, a: Scene, b: Scene) -> float:
        """Give the probability of answering that `a` is closer: ``1 / (1 + exp((d_a - d_b) / noise))``.

        Without noise it is 1, 0, or 0.5 for a tie.
        """
        nearer = self.distance(reference, b) - self.distance(reference, a)
        if self.noise == 0.0:
            return 0.5 + 0.5 * float(np.sign(nearer))
        return 0.5 + 0.5 * math.tanh(nearer / (2.0 * self.noise))

    def answer(self, reference: Scene, a: Scene, b: Scene, rng: np.random.Generator) -> Literal["a", "b"]:
        """Answer one question, by chance as `probability_a` says."""
        return "a" if rng.random() < self.probability_a(reference, a, b) else "b"


def simulated_observers(count: int, seed: int, noise: float) -> list[Observer]:
    """Draw people who share, with individual leanings, what matters in each context.

    Parameters
    ----------
    count : int
        How many; 0 or more.
    seed : int
        The same seed gives the same people, and the first of them do not depend on `count`.
    noise : float
        Of each of them; 0 or more.

    Returns
    -------
    list of Observer
        The attention of each is Dirichlet around the shared one, with a standard deviation of about 0.06 in the
        factors that matter most.

    Raises
    ------
    InputError
        The count, the seed or the noise is negative.

    Examples
    --------
    >>> [first, second] = simulated_observers(2, seed=0, noise=0.05)
    >>> ocean = CONTEXTS.index("ocean")
    >>> [FACTORS[int(person.attention[ocean].argmax())] for person in (first, second)]
    ['light', 'light']
    """
    if count < 0 or seed < 0:
        raise InputError(f"the count and the seed of observers must be 0 or more, not {count} and {seed}")
    shared = _shared_attention()
    people = []
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        attention = np.stack([rng.dirichlet(_AGREEMENT * row) for row in shared])
        people.append(Observer(attention, noise))
    return people


def _shared_attention() -> NDArray[np.float64]:
    table = np.array([[_SHARED[context].get(factor, 0.0) for factor in FACTORS] for context in CONTEXTS])
    return np.asarray(table + (1.0 - table.sum(axis=1, keepdims=True)) / len(FACTORS))


def _factors(scenes: Sequence[Scene]) -> NDArray[np.float64]:
    return np.array([scene.factors for scene in scenes], dtype=np.float64).reshape(-1, len(FACTORS))

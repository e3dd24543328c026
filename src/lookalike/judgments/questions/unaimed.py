"""Questions by chance: the baseline, and the only strategy whose answers give an unbiased test set."""

from __future__ import annotations

import numpy as np

from lookalike.core.types import Rows
from lookalike.judgments.questions.pool import Pool
from lookalike.judgments.questions.state import State
from lookalike.judgments.questions.strategy import STRATEGIES, Strategy, best_per_reference

__all__ = ["Random"]


@STRATEGIES.register("random")
class Random(Strategy):
    """Ask by chance, each reference once before any twice.

    Examples
    --------
    >>> state = State(["r", "x", "y"], [np.eye(3, dtype=np.float32)])
    >>> len(Random().propose(state, 2, np.random.default_rng(0)))
    2
    """

    def choose(self, pool: Pool, state: State, count: int, rng: np.random.Generator) -> Rows:  # noqa: ARG002
        """Choose by chance; see `Strategy.choose`."""
        return best_per_reference(pool.triplets[:, 0], rng.random(len(pool.triplets)), count)

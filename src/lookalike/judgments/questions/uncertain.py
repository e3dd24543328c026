"""Questions whose two distances are closest: where the models are nearest to changing their mind."""

from __future__ import annotations

import numpy as np

from lookalike.core.types import Rows
from lookalike.judgments.questions.pool import Pool
from lookalike.judgments.questions.state import State
from lookalike.judgments.questions.strategy import STRATEGIES, Strategy, best_per_reference

__all__ = ["Uncertain"]


@STRATEGIES.register("uncertain")
class Uncertain(Strategy):
    """Ask where a and b are about equally far (uncertainty sampling, Lewis and Gale 1994).

    The distances are averaged over the models of the state; give it the vectors of the model in training, or it
    keeps asking what the frozen features cannot tell. It cannot tell a question the model has not learned yet from
    one that nobody can answer, or that the features cannot: with poor features it does no better than `Random`.

    Examples
    --------
    >>> angles = np.array([0.0, 0.5, 0.52, 1.5])
    >>> vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    >>> state = State(["r", "near", "next", "far"], [vectors], alike=0.0)
    >>> Uncertain().propose(state, 1, np.random.default_rng(0))[0].reference
    'r'
    """

    def choose(self, pool: Pool, state: State, count: int, rng: np.random.Generator) -> Rows:  # noqa: ARG002
        """Choose the smallest gaps between distances; see `Strategy.choose`."""
        return best_per_reference(pool.triplets[:, 0], -np.abs(pool.gaps.mean(axis=0)), count)
